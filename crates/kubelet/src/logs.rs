//! What containers print: kept in files of bounded size, in the format of container runtimes
//! (`<time> <stdout|stderr> <F|P> <text>`), read back while it grows.
//! It must not know how the text is asked for.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;

mod endpoint;
mod reader;

pub(crate) use endpoint::router;

/// Two files of this size are kept for a run of a container; older output is dropped.
const SEGMENT_BYTES: u64 = 5 << 20;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// How far a log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Progress {
    /// The newest segment.
    segment: u64,
    /// Bytes of it that may be read.
    written: u64,
    /// Nothing more will come.
    closed: bool,
}

struct Segment {
    file: File,
    written: u64,
    number: u64,
}

/// The output of one run of one container.
pub(crate) struct Log {
    stem: PathBuf,
    segment_bytes: u64,
    current: Mutex<Segment>,
    progress: watch::Sender<Progress>,
}

impl Log {
    /// Starts an empty log in files that begin with `stem`.
    pub(crate) fn create(stem: PathBuf) -> io::Result<Arc<Self>> {
        Self::with_segment_bytes(stem, SEGMENT_BYTES)
    }

    fn with_segment_bytes(stem: PathBuf, segment_bytes: u64) -> io::Result<Arc<Self>> {
        let file = File::create_new(segment_path(&stem, 0))?;
        let (progress, _) = watch::channel(Progress { segment: 0, written: 0, closed: false });
        Ok(Arc::new(Self {
            stem,
            segment_bytes,
            current: Mutex::new(Segment { file, written: 0, number: 0 }),
            progress,
        }))
    }

    /// Adds a line without its line end, or (`whole` false) a piece of one.
    pub(crate) fn append(&self, at: Timestamp, stream: Stream, text: &[u8], whole: bool) -> io::Result<()> {
        let stream = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        let mut line = format!("{at:.9} {stream} {} ", if whole { 'F' } else { 'P' }).into_bytes();
        line.extend_from_slice(text);
        line.push(b'\n');
        let size = line.len() as u64;

        let mut current = self.lock();
        if current.written > 0 && current.written + size > self.segment_bytes {
            let number = current.number + 1;
            *current = Segment { file: File::create_new(segment_path(&self.stem, number))?, written: 0, number };
            if number >= 2 {
                fs::remove_file(segment_path(&self.stem, number - 2))?;
            }
        }
        current.file.write_all(&line)?;
        current.written += size;
        let progress = Progress { segment: current.number, written: current.written, closed: false };
        self.progress.send_replace(progress);
        Ok(())
    }

    /// The last lines that were printed, as many bytes of them.
    pub(crate) fn last(self: &Arc<Self>, lines: usize, bytes: usize) -> io::Result<String> {
        let mut shown = reader::last_lines(self, lines)?;
        shown.drain(..shown.len().saturating_sub(bytes));
        Ok(String::from_utf8_lossy(&shown).into_owned())
    }

    /// Says that nothing more will come.
    pub(crate) fn close(&self) {
        self.progress.send_modify(|progress| progress.closed = true);
    }

    fn lock(&self) -> MutexGuard<'_, Segment> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log goes with its last reader: older runs' output does not pile up.
impl Drop for Log {
    fn drop(&mut self) {
        let newest = self.lock().number;
        for number in newest.saturating_sub(1)..=newest {
            // The pod's folder may be gone already.
            let _ = fs::remove_file(segment_path(&self.stem, number));
        }
    }
}

fn segment_path(stem: &std::path::Path, number: u64) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(format!(".{number}.log"));
    PathBuf::from(path)
}

/// A container's present and last logs.
#[derive(Default)]
struct ContainerLogs {
    current: Option<Arc<Log>>,
    previous: Option<Arc<Log>>,
    /// Why there is no log yet.
    waiting: &'static str,
}

#[derive(Default)]
struct PodLogs {
    uid: String,
    containers: BTreeMap<String, ContainerLogs>,
}

/// Why a log cannot be given. The wording is the kubelet's.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum FindError {
    #[error("pod {0:?} does not exist")]
    Pod(String),
    #[error("container {container:?} in pod {pod:?} is not available")]
    Container { pod: String, container: String },
    #[error("container {container:?} in pod {pod:?} is waiting to start: {reason}")]
    Waiting { pod: String, container: String, reason: &'static str },
    #[error("previous terminated container {container:?} in pod {pod:?} not found")]
    Previous { pod: String, container: String },
}

/// The logs of all pods of a node, by namespace and name.
#[derive(Clone, Default)]
pub(crate) struct LogShelf(Arc<Mutex<HashMap<(String, String), PodLogs>>>);

impl LogShelf {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), PodLogs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for a pod's containers; replaces an earlier pod of that name.
    pub(crate) fn open_pod<'a>(
        &self,
        namespace: &str,
        pod: &str,
        uid: &str,
        containers: impl Iterator<Item = &'a str>,
    ) {
        let containers = containers
            .map(|name| (name.to_owned(), ContainerLogs { waiting: "ContainerCreating", ..ContainerLogs::default() }))
            .collect();
        let logs = PodLogs { uid: uid.to_owned(), containers };
        self.lock().insert((namespace.to_owned(), pod.to_owned()), logs);
    }

    /// A new run's log takes the place of the last one's.
    pub(crate) fn start_run(&self, namespace: &str, pod: &str, container: &str, log: Arc<Log>) {
        self.with_container(namespace, pod, container, |logs| {
            logs.previous = logs.current.replace(log);
        });
    }

    /// Remembers why a container has not started.
    pub(crate) fn note_waiting(&self, namespace: &str, pod: &str, container: &str, reason: &'static str) {
        self.with_container(namespace, pod, container, |logs| logs.waiting = reason);
    }

    fn with_container(&self, namespace: &str, pod: &str, container: &str, change: impl FnOnce(&mut ContainerLogs)) {
        let mut shelf = self.lock();
        let logs = shelf.get_mut(&(namespace.to_owned(), pod.to_owned()));
        if let Some(logs) = logs.and_then(|logs| logs.containers.get_mut(container)) {
            change(logs);
        }
    }

    /// Forgets a pod, unless another of that name has taken its place.
    pub(crate) fn close_pod(&self, namespace: &str, pod: &str, uid: &str) {
        let mut shelf = self.lock();
        let key = (namespace.to_owned(), pod.to_owned());
        if shelf.get(&key).is_some_and(|logs| logs.uid == uid) {
            shelf.remove(&key);
        }
    }

    fn find(&self, namespace: &str, pod: &str, container: &str, previous: bool) -> Result<Arc<Log>, FindError> {
        let shelf = self.lock();
        let logs = shelf.get(&(namespace.to_owned(), pod.to_owned())).ok_or_else(|| FindError::Pod(pod.to_owned()))?;
        let (pod, container_name) = (pod.to_owned(), container.to_owned());
        let Some(logs) = logs.containers.get(container) else {
            return Err(FindError::Container { pod, container: container_name });
        };
        match (previous, &logs.current, &logs.previous) {
            (false, Some(log), _) | (true, _, Some(log)) => Ok(log.clone()),
            (false, None, _) => Err(FindError::Waiting { pod, container: container_name, reason: logs.waiting }),
            (true, _, None) => Err(FindError::Previous { pod, container: container_name }),
        }
    }
}
