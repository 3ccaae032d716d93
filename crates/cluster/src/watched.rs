//! A cache of one kind of object that a watch keeps up to date, with waiting for what is not there yet.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// What can be watched.
pub trait Watchable:
    Resource<DynamicType = ()> + Clone + fmt::Debug + DeserializeOwned + Send + Sync + 'static
{
}
impl<K: Resource<DynamicType = ()> + Clone + fmt::Debug + DeserializeOwned + Send + Sync + 'static> Watchable for K {}

type Known<K> = Mutex<HashMap<(String, String), Arc<K>>>;

/// Objects of one kind in all namespaces, by namespace and name. Dropping it ends the watch.
pub struct Watched<K> {
    known: Arc<Known<K>>,
    changes: watch::Receiver<u64>,
    _watching: DropGuard,
}

impl<K: Watchable> Watched<K> {
    /// Begins to watch what `labels` select (everything when empty) and waits until all that is there already is known.
    pub async fn start(client: Client, labels: &str) -> Self {
        let known = Arc::new(Known::default());
        let (changed, mut changes) = watch::channel(0);
        let stopping = CancellationToken::new();
        let task = follow(client, labels.to_owned(), known.clone(), changed);
        let stopped = stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = task => {}
            }
        });
        // Zero until the first listing is complete. If the watch ended, the cache is what it is.
        let _ = changes.wait_for(|changes| *changes > 0).await;
        Self { known, changes, _watching: stopping.drop_guard() }
    }

    /// The object as it was last seen.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    /// Waits until the object is as wanted.
    ///
    /// # Errors
    /// When it is not so within `deadline`: the object as it was last seen.
    pub async fn wait(
        &self,
        namespace: &str,
        name: &str,
        deadline: Duration,
        wanted: impl Fn(&K) -> bool,
    ) -> Result<Arc<K>, Option<Arc<K>>> {
        let mut changes = self.changes.clone();
        let seen = async {
            loop {
                changes.mark_unchanged();
                if let Some(found) = self.get(namespace, name).filter(|object| wanted(object)) {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        match tokio::time::timeout(deadline, seen).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) | Err(_) => Err(self.get(namespace, name)),
        }
    }
}

async fn follow<K: Watchable>(client: Client, labels: String, known: Arc<Known<K>>, changed: watch::Sender<u64>) {
    let config = watcher::Config::default().labels(&labels);
    let mut events = std::pin::pin!(watcher::watcher(Api::<K>::all(client), config).default_backoff());
    let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => lock().clear(),
            Ok(Some(Event::InitApply(object))) => {
                lock().insert(key(&object), Arc::new(object));
            }
            Ok(Some(Event::Apply(object))) => {
                lock().insert(key(&object), Arc::new(object));
                changed.send_modify(|changes| *changes += 1);
            }
            Ok(Some(Event::Delete(object))) => {
                lock().remove(&key(&object));
                changed.send_modify(|changes| *changes += 1);
            }
            Ok(Some(Event::InitDone)) => changed.send_modify(|changes| *changes += 1),
            Ok(None) => return,
            // The watcher lists again by itself.
            Err(error) => tracing::debug!(%error, "watch"),
        }
    }
}

fn key(object: &impl Resource) -> (String, String) {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

impl<K> fmt::Debug for Watched<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}
