//! Where CPython keeps what the reader needs: structure offsets of the default (GIL) builds on 64-bit machines.
//!
//! Released minors keep them; 3.13 and newer also say some of them themselves (`_Py_DebugOffsets`), which is checked
//! here, and [`super::self_test`] checks all of them by experiment before a session uses them.

use crate::os::memory::Region;
use pyo3::ffi;
use std::ffi::CStr;

/// Offsets in bytes.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// `PyThreadState`.
    pub(super) thread: ThreadLayout,
    /// `_PyInterpreterFrame`.
    pub(super) frame: FrameLayout,
    /// `PyCodeObject`.
    pub(super) code: CodeLayout,
    /// `PyUnicodeObject`: size of the header of ASCII strings and of others.
    pub(super) ascii_header: usize,
    pub(super) compact_header: usize,
    /// `PyInterpreterState`: `threads.next_unique_id`, directly followed by `threads.head`.
    pub(super) interpreter_threads: usize,
    /// The lock.
    pub(super) gil: GilAt,
}

/// Where the lock is.
#[derive(Clone, Copy, Debug)]
pub(super) enum GilAt {
    /// So far behind `_PyRuntime`.
    Runtime(usize),
    /// The interpreter has a pointer to it here.
    Interpreter(usize),
}

/// `PyThreadState`.
#[derive(Clone, Debug)]
pub(super) struct ThreadLayout {
    pub(super) next: usize,
    pub(super) interpreter: usize,
    pub(super) id: usize,
    pub(super) ident: usize,
    pub(super) native_id: usize,
    pub(super) context: usize,
    pub(super) context_version: usize,
    pub(super) top: TopAt,
    /// Bytes that hold all of the above.
    pub(super) size: usize,
}

/// How the innermost frame is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum TopAt {
    /// Through `cframe`, which is on the thread's C stack: offset of the pointer, and of the frame in what it points to.
    CFrame(usize, usize),
    /// Directly.
    Thread(usize),
}

/// `_PyInterpreterFrame`.
#[derive(Clone, Debug)]
pub(super) struct FrameLayout {
    pub(super) code: usize,
    pub(super) previous: usize,
    pub(super) instruction: usize,
    pub(super) stack_top: usize,
    pub(super) owner: usize,
    /// Low bits of the code pointer that are a tag.
    pub(super) code_tag: u64,
    pub(super) calls: Calls,
    pub(super) shows: Shows,
    /// Its variables, followed by its stack.
    pub(super) variables: usize,
    /// A generator's frame is so far behind the generator.
    pub(super) in_generator: usize,
    /// What a generator that runs says of itself, [`GENERATOR_STATE`] bytes before its frame.
    pub(super) executing: u8,
    /// Bytes from the frame's address on that hold all that is its own.
    pub(super) size: usize,
}

impl FrameLayout {
    /// What is copied of a frame: its head, and of a generator's what comes before it.
    pub(super) fn head(&self, at: usize) -> Region {
        Region { at: at.wrapping_sub(BEFORE_FRAME), len: BEFORE_FRAME + self.size }
    }
}

/// How a frame shows that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// The length of its stack is -1: that of a frame that waits is not.
    Running,
    /// Its code is not taken away, as it is when it ends; there is no frame that it has called of which this is so. The
    /// end of its stack is an address.
    Alive,
}

/// How calls from C into Python show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    /// The called frame says so (`is_entry`) here.
    Flag(usize),
    /// There is a frame of this owner or above, without code, between caller and called. The outermost is one of them.
    Frame(u8),
}

/// `PyCodeObject`.
#[derive(Clone, Debug)]
pub(super) struct CodeLayout {
    pub(super) first_line: usize,
    pub(super) file_name: usize,
    pub(super) qualified_name: usize,
    pub(super) line_table: usize,
    pub(super) instructions: usize,
    pub(super) frame_words: FrameWords,
}

/// How long a function's frames are.
#[derive(Clone, Copy, Debug)]
pub(super) enum FrameWords {
    /// It says so here.
    Field(usize),
    /// Head, variables and stack: where the numbers of the latter are.
    Parts(usize, usize),
}

/// Words of a frame's head in Python 3.11.
pub(super) const HEAD_WORDS: u32 = 9;

/// Owner of a generator's or coroutine's frame.
pub(super) const GENERATOR: u8 = 1;

/// A generator's state is so many bytes before its frame.
pub(super) const GENERATOR_STATE: usize = 5;

/// Bytes before a frame that are looked at with it.
pub(super) const BEFORE_FRAME: usize = 8;

