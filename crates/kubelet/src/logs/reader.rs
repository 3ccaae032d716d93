//! Reading a log from its oldest kept line on, and choosing what of it is shown.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Log, Progress, segment_path};

/// What of a log is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Selection {
    pub(super) tail_lines: Option<usize>,
    pub(super) since: Option<Timestamp>,
    pub(super) timestamps: bool,
}

/// A line (or piece of one) as it was written.
struct Entry {
    raw: Vec<u8>,
    /// Where the text begins in `raw`.
    text_at: usize,
    whole: bool,
}

impl Entry {
    /// `None` for a line that is not in the runtime's format; there are none unless the file was touched.
    fn parse(raw: Vec<u8>) -> Option<Self> {
        let header: Vec<&[u8]> = raw.splitn(4, |byte| *byte == b' ').collect();
        let [at, stream, tag, _] = header[..] else {
            return None;
        };
        let text_at = at.len() + stream.len() + tag.len() + 3;
        let whole = tag == b"F";
        Some(Self { raw, text_at, whole })
    }

    fn time(&self) -> &[u8] {
        self.raw.split(|byte| *byte == b' ').next().unwrap_or_default()
    }

    fn at(&self) -> Option<Timestamp> {
        std::str::from_utf8(self.time()).ok()?.parse().ok()
    }
}

/// The last lines of what is there now.
pub(super) fn last_lines(log: &Arc<Log>, lines: usize) -> io::Result<Vec<u8>> {
    Reader::open(log.clone())?.start(&Selection { tail_lines: Some(lines), ..Selection::default() })
}

/// Reads a log's entries in order.
pub(super) struct Reader {
    log: Arc<Log>,
    progress: watch::Receiver<Progress>,
    segment: u64,
    position: u64,
    file: BufReader<File>,
    /// Output before the oldest kept line was dropped and this was not told yet.
    gap: bool,
    /// The last entry shown was a piece of a line.
    mid_line: bool,
}

impl Reader {
    pub(super) fn open(log: Arc<Log>) -> io::Result<Self> {
        let progress = log.progress.subscribe();
        let (segment, file) = Self::oldest(&log)?;
        Ok(Self { log, progress, segment, position: 0, file, gap: segment > 0, mid_line: false })
    }

    /// The oldest segment that is still there; under the log's lock, so that it does not go meanwhile.
    fn oldest(log: &Log) -> io::Result<(u64, BufReader<File>)> {
        let current = log.lock();
        let oldest = current.number.saturating_sub(1);
        Ok((oldest, BufReader::new(File::open(segment_path(&log.stem, oldest))?)))
    }

