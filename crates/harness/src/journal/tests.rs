//! What a journal promises: on disk before, whole or not there, held by one process, found again by the next.

use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use trust::SystemClock;

use super::*;

fn undo(path: &str) -> Undo {
    Undo::Kubernetes(KubernetesUndo { path: path.into() })
}

fn start() -> Start {
    Start {
        format: FORMAT,
        run: "r".into(),
        at: Timestamp::UNIX_EPOCH,
        expires: Timestamp::UNIX_EPOCH,
        version: "0".into(),
        host: "h".into(),
        process: 1,
        working_dir: "/w".into(),
        command: vec!["cargo".into(), "xtask".into(), "e2e".into()],
        place: Place { cluster: ClusterPlace::Embedded, aws_endpoint: None },
    }
}

fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

fn begun() -> (tempfile::TempDir, PathBuf, Journal) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(FILE);
    let journal = Journal::create(&path, start(), None).expect("must begin");
    (folder, path, journal)
}

fn open(book: &Book) -> Vec<(&str, State)> {
    book.open().map(|entry| (entry.label.as_str(), entry.state)).collect()
}

#[test]
fn what_may_exist_is_on_disk_before_it_is_created() {
    let (_folder, path, journal) = begun();
    let lines = || fs::read_to_string(&path).expect("must read").lines().count();

    journal.announce([("a".to_owned(), undo("/a")), ("b".to_owned(), undo("/b"))]).expect("must write");
    assert_eq!(lines(), 3, "run and both intentions");
    let a = journal.intend("a", undo("/a")).expect("announced");
    assert_eq!(lines(), 3, "an announced one is not written twice");
    let c = journal.intend("c", undo("/c")).expect("must write");
    let new = |entry| Intent { entry, known: Known::New };
    assert_eq!((a, c, lines()), (new(1), new(3), 4));

    journal.done(1).expect("must write");
    journal.failed(3, "password=hunter2").expect("must write");
    assert_eq!(open(&journal.book()), [("a", State::Done), ("b", State::Intended)]);
    journal.undone(1).expect("must write");
    let text = fs::read_to_string(&path).expect("must read");
    assert!(!text.contains("hunter2"));
    for line in text.lines() {
        serde_json::from_str::<Line>(line).expect("every line must read back");
    }
    assert!(Journal::create(&path, start(), None).is_err(), "a journal is never begun twice");
}

#[test]
fn a_scenario_sees_its_own_entries_in_the_file_of_all() {
    let (_folder, _path, journal) = begun();
    let (one, two) = (journal.of("one"), journal.of("two"));
    one.goes_as("r-1").expect("must write");
    one.announce([("same".to_owned(), undo("/one"))]).expect("must write");
    two.announce([("same".to_owned(), undo("/two"))]).expect("must write");
    assert_eq!(two.intend("same", undo("/two")).expect("announced").entry, 2);
    let open = |journal: &Journal| journal.open_entries().into_iter().map(|entry| entry.number).collect::<Vec<_>>();
    assert_eq!((open(&one), open(&two), open(&journal)), (vec![1], vec![2], vec![]));
    assert_eq!((one.run().as_str(), two.run().as_str()), ("r-1", "r"));
}

#[test]
fn one_process_holds_a_journal_and_the_next_one_goes_on_with_it() {
    let (_folder, path, journal) = begun();
    journal.of("s").announce(["a", "b", "c"].map(|name| (name.to_owned(), undo(name)))).expect("must write");
    journal.done(1).expect("must write");
    journal.undone(3).expect("must write");
    assert!(matches!(Journal::take_up(&path, "cleanup", &clock(), None), Err(OpenError::Held)));
    assert!(Past::read(&path).expect("must be readable all the same").is_held);
    drop(journal);
    assert!(!Past::read(&path).expect("must be readable").is_held);
    let next = Journal::take_up(&path, "resume", &clock(), None).expect("must be free").of("s");
    next.announce(["a", "b", "c", "d"].map(|name| (name.to_owned(), undo(name)))).expect("must write");
    let intend = |name: &str| {
        let Intent { entry, known } = next.intend(name, undo(name)).expect("announced");
        (entry, known)
    };
    let known = [intend("a"), intend("b"), intend("c"), intend("d")];
    assert_eq!(known, [(1, Known::Stands), (2, Known::MayStand), (4, Known::New), (5, Known::New)]);
}

#[test]
fn a_torn_line_is_as_if_it_had_never_been_written() {
    let (_folder, path, journal) = begun();
    journal.announce([("a".to_owned(), undo("/a"))]).expect("must write");
    drop(journal);
    let whole = fs::read(&path).expect("must read");
    journal_of_every_length(&whole, &path);
    // In the middle, where a full disk took no cut either.
    let middle = [&whole[..], b"{\"record\":\"int\n", b"{\"record\":\"done\",\"entry\":1}\n"].concat();
    fs::write(&path, middle).expect("must write");
    assert_eq!(open(&Past::read(&path).expect("must be readable").book), [("a", State::Done)]);
}

/// Cuts the file at every byte, and goes on with it.
fn journal_of_every_length(whole: &[u8], path: &std::path::Path) {
    let first = whole.iter().position(|&byte| byte == b'\n').expect("it must have lines") + 1;
    for length in 0..whole.len() {
        fs::write(path, &whole[..length]).expect("must write");
        let taken = Journal::take_up(path, "cleanup", &clock(), None);
        if length < first {
            assert!(matches!(taken, Err(OpenError::Strange)), "{length}");
            continue;
        }
        let journal = taken.unwrap_or_else(|error| panic!("{length}: {error}"));
        journal.announce([("b".to_owned(), undo("/b"))]).expect("must write");
        assert_eq!(open(&Past::read(path).expect("must be readable").book), [("b", State::Intended)], "{length}");
    }
}

#[test]
fn a_journal_of_another_version_is_left_alone() {
    let (folder, path, journal) = begun();
    drop(journal);
    let text = fs::read_to_string(&path).expect("must read");
    fs::write(&path, text.replace("\"format\":1", "\"format\":2")).expect("must write");
    assert!(matches!(Past::read(&path), Err(OpenError::Strange)));
    assert!(all(folder.path()).is_empty());
}

#[test]
fn runs_are_found_by_id_folder_file_and_as_the_latest() {
    let artifacts = tempfile::tempdir().expect("folder");
    for (run, second) in [("old", 1), ("new", 3), ("middle", 2)] {
        let folder = artifacts.path().join(run);
        fs::create_dir(&folder).expect("must be made");
        let at = Timestamp::from_second(second).expect("a time");
        Journal::create(&folder.join(FILE), Start { at, run: run.into(), ..start() }, None).expect("must begin");
    }
    fs::create_dir(artifacts.path().join("none")).expect("must be made");
    let found = |word: &str| find(word, artifacts.path(), artifacts.path());
    let file = |run: &str| Some(artifacts.path().join(run).join(FILE));
    assert_eq!(found("latest"), file("new"));
    assert_eq!(found("old"), file("old"));
    assert_eq!(found(&artifacts.path().join("middle").display().to_string()), file("middle"));
    assert_eq!(found("middle/journal.jsonl"), file("middle"));
    assert_eq!((found("none"), found("other")), (None, None));
}
