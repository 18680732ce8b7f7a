//! Code objects that are freed while a session samples: the reader must know, for the address is soon used again.
//!
//! The interpreter tells before it frees one, with the GIL held: its address is put into a ring and the count of them
//! moves. A reader that finds the count where it was before it looked has seen no address twice used.

use super::super::gil_cell::GilCell;
use pyo3::Python;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Addresses that the ring holds; a reader that is further behind forgets all that it knows.
const RING: usize = 8192;

static ACTIVE: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);
static ADDRESSES: [AtomicUsize; RING] = [const { AtomicUsize::new(0) }; RING];

/// What is hooked in, to be taken out again.
static HOOK: GilCell<Option<hook::Hook>> = GilCell::new(None);

/// Begins to tell.
///
/// # Errors
/// Why the interpreter does not tell.
pub(crate) fn watch(py: Python<'_>) -> Result<(), String> {
    let hook = hook::install(py)?;
    ACTIVE.store(true, Ordering::SeqCst);
    HOOK.with(py, |installed| *installed = Some(hook));
    Ok(())
}

/// Ends it; also in a forked child, for what its parent had begun.
pub(crate) fn unwatch(py: Python<'_>) {
    ACTIVE.store(false, Ordering::SeqCst);
    if let Some(hook) = HOOK.with(py, Option::take).flatten() {
        hook::remove(py, hook);
    }
}

/// A code object is about to be freed; the GIL is held.
fn destroyed(address: usize) {
    if ACTIVE.load(Ordering::Relaxed) {
        let count = COUNT.load(Ordering::Relaxed);
        ADDRESSES[count as usize % RING].store(address, Ordering::Relaxed);
        // Whoever sees the freed memory used again, sees this.
        COUNT.store(count + 1, Ordering::SeqCst);
    }
}

/// A reader of the ring.
#[derive(Debug)]
pub(super) struct Destroyed {
    read: u64,
}

impl Destroyed {
    /// Reads from now on.
    pub(super) fn from_now() -> Self {
        Self { read: COUNT.load(Ordering::SeqCst) }
    }

    /// The addresses that are new; `None` when there were too many.
    pub(super) fn take(&mut self, mut each: impl FnMut(usize)) -> Option<()> {
        let count = COUNT.load(Ordering::SeqCst);
        if count == self.read {
            return Some(());
        }
        let read = std::mem::replace(&mut self.read, count);
        let mut addresses = Vec::new();
        if count - read < RING as u64 {
            addresses.extend((read..count).map(|at| ADDRESSES[at as usize % RING].load(Ordering::Relaxed)));
        }
        // While they were read, the oldest may have been written over.
        if COUNT.load(Ordering::SeqCst) - read >= RING as u64 {
            self.read = COUNT.load(Ordering::SeqCst);
            return None;
        }
        addresses.into_iter().for_each(&mut each);
        Some(())
    }
}

#[cfg(Py_3_12)]
mod hook {
    use pyo3::{Python, ffi};
    use std::ffi::c_int;

    const DESTROY: c_int = 1;

    unsafe extern "C" {
        fn PyCode_AddWatcher(callback: unsafe extern "C" fn(c_int, *mut ffi::PyObject) -> c_int) -> c_int;
        fn PyCode_ClearWatcher(id: c_int) -> c_int;
    }

    /// The watcher's number.
    pub(super) type Hook = c_int;

    unsafe extern "C" fn on_event(event: c_int, code: *mut ffi::PyObject) -> c_int {
        if event == DESTROY {
            super::destroyed(code as usize);
        }
        0
    }

    pub(super) fn install(py: Python<'_>) -> Result<Hook, String> {
        // SAFETY: the GIL is held; the callback is there as long as the process.
        let id = unsafe { PyCode_AddWatcher(on_event) };
        if id < 0 {
            let error = pyo3::PyErr::fetch(py);
            return Err(format!("the interpreter does not tell when code is freed: {}", error.value(py)));
        }
        Ok(id)
    }

    pub(super) fn remove(py: Python<'_>, id: Hook) {
        // SAFETY: the GIL is held; the id is ours.
        if unsafe { PyCode_ClearWatcher(id) } < 0 {
            drop(pyo3::PyErr::fetch(py));
        }
    }
}

/// Python 3.11 has no watchers: the type's destructor is wrapped.
#[cfg(not(Py_3_12))]
mod hook {
    use pyo3::{Python, ffi};
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub(super) type Hook = ffi::destructor;

    /// The destructor that was there, as an address. Kept for ever: a thread may be on its way into ours.
    static ORIGINAL: AtomicUsize = AtomicUsize::new(0);

    unsafe extern "C" fn on_destroy(code: *mut ffi::PyObject) {
        super::destroyed(code as usize);
        let original = ORIGINAL.load(Ordering::Relaxed);
        // SAFETY: `install` has put the type's own destructor there before this function could be called.
        unsafe {
            let original: ffi::destructor = std::mem::transmute::<usize, ffi::destructor>(original);
            original(code);
        }
    }

    const OURS: ffi::destructor = on_destroy;

    pub(super) fn install(_py: Python<'_>) -> Result<Hook, String> {
        // SAFETY: the GIL is held, under which slots of types are read and changed; the type is static.
        unsafe {
            let slot = &raw mut ffi::PyCode_Type.tp_dealloc;
            let Some(original) = *slot else { return Err("code objects have no destructor here".to_owned()) };
            if original as usize != OURS as usize {
                ORIGINAL.store(original as usize, Ordering::Relaxed);
                *slot = Some(OURS);
            }
            Ok(original)
        }
    }

    pub(super) fn remove(_py: Python<'_>, _hook: Hook) {
        let original = ORIGINAL.load(Ordering::Relaxed);
        // SAFETY: as in `install`; what another tool has put there meanwhile stays, and goes on calling ours.
        unsafe {
            let slot = &raw mut ffi::PyCode_Type.tp_dealloc;
            if (*slot).is_some_and(|current| current as usize == OURS as usize) {
                *slot = Some(std::mem::transmute::<usize, ffi::destructor>(original));
            }
        }
    }
}
