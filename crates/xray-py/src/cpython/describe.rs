//! Values as short text, without running any code of the application: no `__repr__`, no `__str__`, no attribute and no
//! iterator that it could have defined. What is not of a built-in type (or of a class derived from one, whose C part is
//! read) is shown by the name of its class.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};
use xray_core::secrets::is_secret_name;

/// Shown instead of a secret.
pub(super) const REDACTED: &str = "<redacted>";

/// Characters of one string.
const CHARACTERS: usize = 80;
/// Items of one container.
const ITEMS: usize = 4;
/// Containers inside one another.
const DEPTH: usize = 2;

/// Text that grows to a bound and is cut there.
pub(super) struct Text {
    text: String,
    bytes: usize,
    cut: bool,
}

impl Text {
    pub(super) fn new(bytes: usize) -> Self {
        Self { text: String::new(), bytes, cut: false }
    }

    pub(super) fn is_full(&self) -> bool {
        self.cut
    }

    pub(super) fn add(&mut self, more: &str) {
        if self.cut {
            return;
        }
        const MARK: char = '…';
        let room = self.bytes.saturating_sub(self.text.len() + MARK.len_utf8());
        self.cut = more.len() > room;
        self.text.push_str(&more[..more.floor_char_boundary(room)]);
        if self.cut {
            self.text.push(MARK);
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Adds `value`, which is inside `depth` containers.
pub(super) fn describe(value: &Bound<'_, PyAny>, depth: usize, into: &mut Text) {
    if into.is_full() {
        return;
    }
    if value.is_none() {
        return into.add("None");
    }
    if let Ok(value) = value.cast::<PyBool>() {
        return into.add(if value.is_true() { "True" } else { "False" });
    }
    let is_derived = derived_from_builtin(value);
    if is_derived {
        into.add(&class_name(value));
        into.add("(");
    }
    if !describe_builtin(value, depth, into) {
        into.add("<");
        into.add(&class_name(value));
        into.add(">");
    }
    if is_derived {
        into.add(")");
    }
}

/// Whether it is of a class that an application derived from a type that can be read.
fn derived_from_builtin(value: &Bound<'_, PyAny>) -> bool {
    let kind = value.get_type();
    let is = |of: bool, exact: bool| of && !exact;
    is(value.is_instance_of::<PyInt>(), kind.is(value.py().get_type::<PyInt>()))
        || is(value.is_instance_of::<PyFloat>(), kind.is(value.py().get_type::<PyFloat>()))
        || is(value.is_instance_of::<PyString>(), kind.is(value.py().get_type::<PyString>()))
        || is(value.is_instance_of::<PyDict>(), kind.is(value.py().get_type::<PyDict>()))
        || is(value.is_instance_of::<PyList>(), kind.is(value.py().get_type::<PyList>()))
        || is(value.is_instance_of::<PyTuple>(), kind.is(value.py().get_type::<PyTuple>()))
}

/// Adds a value of a type that can be read; false for all others.
fn describe_builtin(value: &Bound<'_, PyAny>, depth: usize, into: &mut Text) -> bool {
    if let Ok(text) = value.cast::<PyString>() {
        describe_text(text, into);
    } else if value.is_instance_of::<PyInt>() {
        describe_integer(value, into);
    } else if let Ok(number) = value.cast::<PyFloat>() {
        // The field itself, whatever a derived class makes of it.
        into.add(&format!("{:?}", number.value()));
    } else if let Ok(list) = value.cast::<PyList>() {
        describe_items(("[", "]"), list.len(), list.iter(), depth, into);
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        let close = if tuple.len() == 1 { ",)" } else { ")" };
        describe_items(("(", close), tuple.len(), tuple.iter(), depth, into);
    } else if let Ok(dict) = value.cast::<PyDict>() {
        describe_dict(dict, depth, into);
    } else if let Some(length) = length_of_opaque(value) {
        into.add(&format!("<{}, {length} long>", class_name(value)));
    } else {
        return false;
    }
    true
}

/// Length of what is not shown: bytes may be anything, and a set cannot be read without running code.
fn length_of_opaque(value: &Bound<'_, PyAny>) -> Option<usize> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Some(bytes.as_bytes().len());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Some(bytes.len());
    }
    // SAFETY: a live set or frozen set, checked; the size is a field of it.
    (value.is_instance_of::<PySet>() || value.is_instance_of::<PyFrozenSet>())
        .then(|| unsafe { ffi::PySet_Size(value.as_ptr()) }.unsigned_abs())
}

fn describe_integer(value: &Bound<'_, PyAny>, into: &mut Text) {
    let mut overflow = 0;
    // SAFETY: a live integer, checked by the caller: neither converts nor fails.
    let number = unsafe { ffi::PyLong_AsLongLongAndOverflow(value.as_ptr(), &raw mut overflow) };
    match overflow {
        0 => into.add(&number.to_string()),
        1.. => into.add("<large integer>"),
        _ => into.add("-<large integer>"),
    }
}

fn describe_text(text: &Bound<'_, PyString>, into: &mut Text) {
    let mut shown = String::from("'");
    // SAFETY: a live string, checked; characters are read one by one, for a long one must not be converted as a whole
    // (the conversion would stay in the object).
    let length = unsafe { ffi::PyUnicode_GetLength(text.as_ptr()) };
    for at in 0..length.min(CHARACTERS as ffi::Py_ssize_t) {
        // SAFETY: as above, and the position is inside.
        let code = unsafe { ffi::PyUnicode_ReadChar(text.as_ptr(), at) };
        match char::from_u32(code) {
            Some('\'') => shown.push_str("\\'"),
            Some(character) if character.is_control() || character == '\\' => shown.extend(character.escape_default()),
            Some(character) => shown.push(character),
            None => shown.push_str(&format!("\\u{code:04x}")),
        }
    }
    shown.push('\'');
    if length > CHARACTERS as ffi::Py_ssize_t {
        shown.pop();
        shown.push_str(&format!("…' ({length} characters)"));
    }
    into.add(&shown);
}

fn describe_items<'py>(
    (open, close): (&str, &str),
    length: usize,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    depth: usize,
    into: &mut Text,
) {
    if depth >= DEPTH && length > 0 {
        return into.add(&format!("{open}… {length}{close}"));
    }
    into.add(open);
    for (at, item) in items.take(ITEMS).enumerate() {
        into.add(if at > 0 { ", " } else { "" });
        describe(&item, depth + 1, into);
    }
    if length > ITEMS {
        into.add(&format!(", … {length}"));
    }
    into.add(close);
}

fn describe_dict(dict: &Bound<'_, PyDict>, depth: usize, into: &mut Text) {
    let length = dict.len();
    if depth >= DEPTH && length > 0 {
        return into.add(&format!("{{… {length}}}"));
    }
    into.add("{");
    for (at, (key, value)) in dict.iter().take(ITEMS).enumerate() {
        into.add(if at > 0 { ", " } else { "" });
        describe(&key, depth + 1, into);
        into.add(": ");
        let is_secret = key.cast::<PyString>().is_ok_and(is_secret_key);
        if is_secret { into.add(REDACTED) } else { describe(&value, depth + 1, into) }
    }
    if length > ITEMS {
        into.add(&format!(", … {length}"));
    }
    into.add("}");
}

fn is_secret_key(key: &Bound<'_, PyString>) -> bool {
    /// No name is longer.
    const LONGEST: usize = 256;
    key.len().is_ok_and(|length| length <= LONGEST) && is_secret_name(&key.to_string_lossy())
}

/// The name of its class, read from the type: a metaclass is not asked.
fn class_name(value: &Bound<'_, PyAny>) -> String {
    // SAFETY: a live object's type; the result is a new reference to a string or NULL with an exception.
    let name =
        unsafe { Bound::from_owned_ptr_or_err(value.py(), ffi::PyType_GetQualName(value.get_type().as_type_ptr())) };
    match name.as_ref().map(|name| name.cast::<PyString>()) {
        Ok(Ok(name)) => name.to_string_lossy().into_owned(),
        _ => "?".to_owned(),
    }
}
