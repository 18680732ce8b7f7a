//! Every bound of the agent in one place. What a bound cuts is counted as a [`crate::model::LossKind`].

/// Finished traces waiting for the collector.
pub const TRACE_CHANNEL: usize = 64;
/// Nodes and timeline entries of all finished traces waiting for the collector (40 MB): traces are mostly small, and
/// few large ones are as much as many small ones.
pub const TRACE_CHANNEL_NODES: usize = 500_000;
/// Transaction records waiting for the collector (latency detail only; counts are atomics).
pub const RECORD_CHANNEL: usize = 8_192;
/// Sample batches waiting for the collector.
pub const SAMPLE_CHANNEL: usize = 64;
/// Samples after which a batch is sent; the last tick may exceed it.
pub const SAMPLE_BATCH: usize = 5_000;
/// Frames of different stacks that the sampler keeps apart; it begins anew when half of them are in use.
pub const STACK_NODES: usize = 200_000;
/// Longest time that samples wait in the sampler, in nanoseconds.
pub const SAMPLE_BATCH_NS: u64 = 100_000_000;
/// Longest sleep of the sampler between two looks at whether it shall stop, in nanoseconds.
pub const STOP_CHECK_NS: u64 = 200_000_000;
/// Memory of one trace in flight, in bytes: that of all its recorders together.
pub const TRACE_BYTES: usize = 1 << 20;
/// Samples of one trace; a stack that stands still for several ticks is mostly one.
pub const TRACE_SAMPLES: usize = 2_000;
/// Frames of the different stacks in one trace's samples.
pub const TRACE_SAMPLE_FRAMES: usize = 10_000;
/// Traces whose samples are held while they are in flight: more than can be, for those that are never handed in.
pub const SAMPLED_TRACES: usize = 64;
/// After its end, so long samples of a trace are waited for, in nanoseconds.
pub const TRACE_SAMPLES_NS: u64 = 1_000_000_000;
/// Timeline entries of one trace.
pub const TIMELINE_ENTRIES: usize = 2_000;
/// Recorded arguments of one recorder, in bytes.
pub const ARGUMENTS_BYTES: usize = 128 << 10;
/// Recorded arguments of one call, in bytes; more is cut.
pub const ARGUMENTS_CALL_BYTES: usize = 512;
/// Traced transactions in flight in one process.
pub const TRACES_IN_FLIGHT: u32 = 16;
/// Nodes of the call tree over all traces of one process.
pub const CALL_TREE_NODES: usize = 100_000;
/// Nodes of the sample tree of one process.
pub const SAMPLE_TREE_NODES: usize = 50_000;
/// Different things that threads of one process in one session waited for: kinds of threads by holder of the GIL, or by
/// system call.
pub const WAITS: usize = 2_000;
/// Segments (SQL statements, templates, ...) of one process in one session that are told apart.
pub const SEGMENTS: usize = 20_000;
/// SQL statements of one process in one session whose obfuscated form is remembered.
pub const SQL_STATEMENTS: usize = 2_000;
/// Frames of one sampled stack.
pub const SAMPLE_DEPTH: usize = 2_048;
/// The same where the GIL must be held to read them.
pub const SAMPLE_DEPTH_UNDER_GIL: usize = 512;
/// Symbols of one process in one session.
pub const SYMBOLS: usize = 200_000;
/// Longest name, path or detail of a symbol, in bytes; more is cut.
pub const SYMBOL_TEXT_BYTES: usize = 16_384;
/// Names or lines resolved in one go (under the GIL).
pub const SYMBOL_BATCH: usize = 256;
/// Lines of code places remembered by the sampler.
pub const SAMPLE_LINES: usize = 200_000;
/// Transaction names remembered outside sessions.
pub const TRANSACTION_NAMES: usize = 2_000;
/// Longest part of a transaction's name (route, handler, ...) and longest `--transaction`, in bytes.
pub const NAME_BYTES: usize = 1_024;
/// Compiled size of a `re:` target, in bytes.
pub const TARGET_REGEX_BYTES: usize = 1 << 20;
/// Nearest names offered for an unknown one.
pub const NEAREST_NAMES: usize = 5;
/// Last wall times remembered per transaction name outside sessions.
pub const RECENT_TIMES: usize = 256;
/// Longest obfuscated SQL statement, in bytes.
pub const SQL_BYTES: usize = 4_096;
/// Notes of one process.
pub const NOTES: usize = 100;
/// Longest time that the collector sleeps, in nanoseconds.
pub const COLLECT_INTERVAL_NS: u64 = 100_000_000;
/// Time between two looks at what xray costs, and between two published progress reports, in nanoseconds.
pub const OBSERVE_INTERVAL_NS: u64 = 250_000_000;
/// Longest time between two writes of a part, in nanoseconds.
pub const FLUSH_INTERVAL_NS: u64 = 1_000_000_000;
/// Longest time that open traces are waited for after recording ended, in nanoseconds.
pub const DRAIN_NS: u64 = 10_000_000_000;
/// The same when the process is ending.
pub const EXIT_DRAIN_NS: u64 = 500_000_000;
/// Applications listed in one directory of sockets.
pub const APPLICATIONS: usize = 1_000;
/// Entries read of one application's or session's directory.
pub const DIRECTORY_ENTRIES: usize = 10_000;
/// Longest application name, in bytes.
pub const APP_NAME_BYTES: u64 = 4_096;
/// Sockets of processes with the same pid (in different pid namespaces) in one application.
pub const SOCKETS_OF_ONE_PID: u32 = 64;
/// Finished sessions whose parts are kept for each application.
pub const KEPT_SESSIONS: usize = 10;
/// Time after draining in which a process finishes its part, in nanoseconds.
pub const PART_GRACE_NS: u64 = 5_000_000_000;
/// Connections that one agent serves at a time.
pub const CONTROL_CONNECTIONS: usize = 32;
/// Longest chunk of a file before compression, in bytes. Symbols and trees are split; a longer trace is refused.
pub const CHUNK_RAW_BYTES: usize = 8 << 20;
/// A chunk that shrinks to less than this fraction is stored as it is, so that a reader can refuse any chunk that
/// claims to grow more: a small file cannot become large.
pub const CHUNK_EXPANSION: usize = 24;
/// Memory that the contents of a file may take when read and reported on: this much, in bytes, ...
pub const FILE_MEMORY_BASE: u64 = 40 << 20;
/// ... and this much for each byte of the file.
pub const FILE_MEMORY_PER_BYTE: u64 = 40;
/// Bytes checksummed while looking for the next whole chunk in a damaged file, for each byte of the file.
pub const FILE_RESYNC_PER_BYTE: u64 = 16;
