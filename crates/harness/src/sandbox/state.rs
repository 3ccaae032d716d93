//! `--state DIR`: what of a sandbox outlives its process, in one file that is replaced as a whole. It holds keys and secrets: the folder is its
//! owner's alone. Two sandboxes cannot use one folder.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clouds::{aws, azure};
use cluster::Embedded;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::FlavorKind;
use crate::exit::{Exit, Stop};

/// Counts changes of the file's shape.
const VERSION: u32 = 1;
const FILE: &str = "state.json";
const LOCK: &str = "lock";
const BETWEEN: Duration = Duration::from_secs(2);

/// What is kept: cluster and clouds with all that is in them.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    version: u32,
    pub(super) flavor: FlavorKind,
    pub(super) region: String,
    pub(super) cluster: cluster::Kept,
    pub(super) aws: aws::Kept,
    pub(super) azure: azure::Kept,
}

/// The folder, as long as it is ours.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Its lock goes with it.
    _lock: File,
}

impl Folder {
    /// Makes or takes the folder, and reads what is in it.
    ///
    /// # Errors
    /// Exit 96 when it cannot be made, belongs to a sandbox that is up, or holds something else.
    pub(super) fn take(path: &Path) -> Result<(Self, Option<Kept>), Stop> {
        let unusable = |error: String| Stop::new(Exit::Preflight, format!("--state {}: {error}", path.display()));
        if !path.is_dir() {
            let made = DirBuilder::new().mode(0o700).recursive(true).create(path);
            made.map_err(|error| unusable(error.to_string()))?;
        }
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path.join(LOCK));
        let lock = lock.map_err(|error| unusable(error.to_string()))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| unusable("another sandbox is using it".to_owned()))?;
        let folder = Self { path: path.to_owned(), _lock: lock };
        let text = match fs::read_to_string(folder.path.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((folder, None)),
            Err(error) => return Err(unusable(error.to_string())),
        };
        let kept: Kept = serde_json::from_str(&text).map_err(|error| unusable(format!("{FILE}: {error}")))?;
        if kept.version != VERSION {
            return Err(unusable(format!("{FILE} is of version {}, and this program reads {VERSION}", kept.version)));
        }
        Ok((folder, Some(kept)))
    }

    /// Replaces what is kept. A crash leaves the old or the new.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn write(&self, text: &str) -> std::io::Result<()> {
        let next = self.path.join(format!("{FILE}.next"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        fs::rename(next, self.path.join(FILE))
    }
}

/// Keeps a sandbox that is up.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) folder: Folder,
    pub(super) flavor: FlavorKind,
    pub(super) region: String,
    pub(super) cluster: Arc<Embedded>,
    pub(super) aws: Arc<aws::Simulated>,
    pub(super) azure: Arc<azure::Simulated>,
    /// What was written last.
    pub(super) written: Mutex<String>,
}

impl Keeper {
    /// Writes what has changed since the last time.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) async fn save(&self) -> Result<(), Stop> {
        let failed = |error: anyhow::Error| {
            Stop::new(Exit::Internal, format!("--state {}: not saved: {error:#}", self.folder.path.display()))
        };
        let kept = Kept {
            version: VERSION,
            flavor: self.flavor,
            region: self.region.clone(),
            cluster: self.cluster.keep().await.map_err(|error| failed(error.into()))?,
            aws: self.aws.keep(),
            azure: self.azure.keep(),
        };
        let text = serde_json::to_string(&kept).map_err(|error| failed(error.into()))?;
        let mut written = self.written.lock().await;
        if *written != text {
            self.folder.write(&text).map_err(|error| failed(error.into()))?;
            *written = text;
        }
        Ok(())
    }

    /// Saves now and then: what is killed loses little.
    pub(super) async fn keep_saving(&self) {
        loop {
            tokio::time::sleep(BETWEEN).await;
            if let Err(stop) = self.save().await {
                tracing::warn!(error = %stop.message, "state was not saved");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_serves_one_sandbox_at_a_time_and_tells_what_is_wrong_with_it() {
        let place = tempfile::tempdir().expect("a folder");
        let path = place.path().join("a/b");
        let (folder, kept) = Folder::take(&path).expect("must be made");
        assert!(kept.is_none());
        let error = Folder::take(&path).err().expect("must be refused");
        assert!(error.message.ends_with("another sandbox is using it"), "{}", error.message);
        folder.write("{").expect("must be written");
        drop(folder);
        let error = Folder::take(&path).err().expect("must be refused");
        assert!(error.message.contains("state.json: "), "{}", error.message);
        let error = Folder::take(Path::new("/proc/none")).err().expect("must be refused");
        assert!(error.message.starts_with("--state /proc/none: "), "{}", error.message);
    }
}
