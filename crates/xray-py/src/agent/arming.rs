//! Arming a session in this process, and ending it: the agent's side.

use super::labels;
use super::lifecycle;
use super::session::Recording;
use super::state::{self, STATE};
use super::symbols::Symbols;
use crate::cpython::capabilities::{self, TracerChoice};
use crate::cpython::frames::GilStackSource;
use crate::cpython::stack_reader::{MemoryStackSource, destroyed};
use crate::cpython::tracer::{self, Tracer};
use crate::cpython::{code, event_cost, gc_pauses, slot};
use crate::gate;
use crate::os::{clock, process, thread};
use arc_swap::ArcSwapOption;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use xray_core::control::descriptors::AgentOwned;
use xray_core::control::directory::AppDirectory;
use xray_core::control::protocol::{AgentState, Progress, SessionSpec};
use xray_core::format::{PartWriter, WriteError};
use xray_core::model::{
    Capabilities, Note, NoteCode, ProcessEnd, ProcessInfo, ProcessKey, SessionId, Severity, StoppedBy,
};
use xray_core::sample::{StackSource, ThreadSleeper, run_sampler};
use xray_core::session::{Collector, Cost, CostMeter, Intake, RecordingConfig, recording};
use xray_core::target::Matcher;
use xray_core::trace::TickScale;

/// The newest session of this process, as agent threads and `Session` objects see it.
static LAST: ArcSwapOption<Handle> = ArcSwapOption::const_empty();
/// Why nothing more is armed.
const ENDING: &str = "the application is ending";
/// Taken while a session is being armed: two controllers may ask at once.
static ARMING: AtomicBool = AtomicBool::new(false);

/// How often and how long it is tried to unmute a thread that is inside `sys.call_tracing`.
const UNDO_TRIES: u32 = 50;
const UNDO_INTERVAL: Duration = Duration::from_millis(20);

/// A session in this process, from arming until its part is written, and after.
pub(crate) struct Handle {
    /// Identity.
    pub(crate) id: SessionId,
    /// What the process can do.
    pub(crate) capabilities: Capabilities,
    intake: Intake,
    finished: Mutex<bool>,
    changed: Condvar,
}

impl Handle {
    /// Ends recording; the first reason stays.
    pub(crate) fn request_stop(&self, by: StoppedBy) {
        self.intake.request_stop(by);
    }

    /// How it goes. Finished is who has written the part and can take part in the next session.
    pub(crate) fn progress(&self) -> Progress {
        let finished = self.is_finished();
        let mut progress = self.intake.progress();
        if progress.state == AgentState::Finished && !finished {
            progress.state = AgentState::Draining;
        }
        progress
    }

    /// Waits until the part is written, at most until `deadline`; returns whether it is. Not to be called with the
    /// GIL held: the collector needs it to finish.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        let mut finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        while !*finished {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            finished = self.changed.wait_timeout(finished, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn is_finished(&self) -> bool {
        *self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        *self.finished.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// The session that this process is in.
pub(crate) fn running() -> Option<Arc<Handle>> {
    last().filter(|handle| !handle.is_finished())
}

/// The session that this process is in, or was in last.
pub(crate) fn last() -> Option<Arc<Handle>> {
    LAST.load_full()
}

/// Whether a session is of this process only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alone {
    /// `scope="process"`: when this process has finished, the session is over.
    Yes,
    /// Other processes may be in it; its controller ends it.
    No,
}

/// Joins a session. To be called without the GIL.
///
/// # Errors
/// One sentence for the user; nothing of the session is left in the process then.
pub(crate) fn arm(app: AppDirectory, spec: &SessionSpec, alone: Alone) -> Result<Arc<Handle>, String> {
    if ARMING.swap(true, Ordering::SeqCst) {
        return Err("another session is just being armed in this process".to_owned());
    }
    // After the swap: either this sees that the application ends, or `wait_while_arming` sees this.
    let armed = if lifecycle::is_enabled() { arm_once(app, spec, alone) } else { Err(ENDING.to_owned()) };
    ARMING.store(false, Ordering::SeqCst);
    armed
}

