//! Ctrl-C and SIGTERM: the first stops new work, so that what was created is taken down; the second ends at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use report::Event;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::Events;
use crate::exit::{Exit, Stop};

/// What a run's scenarios see of signals.
#[derive(Debug)]
pub(crate) struct Interrupts {
    seen: watch::Receiver<Option<Exit>>,
    /// Private folders: removed if a second signal ends the process.
    folders: Arc<Mutex<Vec<PathBuf>>>,
}

impl Interrupts {
    /// Listens from now on.
    pub(crate) fn listen(events: &Events) -> Self {
        let (sender, seen) = watch::channel(None);
        let folders: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
        let signals = signal(SignalKind::interrupt()).and_then(|one| Ok((one, signal(SignalKind::terminate())?)));
        match signals {
            Ok(signals) => {
                let (events, folders) = (events.clone(), folders.clone());
                tokio::spawn(watch_signals(signals, sender, events, folders));
            }
            Err(error) => tracing::warn!(%error, "signals are not listened to"),
        }
        Self { seen, folders }
    }

    /// A folder that nothing outlives.
    pub(crate) fn guard(&self, folder: &Path) {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).push(folder.to_owned());
    }

    /// Waits for work, or for the signal that ends it.
    pub(crate) async fn or<T>(&self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let mut seen = self.seen.clone();
        let interrupted = async {
            match seen.wait_for(Option::is_some).await.map(|exit| *exit) {
                Ok(Some(exit)) => exit,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            done = work => done,
            exit = interrupted => Err(Stop::new(exit, "interrupted")),
        }
    }
}

async fn watch_signals(
    (mut interrupt, mut terminate): (Signal, Signal),
    sender: watch::Sender<Option<Exit>>,
    events: Events,
    folders: Arc<Mutex<Vec<PathBuf>>>,
) {
    let exit = next(&mut interrupt, &mut terminate).await;
    let text = "interrupted: taking down what was created; interrupt again to leave it";
    events.emit(Event::Note { scenario: None, text: text.to_owned() });
    sender.send_replace(Some(exit));
    // The journal is on disk, and the private folders hold nothing that outlives them.
    let exit = next(&mut interrupt, &mut terminate).await;
    for folder in folders.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = std::fs::remove_dir_all(folder);
    }
    std::process::exit(i32::from(exit.code()));
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> Exit {
    tokio::select! {
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
    }
}
