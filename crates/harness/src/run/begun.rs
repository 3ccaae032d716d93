//! Creations that are under way. Who waits for one may give up; it goes on to its end, since a request that was sent and not waited for could
//! create something after the teardown has looked for it.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exit::{Exit, Stop};

/// What is under way at the beginning of the teardown has this long to end; then it is given up.
const GRACE: Duration = Duration::from_secs(2);

/// The creations of a scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Begun {
    tasks: TaskTracker,
    given_up: CancellationToken,
}

impl Begun {
    /// Begins a creation, which then goes on by itself.
    pub(crate) async fn to_the_end<T: Send + 'static>(
        &self,
        creation: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Stop> {
        if self.tasks.is_closed() {
            return Err(Stop::new(Exit::Provisioning, "nothing is created any more: the run is being taken down"));
        }
        let task = self.tasks.spawn(self.given_up.clone().run_until_cancelled_owned(creation));
        match task.await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err(Stop::new(Exit::Provisioning, "a creation was given up")),
            Err(error) => Err(Stop::new(Exit::Internal, format!("a creation panicked: {error}"))),
        }
    }

    /// Begins nothing any more, and waits for what is under way.
    pub(crate) async fn settled(&self) {
        self.settled_within(GRACE).await;
    }

    async fn settled_within(&self, grace: Duration) {
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            self.given_up.cancel();
            self.tasks.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_creation_that_nobody_waits_for_any_more_is_finished_before_the_teardown() {
        let begun = Begun::default();
        let (sent, answered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let is_done = Arc::new(AtomicBool::new(false));
        let creation = {
            let (sent, answered, is_done) = (sent.clone(), answered.clone(), is_done.clone());
            async move {
                sent.notify_one();
                answered.notified().await;
                is_done.store(true, Ordering::SeqCst);
            }
        };
        tokio::select! {
            done = begun.to_the_end(creation) => panic!("it waits for an answer: {done:?}"),
            () = sent.notified() => {}
        }
        answered.notify_one();
        begun.settled().await;
        assert!(is_done.load(Ordering::SeqCst));
        let late = begun.to_the_end(async {}).await;
        assert!(late.is_err_and(|stop| stop.message.contains("nothing is created any more")));
    }

    #[tokio::test]
    async fn one_that_gets_no_answer_is_given_up() {
        let begun = Begun::default();
        let endless = tokio::spawn({
            let begun = begun.clone();
            async move { begun.to_the_end(std::future::pending::<()>()).await }
        });
        tokio::task::yield_now().await;
        begun.settled_within(Duration::from_millis(1)).await;
        assert!(endless.await.expect("must end").is_err());
    }

    #[tokio::test]
    async fn a_panic_ends_one_creation_and_not_the_run() {
        let begun = Begun::default();
        let ended = begun.to_the_end(async { panic!("broken") }).await;
        assert!(ended.is_err_and(|stop: Stop| stop.exit == Exit::Internal));
        begun.settled().await;
    }
}
