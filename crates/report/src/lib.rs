//! What a run did, told to people and machines: events in; terminal text, a page, JUnit and JSON out.
//!
//! The harness emits [`Event`]s. Each becomes a [`Record`] (numbered, stamped, cleaned of secrets) and goes to every [`Sink`]:
//! the append-only `events.jsonl`, the terminal, and the [`Report`] that folds them all and is written as files at the end.
//! Everything that a reader sees can be made again from `events.jsonl` alone.
//!
//! ```
//! use report::{Event, Stream, Style, Terminal};
//!
//! let clock = std::sync::Arc::new(trust::SystemClock);
//! let mut run = Stream::new(clock, vec![Box::new(Terminal::new(std::io::stdout(), Style::default()))]);
//! run.emit(Event::Note { scenario: None, text: "hello".to_owned() })?;
//! assert_eq!(run.report().notes, ["hello"]);
//! # Ok::<(), report::ReportError>(())
//! ```
//!
//! This crate must not know how a run is done, what a scenario contains, or which cluster or cloud answers. It judges nothing: a
//! verdict comes in with its check. It reads no clock and no environment.

mod artifacts;
mod event;
mod events_file;
mod html;
mod junit;
mod model;
mod sink;
mod terminal;
mod text;

pub use artifacts::{ArtifactError, FINISHED, write_artifacts};
pub use event::{CheckKind, CheckRecord, Diagnosis, Event, Expected, Observed, Outcome, Phase, Record};
pub use events_file::{ReadError, read_events, reopen_events};
pub use html::html;
pub use junit::{junit, junit_runner};
pub use model::{Counts, Later, Leftover, PhaseReport, Report, Run, ScenarioReport, Schema, Vanished};
pub use sink::{JsonLines, ReportError, Sink, Stream};
pub use terminal::{Progress, Remark, Style, Terminal, explained, explained_check};
