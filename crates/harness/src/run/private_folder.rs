//! The run's private folder, gone when the run is, or when whoever cleans up after it finds it.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use super::{Settings, random_u32};
use crate::exit::{Exit, Stop};
use crate::journal::{self, FolderUndo, Journal, Undo};

/// Where a system keeps files in memory.
pub(crate) const IN_MEMORY: &str = "/dev/shm";
/// How the names of all begin.
pub(crate) const PREFIX: &str = "crossfed-";

/// A folder that only its owner can enter. Tokens lie in it, so it is in memory where the system has a place for that, as a
/// kubelet's are. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    path: PathBuf,
    /// Held as long as the process lives: so one that was killed is told from one at work.
    _held: File,
}

impl PrivateFolder {
    /// Writes it down, and makes it.
    pub(crate) fn make(settings: &Settings, journal: &Journal) -> Result<Self, Stop> {
        let (name, otherwise) = (name(settings.run.as_str()), settings.artifacts.join(PREFIX.to_owned() + "private"));
        let unwritten = |error: io::Error| Stop::unwritten(&error);
        let try_at = |path: PathBuf| {
            let undo = Undo::Folder(FolderUndo { host: journal::host(), path: path.clone() });
            let label = format!("private folder {}", path.display());
            let entry = journal.intend(&label, undo).map_err(unwritten)?.entry;
            match Self::at(path.clone()) {
                Ok(folder) => {
                    journal.done(entry).map_err(unwritten)?;
                    Ok(Ok(folder))
                }
                Err(error) => {
                    journal.failed(entry, &error.to_string()).map_err(unwritten)?;
                    Ok(Err(error))
                }
            }
        };
        let made = match try_at(Path::new(IN_MEMORY).join(name))? {
            Ok(folder) => Ok(folder),
            Err(_) => try_at(otherwise.clone())?,
        };
        made.map_err(|error| unmakable(&otherwise, &error))
    }

    /// One with this word in its name; `otherwise` is where it lies if the system has no such place.
    pub(crate) fn named(word: &str, otherwise: &Path) -> Result<Self, Stop> {
        let made = Self::at(Path::new(IN_MEMORY).join(name(word))).or_else(|_| Self::at(otherwise.to_owned()));
        made.map_err(|error| unmakable(otherwise, &error))
    }

    fn at(path: PathBuf) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(&path)?;
        let held = File::open(&path)?;
        // Where a file system knows no locks, a sweep tells the folder's age alone.
        let _ = held.try_lock();
        Ok(Self { path, _held: held })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "the private folder was not removed");
        }
    }
}

fn name(word: &str) -> String {
    format!("{PREFIX}{word}-{:08x}", random_u32())
}

fn unmakable(path: &Path, error: &io::Error) -> Stop {
    Stop::new(Exit::Preflight, format!("no private folder can be made at {}: {error}", path.display()))
}

/// Whether a name is one that this program gives its folders: nothing else is ever removed.
pub(crate) fn is_ours(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(PREFIX))
}

/// Whether the process that made it lives.
pub(crate) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|folder| matches!(folder.try_lock(), Err(std::fs::TryLockError::WouldBlock)))
}

/// Ends the processes of a dead run's pods, and removes its folder. Says whether there was one.
///
/// # Errors
/// When it cannot be removed, is not ours, or its process lives.
pub(crate) fn remove(path: &Path) -> io::Result<bool> {
    if !is_ours(path) {
        return Err(io::Error::other("it has no name of ours"));
    }
    if !path.exists() {
        return Ok(false);
    }
    if is_held(path) {
        return Err(io::Error::other("the process that made it is still at work"));
    }
    for process in processes_in(path) {
        // One that has ended meanwhile is done.
        let _ = kill_process(process, Signal::KILL);
    }
    std::fs::remove_dir_all(path).map(|()| true)
}

/// The processes of this user that were started in a folder: their working directory is there, or a mount of theirs comes from there.
fn processes_in(folder: &Path) -> Vec<Pid> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let ids = entries.filter_map(|entry| Some((entry.file_name().to_str()?.parse::<i32>().ok()?, entry.path())));
    let name = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let uses = |process: &Path| {
        let lies_there = |link: &str| std::fs::read_link(process.join(link)).is_ok_and(|at| at.starts_with(folder));
        let mounts = std::fs::read_to_string(process.join("mountinfo")).unwrap_or_default();
        lies_there("cwd") || lies_there("root") || mounts.contains(&format!("/{name}/"))
    };
    ids.filter(|(_, process)| uses(process)).filter_map(|(id, _)| Pid::from_raw(id)).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_dead_runs_folder_goes_with_the_processes_in_it_and_a_live_ones_stays() {
        let place = tempfile::tempdir().expect("folder");
        let path = place.path().join("crossfed-r1-0");
        let live = PrivateFolder::at(path.clone()).expect("must be made");
        let mut child =
            Command::new("sleep").arg("600").current_dir(&path).stdin(Stdio::null()).spawn().expect("sleep");
        assert!(remove(&path).is_err_and(|error| error.to_string().contains("still at work")));
        let PrivateFolder { path: _, _held } = &live;
        // As if its process had been killed: the lock is gone, the folder is not.
        _held.unlock().expect("must be given up");
        assert!(remove(&path).expect("must be removed"));
        assert!(!path.exists());
        let ended = child.wait().expect("it must end");
        assert!(!ended.success(), "it was killed");
        assert!(!remove(&path).expect("gone is done"));
        assert!(remove(place.path()).is_err(), "it has another's name");
        std::mem::forget(live);
    }
}
