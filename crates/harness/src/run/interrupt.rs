//! Ctrl-C, SIGTERM and a closed terminal: the first stops new work, so that what was created is taken down; the second gives the teardown up,
//! so that what is left is told and the reports are written; should that hang, the process ends all the same.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use report::Event;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::Events;
use crate::exit::{Exit, Stop};

/// From the second signal to the end of the process at the latest. GitHub kills 2.5 s after its second one.
const LAST_WORDS: Duration = Duration::from_millis(1500);

/// How far a run was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// No new work.
    Once(Exit),
    /// No teardown either.
    Again(Exit),
}

/// What a run's scenarios see of signals.
#[derive(Clone, Debug)]
pub(crate) struct Interrupts {
    seen: watch::Receiver<Seen>,
    /// Private folders: removed if the process must end at once.
    folders: Arc<Mutex<Vec<PathBuf>>>,
}

impl Interrupts {
    /// Listens from now on.
    pub(crate) fn listen(events: &Events) -> Self {
        let (sender, seen) = watch::channel(Seen::Nothing);
        let interrupts = Self { seen, folders: Arc::default() };
        match Signals::listen() {
            Ok(signals) => drop(tokio::spawn(watch_signals(signals, sender, events.clone(), interrupts.clone()))),
            Err(error) => tracing::warn!(%error, "signals are not listened to"),
        }
        interrupts
    }

    /// A folder that nothing outlives.
    pub(crate) fn guard(&self, folder: &Path) {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).push(folder.to_owned());
    }

    /// Waits for work, or for the signal that ends it.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let interrupted = self.reached(|seen| match seen {
            Seen::Nothing => None,
            Seen::Once(exit) | Seen::Again(exit) => Some(exit),
        });
        tokio::select! {
            biased;
            exit = interrupted => Err(Stop::new(exit, "interrupted")),
            done = work => done,
        }
    }

    /// Waits for a teardown, unless it is given up.
    pub(crate) async fn or_given_up<T>(&self, teardown: impl Future<Output = T>) -> Option<T> {
        let given_up = self.reached(|seen| match seen {
            Seen::Again(exit) => Some(exit),
            Seen::Nothing | Seen::Once(_) => None,
        });
        tokio::select! {
            biased;
            done = teardown => Some(done),
            _ = given_up => None,
        }
    }

    async fn reached(&self, wanted: impl Fn(Seen) -> Option<Exit>) -> Exit {
        let mut seen = self.seen.clone();
        let reached = seen.wait_for(|seen| wanted(*seen).is_some()).await.map(|seen| wanted(*seen));
        match reached {
            Ok(Some(exit)) => exit,
            _ => std::future::pending().await,
        }
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = self.hangup.recv() => Exit::HungUp,
        }
    }
}

async fn watch_signals(mut signals: Signals, sender: watch::Sender<Seen>, events: Events, interrupts: Interrupts) {
    let exit = signals.next().await;
    // First: whoever looks at a run that is told to stop must not see it go on.
    sender.send_replace(Seen::Once(exit));
    let note = |text: &str| events.emit(Event::Note { scenario: None, text: text.to_owned() });
    note("interrupted: taking down what was created; interrupt again to leave it");
    let exit = signals.next().await;
    sender.send_replace(Seen::Again(exit));
    // A thread: nothing that the runtime waits for can hold it up.
    std::thread::spawn(move || leave_late(&interrupts, exit));
    note("interrupted again: the teardown is given up");
    signals.next().await;
}

/// Ends the process unless it has ended by then.
#[allow(clippy::disallowed_methods, reason = "the deadline of the process itself: what would be waited for is its end")]
fn leave_late(interrupts: &Interrupts, exit: Exit) {
    std::thread::sleep(LAST_WORDS);
    leave(interrupts, exit);
}

/// Ends the process at once. The journal is on disk, and the private folders hold nothing that outlives them.
fn leave(interrupts: &Interrupts, exit: Exit) {
    for folder in interrupts.folders.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = std::fs::remove_dir_all(folder);
    }
    std::process::exit(i32::from(exit.code()));
}