    /// The next entry, or `None` at the present end.
    fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let progress = *self.progress.borrow_and_update();
            let readable = self.segment < progress.segment || self.position < progress.written;
            if readable {
                let mut raw = Vec::new();
                let read = self.file.read_until(b'\n', &mut raw)?;
                if read > 0 {
                    self.position += read as u64;
                    raw.pop();
                    match Entry::parse(raw) {
                        Some(entry) => return Ok(Some(entry)),
                        None => continue,
                    }
                }
            }
            if self.segment >= progress.segment {
                return Ok(None);
            }
            let following = self.segment + 1;
            (self.segment, self.file) = Self::oldest(&self.log)?;
            if self.segment < following {
                // The one after ours is the newest: it is always there.
                self.segment = following;
                self.file = BufReader::new(File::open(segment_path(&self.log.stem, following))?);
            }
            self.gap |= self.segment > following;
            self.position = 0;
        }
    }

    /// What is there now, as it is shown. Call once, first.
    pub(super) fn start(&mut self, selection: &Selection) -> io::Result<Vec<u8>> {
        let Some(wanted) = selection.tail_lines else {
            return self.more(selection);
        };
        let mut kept = std::collections::VecDeque::new();
        let mut lines = 0;
        while let Some(entry) = self.next()? {
            if entry.at() < selection.since {
                continue;
            }
            // A line begins at an entry that does not follow a piece.
            let begins = kept.back().is_none_or(|last: &Entry| last.whole);
            lines += usize::from(begins);
            kept.push_back(entry);
            while lines > wanted {
                if kept.pop_front().is_none_or(|first| first.whole) {
                    lines -= 1;
                }
            }
        }
        self.gap = false;
        let mut shown = Vec::new();
        for entry in kept {
            self.show(&entry, selection, &mut shown);
        }
        Ok(shown)
    }

    /// What has come since.
    pub(super) fn more(&mut self, selection: &Selection) -> io::Result<Vec<u8>> {
        let mut shown = Vec::new();
        while shown.len() < 64 * 1024 {
            let Some(entry) = self.next()? else { break };
            if entry.at() < selection.since {
                continue;
            }
            if std::mem::take(&mut self.gap) {
                shown.extend_from_slice(b"[earlier output was dropped: a process node keeps 10 MiB]\n");
            }
            self.show(&entry, selection, &mut shown);
        }
        Ok(shown)
    }

    /// Waits for more; `false` when nothing more will come. Call after [`more`](Self::more) gave nothing.
    pub(super) async fn grows(&mut self) -> bool {
        if self.progress.borrow().closed {
            return false;
        }
        self.progress.changed().await.is_ok()
    }

    fn show(&mut self, entry: &Entry, selection: &Selection, shown: &mut Vec<u8>) {
        if selection.timestamps && !self.mid_line {
            shown.extend_from_slice(entry.time());
            shown.push(b' ');
        }
        shown.extend_from_slice(&entry.raw[entry.text_at..]);
        if entry.whole {
            shown.push(b'\n');
        }
        self.mid_line = !entry.whole;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stream;
    use super::*;

    fn mk_log(folder: &tempfile::TempDir, segment_bytes: u64) -> Arc<Log> {
        Log::with_segment_bytes(folder.path().join("c"), segment_bytes).expect("log must be made")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("time must be valid")
    }

    fn shown(log: &Arc<Log>, selection: &Selection) -> String {
        let mut reader = Reader::open(log.clone()).expect("log must open");
        let mut bytes = reader.start(selection).expect("log must be read");
        loop {
            let more = reader.more(selection).expect("log must be read");
            if more.is_empty() {
                return String::from_utf8(bytes).expect("text");
            }
            bytes.extend(more);
        }
    }

    #[test]
    fn shows_what_was_asked_for() {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let log = mk_log(&folder, 1 << 20);
        log.append(at(1), Stream::Stdout, b"one", true).expect("append");
        log.append(at(2), Stream::Stderr, b"tw", false).expect("append");
        log.append(at(2), Stream::Stderr, b"o two", true).expect("append");
        log.append(at(3), Stream::Stdout, b"", true).expect("append");
        log.append(at(4), Stream::Stdout, b"no end", false).expect("append");
        let check =
            |selection: Selection, expected: &str| assert_eq!(shown(&log, &selection), expected, "{selection:?}");
        let tail = |lines| Selection { tail_lines: Some(lines), ..Selection::default() };
        check(Selection::default(), "one\ntwo two\n\nno end");
        check(tail(0), "");
        check(tail(1), "no end");
        check(tail(3), "two two\n\nno end");
        check(tail(9), "one\ntwo two\n\nno end");
        check(Selection { since: Some(at(3)), ..Selection::default() }, "\nno end");
        check(
            Selection { timestamps: true, tail_lines: Some(3), ..Selection::default() },
            "1970-01-01T00:00:02.000000000Z two two\n1970-01-01T00:00:03.000000000Z \n1970-01-01T00:00:04.000000000Z no end",
        );
    }

    #[test]
    fn keeps_the_newest_output_within_bounds_and_says_so() {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let log = mk_log(&folder, 400);
        for number in 0..100 {
            log.append(at(1), Stream::Stdout, format!("line {number}").as_bytes(), true).expect("append");
        }
        let kept: u64 = std::fs::read_dir(folder.path())
            .expect("folder")
            .map(|entry| entry.expect("entry").metadata().expect("metadata").len())
            .sum();
        assert!(kept <= 800, "{kept}");
        let text = shown(&log, &Selection::default());
        assert!(text.starts_with("[earlier output was dropped"), "{text}");
        assert!(text.ends_with("line 98\nline 99\n"), "{text}");
    }

    #[tokio::test]
    async fn follower_sees_all_across_segments_until_closed() {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let log = mk_log(&folder, 400);
        let mut reader = Reader::open(log.clone()).expect("log must open");
        let mut text = reader.start(&Selection::default()).expect("log must be read");
        for number in 0..40 {
            log.append(at(1), Stream::Stdout, format!("{number}").as_bytes(), true).expect("append");
            if number % 5 == 0 {
                text.extend(reader.more(&Selection::default()).expect("log must be read"));
            }
        }
        log.close();
        loop {
            let more = reader.more(&Selection::default()).expect("log must be read");
            if more.is_empty() && !reader.grows().await {
                break;
            }
            text.extend(more);
        }
        let expected: String = (0..40).map(|number| format!("{number}\n")).collect();
        assert_eq!(String::from_utf8(text).expect("text"), expected);
    }
}
