//! SQL for the report: statements without their literals, and short names for them.
//!
//! Parsers reject dialects, and a rejected statement must not leak what its user typed. So this is a tokenizer of one
//! linear pass that knows how each dialect quotes, and that fails closed: where a literal does not end, or where
//! dialects disagree about its end, the rest of the statement becomes one `?`.

mod obfuscate;
mod summary;
mod token;

pub use obfuscate::obfuscate;
pub use summary::{Summary, summarize};

/// How a database quotes and comments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Not known: everything that may be a literal in some dialect is one.
    #[default]
    Generic,
    /// MySQL and MariaDB: `"..."` is a string, backslashes escape, `#` comments.
    Mysql,
    /// PostgreSQL and its relatives: `E'...'`, `$tag$...$tag$`, nested comments.
    Postgres,
    /// SQLite: `"..."` is a name, or a string if no such name exists.
    Sqlite,
    /// Oracle: `q'[...]'`.
    Oracle,
    /// SQL Server: `[...]` is a name.
    Mssql,
}

impl Dialect {
    /// From what database libraries call it: Django's `connection.vendor`, SQLAlchemy's dialect, a driver's module.
    pub fn from_vendor(vendor: &str) -> Self {
        let vendor = vendor.to_ascii_lowercase();
        let is = |names: &[&str]| names.iter().any(|name| vendor.contains(name));
        if is(&["mysql", "mariadb"]) {
            Self::Mysql
        } else if is(&["postgres", "psycopg", "asyncpg", "cockroach", "redshift", "pg8000"]) {
            Self::Postgres
        } else if is(&["sqlite"]) {
            Self::Sqlite
        } else if is(&["oracle"]) {
            Self::Oracle
        } else if is(&["mssql", "microsoft", "sqlserver", "pymssql"]) {
            Self::Mssql
        } else {
            Self::Generic
        }
    }
}

#[cfg(test)]
mod tests;
