//! A cache of one kind of object that a watch keeps up to date, with waiting for what is not there yet.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::TryStreamExt;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What can be watched.
pub trait Watchable:
    Resource<DynamicType = ()> + Clone + fmt::Debug + DeserializeOwned + Send + Sync + 'static
{
}
impl<K: Resource<DynamicType = ()> + Clone + fmt::Debug + DeserializeOwned + Send + Sync + 'static> Watchable for K {}

/// What is known of one object, told to whoever waits for just that one.
type Slot<K> = watch::Sender<Option<Arc<K>>>;

/// By namespace, then by name.
type Known<K> = Mutex<HashMap<String, HashMap<String, Slot<K>>>>;

/// Objects of one kind in all namespaces, by namespace and name. Dropping it ends the watch.
pub struct Watched<K> {
    known: Arc<Known<K>>,
    _watching: DropGuard,
}

impl<K: Watchable> Watched<K> {
    /// Begins to watch what `labels` select (everything when empty) and waits until all that is there already is known.
    pub async fn start(client: Client, labels: &str) -> Self {
        let known = Arc::new(Known::default());
        let (listed, is_listed) = oneshot::channel();
        let stopping = CancellationToken::new();
        let task = follow(client, labels.to_owned(), known.clone(), listed);
        let stopped = stopping.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = task => {}
            }
        });
        // If the watch ended before its first listing was complete, the cache is what it is.
        let _ = is_listed.await;
        Self { known, _watching: stopping.drop_guard() }
    }

    /// The object as it was last seen.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        lock(&self.known).get(namespace)?.get(name)?.borrow().clone()
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
        let mut changes = slot(&mut lock(&self.known), namespace, name).subscribe();
        let is_wanted = |object: &Option<Arc<K>>| object.as_ref().is_some_and(|object| wanted(object));
        let seen = async { changes.wait_for(is_wanted).await.ok().and_then(|object| object.clone()) };
        match tokio::time::timeout(deadline, seen).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) | Err(_) => Err(self.get(namespace, name)),
        }
    }
}

fn lock<K>(known: &Known<K>) -> MutexGuard<'_, HashMap<String, HashMap<String, Slot<K>>>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The slot of an object, which need not be there yet.
fn slot<'a, K>(known: &'a mut HashMap<String, HashMap<String, Slot<K>>>, namespace: &str, name: &str) -> &'a Slot<K> {
    let of_namespace = known.entry(namespace.to_owned()).or_default();
    of_namespace.entry(name.to_owned()).or_insert_with(|| watch::Sender::new(None))
}

async fn follow<K: Watchable>(client: Client, labels: String, known: Arc<Known<K>>, listed: oneshot::Sender<()>) {
    let config = watcher::Config::default().labels(&labels);
    let mut events = std::pin::pin!(watcher::watcher(Api::<K>::all(client), config).default_backoff());
    let tell = |object: K, is_there: bool| {
        let meta = object.meta();
        let (namespace, name) = (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default());
        slot(&mut lock(&known), &namespace, &name).send_replace(is_there.then(|| Arc::new(object)));
    };
    let mut listed = Some(listed);
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => {
                for slot in lock(&known).values().flat_map(HashMap::values) {
                    slot.send_if_modified(|object| object.take().is_some());
                }
            }
            Ok(Some(Event::InitApply(object) | Event::Apply(object))) => tell(object, true),
            Ok(Some(Event::Delete(object))) => tell(object, false),
            Ok(Some(Event::InitDone)) => {
                if let Some(listed) = listed.take() {
                    let _ = listed.send(());
                }
            }
            Ok(None) => return,
            // The watcher lists again by itself.
            Err(error) => tracing::debug!(%error, "watch"),
        }
    }
}

impl<K> fmt::Debug for Watched<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}
