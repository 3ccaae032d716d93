//! What a container says of its end: the file at its `terminationMessagePath`, or the last that it printed.
//! Lengths are those of the kubelet.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Container;

use crate::logs::Log;

/// In the pod's own folder: a file for each container.
pub(super) const FOLDER: &str = "messages";
const LONGEST: u64 = 4096;
const LONGEST_PRINTED: usize = 2048;
const PRINTED_LINES: usize = 80;

/// Where the container may write it, if it is to be looked for.
pub(super) fn path(container: &Container) -> Option<&str> {
    container.termination_message_path.as_deref().filter(|path| path.starts_with('/'))
}

pub(super) fn file(pod_folder: &Path, container: &str) -> PathBuf {
    pod_folder.join(FOLDER).join(container)
}

/// Makes the file, empty: each run has its own message.
pub(super) fn begin(file: &Path) -> io::Result<()> {
    File::create(file).map(drop)
}

/// The message of a run that has ended.
pub(super) fn read(container: &Container, file: &Path, exit_code: i32, log: &std::sync::Arc<Log>) -> Option<String> {
    let written = match path(container).map(|_| written(file)) {
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
            return Some(format!("Error on reading termination log {}: {error}", file.display()));
        }
        Some(Ok(written)) => written,
        _ => String::new(),
    };
    let falls_back = container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
    let message = if written.is_empty() && falls_back && exit_code != 0 {
        log.last(PRINTED_LINES, LONGEST_PRINTED).unwrap_or_default()
    } else {
        written
    };
    (!message.is_empty()).then_some(message)
}

/// The end of what was written.
fn written(file: &Path) -> io::Result<String> {
    let mut open = File::open(file)?;
    let begin = fs::metadata(file)?.len().saturating_sub(LONGEST);
    open.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    open.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Stream;

    #[test]
    fn a_message_is_what_was_written_or_else_the_last_that_was_printed() {
        let place = tempfile::tempdir().expect("temp folder must be made");
        let log = Log::create(place.path().join("log")).expect("log must be made");
        for line in 0..200 {
            let text = format!("line {line}");
            log.append(jiff::Timestamp::UNIX_EPOCH, Stream::Stdout, text.as_bytes(), true).expect("must be written");
        }
        let check = |policy: &str, written: &str, exit_code: i32, expected: Option<(usize, &str)>| {
            let file = file(place.path(), "c");
            fs::create_dir_all(place.path().join(FOLDER)).expect("folder must be made");
            begin(&file).expect("file must be made");
            fs::write(&file, written).expect("file must be written");
            let container = Container {
                termination_message_path: Some("/dev/termination-log".to_owned()),
                termination_message_policy: Some(policy.to_owned()),
                ..Container::default()
            };
            let message = read(&container, &file, exit_code, &log);
            let found = message.as_ref().map(|text| (text.len(), text.ends_with(expected.unwrap_or_default().1)));
            assert_eq!(found, expected.map(|(length, _)| (length, true)), "{policy} {written:.20} {message:?}");
        };
        check("File", "", 1, None);
        check("File", "why\n", 0, Some((4, "why\n")));
        check("File", &format!("{}end", "x".repeat(5000)), 1, Some((4096, "xend")));
        check("FallbackToLogsOnError", "why", 1, Some((3, "why")));
        check("FallbackToLogsOnError", "", 0, None);
        check("FallbackToLogsOnError", "", 1, Some((80 * "line 100\n".len(), "line 198\nline 199\n")));
    }
}
