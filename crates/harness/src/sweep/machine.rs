//! What runs have left on this machine: folders in memory whose process is gone. Journals that know of more are named.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use federation::Marks;
use jiff::{SignedDuration, Timestamp};

use super::listing::{Kind, Thing};
use crate::journal::{self, FolderUndo, Past, Undo};
use crate::run::private_folder::{self, IN_MEMORY, PREFIX};

/// A folder is made before it is held.
const YOUNGEST: SignedDuration = SignedDuration::from_secs(10);

/// This user's, of processes that are gone.
pub(super) fn folders(now: Timestamp) -> Vec<Thing> {
    dead_in(Path::new(IN_MEMORY), now)
}

fn dead_in(folder: &Path, now: Timestamp) -> Vec<Thing> {
    let own = rustix::process::getuid().as_raw();
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut dead: Vec<Thing> = entries
        .filter_map(|entry| {
            let (path, name) = (entry.path(), entry.file_name().into_string().ok()?);
            // Not through a link: what it leads to is another's.
            let metadata = entry.metadata().ok().filter(|data| data.is_dir() && data.uid() == own)?;
            let made = metadata.created().or_else(|_| metadata.modified()).ok()?;
            let created = Timestamp::try_from(made).ok()?;
            let (run, _) = name.strip_prefix(PREFIX)?.rsplit_once('-')?;
            if now.duration_since(created) < YOUNGEST || private_folder::is_held(&path) {
                return None;
            }
            let marks = Marks { run: run.to_owned(), created: Some(created), expires: None };
            let id = path.display().to_string();
            let undo = vec![Undo::Folder(FolderUndo { host: journal::host(), path })];
            Some(Thing { place: "machine", account: None, kind: Kind::Folder, id, marks, undo })
        })
        .collect();
    dead.sort_by(|one, other| one.id.cmp(&other.id));
    dead
}

/// A run that ended here, and whose journal tells of something: `cleanup` takes that back from there.
pub(super) struct Ended {
    pub(super) run: String,
    /// Entries that may stand.
    pub(super) open: usize,
}

/// Those, the oldest first.
pub(super) fn ended(pasts: &[Past], host: &str) -> Vec<Ended> {
    let here = pasts.iter().filter(|past| !past.is_held && past.start.host == host);
    let ended = here.map(|past| Ended { run: past.start.run.clone(), open: past.left().count() });
    ended.filter(|ended| ended.open > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_processes_that_are_gone_are_found_once_they_are_old_enough() {
        let place = tempfile::tempdir().expect("folder");
        for name in [
            "crossfed-r1-0000000a",
            "crossfed-0101-000000-2345-0000000b",
            "crossfed-live-0000000c",
            "crossfed-",
            "other-r1-0",
        ] {
            std::fs::create_dir(place.path().join(name)).expect("must be made");
        }
        std::fs::write(place.path().join("crossfed-file-0000000d"), "").expect("must be written");
        let live = std::fs::File::open(place.path().join("crossfed-live-0000000c")).expect("must be opened");
        live.try_lock().expect("must be held");
        let now = Timestamp::now();
        let runs = |now: Timestamp| -> Vec<String> {
            dead_in(place.path(), now).into_iter().map(|thing| thing.marks.run).collect()
        };
        assert_eq!(runs(now), [""; 0], "too young");
        assert_eq!(runs(now + SignedDuration::from_secs(11)), ["0101-000000-2345", "r1"]);
        live.unlock().expect("must be given up");
        assert_eq!(runs(now + SignedDuration::from_secs(11)), ["0101-000000-2345", "live", "r1"]);
    }
}
