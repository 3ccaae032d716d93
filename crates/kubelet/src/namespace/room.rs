//! The root of a container's file system: this machine's, with the container's mounts laid over it.
//! Made of folders and symbolic links; the list of mounts is for `mount --fstab`.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use crate::atomic::create_folder;
use crate::mounts::Shown;

/// What is in a container's root besides what the machine and the pod have there.
pub(crate) const OWN: &str = "/.crossfed";
/// The machine's own root, as seen from inside.
const HOST: &str = "/.crossfed/host";
/// A container's home.
pub(crate) const HOME: &str = "/.crossfed/home";
/// What the image's own program is linked into.
pub(crate) const BIN: &str = "/.crossfed/bin";

/// A root that was laid out.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    root: PathBuf,
    list: PathBuf,
}

impl Room {
    /// Lays out `folder/root` and `folder/list`. The working folder is made where it is not there.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn build(folder: PathBuf, mounts: &[Shown], working_dir: &Path) -> io::Result<Self> {
        let room = Self { root: folder.join("root"), list: folder.join("list") };
        create_folder(&room.root, 0o755)?;
        let mut plan = Plan::default();
        plan.points.insert(PathBuf::from(HOST), PathBuf::from("/"));
        for mount in mounts {
            plan.add(&mount.source, Path::new(&mount.mount_path))?;
        }
        plan.work_in(working_dir)?;
        plan.open_ancestors();
        let mut binds = vec![(PathBuf::from("/"), PathBuf::from(HOST))];
        plan.lay(Path::new("/"), &room.root, &mut binds)?;
        // First what holds the room itself: what is mounted in the room by then is mounted there once more.
        binds[1..].sort_by_key(|(source, point)| (point.components().count(), !room.root.starts_with(source)));
        let points = plan.points.iter().filter(|(point, _)| point.as_path() != Path::new(HOST));
        binds.extend(points.map(|(point, source)| (source.clone(), point.clone())));
        let lines = binds.iter().map(|(source, point)| {
            let target = room.root.join(point.strip_prefix("/").unwrap_or(point));
            format!("{} {} none rbind 0 0\n", escape(&source.to_string_lossy()), escape(&target.to_string_lossy()))
        });
        fs::write(&room.list, lines.collect::<String>())?;
        Ok(room)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn list(&self) -> &Path {
        &self.list
    }
}

/// A word of an fstab, and of `/proc/self/mountinfo`.
pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}

#[derive(Default)]
struct Plan {
    /// What is mounted where; an outer point comes before those in it.
    points: BTreeMap<PathBuf, PathBuf>,
    /// Folders that are ours because something of ours lies in them.
    opened: BTreeSet<PathBuf>,
}

impl Plan {
    /// Adds a mount. One in another needs a point in what that shows, as a container runtime makes it.
    fn add(&mut self, source: &Path, path: &Path) -> io::Result<()> {
        let point = resolve(path);
        if let Some(below) = self.in_mount(&point) {
            make_point(&below, source.is_dir())?;
        }
        self.points.insert(point, source.to_owned());
        Ok(())
    }

    fn work_in(&mut self, folder: &Path) -> io::Result<()> {
        let folder = resolve(folder);
        if self.points.contains_key(&folder) || folder.is_dir() && self.in_mount(&folder).is_none() {
            return Ok(());
        }
        match self.in_mount(&folder) {
            Some(below) => create_folder(&below, 0o755),
            None => {
                self.opened.insert(folder);
                Ok(())
            }
        }
    }

    /// Where a path lies that is in a mount.
    fn in_mount(&self, path: &Path) -> Option<PathBuf> {
        let outer = path.ancestors().skip(1).find_map(|outer| Some((outer, self.points.get(outer)?)));
        let (outer, source) = outer?;
        Some(source.join(path.strip_prefix(outer).ok()?))
    }

    fn open_ancestors(&mut self) {
        let outermost = self.points.keys().filter(|point| self.in_mount(point).is_none());
        let all = outermost.chain(&self.opened).flat_map(|point| point.ancestors().skip(1).map(Path::to_owned));
        let all: Vec<_> = all.collect();
        self.opened.extend(all);
    }

    /// Lays out a folder of ours: what the machine has there, and what is ours. `binds` gets what must be mounted for it.
    fn lay(&self, folder: &Path, ours: &Path, binds: &mut Vec<(PathBuf, PathBuf)>) -> io::Result<()> {
        create_folder(ours, 0o755)?;
        let here = self.points.keys().chain(&self.opened).filter(|path| path.parent() == Some(folder));
        for path in here {
            let name = path.file_name().unwrap_or_default();
            match self.points.get(path) {
                Some(source) => make_point(&ours.join(name), source.is_dir())?,
                None => self.lay(path, &ours.join(name), binds)?,
            }
        }
        // What we may not read is not shown.
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let entry = entry?;
            let (path, copy) = (entry.path(), ours.join(entry.file_name()));
            if self.points.contains_key(&path) || self.opened.contains(&path) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                symlink(fs::read_link(&path)?, copy)?;
            } else if kind.is_dir() && folder == Path::new("/") {
                create_folder(&copy, 0o755)?;
                binds.push((path.clone(), path));
            } else {
                // A link costs nothing, a mount does: only the uppermost folders are mounted.
                symlink(Path::new(HOST).join(path.strip_prefix("/").unwrap_or(&path)), copy)?;
            }
        }
        Ok(())
    }
}

