//! Ctrl-C and SIGTERM: the first stops new work, so that what was created is taken down; the second ends at once.

use std::path::{Path, PathBuf};

use tokio::signal::unix::{SignalKind, signal};

use super::Events;
use crate::exit::{Exit, Stop};

/// Waits for work, or for a signal that ends it. `folder` is removed if a second signal ends the process.
pub(crate) async fn or<T>(
    events: &Events,
    scenario: &str,
    folder: Option<&Path>,
    work: impl Future<Output = Result<T, Stop>>,
) -> Result<T, Stop> {
    tokio::select! {
        done = work => done,
        exit = wait() => {
            events.note(scenario, "interrupted: taking down what was created; interrupt again to leave it");
            abandon_on_the_next(folder.map(Path::to_owned));
            Err(Stop::new(exit, "interrupted"))
        }
    }
}

async fn wait() -> Exit {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
    }
}

/// A second signal ends the process: the journal is on disk, and the private folder holds nothing that outlives it.
fn abandon_on_the_next(folder: Option<PathBuf>) {
    tokio::spawn(async move {
        let exit = wait().await;
        if let Some(folder) = folder {
            let _ = std::fs::remove_dir_all(folder);
        }
        std::process::exit(i32::from(exit.code()));
    });
}
