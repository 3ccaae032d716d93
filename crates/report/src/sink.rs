//! Where records go: the sinks, and the stream that numbers events and hands each record to all of them.
//! It must not know what a record means.

use std::fmt;
use std::io::{self, Write};

use trust::SharedClock;

use crate::event::{Event, Record};
use crate::model::Report;

/// Takes the records of a run, in order.
pub trait Sink: Send {
    /// Takes the next record.
    ///
    /// # Errors
    /// The record could not be written. The sink can be offered the next one.
    fn accept(&mut self, record: &Record) -> Result<(), ReportError>;

    /// Takes a record of an earlier life of the run, which has been told then: a sink that sums up must know it, and none shows it
    /// again.
    fn recall(&mut self, record: &Record) {
        let _ = record;
    }
}

/// Why a record could not be passed on.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("cannot write a record of the run")]
    Write(#[source] io::Error),
    #[error("cannot encode a record of the run")]
    Encode(#[source] serde_json::Error),
}

/// Writes `events.jsonl`: a record a line, flushed each, so that the file is complete up to a crash.
pub struct JsonLines<W> {
    out: W,
}

impl<W: Write + Send> JsonLines<W> {
    /// Appends to `out`, which must not be buffered beyond a flush.
    pub fn new(out: W) -> Self {
        JsonLines { out }
    }

    /// What it wrote to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write + Send> Sink for JsonLines<W> {
    fn accept(&mut self, record: &Record) -> Result<(), ReportError> {
        let mut line = serde_json::to_vec(record).map_err(ReportError::Encode)?;
        line.push(b'\n');
        // One write a line: a kill between two writes cannot tear it.
        self.out.write_all(&line).and_then(|()| self.out.flush()).map_err(ReportError::Write)
    }
}

impl<W> fmt::Debug for JsonLines<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonLines").finish_non_exhaustive()
    }
}

/// The event stream of one run: stamps and numbers each event, folds it into the report and offers it to every sink.
pub struct Stream {
    clock: SharedClock,
    next: u64,
    report: Report,
    sinks: Vec<Box<dyn Sink>>,
}

impl Stream {
    /// A stream that starts at number 0.
    pub fn new(clock: SharedClock, sinks: Vec<Box<dyn Sink>>) -> Self {
        Stream { clock, next: 0, report: Report::default(), sinks }
    }

    /// A stream that goes on after the records of the run's earlier lives, in order: it numbers on from the last, and its report holds
    /// them all. What it emits first should be [`Event::RunResumed`].
    pub fn resume(clock: SharedClock, mut sinks: Vec<Box<dyn Sink>>, earlier: &[Record]) -> Self {
        let mut report = Report::default();
        for record in earlier {
            report.apply(record);
            sinks.iter_mut().for_each(|sink| sink.recall(record));
        }
        let next = earlier.last().map_or(0, |record| record.seq() + 1);
        Stream { clock, next, report, sinks }
    }

    /// Makes a record of the event and passes it on.
    ///
    /// # Errors
    /// The first error of a sink. The others have had the record all the same, and the report holds it.
    pub fn emit(&mut self, event: Event) -> Result<(), ReportError> {
        let record = Record::new(self.clock.now(), self.next, event);
        self.next += 1;
        self.report.apply(&record);
        let mut first = Ok(());
        for sink in &mut self.sinks {
            first = first.and(sink.accept(&record));
        }
        first
    }

    /// The run so far.
    pub fn report(&self) -> &Report {
        &self.report
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("next", &self.next).field("sinks", &self.sinks.len()).finish_non_exhaustive()
    }
}
