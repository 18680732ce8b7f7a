//! The native half of the `xray` Python package: the agent inside one application process.
//!
//! This file is the whole Python surface. `agent` is what it does, `cpython` and `os` are the only places with
//! `unsafe`, `gate` is the only way from an agent thread to Python.

mod agent;
mod api;
mod cpython;
mod gate;
mod os;

pub(crate) const WEB: u8 = 0;
pub(crate) const BACKGROUND: u8 = 1;
pub(crate) const OTHER: u8 = 2;

/// The native half of xray; see `_xray.pyi`.
#[pyo3::pymodule(gil_used = true)]
mod _xray {
    use crate::agent::state::{Config, STATE};
    use crate::agent::steps::Steps;
    use crate::agent::text::Text;
    use crate::agent::{answer, lifecycle, names, segment, state, transaction};
    use crate::cpython::{arguments, code, function_wrapper, slot};
    use pyo3::prelude::*;
    use pyo3::types::{PyCode, PyTuple};
    use xray_core::model::{SymbolKind, TransactionKind};

    #[pymodule_export]
    use crate::agent::answer::Answer;
    #[pymodule_export]
    use crate::agent::transaction::Transaction;
    #[pymodule_export]
    use crate::api::report::{Report, open_report};
    #[pymodule_export]
    use crate::api::session::{Session, start_session};

    #[pymodule_export]
    const WEB: u8 = crate::WEB;
    #[pymodule_export]
    const BACKGROUND: u8 = crate::BACKGROUND;
    #[pymodule_export]
    const OTHER: u8 = crate::OTHER;

    #[pymodule_export]
    const SEGMENT_SQL: u8 = 0;
    #[pymodule_export]
    const SEGMENT_TEMPLATE: u8 = 1;
    #[pymodule_export]
    const SEGMENT_EXTERNAL: u8 = 2;
    #[pymodule_export]
    const SEGMENT_CACHE: u8 = 3;
    #[pymodule_export]
    const SEGMENT_QUEUE: u8 = 4;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        slot::find_strands_by(transaction::strand_of_running_context);
        // Made at first use otherwise, perhaps by a thread of the agent in the moment of a fork.
        xray_core::histogram::prepare();
        state::clock();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    #[pyfunction]
    fn configure(
        py: Python<'_>,
        app: Text<'_>,
        routes: Py<PyAny>,
        tasks: Py<PyAny>,
        resolve_path: Py<PyAny>,
        framework: Py<PyAny>,
        own_directory: Text<'_>,
    ) {
        let (app, own_directory) = (app.to_string(), own_directory.to_string());
        let config = Config { app, routes, tasks, resolve_path, framework, own_directory };
        let before = STATE.with(py, |state| state.config.replace(config));
        drop(before);
        lifecycle::enable();
    }

