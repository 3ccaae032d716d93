//! The run's private folder, gone when the run is.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::{Settings, random_u32};
use crate::exit::{Exit, Stop};

/// Where a system keeps files in memory.
const IN_MEMORY: &str = "/dev/shm";

/// A folder that only its owner can enter. Tokens lie in it, so it is in memory where the system has a place for that, as a
/// kubelet's are. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    pub(crate) fn make(settings: &Settings) -> Result<Self, Stop> {
        Self::named(settings.run.as_str(), &settings.artifacts.join("private"))
    }

    /// One with this word in its name; `otherwise` is where it lies if the system has no such place.
    pub(crate) fn named(word: &str, otherwise: &Path) -> Result<Self, Stop> {
        let make = |folder: PathBuf| DirBuilder::new().mode(0o700).create(&folder).map(|()| Self(folder));
        let name = format!("crossfed-{word}-{:08x}", random_u32());
        make(Path::new(IN_MEMORY).join(name)).or_else(|_| make(otherwise.to_owned())).map_err(|error| {
            Stop::new(Exit::Preflight, format!("no private folder can be made at {}: {error}", otherwise.display()))
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "the private folder was not removed");
        }
    }
}
