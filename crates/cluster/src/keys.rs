//! The signing keys of the embedded cluster: the first made in the background, later ones brought in by two steps. It must not know
//! who signs with them.

use std::sync::{Arc, OnceLock};

use kube_sim::KeySource;
use tokio::sync::{Mutex, watch};
use trust::{KeyRing, SigningKey};

use crate::ClusterError;

/// The keys of one issuer, as long as it lives.
pub(crate) struct Keys {
    ring: KeySource,
    /// Set once the first key is there; if it cannot be made, nobody must wait for one.
    publisher: Arc<OnceLock<watch::Sender<Option<Arc<KeyRing>>>>>,
    /// Published, and not yet signing.
    next: Mutex<Option<Arc<SigningKey>>>,
}

impl Keys {
    /// Begins to generate the first key.
    pub(crate) fn generate() -> Self {
        let (sender, ring) = watch::channel(None);
        let publisher = Arc::new(OnceLock::new());
        let kept = publisher.clone();
        tokio::task::spawn_blocking(move || match SigningKey::generate() {
            Ok(key) => {
                kept.get_or_init(|| sender).send_replace(Some(Arc::new(KeyRing::new(key))));
            }
            Err(error) => tracing::error!(%error, "no signing key"),
        });
        Self { ring, publisher, next: Mutex::new(None) }
    }

    /// Those of an issuer that has been there before.
    pub(crate) fn of(key: SigningKey) -> Self {
        let (sender, ring) = watch::channel(Some(Arc::new(KeyRing::new(key))));
        Self { ring, publisher: Arc::new(OnceLock::from(sender)), next: Mutex::new(None) }
    }

    /// Follows the ring as it changes.
    pub(crate) fn source(&self) -> KeySource {
        self.ring.clone()
    }

    /// The ring as it is now. Waits for the first key; `None` when there will be none.
    pub(crate) async fn ring(&self) -> Option<Arc<KeyRing>> {
        let mut ring = self.ring.clone();
        ring.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// Makes a key and publishes it beside those that are published; it does not sign yet.
    pub(crate) async fn publish_next(&self) -> Result<(), ClusterError> {
        let mut next = self.next.lock().await;
        if next.is_some() {
            return Err(ClusterError::Keys("the next key is published already".into()));
        }
        let made = tokio::task::spawn_blocking(SigningKey::generate).await;
        let made = made.map_err(|error| ClusterError::Keys(error.to_string()))?;
        let key = Arc::new(made.map_err(|error| ClusterError::Keys(error.to_string()))?);
        self.change(|ring| ring.publishing(vec![key.public_jwk().clone()])).await?;
        *next = Some(key);
        Ok(())
    }

    /// Signs with the next key from now on; the old one stays published.
    pub(crate) async fn sign_with_next(&self) -> Result<(), ClusterError> {
        let mut next = self.next.lock().await;
        let Some(key) = next.clone() else {
            return Err(ClusterError::Keys("no next key is published".into()));
        };
        self.change(|ring| ring.signing_with(key)).await?;
        *next = None;
        Ok(())
    }

    async fn change(&self, change: impl FnOnce(KeyRing) -> KeyRing) -> Result<(), ClusterError> {
        let none = || ClusterError::Keys("there is no first key".into());
        let ring = self.ring().await.ok_or_else(none)?;
        self.publisher.get().ok_or_else(none)?.send_replace(Some(Arc::new(change(KeyRing::clone(&ring)))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_published_before_it_signs_and_the_old_one_stays() {
        let keys = Keys::generate();
        let published = async || {
            let ring = keys.ring().await.expect("a ring");
            let kids: Vec<String> = ring.jwks().keys.into_iter().filter_map(|key| key.kid).collect();
            (ring.active().kid().to_owned(), kids)
        };
        let told = |outcome: Result<(), ClusterError>| outcome.map_err(|error| error.to_string());

        let (first, kids) = published().await;
        assert_eq!(kids, [first.as_str()]);
        let unready = told(keys.sign_with_next().await);
        assert_eq!(unready, Err("the signing keys cannot be rotated: no next key is published".into()));

        keys.publish_next().await.expect("must be published");
        let (signing, kids) = published().await;
        assert_eq!((signing.as_str(), kids.len(), kids[0].as_str()), (first.as_str(), 2, first.as_str()));
        let second = kids[1].clone();
        let again = told(keys.publish_next().await);
        assert_eq!(again, Err("the signing keys cannot be rotated: the next key is published already".into()));

        keys.sign_with_next().await.expect("must be rotated");
        assert_eq!(published().await, (second.clone(), vec![second, first]));
        assert!(keys.sign_with_next().await.is_err(), "it is used up");
        keys.publish_next().await.expect("there may be a third");
        assert_eq!(published().await.1.len(), 3);
    }
}