    #[pyfunction]
    #[pyo3(signature = (kind, alone=false))]
    fn begin(py: Python<'_>, kind: u8, alone: bool) -> Option<Bound<'_, Transaction>> {
        let kind = match kind {
            WEB => TransactionKind::Web,
            BACKGROUND => TransactionKind::Background,
            _ => TransactionKind::Other,
        };
        // Fails only without memory: the application goes on without a transaction.
        transaction::begin(py, kind, alone).ok().flatten()
    }

    #[pyfunction]
    fn begin_request(py: Python<'_>) -> Option<Bound<'_, Transaction>> {
        // As in `begin`.
        transaction::begin_request(py, identity(None)).ok().flatten()
    }

    #[pyfunction]
    fn begin_answer<'py>(
        app: Bound<'py, PyAny>,
        scope: Bound<'py, PyAny>,
        send: Bound<'py, PyAny>,
        name_early: &Bound<'py, PyAny>,
        name_last: Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, Answer>>> {
        answer::begin(app, scope, send, name_early, name_last)
    }

    #[pyfunction]
    fn answering_request<'py>(py: Python<'py>, of: Option<&Bound<'py, PyAny>>) -> Option<Bound<'py, Transaction>> {
        transaction::answering_request(py, identity(of))
    }

    fn identity(of: Option<&Bound<'_, PyAny>>) -> usize {
        of.map_or(0, |of| of.as_ptr() as usize)
    }

    #[pyfunction]
    fn current_request(py: Python<'_>) -> Option<Bound<'_, Transaction>> {
        transaction::asked(py, transaction::current_request)
    }

    #[pyfunction]
    fn context_changed(py: Python<'_>) {
        slot::look_up_now(py);
    }

    /// A method as it may be part of a name.
    #[pyfunction]
    fn method_name(method: Text<'_>) -> String {
        names::method_name(&method).to_owned()
    }

    #[pyfunction]
    fn current(py: Python<'_>) -> Option<Bound<'_, Transaction>> {
        transaction::asked(py, transaction::current)
    }

    #[pyfunction]
    fn recording() -> bool {
        state::is_recording()
    }

    #[pyfunction]
    fn tracing(py: Python<'_>) -> bool {
        slot::is_tracing(py)
    }

    fn segment_kind(kind: u8) -> SymbolKind {
        match kind {
            SEGMENT_SQL => SymbolKind::Sql,
            SEGMENT_TEMPLATE => SymbolKind::Template,
            SEGMENT_EXTERNAL => SymbolKind::External,
            SEGMENT_CACHE => SymbolKind::Cache,
            SEGMENT_QUEUE => SymbolKind::Queue,
            _ => SymbolKind::Other,
        }
    }

    #[pyfunction]
    #[pyo3(signature = (kind, name, detail=None))]
    fn enter_segment(py: Python<'_>, kind: u8, name: Text<'_>, detail: Option<Text<'_>>) -> bool {
        segment::enter(py, segment_kind(kind), &name, detail.as_deref().unwrap_or_default())
    }

    #[pyfunction]
    #[pyo3(signature = (statement, vendor, again=false))]
    fn enter_sql(py: Python<'_>, statement: Text<'_>, vendor: Text<'_>, again: bool) -> bool {
        segment::enter_sql(py, &statement, &vendor, again)
    }

    #[pyfunction]
    #[pyo3(signature = (rows, failed, outcome=None))]
    fn leave_segment(py: Python<'_>, rows: &Bound<'_, PyAny>, failed: bool, outcome: Option<Text<'_>>) {
        // Whatever a driver says: a number, None, or more than fits.
        segment::leave(py, rows.extract().unwrap_or(-1), failed, outcome.as_deref());
    }

    #[pyfunction]
    fn wrap_function<'py>(wrapped: &Bound<'py, PyAny>, traced: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        function_wrapper::wrap::<function_wrapper::Traced>(wrapped, traced)
    }

    #[pyfunction]
    fn wrap_transactions<'py>(wrapped: &Bound<'py, PyAny>, other: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        function_wrapper::wrap::<transaction::ThereAre>(wrapped, other)
    }

    #[pyfunction]
    fn wrap_requests<'py>(
        wrapped: &Bound<'py, PyAny>,
        begin: Bound<'py, PyAny>,
        name: Bound<'py, PyAny>,
        settle: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let functions = PyTuple::new(wrapped.py(), [begin, name, settle])?;
        function_wrapper::wrap_around::<transaction::Requests>(wrapped, &functions)
    }

    #[pyfunction]
    fn context_wanted(py: Python<'_>) {
        transaction::find_timed(py);
    }

    #[pyfunction]
    fn contexts_are_needed() {
        transaction::contexts_are_needed();
    }

    #[pyfunction]
    fn wrap_announced<'py>(wrapped: &Bound<'py, PyAny>, announce: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        function_wrapper::wrap_announced(wrapped, announce)
    }

    #[pyfunction]
    fn steps(awaited: Py<PyAny>, enter: Py<PyAny>, leave: Py<PyAny>) -> Steps {
        Steps::new(awaited, enter, leave)
    }

    #[pyfunction]
    fn label_code(code: &Bound<'_, PyCode>, kind: u8, name: Text<'_>) -> PyResult<()> {
        code::label(code, segment_kind(kind), name.to_string())
    }

    #[pyfunction]
    fn want_arguments(code: &Bound<'_, PyCode>, redact: Vec<String>) -> PyResult<()> {
        arguments::want(code, &redact)
    }

    #[pyfunction]
    fn after_fork_in_child(py: Python<'_>) {
        lifecycle::after_fork_in_child(py);
    }

    #[pyfunction]
    fn shutdown(py: Python<'_>) {
        lifecycle::shutdown(py);
    }

    /// Without the `cli` feature there is no command.
    #[pyfunction]
    fn main(py: Python<'_>, argv: Vec<String>) -> i32 {
        #[cfg(feature = "cli")]
        return py.detach(|| xray_cli::run(argv.into_iter().map(Into::into)));
        #[cfg(not(feature = "cli"))]
        {
            let _ = (py, argv);
            2
        }
    }
}