/// Waits until no session is being armed, at most until `deadline`. Not to be called with the GIL held.
pub(crate) fn wait_while_arming(deadline: Instant) {
    while ARMING.load(Ordering::SeqCst) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn arm_once(app: AppDirectory, spec: &SessionSpec, alone: Alone) -> Result<Arc<Handle>, String> {
    if let Some(running) = running() {
        return if running.id == spec.header.id {
            Ok(running)
        } else {
            Err(format!("process {} is already in session {}", std::process::id(), running.id.0))
        };
    }
    let matcher = Matcher::new(&spec.header.target).map_err(|error| error.to_string())?;
    let calibration = clock::calibrate();
    let prepared = gate::attached(prepare).ok_or(ENDING)?;
    let mut prepared = prepared.map_err(|error| format!("the interpreter refused: {error}"))?;
    let capabilities = capabilities::describe(
        &prepared.choice,
        prepared.not_muted.as_deref(),
        prepared.stacks.under_gil.as_deref(),
        calibration,
        prepared.event_cost_ns,
    );
    let info = process_info(&prepared, &capabilities);
    let key = info.key;
    let scale = TickScale::from_ns_per_tick(calibration.ns_per_tick);
    let (path, intake, collector) = match start_recording(&app, spec, info, scale) {
        Ok(started) => started,
        Err(reason) => {
            gate::attached(|py| undo(py, &mut prepared.tracer));
            return Err(reason);
        }
    };
    let never_took_part = |reason: String| {
        // Else the report would tell of a process that was lost.
        if let Err(error) = std::fs::remove_file(&path) {
            log::warn!("{} cannot be removed: {error}", path.display());
        }
        Err(reason)
    };
    let handle = Arc::new(Handle {
        id: spec.header.id.clone(),
        capabilities,
        intake: intake.clone(),
        finished: Mutex::new(false),
        changed: Condvar::new(),
    });
    // In place before the collector's thread is: that thread takes it out again, however soon. Both at once: what
    // records must be found by whoever ends the application.
    let in_place = gate::attached(|py| {
        let recording = Recording::new(intake.clone(), matcher, &spec.header, key, prepared.tracer);
        state::set_recording(recording.generation);
        STATE.with(py, |state| state.recording = Some(recording));
        LAST.store(Some(handle.clone()));
    });
    if in_place.is_none() {
        return never_took_part(ENDING.to_owned());
    }
    // From here on the collector's thread is who ends the session, whatever happens.
    let started =
        start_threads(handle.clone(), intake.clone(), collector, (app, alone), prepared.stacks, spec.header.seed);
    if let Err(error) = started {
        intake.request_stop(StoppedBy::Refused);
        gate::attached(end_recording);
        handle.finish();
        return never_took_part(format!("the session's threads could not be started: {error}"));
    }
    Ok(handle)
}

struct Prepared {
    choice: TracerChoice,
    tracer: Tracer,
    python: String,
    framework: Option<String>,
    event_cost_ns: u32,
    /// Why threads that are in no traced transaction are not muted, if they are not.
    not_muted: Option<String>,
    stacks: Stacks,
}

/// Who reads the stacks.
struct Stacks {
    source: Box<dyn StackSource>,
    /// Kernel id of the thread that does, once it runs.
    tid: Arc<AtomicU32>,
    /// Why the GIL is needed for it, if it is.
    under_gil: Option<String>,
}

/// Everything of arming that needs Python: the tracer is on afterwards, and nobody is traced.
fn prepare(py: Python<'_>) -> PyResult<Prepared> {
    let (own_directory, framework) = STATE
        .with(py, |state| {
            let config = state.config.as_ref()?;
            Some((config.own_directory.clone(), config.framework.clone_ref(py)))
        })
        .flatten()
        .ok_or_else(|| PyRuntimeError::new_err("xray.install() was not called"))?;
    let choice = capabilities::probe(py);
    let version = py.version_info();
    let python = format!("{}.{}.{}", version.major, version.minor, version.patch);
    // The application's own code: its failure is not the session's.
    let framework = framework.call0(py).and_then(|name| name.extract(py)).unwrap_or(None);
    code::start(py, &own_directory);
    let armed = event_cost::measure_untraced(py).and_then(|untraced| {
        let mut tracer = Tracer::arm(py, &choice)?;
        let measured = event_cost::measure(py, &mut tracer, &untraced);
        match measured.and_then(|event_cost_ns| gc_pauses::install(py).map(|()| event_cost_ns)) {
            Ok(event_cost_ns) => Ok((tracer, event_cost_ns)),
            Err(error) => {
                tracer.disarm(py);
                Err(error)
            }
        }
    });
    match armed {
        Ok((tracer, event_cost_ns)) => {
            let not_muted = tracer.mute_others(py);
            let stacks = choose_stacks(py, &own_directory);
            Ok(Prepared { choice, tracer, python, framework, event_cost_ns, not_muted, stacks })
        }
        Err(error) => {
            code::stop(py);
            Err(error)
        }
    }
}

/// Without the GIL where that is known to work here.
fn choose_stacks(py: Python<'_>, own_directory: &str) -> Stacks {
    let tid = Arc::new(AtomicU32::new(0));
    match MemoryStackSource::arm(py, own_directory, labels::of_reference, tid.clone()) {
        Ok(source) => Stacks { source: Box::new(source), tid, under_gil: None },
        Err(reason) => Stacks {
            source: Box::new(GilStackSource::new(labels::of_reference, tid.clone())),
            tid,
            under_gil: Some(reason),
        },
    }
}

fn undo(py: Python<'_>, tracer: &mut Tracer) {
    gc_pauses::remove(py);
    tracer.disarm(py);
    slot::forget_recorders(py);
    destroyed::unwatch(py);
    code::stop(py);
}

fn process_info(prepared: &Prepared, capabilities: &Capabilities) -> ProcessInfo {
    let (host, pid, now) = (process::host_name(), std::process::id(), state::unix_ns());
    let key: ProcessKey = xray_core::id::process_key(&host, pid, now);
    ProcessInfo {
        key,
        host,
        pid,
        python: prepared.python.clone(),
        framework: prepared.framework.clone(),
        joined_unix_ns: now,
        left_unix_ns: now,
        end: ProcessEnd::Lost,
        capabilities: capabilities.clone(),
    }
}

fn start_recording(
    app: &AppDirectory,
    spec: &SessionSpec,
    process: ProcessInfo,
    scale: TickScale,
) -> Result<(PathBuf, Intake, Collector<AgentOwned<File>>), String> {
    let id = &spec.header.id;
    let directory = app.session(id).map_err(|error| error.to_string())?;
    let directory = directory.ok_or_else(|| format!("the directory of session {} is gone", id.0))?;
    let path = directory.new_part_path();
    let writer = PartWriter::create_file(&path)
        .map_err(WriteError::from)
        .and_then(|file| PartWriter::new(AgentOwned::new(file), &spec.header, &process))
        .map_err(|error| format!("the part file {} cannot be written: {error}", path.display()))?;
    let tally = Box::new(AgentOwned::new(directory.tally().map_err(|error| error.to_string())?));
    let config = RecordingConfig { header: spec.header.clone(), process, scale, tally };
    let (intake, collector) = recording(config, writer, state::clock());
    Ok((path, intake, collector))
}

fn start_threads(
    handle: Arc<Handle>,
    intake: Intake,
    collector: Collector<AgentOwned<File>>,
    (app, alone): (AppDirectory, Alone),
    mut stacks: Stacks,
    seed: u64,
) -> std::io::Result<()> {
    let mut meter = AgentCost {
        sampler_tid: stacks.tid.clone(),
        sampler_ns: 0,
        intake: intake.clone(),
        tools: tracer::tools_that_came(),
    };
    let sampler = thread::spawn("xray-sampler", move || {
        thread::precise_timers();
        thread::short_turns();
        run_sampler(&mut *stacks.source, &intake, &*state::clock(), &mut ThreadSleeper, seed);
    })?;
    let app = AgentOwned::new(app);
    thread::spawn("xray-collector", move || {
        let summary = collector.run(&mut Symbols, &mut meter);
        drop(sampler.join());
        gate::attached(end_recording);
        // What could not be undone at once; in the end the next session tries again.
        for _ in 0..UNDO_TRIES {
            if gate::attached(tracer::is_undone).unwrap_or(true) {
                break;
            }
            std::thread::sleep(UNDO_INTERVAL);
        }
        let noted = match (alone, summary.stopped_by) {
            (Alone::Yes, by) => app.mark_stopped(&handle.id, by).and_then(|_| app.end_session(&handle.id)),
            // A worker that is replaced does not end the session of the others.
            (Alone::No, StoppedBy::Exit) => Ok(()),
            (Alone::No, by) => app.mark_stopped(&handle.id, by).map(drop),
        };
        if let Err(error) = noted {
            log::warn!("{error}");
        }
        handle.finish();
    })?;
    Ok(())
}

/// Takes the session out of the application: the tracer is off, nothing is kept alive.
fn end_recording(py: Python<'_>) {
    state::set_recording(state::NO_RECORDING);
    gc_pauses::remove(py);
    let over = STATE.with(py, |state| {
        state.labels.clear();
        state.recording.take()
    });
    if let Some(mut recording) = over.flatten() {
        recording.disarm(py);
    }
    destroyed::unwatch(py);
    code::stop(py);
}

/// In a forked child: the session is the parent's. Its threads do not exist here, so nothing of it may be waited for,
/// locked or freed; only the tracer, which is this interpreter's, is undone.
pub(crate) fn forget_parents(py: Python<'_>) {
    state::set_recording(state::NO_RECORDING);
    ARMING.store(false, Ordering::Release);
    std::mem::forget(LAST.swap(None));
    let inherited = STATE.with(py, |state| {
        state.labels.clear();
        state.recording.take()
    });
    if let Some(recording) = inherited.flatten() {
        std::mem::forget(recording);
    }
    gc_pauses::remove(py);
    // Not by the recording: in the parent a thread may just have been arming, with the tracer on its stack.
    tracer::undo_inherited(py);
    slot::forget_recorders(py);
    destroyed::unwatch(py);
    thread::forget_own();
    code::stop(py);
}

/// CPU clocks of the process and of xray's threads; read by the collector, in its own thread.
struct AgentCost {
    sampler_tid: Arc<AtomicU32>,
    sampler_ns: u64,
    intake: Intake,
    /// Tools that had come when it was last asked.
    tools: u64,
}

impl CostMeter for AgentCost {
    fn read(&mut self) -> Cost {
        let tools = tracer::tools_that_came();
        if std::mem::replace(&mut self.tools, tools) != tools {
            self.intake.note(Note {
                code: NoteCode("tool_arrived".to_owned()),
                severity: Severity::Info,
                message: "A debugger, profiler or another tool began to listen in the middle of the session. It hears \
                          everything; requests that are not traced are slowed down by the session from then on."
                    .to_owned(),
            });
        }
        let tid = self.sampler_tid.load(Ordering::Relaxed);
        if tid != 0
            && let Some(ns) = thread::cpu_ns(tid)
        {
            self.sampler_ns = ns;
        }
        Cost { process_cpu_ns: process::cpu_ns(), agent_cpu_ns: thread::own_cpu_ns(), sampler_cpu_ns: self.sampler_ns }
    }
}
