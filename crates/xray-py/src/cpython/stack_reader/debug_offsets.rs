//! What Python 3.13 and newer say themselves about their layout, compared with what is used here.

use super::layout::{Layout, TopAt, object};
use std::ffi::c_char;

unsafe extern "C" {
    /// The runtime's state; begins with `_Py_DebugOffsets`.
    static _PyRuntime: c_char;
}

/// 64-bit words of `_Py_DebugOffsets` that are looked at; the runtime's state is far longer.
const WORDS: usize = 96;

/// Numbers of the words in `_Py_DebugOffsets`.
struct Words {
    threads_head: usize,
    gil: usize,
    /// `prev`, `next`, `interp`, `current_frame`.
    thread: usize,
    /// `thread_id`, `native_thread_id`.
    thread_ids: usize,
    /// `previous`, `executable`, `instr_ptr`, `localsplus`, `owner`.
    frame: usize,
    stack_pointer: Option<usize>,
    /// `filename`, `name`, `qualname`, `linetable`, `firstlineno`.
    code: usize,
    instructions: usize,
    object_type: usize,
    /// `ob_size`, `ob_sval`.
    bytes: usize,
    /// `state`, `length`, `asciiobject_size`.
    unicode: usize,
}

#[cfg(not(Py_3_14))]
const AT: Words = Words {
    threads_head: 9,
    gil: 14,
    thread: 20,
    thread_ids: 24,
    frame: 29,
    stack_pointer: None,
    code: 35,
    instructions: 43,
    object_type: 45,
    bytes: 65,
    unicode: 68,
};
#[cfg(all(Py_3_14, not(Py_3_15)))]
const AT: Words = Words {
    threads_head: 9,
    gil: 15,
    thread: 23,
    thread_ids: 27,
    frame: 32,
    stack_pointer: Some(37),
    code: 40,
    instructions: 48,
    object_type: 51,
    bytes: 75,
    unicode: 78,
};
#[cfg(Py_3_15)]
const AT: Words = Words {
    threads_head: 9,
    gil: 15,
    thread: 23,
    thread_ids: 30,
    frame: 40,
    stack_pointer: Some(45),
    code: 48,
    instructions: 56,
    object_type: 59,
    bytes: 87,
    unicode: 90,
};

/// Compares.
///
/// # Errors
/// What is different.
pub(super) fn check(layout: &Layout, version: u64) -> Result<(), String> {
    // SAFETY: the symbol is the interpreter's own static state, which begins with this table and is far longer; all
    // of it is constant after the interpreter has begun.
    let words: [u64; WORDS] = unsafe { (&raw const _PyRuntime).cast::<[u64; WORDS]>().read_unaligned() };
    if words[0].to_le_bytes() != *b"xdebugpy" {
        return Err("the interpreter's table of offsets does not have its mark".to_owned());
    }
    if words[1] != version || words[2] != 0 {
        return Err("the interpreter's table of offsets is of another build".to_owned());
    }
    let (thread, frame, code) = (&layout.thread, &layout.frame, &layout.code);
    let TopAt::Thread(top) = thread.top else { return Err("the frames of this version are elsewhere".to_owned()) };
    let super::layout::GilAt::Interpreter(gil) = layout.gil else { return Err("the GIL is elsewhere".to_owned()) };
    let mut expected = vec![
        (AT.threads_head, layout.interpreter_threads + 8),
        (AT.gil, gil),
        (AT.thread + 1, thread.next),
        (AT.thread + 2, thread.interpreter),
        (AT.thread + 3, top),
        (AT.thread_ids, thread.ident),
        (AT.thread_ids + 1, thread.native_id),
        (AT.frame, frame.previous),
        (AT.frame + 1, frame.code),
        (AT.frame + 2, frame.instruction),
        (AT.frame + 4, frame.owner),
        (AT.code, code.file_name),
        (AT.code + 2, code.qualified_name),
        (AT.code + 3, code.line_table),
        (AT.code + 4, code.first_line),
        (AT.instructions, code.instructions),
        (AT.object_type, object::TYPE),
        (AT.bytes, object::SIZE),
        (AT.bytes + 1, object::BYTES_DATA),
        (AT.unicode, object::UNICODE_STATE),
        (AT.unicode + 1, object::UNICODE_LENGTH),
        (AT.unicode + 2, layout.ascii_header),
    ];
    expected.extend(AT.stack_pointer.map(|word| (word, frame.stack_top)));
    match expected.into_iter().find(|(word, offset)| words[*word] != *offset as u64) {
        Some((word, offset)) => Err(format!(
            "the interpreter's table of offsets says {} in its place {word}, where {offset} is expected",
            words[word]
        )),
        None => Ok(()),
    }
}
