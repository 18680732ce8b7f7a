//! Stacks of all threads, read without the GIL, without stopping a thread and without a signal: everything is copied
//! by the kernel, so no address, however wrong, can harm the process. `docs/sampler-safety.md` has the argument.
//!
//! [`source`] is one look at all threads; [`visit`] copies one thread's stack and [`walk`] follows it; [`codes`] knows
//! the names, as long as [`destroyed`] says that an address still means the same function.

mod codes;
mod contexts;
#[cfg(Py_3_13)]
mod debug_offsets;
pub(crate) mod destroyed;
mod layout;
mod line_table;
mod live;
mod self_test;
mod snapshot;
mod source;
mod states;
mod threads;
mod visit;
mod walk;

pub(crate) use source::MemoryStackSource;
