//! A callable that stands in for a function of a library: it calls through, and calls another function instead while
//! that is needed. Or it announces each call to another function before it calls through, or does something around it.
//!
//! In C terms rather than in Python, for three reasons. Without a session a call costs two loads more than the bare one.
//! It has no frame: tracebacks, the line that a warning names and the depth of recursion stay what they are. And no
//! tracer, xray's own among them, sees it.
//!
//! What a program may ask of a function, it answers like the function: `isinstance(f, types.FunctionType)`, `inspect`,
//! binding to an object, pickling by name, attributes set and read. Only `type(f)` tells.

mod around;

pub(crate) use around::{Around, wrap_around};

use super::slot;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::ffi::{CStr, c_int, c_void};
use std::mem::offset_of;

// pyo3-ffi does not declare it; part of the stable interface.
unsafe extern "C" {
    fn PyMethod_New(function: *mut ffi::PyObject, object: *mut ffi::PyObject) -> *mut ffi::PyObject;
}

#[repr(C)]
struct Wrapper {
    base: ffi::PyObject,
    vectorcall: ffi::vectorcallfunc,
    /// What is wrapped, and what is called instead of it, before it or around it. Never NULL.
    wrapped: *mut ffi::PyObject,
    other: *mut ffi::PyObject,
    attributes: *mut ffi::PyObject,
    weak_references: *mut ffi::PyObject,
}

static TYPE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Copied from the wrapped function, where it has them; everything else is looked up there when asked for.
const IDENTITY: [&str; 4] = ["__module__", "__name__", "__qualname__", "__doc__"];

/// When a wrapper's other function is called instead of what is wrapped.
pub(crate) trait When {
    /// Whether it is now. Must not fail, nor call Python.
    fn now(py: Python<'_>) -> bool;
}

/// While the running context is traced.
pub(crate) struct Traced;

impl When for Traced {
    #[inline(always)]
    fn now(_py: Python<'_>) -> bool {
        // SAFETY: the GIL is held (`_py`).
        slot::is_armed() && unsafe { !slot::current_strand().is_null() }
    }
}

/// Makes a wrapper of `wrapped` that calls `other(wrapped, *args, **kwargs)` when `W` says so.
pub(crate) fn wrap<'py, W: When>(
    wrapped: &Bound<'py, PyAny>,
    other: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    make(wrapped, other, call::<W>)
}

/// Makes a wrapper of `wrapped` that calls `announce(*args, **kwargs)` first: what that returns counts for nothing, nor
/// what it raises unless it is no `Exception`.
pub(crate) fn wrap_announced<'py>(
    wrapped: &Bound<'py, PyAny>,
    announce: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    make(wrapped, announce, call_announced)
}

fn make<'py>(
    wrapped: &Bound<'py, PyAny>,
    other: &Bound<'py, PyAny>,
    call: ffi::vectorcallfunc,
) -> PyResult<Bound<'py, PyAny>> {
    let py = wrapped.py();
    let kind = TYPE.get_or_try_init(py, || make_type(py).map(Bound::unbind))?;
    let attributes = PyDict::new(py);
    if let Ok(own) = wrapped.getattr("__dict__")
        && let Ok(own) = own.cast::<PyDict>()
    {
        attributes.update(own.as_mapping())?;
    }
    for name in IDENTITY {
        if let Some(value) = wrapped.getattr_opt(name)? {
            attributes.set_item(name, value)?;
        }
    }
    attributes.set_item("__wrapped__", wrapped)?;
    // SAFETY: the type was made below with the size of `Wrapper`; allocation fills the head and sets the rest to zero,
    // and all fields that are used without a check are filled before anybody else sees the object (the collector of
    // cycles, which may run between, skips NULL).
    unsafe {
        let object = ffi::PyType_GenericAlloc(kind.as_ptr().cast(), 0);
        let object = Bound::from_owned_ptr_or_err(py, object)?;
        let wrapper = object.as_ptr().cast::<Wrapper>();
        (*wrapper).vectorcall = call;
        (*wrapper).wrapped = wrapped.clone().into_ptr();
        (*wrapper).other = other.clone().into_ptr();
        (*wrapper).attributes = attributes.into_any().into_ptr();
        Ok(object)
    }
}

