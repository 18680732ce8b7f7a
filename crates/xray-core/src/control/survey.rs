//! What runs now: the processes of an application, and the transactions they have seen.

use super::client::{Agent, AgentInfo, ClientError, ask_all};
use super::directory::AppDirectory;
use super::private_dir::DirectoryError;
use super::protocol::{AgentState, Reply, Request, TransactionSummary};
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);

/// One process of an application.
#[derive(Debug)]
pub struct Process {
    /// As its socket says; what the process itself says is in `info`.
    pub pid: u32,
    /// What it says of itself, or why it says nothing.
    pub info: Result<AgentInfo, ClientError>,
    /// What it does; `None` when it does not say.
    pub state: Option<AgentState>,
}

/// The living processes of an application, sorted by pid.
///
/// # Errors
/// [`DirectoryError`].
pub fn processes(app: &AppDirectory) -> Result<Vec<Process>, DirectoryError> {
    let sockets = app.sockets()?;
    let mut agents = Agent::connect_all(app, &sockets);
    let states = ask_all(agents.iter_mut().flatten().map(|agent| (agent, &Request::Status)), PATIENCE);
    let mut states = states.into_iter();
    let all = sockets.iter().zip(agents).map(|(socket, agent)| match agent {
        Ok(agent) => {
            let state = match states.next() {
                Some(Ok(Reply::Status { state, .. })) => Some(state),
                _ => None,
            };
            Process { pid: agent.info().pid, info: Ok(agent.info().clone()), state }
        }
        Err(error) => Process { pid: socket.pid, info: Err(error), state: None },
    });
    Ok(all.filter(|process| !matches!(process.info, Err(ClientError::Gone))).collect())
}

/// The transactions of all living processes of an application, sorted by name, or `None` when no process lives.
///
/// # Errors
/// [`DirectoryError`].
pub fn transactions(app: &AppDirectory) -> Result<Option<Vec<TransactionSummary>>, DirectoryError> {
    let sockets = app.sockets()?;
    let mut agents: Vec<Agent> = Agent::connect_all(app, &sockets).into_iter().flatten().collect();
    let answers = ask_all(agents.iter_mut().map(|agent| (agent, &Request::Transactions)), PATIENCE);
    let lists: Vec<_> = answers
        .into_iter()
        .filter_map(|answer| match answer {
            Ok(Reply::Transactions { transactions }) => Some(transactions),
            _ => None,
        })
        .collect();
    if lists.is_empty() {
        return Ok(None);
    }
    let mut merged = merge_transactions(lists);
    merged.sort_by(|a, b| (&a.name, &a.kind).cmp(&(&b.name, &b.kind)));
    Ok(Some(merged))
}

/// Adds up the lists of several processes, in order of first appearance. Counts and rates are sums. Percentiles are
/// means weighted by the number of transactions: agents send no histograms, and this is for choosing a name.
pub fn merge_transactions(lists: Vec<Vec<TransactionSummary>>) -> Vec<TransactionSummary> {
    let mut index = BTreeMap::new();
    let mut merged: Vec<TransactionSummary> = Vec::new();
    for one in lists.into_iter().flatten() {
        let at = *index.entry((one.name.clone(), one.kind.clone())).or_insert(merged.len());
        match merged.get_mut(at) {
            None => merged.push(one),
            Some(sum) => {
                sum.p50_ns = weighted((sum.p50_ns, sum.count), (one.p50_ns, one.count));
                sum.p95_ns = weighted((sum.p95_ns, sum.count), (one.p95_ns, one.count));
                sum.count = sum.count.saturating_add(one.count);
                sum.per_minute += one.per_minute;
                sum.handler = sum.handler.take().or(one.handler);
                sum.url_name = sum.url_name.take().or(one.url_name);
            }
        }
    }
    merged
}

fn weighted(a: (u64, u64), b: (u64, u64)) -> u64 {
    let product = |(value, weight): (u64, u64)| u128::from(value) * u128::from(weight);
    let weight = u128::from(a.1) + u128::from(b.1);
    product(a).saturating_add(product(b)).checked_div(weight).unwrap_or(0) as u64
}
