//! What obfuscation must hide, must keep, and must cost; and what statements are called.

use super::token::Tokenizer;
use super::*;
use Dialect::{Generic, Mssql, Mysql, Oracle, Postgres, Sqlite};
use proptest::collection::vec;
use proptest::prelude::*;

const ALL: [Dialect; 6] = [Generic, Mysql, Postgres, Sqlite, Oracle, Mssql];

#[test]
fn literals_of_every_style() {
    for (dialects, statement, expected) in [
        (&ALL[..], "SELECT 1, -2.5e-3, .5, 0xDEADbeef, 1_000, t1.c2", "SELECT ?, -?, ?, ?, ?, t1.c2"),
        (&ALL, "a = 'it''s' AND b='x'", "a = ? AND b=?"),
        (&ALL, "x = N'a' OR x = X'ff' OR x = b'01'", "x = ? OR x = ? OR x = ?"),
        (&ALL, "a IS NULL AND b = TRUE", "a IS NULL AND b = ?"),
        (&ALL, "LIKE'%x%'", "LIKE?"),
        (&ALL, "DATE '2020-01-01'", "DATE ?"),
        (&ALL, "", ""),
        (&ALL, "  \n ", ""),
        (
            &ALL,
            "a = %s AND b = %(name)s AND c = :name AND d = ? AND e = $1 AND f = :1",
            "a = ? AND b = ? AND c = ? AND d = ? AND e = ? AND f = ?",
        ),
        (&ALL, "a % 2, a %size", "a % ?, a %size"),
        (&ALL, "/* who */ SELECT a -- why\n, b /* x */FROM t", "SELECT a , b FROM t"),
        (&ALL, "SELECT\u{a0}caf\u{e9}\t FROM \u{8868}", "SELECT caf\u{e9} FROM \u{8868}"),
        (&[Generic, Mysql], r#"a = "x""y""#, "a = ?"),
        (&[Postgres, Oracle, Mssql], r#"SELECT "a ""b""" FROM "t""#, r#"SELECT "a ""b""" FROM "t""#),
        (
            &[Sqlite],
            r#"SELECT "blog_post"."id" FROM "blog_post" WHERE a = "a string""#,
            r#"SELECT "blog_post"."id" FROM "blog_post" WHERE a = ?"#,
        ),
        (&[Mysql], r"a = 'it\'s' AND b = 'x\\' AND c = _utf8mb4'y'", "a = ? AND b = ? AND c = ?"),
        (&[Mysql], "SELECT 5--3 # why\n FROM `t` -- x", "SELECT ?- -? FROM `t`"),
        (&[Postgres, Sqlite, Oracle, Mssql], r"LIKE ? ESCAPE '\' AND b = 'c'", "LIKE ? ESCAPE ? AND b = ?"),
        (&[Postgres, Generic], r"a = E'it\'s' AND b = U&'d\0061t'", "a = ? AND b = ?"),
        (&[Postgres, Generic], "a = $$it's$$ OR a = $tag$ $$ 'x' $tag$ OR c$d", "a = ? OR a = ? OR c$d"),
        (&[Postgres, Generic], "a::text[], b #>> '{a}', c[1:2], d ? 'k'", "a::text[], b #>> ?, c[?:?], d ? ?"),
        (&[Postgres, Generic], "a /* x /* y */ z */ b", "a b"),
        (&[Mysql, Sqlite, Oracle], "a /* x /* y */ b", "a b"),
        (&[Oracle, Generic], "a = q'[it's]' AND b = nq'!x!' AND c = q'{y}'", "a = ? AND b = ? AND c = ?"),
        (&[Mssql], "SELECT [it's]]x] FROM [t] WHERE a = 'x'", "SELECT [it's]]x] FROM [t] WHERE a = ?"),
        (&[Sqlite], "a = $name AND b = @p AND c = ?12", "a = ? AND b = @p AND c = ?"),
    ] {
        for dialect in dialects {
            assert_eq!(obfuscate(statement, *dialect), expected, "{dialect:?}: {statement}");
        }
    }
}

#[test]
fn lists_and_rows_look_the_same_whatever_their_length() {
    for (statement, expected) in [
        ("a IN (1, 2, 3) AND b", "a IN (?) AND b"),
        ("a NOT IN ('x') AND b IN (-1, -2)", "a NOT IN (?) AND b IN (-?)"),
        ("a IN (%s, %s, %s)", "a IN (?)"),
        ("a IN (1, b, 2, 3)", "a IN (?, b, ?, ?)"),
        ("a IN (SELECT b FROM t WHERE c IN (1,2))", "a IN (SELECT b FROM t WHERE c IN (?))"),
        ("(a, b) IN ((1, 2), (3, 4), (5, 6)) AND c", "(a, b) IN ((?, ?)) AND c"),
        ("a = ANY(ARRAY[1, 2, 3])", "a = ANY(ARRAY[?])"),
        (
            "INSERT INTO t (a, b) VALUES (1, now()), (2, NULL), (3, f((4))) RETURNING id",
            "INSERT INTO t (a, b) VALUES (?, now()) RETURNING id",
        ),
        (
            "VALUES (1), (2) ON DUPLICATE KEY UPDATE a=VALUES(a), b=VALUES(b)",
            "VALUES (?) ON DUPLICATE KEY UPDATE a=VALUES(a), b=VALUES(b)",
        ),
        ("f(1, 2, 3)", "f(?, ?, ?)"),
    ] {
        assert_eq!(obfuscate(statement, Postgres), expected);
    }
}

#[test]
fn what_cannot_be_told_apart_is_hidden_to_the_end() {
    for (dialect, statement, expected) in [
        (Postgres, "SELECT a FROM t WHERE b = 'secret", "SELECT a FROM t WHERE b = ?"),
        (Postgres, "SELECT $x$ secret $y$", "SELECT ?"),
        (Postgres, "SELECT a /* secret /* */", "SELECT a ?"),
        (Postgres, "SELECT \"secret", "SELECT ?"),
        (Mysql, "SELECT `secret", "SELECT ?"),
        (Mssql, "SELECT [secret", "SELECT ?"),
        (Oracle, "SELECT q'[secret' FROM t", "SELECT ?"),
        (Generic, r"SELECT 'a\' AND b = 'secret'", "SELECT ?"),
        (Generic, r#"SELECT "a\" AND b = "secret""#, "SELECT ?"),
        (Generic, "VALUES (1), (2, 'secret", "VALUES (?) ?"),
        (Generic, "a IN (1, 'secret", "a IN (?, ?"),
    ] {
        assert_eq!(obfuscate(statement, dialect), expected);
    }
}

#[test]
fn long_statements_are_cut_between_tokens() {
    let statement = format!("SELECT {}", "\u{e4}bcdefg, ".repeat(1_000));
    let cut = obfuscate(&statement, Sqlite);
    assert!(cut.len() <= crate::limits::SQL_BYTES && cut.len() > crate::limits::SQL_BYTES - 20);
    assert!(cut.ends_with('…'));
    assert_eq!(obfuscate(&cut, Sqlite), cut);
    assert_eq!(obfuscate(&"x".repeat(10_000), Sqlite), "…");
}

#[test]
fn statements_get_short_names() {
    for (statement, name) in [
        (r#"SELECT "blog_post"."id" FROM "blog_post" INNER JOIN "blog_tag" ON (1)"#, "blog_post - SELECT"),
        ("select * from `a`.`b` where x", "a.b - SELECT"),
        ("SELECT a IS DISTINCT FROM b FROM c", "c - SELECT"),
        ("SELECT EXTRACT(YEAR FROM d), (SELECT 1 FROM x) FROM t", "t - SELECT"),
        ("SELECT * FROM (SELECT a FROM inner_one) q JOIN y ON 1", "inner_one - SELECT"),
        ("SELECT a FROM ONLY t FOR UPDATE OF u", "t - SELECT"),
        ("(SELECT a FROM t) UNION (SELECT b FROM u)", "t - SELECT"),
        ("SELECT 1", "SELECT"),
        ("/* app:blog */ INSERT INTO s.t (a) SELECT b FROM u", "s.t - INSERT"),
        ("INSERT OR IGNORE INTO t VALUES (1)", "t - INSERT"),
        ("REPLACE INTO t VALUES (1)", "t - REPLACE"),
        ("UPDATE ONLY t SET a = 1", "t - UPDATE"),
        ("DELETE FROM t WHERE a", "t - DELETE"),
        ("DELETE t1 FROM t1 JOIN t2", "t1 - DELETE"),
        ("TRUNCATE TABLE t", "t - TRUNCATE"),
        ("CREATE TABLE IF NOT EXISTS t (a int)", "t - CREATE"),
        ("CREATE UNIQUE INDEX i ON t (a)", "t - CREATE"),
        ("ALTER TABLE t ADD COLUMN b int", "t - ALTER"),
        ("DROP INDEX i", "DROP"),
        ("WITH x AS (SELECT * FROM real) SELECT * FROM x", "real - SELECT"),
        (
            "WITH RECURSIVE x(n) AS (SELECT 1 UNION SELECT n FROM x), y AS (SELECT 2) SELECT * FROM x JOIN t",
            "t - SELECT",
        ),
        ("WITH x AS (DELETE FROM old RETURNING *) INSERT INTO archive SELECT * FROM x", "archive - INSERT"),
        ("EXPLAIN ANALYZE SELECT * FROM t", "t - EXPLAIN"),
        ("EXPLAIN QUERY PLAN SELECT * FROM t", "t - EXPLAIN"),
        ("DECLARE \"c1\" CURSOR FOR SELECT a FROM t", "t - DECLARE"),
        ("FETCH FORWARD 10 FROM \"c1\"", "FETCH"),
        ("CALL s.proc(1)", "s.proc - CALL"),
        ("BEGIN", "BEGIN"),
        ("BEGIN; SELECT * FROM t", "BEGIN"),
        ("START TRANSACTION", "START"),
        ("SAVEPOINT \"s123\"", "SAVEPOINT"),
        ("RELEASE SAVEPOINT s1", "RELEASE"),
        ("PRAGMA foreign_keys = ON", "PRAGMA"),
        ("SET search_path TO x", "SET"),
        ("SELECT * FROM 'secret'", "SELECT"),
        ("secret word", "SQL"),
        ("", "SQL"),
        ("'secret", "SQL"),
    ] {
        assert_eq!(summarize(statement, Sqlite).name(), name, "{statement}");
    }
    assert_eq!(summarize("SELECT * FROM [dbo].[t]", Mssql).name(), "dbo.t - SELECT");
    assert_eq!(summarize(r#"SELECT * FROM "t" WHERE "a" = 1"#, Generic).name(), "t - SELECT");
    assert_eq!(
        summarize(&format!("SELECT * FROM {}", "t".repeat(9_000)), Generic).name().len(),
        128 + " - SELECT".len()
    );
}

#[test]
fn vendors_have_their_dialects() {
    for (vendor, dialect) in [
        ("postgresql", Postgres),
        ("psycopg2", Postgres),
        ("MySQL", Mysql),
        ("mariadb", Mysql),
        ("sqlite3", Sqlite),
        ("oracledb", Oracle),
        ("microsoft", Mssql),
        ("duckdb", Generic),
    ] {
        assert_eq!(Dialect::from_vendor(vendor), dialect);
    }
}

fn steps(statement: &str, dialect: Dialect) -> usize {
    let mut tokens = Tokenizer::new(statement, dialect);
    while tokens.next().is_some() {}
    tokens.steps.get()
}

#[test]
fn time_is_linear_in_the_worst_cases() {
    for piece in [
        "'", "''", "\"", "`", "[", "]", "$", "$a", "$a$", "$$", "/*", "*/", "/* /*", "--", "#", "%(", "%(a", "%(a)",
        ":", "::", "\\", "e'", "q'[", "U&", "1e+", "1e", ".1", "?", "a", "a ", "IN (1,", "VALUES (", "(", "x'a",
        "\u{e9}", "$\u{e9}",
    ] {
        for dialect in ALL {
            let (small, large) = (steps(&piece.repeat(1_000), dialect), steps(&piece.repeat(16_000), dialect));
            assert!(large <= small.max(1_000 * piece.len()) * 17, "{dialect:?} {piece}: {small} -> {large}");
            assert!(large <= 16_000 * piece.len() * 70, "{dialect:?} {piece}: {large}");
        }
    }
}

/// A literal with the marker in it, in every style of a dialect.
fn literal(dialect: Dialect) -> impl Strategy<Value = String> {
    let body = "[a-z ,;()%:$#?*/-]{0,6}";
    (body, body, 0..12_usize).prop_map(move |(a, b, style)| {
        let text = format!("{a}MARKER{b}");
        match (style, dialect) {
            (0, Mysql | Generic) => format!("\"{text}\""),
            (0, Sqlite) => format!("\"two words {text}\""),
            (1, Mysql) => format!(r"'it\'s {text}\\'"),
            (1, Postgres | Generic) => format!(r"E'it\'s {text}\\'"),
            (2, Postgres | Generic) => format!("$${}$$", text.replace('$', "")),
            (3, Postgres | Generic) => format!("$tag${text}$tag$"),
            (4, Oracle | Generic) => format!("q'[it's {text}]'"),
            (5, _) => format!("N'{text}'"),
            (6, _) => format!("X'{text}'"),
            (7, _) => format!("'it''s {text}'''"),
            (8, _) => format!("/* {} */ 1", text.replace("*/", "").replace("/*", "").replace(['/', '*'], "")),
            (9, _) => format!("-- {text}\n 2"),
            (10, _) => "0xMARKER".replace("MARKER", "FEED9MARKER"),
            _ => format!("'{text}'"),
        }
    })
}

fn statement() -> impl Strategy<Value = (Dialect, String)> {
    prop::sample::select(&ALL[..]).prop_flat_map(|dialect| {
        let word = prop::sample::select(
            &[
                "SELECT", "FROM", "t", "WHERE", "a =", ",", "IN (", ")", "(", "VALUES (", "-", "AND", "[1]", "b::int",
                "%s", "x.y",
            ][..],
        )
        .prop_map(str::to_owned);
        (Just(dialect), vec(prop_oneof![word, literal(dialect)], 0..20).prop_map(|parts| parts.join(" ")))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_literal_survives((dialect, statement) in statement()) {
        let text = obfuscate(&statement, dialect);
        prop_assert!(!text.contains("MARKER"), "{:?}: {} -> {}", dialect, statement, text);
        if dialect != Generic {
            prop_assert!(!summarize(&statement, dialect).name().contains("MARKER"));
        }
        prop_assert_eq!(obfuscate(&text, dialect), text);
    }

    #[test]
    fn a_statement_of_an_unknown_dialect_shows_no_literal(
        (dialect, statement) in statement().prop_filter("brackets are names there", |(d, _)| *d != Mssql),
    ) {
        let text = obfuscate(&statement, Generic);
        prop_assert!(!text.contains("MARKER"), "{:?}: {} -> {}", dialect, statement, text);
    }

    #[test]
    fn any_text_is_safe_bounded_and_obfuscated_once(
        text in "[-'\"`\\[\\]$/*#%():;,.?\\\\ \na-eqxINE0-9_\u{e9}\u{2026}@&|]{0,60}", dialect in prop::sample::select(&ALL[..]),
    ) {
        let once = obfuscate(&text, dialect);
        prop_assert!(once.len() <= crate::limits::SQL_BYTES);
        prop_assert_eq!(obfuscate(&once, dialect), once);
        summarize(&text, dialect);
    }

    #[test]
    fn any_bytes_are_safe(bytes in vec(any::<u8>(), 0..200), dialect in prop::sample::select(&ALL[..])) {
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(!obfuscate(&text, dialect).contains('\n'));
        summarize(&text, dialect);
        prop_assert!(steps(&text, dialect) <= 80 * text.len() + 20);
    }
}