/// What something is mounted on.
fn make_point(point: &Path, is_folder: bool) -> io::Result<()> {
    if is_folder {
        return create_folder(point, 0o755);
    }
    if let Some(parent) = point.parent() {
        create_folder(parent, 0o755)?;
    }
    File::options().append(true).create(true).open(point).map(drop)
}

/// A path with this machine's symbolic links followed, as far as it is there: `/var/run/x` is `/run/x`.
fn resolve(path: &Path) -> PathBuf {
    let mut missing: Vec<&OsStr> = Vec::new();
    for there in path.ancestors() {
        if let Ok(found) = fs::canonicalize(there) {
            return missing.iter().rev().fold(found, |path, name| path.join(name));
        }
        if let Some(Component::Normal(name)) = there.components().next_back() {
            missing.push(name);
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A room with folders `a` and `b` and a file `f` mounted where it is said.
    fn build(mounts: &[(&str, &str)], working_dir: &str) -> (tempfile::TempDir, String) {
        let place = tempfile::tempdir().expect("temp folder must be made");
        for folder in ["a", "b"] {
            fs::create_dir(place.path().join(folder)).expect("folder must be made");
        }
        fs::write(place.path().join("f"), "").expect("file must be written");
        let mounts: Vec<_> = mounts
            .iter()
            .map(|(source, path)| Shown { source: place.path().join(source), mount_path: (*path).to_owned() })
            .collect();
        let room = Room::build(place.path().join("room"), &mounts, Path::new(working_dir)).expect("room must be built");
        let list = fs::read_to_string(room.list()).expect("list must be there");
        let root = escape(&place.path().to_string_lossy());
        (place, list.replace(&root, "PLACE"))
    }

    #[test]
    fn mounts_come_last_and_what_is_around_them_is_the_machines() {
        let (place, list) = build(&[("a", "/no-such-folder/x"), ("f", "/etc/no-such-folder/f")], "/");
        let root = place.path().join("room/root");
        assert!(list.starts_with("/ PLACE/room/root/.crossfed/host none rbind 0 0\n"), "{list}");
        assert!(
            list.ends_with(
                "PLACE/f PLACE/room/root/etc/no-such-folder/f none rbind 0 0\n\
                 PLACE/a PLACE/room/root/no-such-folder/x none rbind 0 0\n"
            ),
            "{list}"
        );
        assert!(list.contains("/usr PLACE/room/root/usr none rbind 0 0\n"), "{list}");
        assert!(!list.contains("/etc PLACE/room/root/etc none"), "{list}");
        assert_eq!(fs::read_link(root.join("etc/passwd")).ok(), Some(PathBuf::from("/.crossfed/host/etc/passwd")));
        assert!(root.join("no-such-folder/x").is_dir() && root.join("etc/no-such-folder/f").is_file());
    }

    #[test]
    fn a_mount_in_another_gets_its_point_in_what_the_outer_one_shows() {
        let (place, list) = build(&[("a", "/no-such-folder"), ("b", "/no-such-folder/in/ner")], "/no-such-folder/w");
        assert!(list.ends_with("PLACE/b PLACE/room/root/no-such-folder/in/ner none rbind 0 0\n"), "{list}");
        assert!(place.path().join("a/in/ner").is_dir() && place.path().join("a/w").is_dir());
        assert!(fs::read_dir(place.path().join("room/root/no-such-folder")).expect("folder").next().is_none());
    }

    #[test]
    fn the_working_folder_is_made_where_the_machine_has_none() {
        let (place, list) = build(&[], "/no-such-folder/w");
        assert!(place.path().join("room/root/no-such-folder/w").is_dir());
        assert!(!list.contains("no-such-folder"), "{list}");
        assert!(!Path::new("/no-such-folder").exists());
    }

    #[test]
    fn a_link_of_the_machine_is_followed() {
        let place = tempfile::tempdir().expect("temp folder must be made");
        let real = fs::canonicalize(place.path()).expect("folder must be there");
        fs::create_dir(real.join("run")).expect("folder must be made");
        symlink("run", real.join("link")).expect("link must be made");
        assert_eq!(resolve(&real.join("link/a/b")), real.join("run/a/b"));
        assert_eq!(resolve(Path::new("/no-such-folder/a")), Path::new("/no-such-folder/a"));
    }
}
