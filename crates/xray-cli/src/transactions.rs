//! `xray transactions`: the names that `--transaction` takes.

use crate::errors::{CliError, Outcome};
use crate::options::TransactionsOptions;
use crate::table::{self, Align};
use crate::{apps, console, units};
use serde::Serialize;
use xray_core::control::protocol::TransactionSummary;
use xray_core::control::survey;

/// `xray.transactions/1`.
#[derive(Serialize)]
struct Transactions<'a> {
    schema: &'static str,
    app: &'a str,
    transactions: &'a [TransactionSummary],
}

/// Lists the transactions, the busiest first.
///
/// # Errors
/// [`CliError`].
pub(crate) fn run(options: &TransactionsOptions) -> Result<Outcome, CliError> {
    let app = apps::choose(options.app.as_deref())?;
    let mut transactions = survey::transactions(&app)?.ok_or_else(|| {
        CliError::Unavailable(format!("no process of {:?} answers: look at `xray ps`, and try again", app.name()))
    })?;
    if options.json {
        let app = app.name();
        console::write_json(&Transactions { schema: "xray.transactions/1", app, transactions: &transactions })?;
        return Ok(Outcome::Done);
    }
    if transactions.is_empty() {
        console::note("no transaction is known yet: send the application a request");
        return Ok(Outcome::Done);
    }
    transactions.sort_by_key(|t| std::cmp::Reverse(t.count));
    let columns = [
        ("TRANSACTION", Align::Left),
        ("KIND", Align::Left),
        ("HANDLER", Align::Left),
        ("COUNT", Align::Right),
        ("PER MINUTE", Align::Right),
        ("P50", Align::Right),
        ("P95", Align::Right),
    ];
    let rows = transactions.into_iter().map(|t| {
        vec![
            t.name,
            t.kind,
            t.handler.unwrap_or_else(|| "-".to_owned()),
            t.count.to_string(),
            units::rate(t.per_minute),
            units::duration(t.p50_ns),
            units::duration(t.p95_ns),
        ]
    });
    table::write(&columns, rows.collect())?;
    Ok(Outcome::Done)
}