/// `_gil_runtime_state`: `last_holder`, `locked`, `switch_number`.
pub(super) mod gil {
    pub(in super::super) const LAST_HOLDER: usize = 8;
    pub(in super::super) const LOCKED: usize = 16;
    pub(in super::super) const SWITCHES: usize = 24;
    /// Bytes that hold them.
    pub(in super::super) const WORDS: usize = 32;
    /// `cond`, `mutex`, `switch_cond`, `switch_mutex`, one after the other: what a thread sleeps on that waits for the
    /// lock, or that has given it away and waits for its next owner.
    pub(in super::super) const WAITED_ON: std::ops::Range<usize> = 32..208;
}

/// `PyASCIIObject`, `PyBytesObject`, `PyVarObject`: the same in all versions.
pub(super) mod object {
    pub(in super::super) const TYPE: usize = 8;
    pub(in super::super) const SIZE: usize = 16;
    pub(in super::super) const UNICODE_LENGTH: usize = 16;
    pub(in super::super) const UNICODE_STATE: usize = 32;
    pub(in super::super) const BYTES_DATA: usize = 32;
}

impl Layout {
    /// Of this interpreter.
    ///
    /// # Errors
    /// Why its layout is not known.
    pub(super) fn of_this_python() -> Result<Self, String> {
        if cfg!(Py_GIL_DISABLED) {
            return Err("threads of a free-threaded Python change their stacks all at once".to_owned());
        }
        if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
            return Err("reading without the GIL is proven on x86-64 Linux only".to_owned());
        }
        let version = version_number();
        let layout = Self::of_minor((version >> 16) & 0xFF)
            .ok_or_else(|| format!("the layout of Python {} is not known", version_text()))?;
        // A release level below 0xF0 is an alpha, beta or candidate: its layout may still change.
        if version & 0xF0 != 0xF0 {
            return Err(format!("Python {} is not a final release", version_text()));
        }
        #[cfg(Py_3_13)]
        super::debug_offsets::check(&layout, version)?;
        Ok(layout)
    }

    fn of_minor(minor: u64) -> Option<Self> {
        let thread = |id, ident, native_id, context, top| ThreadLayout {
            next: 8,
            interpreter: 16,
            id,
            ident,
            native_id,
            context,
            context_version: context + 8,
            top,
            size: id + 8,
        };
        let frame = FrameLayout {
            code: 0,
            previous: 8,
            instruction: 56,
            stack_top: 64,
            owner: 70,
            code_tag: 0,
            calls: Calls::Frame(3),
            shows: Shows::Running,
            variables: 72,
            in_generator: 72,
            executing: 0,
            size: 72,
        };
        let code = |first_line, instructions, frame_words| CodeLayout {
            first_line,
            file_name: 112,
            qualified_name: 128,
            line_table: 136,
            instructions,
            frame_words,
        };
        let layout = |thread, frame, code, interpreter_threads, gil| Self {
            thread,
            frame,
            code,
            ascii_header: 40,
            compact_header: 56,
            interpreter_threads,
            gil,
        };
        let newer_frame = |code_tag| FrameLayout {
            owner: 74,
            code_tag,
            shows: Shows::Alive,
            variables: 80,
            size: 80,
            ..frame.clone()
        };
        Some(match minor {
            11 => Self {
                ascii_header: 48,
                compact_header: 72,
                ..layout(
                    thread(240, 152, 160, 224, TopAt::CFrame(56, 8)),
                    FrameLayout {
                        code: 32,
                        previous: 48,
                        owner: 69,
                        calls: Calls::Flag(68),
                        in_generator: 80,
                        ..frame
                    },
                    code(72, 184, FrameWords::Parts(76, 68)),
                    8,
                    GilAt::Runtime(360),
                )
            },
            12 => layout(
                thread(224, 136, 144, 208, TopAt::CFrame(56, 0)),
                frame,
                code(68, 192, FrameWords::Field(76)),
                64,
                GilAt::Interpreter(384),
            ),
            13 => layout(
                thread(224, 152, 160, 208, TopAt::Thread(72)),
                frame,
                code(68, 200, FrameWords::Field(76)),
                7336,
                GilAt::Interpreter(16),
            ),
            14 => layout(
                thread(224, 152, 160, 208, TopAt::Thread(72)),
                newer_frame(1),
                code(68, 208, FrameWords::Field(76)),
                7336,
                GilAt::Interpreter(16),
            ),
            15 => layout(
                thread(248, 176, 184, 232, TopAt::Thread(72)),
                FrameLayout { executing: 4, ..newer_frame(3) },
                code(68, 208, FrameWords::Field(76)),
                7328,
                GilAt::Interpreter(16),
            ),
            _ => return None,
        })
    }
}

fn version_number() -> u64 {
    // SAFETY: a constant of the interpreter, set when it was built.
    unsafe { ffi::Py_Version }
}

fn version_text() -> String {
    // SAFETY: a constant C string.
    unsafe { CStr::from_ptr(ffi::Py_GetVersion()) }.to_string_lossy().into_owned()
}
