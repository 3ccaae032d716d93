//! The event file: what is written can be read, whole or cut off.

use std::io::Write;
use std::sync::{Arc, Mutex};

use insta::assert_snapshot;
use report::{Event, JsonLines, ReadError, Record, Report, ReportError, Sink, Stream, read_events};
use trust::{FixedClock, Verdict};

use crate::sample::*;

fn eventful() -> Vec<Record> {
    let mut checks = vec![allowed(), wrongly_refused(), wrongly_accepted(), skipped("a", "b", "no key")];
    checks.extend(refusals());
    let mut events = run(checks, 9, Verdict::Failed { reason: "2 of 9 checks failed".into() }, 100);
    events.insert(3, Event::Note { scenario: None, text: "a hint".into() });
    events.insert(4, Event::Note { scenario: Some(SCENARIO.into()), text: "two\nlines".into() });
    let at = teardown_of(&events);
    let gone = Event::Vanished { scenario: SCENARIO.into(), kind: "bucket".into(), id: "theirs".into() };
    let kept = Event::Kept { scenario: SCENARIO.into(), resources: 2 };
    events.splice(at..at, [left("iam-role", "r", "still there"), gone, kept]);
    events.insert(5, resumed());
    records(events)
}

fn lines(records: &[Record]) -> Vec<u8> {
    let mut sink = JsonLines::new(Vec::new());
    records.iter().for_each(|record| sink.accept(record).expect("must write to memory"));
    sink.into_inner()
}

fn fold(records: &[Record]) -> Report {
    let mut report = Report::default();
    records.iter().for_each(|record| report.apply(record));
    report
}

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("must make a file");
    file.write_all(bytes).expect("must write");
    file
}

#[test]
fn reads_back_what_was_written() {
    let records = eventful();
    let read = read_events(file(&lines(&records)).path()).expect("must read");
    assert_eq!(read, records);
    assert_eq!(fold(&read), fold(&records));
    let records = crate::sample::records(seven());
    assert_eq!(read_events(file(&lines(&records)).path()).expect("must read"), records);
}

#[test]
fn what_a_workload_that_lives_long_saw_is_flat_too() {
    let check = kept_reading();
    let said = serde_json::to_string(&(check.expected, check.observed)).expect("must print");
    assert_snapshot!(said, @r#"[{"outcome":"kept-reading"},{"outcome":"kept-reading","reads":14,"tokens":3,"keys":2}]"#);
}

#[test]
fn a_file_cut_anywhere_reads_up_to_its_last_whole_record() {
    let records = eventful();
    let bytes = lines(&records);
    // Every length would be slow; a prime step meets all positions within a line.
    for length in (0..bytes.len()).step_by(97) {
        let read = read_events(file(&bytes[..length]).path()).expect("must tolerate the cut");
        let whole = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
        assert!(read.len() == whole || (read.len() == whole + 1 && bytes[length] == b'\n'), "cut at {length}");
        assert_eq!(read, records[..read.len()], "cut at {length}");
    }
}

#[test]
fn a_broken_line_before_the_end_is_named() {
    let records = eventful();
    let mut bytes = b"{\"at\":\"20\n".to_vec();
    bytes.extend(lines(&records));
    let file = file(&bytes);
    let error = read_events(file.path()).expect_err("must not read");
    assert!(matches!(error, ReadError::Malformed { line: 1, .. }), "{error:?}");
    let missing = read_events(std::path::Path::new("/nonexistent/events.jsonl"));
    assert!(matches!(missing, Err(ReadError::Open { .. })));
}

#[test]
fn a_line_is_flat_and_plain_to_filter() {
    let check = refusals().remove(1);
    let mut events = opening(1);
    events.push(Event::CheckFinished {
        scenario: SCENARIO.into(),
        check: report::CheckRecord { chain: trust::Chain::default(), ..check },
    });
    events.extend(closing(Verdict::Failed { reason: "none".into() }, 100));
    let text = String::from_utf8(lines(&records(events))).expect("must be UTF-8");
    let picked: Vec<&str> = text
        .lines()
        .enumerate()
        .filter(|(at, _)| [0, 1, 2, 5, 13, 14, 17].contains(at))
        .map(|(_, line)| line)
        .collect();
    assert_snapshot!(picked.join("\n"), @r#"
{"at":"2026-05-04T10:00:00Z","seq":0,"event":"run-started","run_id":"r-7f3a91","command":["cargo","xtask","e2e","aks-to-aws"],"version":"0.1.0","cluster":"embedded","clouds":"simulated","scenarios":1}
{"at":"2026-05-04T10:00:00.1Z","seq":1,"event":"scenario-started","scenario":"aks-to-aws","title":"a pod in AKS reads an object in S3","checks":1}
{"at":"2026-05-04T10:00:00.2Z","seq":2,"event":"phase-started","scenario":"aks-to-aws","phase":"preflight"}
{"at":"2026-05-04T10:00:00.5Z","seq":5,"event":"phase-finished","scenario":"aks-to-aws","phase":"cluster","outcome":"done","detail":"issuer https://germanywestcentral.oic.prod-aks.azure.com/72f988bf/","duration_ms":212}
{"at":"2026-05-04T10:00:01.3Z","seq":13,"event":"check-finished","scenario":"aks-to-aws","check":{"id":"other-namespace","title":"service account in another namespace","kind":"deny","twin":"reads","expected":{"outcome":"refused","link":"subject-accepted","code":"AccessDenied","status":403},"observed":{"outcome":"refused","link":"subject-accepted","code":"AccessDenied","status":403,"message":"Not authorized to perform sts:AssumeRoleWithWebIdentity"},"verdict":"passed","chain":{"links":[]},"duration_ms":21,"source":"AWS STS API reference, AssumeRoleWithWebIdentity, Errors"}}
{"at":"2026-05-04T10:00:01.4Z","seq":14,"event":"phase-finished","scenario":"aks-to-aws","phase":"checks","outcome":"failed","reason":"none","duration_ms":640}
{"at":"2026-05-04T10:00:01.7Z","seq":17,"event":"scenario-finished","scenario":"aks-to-aws","verdict":"failed","reason":"none","duration_ms":1025}
"#);
}

#[test]
fn a_sink_that_fails_keeps_the_record_from_no_other() {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u64>>>);
    impl Sink for Shared {
        fn accept(&mut self, record: &Record) -> Result<(), ReportError> {
            self.0.lock().expect("must lock").push(record.seq());
            Ok(())
        }
    }
    struct Full;
    impl Sink for Full {
        fn accept(&mut self, _: &Record) -> Result<(), ReportError> {
            Err(ReportError::Write(std::io::ErrorKind::StorageFull.into()))
        }
    }
    let seen = Shared::default();
    let clock = Arc::new(FixedClock::new(jiff::Timestamp::UNIX_EPOCH));
    let mut stream = Stream::new(clock, vec![Box::new(Full), Box::new(seen.clone())]);
    for event in opening(4) {
        assert!(matches!(stream.emit(event), Err(ReportError::Write(_))));
    }
    let seen = seen.0.lock().expect("must lock");
    assert_eq!(*seen, (0..opening(4).len() as u64).collect::<Vec<_>>());
    assert_eq!(stream.report().counts.not_run, 4);
}
