//! A recording that writes to memory, with a clock that moves only when told to.

use super::{Collector, Cost, CostMeter, Intake, RecordingConfig, SymbolSource, TraceTally, recording};
use crate::clock::{Clock, FakeClock};
use crate::format::PartWriter;
use crate::model::{
    Capabilities, Limits, Mechanism, ProcessEnd, ProcessInfo, ProcessKey, SessionHeader, SessionId, Symbol, SymbolKind,
    Target, TargetKind,
};
use crate::trace::{CallKey, TickScale};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A file in memory that can be full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Bytes that still fit; `u64::MAX` at first.
    used_of: Arc<Mutex<Option<usize>>>,
}

impl Disk {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap().clone()
    }

    /// Nothing beyond so many bytes fits any more; `None`: everything does.
    pub(crate) fn limit(&self, bytes: Option<usize>) {
        *self.used_of.lock().unwrap() = bytes;
    }
}

impl Write for Disk {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.lock().unwrap();
        let room = self.used_of.lock().unwrap().map_or(usize::MAX, |limit| limit.saturating_sub(bytes.len()));
        if room == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let fitting = data.len().min(room);
        bytes.extend_from_slice(&data[..fitting]);
        Ok(fitting)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Names every key `f<key>`.
#[derive(Debug, Default)]
pub(crate) struct Names;

impl SymbolSource for Names {
    fn resolve(&mut self, keys: &[CallKey]) -> Vec<Symbol> {
        let symbol = |key: &CallKey| Symbol {
            kind: if key.is_segment() { SymbolKind::Sql } else { SymbolKind::Function },
            name: format!("f{}", key.0),
            file: "app.py".to_owned(),
            line: key.0 as u32,
            detail: String::new(),
        };
        keys.iter().map(symbol).collect()
    }

    fn thread_name(&mut self, ident: u64) -> Option<String> {
        Some(format!("thread {ident}"))
    }
}

/// CPU clocks that stand where they are put.
#[derive(Debug, Default)]
pub(crate) struct Meter(pub(crate) Cost);

impl CostMeter for Meter {
    fn read(&mut self) -> Cost {
        self.0
    }
}

/// A tally shared by the recordings of one test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(pub(crate) Arc<AtomicU64>);

impl TraceTally for Tally {
    fn add(&mut self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn total(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A session of a minute that traces everything and keeps 100 traces.
pub(crate) fn header() -> SessionHeader {
    SessionHeader {
        id: SessionId("abcdefghijkl".to_owned()),
        app: "blog".to_owned(),
        target: Target { given: "/tags/<tag>/".to_owned(), canonical: "/tags/{}/".to_owned(), kind: TargetKind::Route },
        limits: Limits {
            duration_ns: 60_000_000_000,
            traces: 100,
            stop_after: None,
            min_ns: 0,
            share: 1.0,
            max_overhead: 0.05,
            hz: 100,
        },
        seed: 42,
        started_unix_ns: FakeClock::ZERO_UNIX_NS,
    }
}

pub(crate) fn process(pid: u32, clock: &dyn Clock) -> ProcessInfo {
    let mechanism = |name: &str| Mechanism { name: name.to_owned(), reason: "test".to_owned() };
    ProcessInfo {
        key: ProcessKey(u64::from(pid) << 32),
        host: "web-1".to_owned(),
        pid,
        python: "3.12.1".to_owned(),
        framework: None,
        joined_unix_ns: clock.unix_ns(),
        left_unix_ns: clock.unix_ns(),
        end: ProcessEnd::Lost,
        capabilities: Capabilities {
            tracer: mechanism("monitoring"),
            sampler: mechanism("gil"),
            clock: "tsc".to_owned(),
            event_cost_ns: 25,
        },
    }
}

/// One recording with everything around it.
pub(crate) struct Rig {
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) disk: Disk,
    pub(crate) intake: Intake,
    pub(crate) collector: Collector<Disk>,
    pub(crate) names: Names,
    pub(crate) meter: Meter,
}

impl Rig {
    pub(crate) fn new(header: SessionHeader) -> Self {
        Self::of_process(header, 1, Arc::default(), Tally::default())
    }

    pub(crate) fn of_process(header: SessionHeader, pid: u32, clock: Arc<FakeClock>, tally: Tally) -> Self {
        let disk = Disk::default();
        let process = process(pid, clock.as_ref());
        let writer = PartWriter::new(disk.clone(), &header, &process).unwrap();
        let config = RecordingConfig { header, process, scale: TickScale::NANOSECONDS, tally: Box::new(tally) };
        let (intake, collector) = recording(config, writer, clock.clone());
        let mut rig = Self { clock, disk, intake, collector, names: Names, meter: Meter::default() };
        rig.collector.start(&mut rig.meter);
        rig
    }

    pub(crate) fn step(&mut self) -> bool {
        self.collector.step(&mut self.names, &mut self.meter)
    }
}
