//! Ctrl-C and SIGTERM: the first stops new work, so that what was created is taken down; the second ends at once.

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Stop};

/// Waits for work, or for a signal that ends it.
pub(crate) async fn or<T>(work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    tokio::select! {
        done = work => done,
        exit = wait() => {
            abandon_on_the_next();
            Err(Stop::new(exit, "interrupted: taking down what was created; interrupt again to leave it"))
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

/// A second signal ends the process: the journal is on disk.
fn abandon_on_the_next() {
    tokio::spawn(async {
        let exit = wait().await;
        std::process::exit(i32::from(exit.code()));
    });
}