/// `wrapper(...)`
unsafe extern "C" fn call<W: When>(
    wrapper: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with the GIL held, on an object of the type below, which the caller keeps alive;
    // the arguments are passed on as they came.
    unsafe {
        let wrapper = wrapper.cast::<Wrapper>();
        if !W::now(Python::assume_attached()) {
            return ffi::PyObject_Vectorcall((*wrapper).wrapped, arguments, count, names);
        }
        call_other(wrapper, arguments, count, names)
    }
}

/// # Safety
/// As for [`call`].
#[cold]
#[inline(never)]
unsafe fn call_other(
    wrapper: *mut Wrapper,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: `arguments` has as many pointers as are counted here; those of `all` are alive as long as they are.
    unsafe {
        let positional = ffi::PyVectorcall_NARGS(count) as usize;
        let named = if names.is_null() { 0 } else { ffi::PyTuple_GET_SIZE(names) as usize };
        let mut all = Vec::with_capacity(1 + positional + named);
        all.push((*wrapper).wrapped);
        for at in 0..positional + named {
            all.push(*arguments.add(at));
        }
        ffi::PyObject_Vectorcall((*wrapper).other, all.as_ptr(), 1 + positional, names)
    }
}

/// `wrapper(...)` of one that announces its calls.
unsafe extern "C" fn call_announced(
    wrapper: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as in `call`. The callee may not use the slot before the arguments: both get them from the same caller, and
    // without the flag that would allow it.
    unsafe {
        let wrapper = wrapper.cast::<Wrapper>();
        let count = ffi::PyVectorcall_NARGS(count) as usize;
        let announced = ffi::PyObject_Vectorcall((*wrapper).other, arguments, count, names);
        if !announced.is_null() {
            ffi::Py_DECREF(announced);
        } else if ffi::PyErr_ExceptionMatches(ffi::PyExc_Exception) != 0 {
            ffi::PyErr_Clear();
        } else {
            return std::ptr::null_mut();
        }
        ffi::PyObject_Vectorcall((*wrapper).wrapped, arguments, count, names)
    }
}

/// Binds to an object as a function does.
unsafe extern "C" fn bind(
    wrapper: *mut ffi::PyObject,
    object: *mut ffi::PyObject,
    _owner: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with live objects.
    unsafe {
        if object.is_null() || object == ffi::Py_None() {
            ffi::Py_INCREF(wrapper);
            return wrapper;
        }
        PyMethod_New(wrapper, object)
    }
}

/// Its own attributes first, then those of the wrapped function.
unsafe extern "C" fn attribute(wrapper: *mut ffi::PyObject, name: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with live objects and the GIL held.
    unsafe {
        let found = ffi::PyObject_GenericGetAttr(wrapper, name);
        if !found.is_null() || ffi::PyErr_ExceptionMatches(ffi::PyExc_AttributeError) == 0 {
            return found;
        }
        ffi::PyErr_Clear();
        ffi::PyObject_GetAttr((*wrapper.cast::<Wrapper>()).wrapped, name)
    }
}

/// `__class__`: that of the wrapped function, for `isinstance` and so for `inspect`.
unsafe extern "C" fn class(wrapper: *mut ffi::PyObject, _: *mut c_void) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with a live object of the type below.
    unsafe { ffi::PyObject_GetAttrString((*wrapper.cast::<Wrapper>()).wrapped, c"__class__".as_ptr()) }
}

/// `__reduce__`: by name, which is how functions are pickled and copied.
unsafe extern "C" fn reduce(wrapper: *mut ffi::PyObject, _: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with a live object.
    unsafe { ffi::PyObject_GetAttrString(wrapper, c"__qualname__".as_ptr()) }
}

unsafe extern "C" fn represent(wrapper: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: called by the interpreter with a live object of the type below.
    unsafe { ffi::PyObject_Repr((*wrapper.cast::<Wrapper>()).wrapped) }
}

unsafe extern "C" fn traverse(wrapper: *mut ffi::PyObject, visit: ffi::visitproc, argument: *mut c_void) -> c_int {
    // SAFETY: called by the collector of cycles; it may see an object that is not filled yet or already cleared.
    unsafe {
        let this = &*wrapper.cast::<Wrapper>();
        for object in [ffi::Py_TYPE(wrapper).cast(), this.wrapped, this.other, this.attributes] {
            if !object.is_null() {
                let stop = visit(object, argument);
                if stop != 0 {
                    return stop;
                }
            }
        }
        0
    }
}

