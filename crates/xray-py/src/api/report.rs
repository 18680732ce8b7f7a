//! A report, as Python sees it: JSON made here, typed objects made there.

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use xray_core::format;
use xray_core::model::SessionData;
use xray_report::text::{self, Theme};
use xray_report::{LoadError, build, html, json};

/// The report of one session.
#[pyclass(frozen, module = "xray._xray")]
pub(crate) struct Report {
    session: SessionData,
}

/// Reads a session file or part; see `_xray.pyi`.
#[pyfunction]
pub(crate) fn open_report(py: Python<'_>, path: PathBuf) -> PyResult<Report> {
    py.detach(|| Report::read(&path)).map_err(|error| match error {
        LoadError::Io { .. } => PyOSError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    })
}

impl Report {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, LoadError> {
        Ok(Self { session: xray_report::load(&[path])? })
    }

    /// Merges parts into a new session file.
    pub(crate) fn merge(parts: &[PathBuf], path: &Path) -> Result<Self, String> {
        let session = xray_report::load(parts).map_err(|error| error.to_string())?;
        let bytes = format::write(&session).map_err(|error| error.to_string())?;
        write_new(path, &bytes)
            .map_err(|error| format!("the session file {} cannot be written: {error}", path.display()))?;
        Ok(Self { session })
    }
}

/// Writes a file that is not there yet, for its owner only.
fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(content)
}

#[pymethods]
impl Report {
    fn json(&self, py: Python<'_>) -> String {
        py.detach(|| json::to_line(&build::report(&self.session)))
    }

    fn trace_json(&self, py: Python<'_>, trace_id: &str) -> Option<String> {
        py.detach(|| build::trace(&self.session, trace_id).map(|trace| json::to_line(&trace)))
    }

    fn tree_json(&self, py: Python<'_>, source: &str) -> PyResult<String> {
        let source = match source {
            "samples" => build::TreeSource::Samples,
            "calls" => build::TreeSource::Calls,
            _ => return Err(PyValueError::new_err("source is \"samples\" or \"calls\"")),
        };
        Ok(py.detach(|| json::to_line(&build::tree(&self.session, source))))
    }

    fn percentile(&self, arm: &str, percentile: f64) -> PyResult<Option<u64>> {
        if !(0.0..=100.0).contains(&percentile) {
            return Err(PyValueError::new_err("a percentile is a number from 0 to 100"));
        }
        let (traced, control) = (&self.session.traced.latency, &self.session.control.latency);
        let latency = match arm {
            "traced" => traced.clone(),
            "control" => control.clone(),
            "all" => {
                let mut all = traced.clone();
                all.add(control);
                all
            }
            _ => return Err(PyValueError::new_err("arm is \"traced\", \"control\" or \"all\"")),
        };
        Ok((latency.count() > 0).then(|| latency.percentile(percentile)))
    }

    fn text(&self, py: Python<'_>, width: usize, color: bool) -> String {
        py.detach(|| {
            let theme = if color { Theme::coloured() } else { Theme::plain() };
            let samples = build::tree(&self.session, build::TreeSource::Samples);
            let calls = build::tree(&self.session, build::TreeSource::Calls);
            text::report(
                &build::report(&self.session),
                &samples,
                &calls,
                &text::Options { theme, ..text::Options::plain(width) },
            )
        })
    }

    fn html(&self, py: Python<'_>) -> String {
        py.detach(|| {
            let report = build::report(&self.session);
            let samples = build::tree(&self.session, build::TreeSource::Samples);
            let calls = build::tree(&self.session, build::TreeSource::Calls);
            let slowest = report.traces.iter().take(html::FULL_TRACES);
            let traces: Vec<_> = slowest.filter_map(|trace| build::trace(&self.session, &trace.id)).collect();
            html::page(&report, &samples, &calls, &traces)
        })
    }
}
