//! A pod's volumes: what each shows, written when the pod starts and kept fresh while it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use kube::{Client, ResourceExt as _};

use crate::atomic::AtomicFolder;
use crate::context::Context;
use crate::downward::FieldError;
use crate::pod::PodContext;
use crate::resources::{Capacity, ResourceError};
use crate::sources::{self, FetchError, SourceError, SourceKey, Sources};
use crate::token::{self, ProjectedToken, TokenError};

mod plan;

use plan::{Part, Plan, TokenKey, payloads, plan};

/// How often changed ConfigMaps and Secrets are looked for, as a real node does.
const RESYNC: Duration = Duration::from_secs(60);
/// No token is asked for sooner again, however short it lives: one whose lifetime is counted from the last whole second may be due when it comes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// The first pause after a failed refresh; doubles up to [`RESYNC`].
const RETRY: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeError {
    #[error("volume {volume:?}: {kind} is not supported by a process node")]
    Unsupported { volume: String, kind: String },
    #[error("MountVolume.SetUp failed for volume {volume:?} : {reason}")]
    Source { volume: String, reason: SourceError },
    #[error("MountVolume.SetUp failed for volume {volume:?} : {reason}")]
    Field { volume: String, reason: FieldError },
    #[error("MountVolume.SetUp failed for volume {volume:?} : {reason}")]
    Resource { volume: String, reason: ResourceError },
    #[error("MountVolume.SetUp failed for volume {volume:?} : {reason}")]
    Write { volume: String, reason: io::Error },
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

struct OpenVolume {
    name: String,
    plan: Plan,
    folder: AtomicFolder,
}

impl OpenVolume {
    fn parts(&self) -> &[Part] {
        match &self.plan {
            Plan::Empty => &[],
            Plan::Files { parts, .. } => parts,
        }
    }

    fn has_keys(&self) -> bool {
        self.parts().iter().any(|part| matches!(part, Part::Keys { .. }))
    }
}

/// A pod's volumes on disk.
pub(crate) struct Volumes {
    volumes: Vec<OpenVolume>,
    tokens: BTreeMap<TokenKey, ProjectedToken>,
    /// Given to token files instead of the volume's mode, as the kubelet does when the pod names a user or group.
    token_mode: Option<u32>,
}

impl Volumes {
    /// Makes an empty folder for each volume below `folder`.
    pub(crate) fn create(folder: &Path, spec: &PodSpec) -> Result<Self, VolumeError> {
        let mut volumes = Vec::new();
        for volume in spec.volumes.iter().flatten() {
            let plan = plan(volume)?;
            let failed = |reason| VolumeError::Write { volume: volume.name.clone(), reason };
            let folder = AtomicFolder::create(volume_folder(folder, &volume.name)).map_err(failed)?;
            volumes.push(OpenVolume { name: volume.name.clone(), plan, folder });
        }
        let owned = spec.security_context.as_ref().is_some_and(|it| it.fs_group.is_some() || it.run_as_user.is_some());
        Ok(Self { volumes, tokens: BTreeMap::new(), token_mode: owned.then_some(0o600) })
    }

    /// Adds the objects that the volumes show.
    pub(crate) fn wanted(&self, wanted: &mut BTreeSet<SourceKey>) {
        for part in self.volumes.iter().flat_map(OpenVolume::parts) {
            if let Part::Keys { source_key, .. } = part {
                wanted.insert(source_key.clone());
            }
        }
    }

    /// Asks for all tokens that are missing or due, at once. Those that cannot be had keep their old value.
    pub(crate) async fn fetch_tokens(&mut self, client: &Client, pod: &Pod, now: Timestamp) -> Result<(), TokenError> {
        let due = self.volumes.iter().enumerate().flat_map(|(index, volume)| {
            volume.parts().iter().enumerate().map(move |(part_index, part)| ((index, part_index), part))
        });
        let due: Vec<_> = due
            .filter_map(|(key, part)| match part {
                Part::Token { audience, lifetime_seconds, .. } => Some((key, audience.as_deref(), *lifetime_seconds)),
                _ => None,
            })
            .filter(|(key, ..)| self.tokens.get(key).is_none_or(|token| token.refresh_at <= now))
            .collect();
        let answers = join_all(due.into_iter().map(|(key, audience, lifetime)| async move {
            (key, token::request(client, pod, audience, lifetime).await)
        }))
        .await;
        let mut outcome = Ok(());
        for (key, answer) in answers {
            match answer {
                Ok(token) => drop(self.tokens.insert(key, token)),
                Err(error) => outcome = Err(error),
            }
        }
        outcome
    }

    /// Writes what the volumes show; without `sources`, those that need none.
    pub(crate) fn write(
        &mut self,
        (pod, capacity): (&Pod, Capacity),
        sources: Option<&Sources>,
    ) -> Result<(), VolumeError> {
        let none = Sources::default();
        for (index, volume) in self.volumes.iter_mut().enumerate() {
            if volume.has_keys() && sources.is_none() {
                continue;
            }
            let Plan::Files { mode, parts } = &volume.plan else {
                continue;
            };
            let files = payloads(
                (index, &volume.name),
                (*mode, parts),
                self.token_mode,
                (pod, capacity),
                sources.unwrap_or(&none),
                &self.tokens,
            )?;
            volume.folder.write(files).map_err(|reason| VolumeError::Write { volume: volume.name.clone(), reason })?;
        }
        Ok(())
    }

    /// Replaces tokens before they expire, and shows changed objects, labels and annotations; never ends by itself.
    pub(crate) async fn keep_fresh(mut self, context: &PodContext) -> Infallible {
        let has_keys = self.volumes.iter().any(OpenVolume::has_keys);
        let has_fields = self.volumes.iter().flat_map(OpenVolume::parts).any(|part| matches!(part, Part::Downward(_)));
        let mut pod = context.pod();
        let mut failures = 0_u32;
        loop {
            let now = context.node.clock.now();
            let token_due = self.tokens.values().map(|token| token.refresh_at).min();
            let token_due = token_due
                .map(|due| Duration::try_from(due.duration_since(now)).unwrap_or_default().max(SHORTEST_PAUSE));
            let due = match failures {
                0 => token_due.into_iter().chain(has_keys.then_some(RESYNC)).min(),
                _ => Some((RETRY * (1 << (failures - 1).min(5))).min(RESYNC)),
            };
            tokio::select! {
                () = sleep_or_never(due) => {}
                () = context.metadata_changed(&pod), if has_fields => {}
            }
            pod = context.pod();
            match self.refresh(&context.node, &pod).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(pod = %pod.name_any(), %error, "volumes keep their last content");
                }
            }
        }
    }

    async fn refresh(&mut self, node: &Context, pod: &Pod) -> Result<(), VolumeError> {
        let mut wanted = BTreeSet::new();
        self.wanted(&mut wanted);
        let namespace = pod.namespace().unwrap_or_default();
        let (tokens, sources) = tokio::join!(
            self.fetch_tokens(&node.client, pod, node.clock.now()),
            sources::fetch(&node.client, &namespace, wanted),
        );
        self.write((pod, node.capacity), sources.as_ref().ok())?;
        tokens?;
        sources?;
        Ok(())
    }
}

async fn sleep_or_never(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

fn volume_folder(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}