unsafe extern "C" fn clear(wrapper: *mut ffi::PyObject) -> c_int {
    // SAFETY: called by the collector, or at the end; each pointer is taken out before its object may end. What is
    // called needs the functions, so only what can close a cycle through the program's own objects is let go.
    unsafe {
        let this = wrapper.cast::<Wrapper>();
        let attributes = std::mem::replace(&mut (*this).attributes, std::ptr::null_mut());
        ffi::Py_XDECREF(attributes);
        0
    }
}

unsafe extern "C" fn end(wrapper: *mut ffi::PyObject) {
    // SAFETY: called once, when nobody refers to it any more.
    unsafe {
        ffi::PyObject_GC_UnTrack(wrapper.cast());
        let this = wrapper.cast::<Wrapper>();
        if !(*this).weak_references.is_null() {
            ffi::PyObject_ClearWeakRefs(wrapper);
        }
        clear(wrapper);
        ffi::Py_XDECREF((*this).wrapped);
        ffi::Py_XDECREF((*this).other);
        let kind = ffi::Py_TYPE(wrapper);
        ffi::PyObject_GC_Del(wrapper.cast());
        ffi::Py_DECREF(kind.cast());
    }
}

fn make_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    const NAME: &CStr = c"xray._xray.FunctionWrapper";
    let offset = |name: &'static CStr, offset: usize| ffi::PyMemberDef {
        name: name.as_ptr(),
        type_code: ffi::Py_T_PYSSIZET,
        offset: offset as ffi::Py_ssize_t,
        flags: ffi::Py_READONLY,
        doc: std::ptr::null(),
    };
    let mut members = [
        offset(c"__vectorcalloffset__", offset_of!(Wrapper, vectorcall)),
        offset(c"__dictoffset__", offset_of!(Wrapper, attributes)),
        offset(c"__weaklistoffset__", offset_of!(Wrapper, weak_references)),
        // SAFETY: an all-zero entry ends the list.
        unsafe { std::mem::zeroed() },
    ];
    // These two are referred to by the type for ever, so they are never freed.
    let getters = Box::leak(Box::new([
        ffi::PyGetSetDef { name: c"__class__".as_ptr(), get: Some(class), ..Default::default() },
        ffi::PyGetSetDef {
            name: c"__dict__".as_ptr(),
            get: Some(ffi::PyObject_GenericGetDict),
            set: Some(ffi::PyObject_GenericSetDict),
            ..Default::default()
        },
        ffi::PyGetSetDef::default(),
    ]));
    let methods = Box::leak(Box::new([
        ffi::PyMethodDef {
            ml_name: c"__reduce__".as_ptr(),
            ml_meth: ffi::PyMethodDefPointer { PyCFunction: reduce },
            ml_flags: ffi::METH_NOARGS,
            ml_doc: std::ptr::null(),
        },
        ffi::PyMethodDef::zeroed(),
    ]));
    let slot = |slot: c_int, pfunc: *mut c_void| ffi::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(ffi::Py_tp_members, members.as_mut_ptr().cast()),
        slot(ffi::Py_tp_getset, getters.as_mut_ptr().cast()),
        slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        slot(ffi::Py_tp_call, ffi::PyVectorcall_Call as *mut c_void),
        slot(ffi::Py_tp_descr_get, bind as *mut c_void),
        slot(ffi::Py_tp_getattro, attribute as *mut c_void),
        slot(ffi::Py_tp_repr, represent as *mut c_void),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_dealloc, end as *mut c_void),
        slot(0, std::ptr::null_mut()),
    ];
    let mut spec = ffi::PyType_Spec {
        name: NAME.as_ptr(),
        basicsize: size_of::<Wrapper>() as c_int,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT
            | ffi::Py_TPFLAGS_HAVE_GC
            | ffi::Py_TPFLAGS_HAVE_VECTORCALL
            | ffi::Py_TPFLAGS_METHOD_DESCRIPTOR
            | ffi::Py_TPFLAGS_IMMUTABLETYPE
            | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION) as _,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the spec, its slots and members are valid and live through the call, which copies them; name, getters and
    // methods live for ever.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec)) }
}
