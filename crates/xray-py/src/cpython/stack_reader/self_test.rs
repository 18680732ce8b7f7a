//! Proof, before a session relies on it, that this interpreter is laid out as the reader thinks: known stacks are
//! built in the running thread, and what the reader sees of them is compared with what CPython says.

use super::source::MemoryStackSource;
use crate::os::thread;
use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict};
use std::sync::{Arc, Mutex, PoisonError};
use xray_core::sample::FrameAt;

/// Functions, generators, coroutines, a constructor, calls through C, a stack that fills more than one piece of the
/// data stack, and a name in other letters.
const PROGRAM: &std::ffi::CStr = c"
def plain(probe):
    return probe()

def generator(probe, depth):
    if depth:
        yield from generator(probe, depth - 1)
    else:
        yield probe()

async def coroutine(probe, depth):
    if depth:
        await coroutine(probe, depth - 1)
    else:
        probe()

def deep(probe, depth):
    a = b = c = d = e = f = g = h = depth
    return deep(probe, depth - 1) if depth else probe()

class Made:
    def __init__(self, probe):
        probe()

def gr\xc3\xb6\xc3\x9fe_\xe6\xb7\xb1\xe3\x81\x95(probe):
    return list(map(lambda _: probe(), [0]))

def run(probe, depth):
    for _ in range(3):
        plain(probe)
        for _ in generator(probe, 5):
            pass
        try:
            coroutine(probe, 5).send(None)
        except StopIteration:
            pass
        Made(probe)
        gr\xc3\xb6\xc3\x9fe_\xe6\xb7\xb1\xe3\x81\x95(probe)
        deep(probe, depth)
";
const OTHER_LETTERS: &str = "größe_深さ";
/// Depth of the deepest stack, unless the application allows less.
const DEPTH: u32 = 300;

/// Runs the test; gives the reader back.
///
/// # Errors
/// What is not as it should be.
pub(super) fn run(py: Python<'_>, source: MemoryStackSource) -> Result<MemoryStackSource, String> {
    // Python keeps the probe for as long as it likes, so the reader is taken out of it again.
    let lent = Arc::new(Mutex::new(Some(source)));
    let probed = lent.clone();
    let probe = PyCFunction::new_closure(py, None, None, move |arguments, _| {
        match probed.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(source) => compare(arguments.py(), source).map_err(PyRuntimeError::new_err),
            None => Ok(()),
        }
    });
    let ran = probe.and_then(|probe| run_program(py, &probe));
    let source = lent.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut source = source.ok_or("the reader is lost")?;
    ran.map_err(|error| format!("the self-test failed: {}", error.value(py)))?;
    let names = source.take_names();
    // What was seen here is to be named anew when a session sees it.
    source.forget_codes();
    match names.iter().any(|(_, symbol)| symbol.name == OTHER_LETTERS && symbol.line > 0) {
        true => Ok(source),
        false => Err("the self-test failed: names are not where they are expected".to_owned()),
    }
}

fn run_program(py: Python<'_>, probe: &Bound<'_, PyCFunction>) -> PyResult<()> {
    let names = PyDict::new(py);
    py.run(PROGRAM, Some(&names), None)?;
    // SAFETY: the GIL is held.
    let limit = unsafe { ffi::Py_GetRecursionLimit() };
    let depth = DEPTH.min(u32::try_from(limit).unwrap_or(0) / 4);
    names.as_any().get_item("run")?.call1((probe, depth)).map(drop)
}

/// What the reader sees of the running thread against what CPython says.
fn compare(py: Python<'_>, source: &mut MemoryStackSource) -> Result<(), String> {
    let seen = source.own_stack(thread::tid())?;
    // SAFETY: the GIL is held.
    let state = unsafe { ffi::PyThreadState_Get() } as usize;
    if seen.name.at != state || seen.name.ident != super::super::thread_ident() {
        return Err("the running thread is taken for another".to_owned());
    }
    if seen.gil.last_holder != state || !seen.gil.locked {
        return Err("the GIL's holder is not where it is expected".to_owned());
    }
    if seen.words.context_version != super::super::thread_state::version_of(py) {
        return Err("the context is not where it is expected".to_owned());
    }
    let said = said_stack(py, source)?;
    if said.len() != seen.frames.len() {
        return Err(format!("{} frames are read where there are {}", seen.frames.len(), said.len()));
    }
    let same = |((code, place), (said_code, said_line)): (&(usize, FrameAt), &(usize, u32))| {
        code == said_code && place.line == *said_line
    };
    match seen.frames.iter().zip(&said).position(|pair| !same(pair)) {
        Some(at) => Err(format!("frame {at} is read as {:?} where it is {:?}", seen.frames[at], said[at])),
        None => Ok(()),
    }
}

/// Code objects and lines of the running thread, innermost first, xray's own left out.
fn said_stack(py: Python<'_>, source: &MemoryStackSource) -> Result<Vec<(usize, u32)>, String> {
    let mut said = Vec::new();
    // SAFETY: the GIL is held; a borrowed reference or NULL.
    let mut next = unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyEval_GetFrame().cast()) };
    while let Some(frame) = next {
        // SAFETY: a live frame object; both results are new references, the second may be NULL.
        let (code, line, caller) = unsafe {
            let raw = frame.as_ptr().cast::<ffi::PyFrameObject>();
            let code = Bound::from_owned_ptr(py, ffi::PyFrame_GetCode(raw).cast::<ffi::PyObject>());
            let caller = Bound::from_owned_ptr_or_opt(py, ffi::PyFrame_GetBack(raw).cast::<ffi::PyObject>());
            (code, ffi::PyFrame_GetLineNumber(raw), caller)
        };
        let file: String = code.getattr("co_filename").and_then(|file| file.extract()).unwrap_or_default();
        if !source.is_own(&file) {
            said.push((code.as_ptr() as usize, u32::try_from(line).unwrap_or(0)));
        }
        next = caller;
    }
    Ok(said)
}
