//! Files that a reader sees change all at once, laid out as the kubelet lays out volumes:
//! `key` → `..data/key`, `..data` → a dated folder that is swapped by a rename.
//! It must not know where the content comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

const DATA: &str = "..data";

/// A file's content and permission bits. No `Debug`: it may be secret.
#[derive(PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u32,
}

/// Files by path relative to the volume, without `..`.
pub(crate) type Payloads = BTreeMap<String, Payload>;

/// A volume's folder, written as a whole.
pub(crate) struct AtomicFolder {
    folder: PathBuf,
    generation: u64,
    /// Generations below are gone.
    oldest: u64,
    shown: Option<u64>,
    written: Option<Payloads>,
}

impl AtomicFolder {
    /// Makes the folder.
    pub(crate) fn create(folder: PathBuf) -> io::Result<Self> {
        create_folder(&folder, 0o755)?;
        Ok(Self { folder, generation: 0, oldest: 1, shown: None, written: None })
    }

    /// Shows exactly these files; does nothing if they are shown already.
    pub(crate) fn write(&mut self, payloads: Payloads) -> io::Result<()> {
        if self.written.as_ref() == Some(&payloads) {
            return Ok(());
        }
        if let Some(path) = payloads.keys().find(|path| !is_inside(path)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("file path {path:?} leaves its volume")));
        }
        self.generation += 1;
        let fresh_name = format!("..{}", self.generation);
        let fresh = self.folder.join(&fresh_name);
        create_folder(&fresh, 0o755)?;
        for (path, payload) in &payloads {
            write_file(&fresh.join(path), payload)?;
        }
        let staged = self.folder.join("..data_tmp");
        // Left behind by a write that failed half-way.
        let _ = fs::remove_file(&staged);
        symlink(&fresh_name, &staged)?;
        fs::rename(&staged, self.folder.join(DATA))?;
        let before = self.shown.replace(self.generation);
        self.link(&payloads)?;
        self.written = Some(payloads);
        self.forget(before)
    }

    /// Removes what was shown before, save the last: who followed the link just before it was swapped still opens the files.
    /// (A real kubelet removes that, too.)
    fn forget(&mut self, last: Option<u64>) -> io::Result<()> {
        for generation in (self.oldest..self.generation).filter(|generation| Some(*generation) != last) {
            match fs::remove_dir_all(self.folder.join(format!("..{generation}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.oldest = last.unwrap_or(self.generation);
        Ok(())
    }

    /// One link for each first path segment; those no longer wanted go.
    fn link(&self, payloads: &Payloads) -> io::Result<()> {
        let first = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
        let wanted: BTreeSet<String> = payloads.keys().map(first).collect();
        let shown: BTreeSet<String> = self.written.iter().flat_map(|written| written.keys().map(first)).collect();
        for name in wanted.difference(&shown) {
            symlink(Path::new(DATA).join(name), self.folder.join(name))?;
        }
        for name in shown.difference(&wanted) {
            fs::remove_file(self.folder.join(name))?;
        }
        Ok(())
    }
}

/// Makes a folder and those above it with `mode`; one that is there is left as it is.
pub(crate) fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(path)
}

fn is_inside(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|segment| !segment.is_empty() && segment != "..") && !path.starts_with("..")
}

fn write_file(path: &Path, payload: &Payload) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_folder(folder, 0o755)?;
    }
    // Created closed, so that no other user reads it between creation and the final mode.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&payload.bytes)?;
    // Set apart from creation because the process's umask must not narrow it.
    file.set_permissions(Permissions::from_mode(payload.mode & 0o777))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_payloads(files: &[(&str, &str, u32)]) -> Payloads {
        files
            .iter()
            .map(|(path, text, mode)| ((*path).to_owned(), Payload { bytes: text.as_bytes().to_vec(), mode: *mode }))
            .collect()
    }

    #[test]
    fn shows_the_new_files_and_only_those() {
        let place = tempfile::tempdir().expect("temp folder must be made");
        let mut folder = AtomicFolder::create(place.path().join("v")).expect("folder must be made");
        let shown = |path: &str| fs::read_to_string(place.path().join("v").join(path)).ok();

        folder.write(mk_payloads(&[("a", "1", 0o644), ("d/x", "2", 0o400)])).expect("write must succeed");
        assert_eq!(shown("a").as_deref(), Some("1"));
        assert_eq!(shown("d/x").as_deref(), Some("2"));
        let mode = fs::metadata(place.path().join("v/d/x")).expect("file must exist").permissions().mode();
        assert_eq!(mode & 0o777, 0o400);

        folder.write(mk_payloads(&[("a", "3", 0o644)])).expect("second write must succeed");
        assert_eq!(shown("a").as_deref(), Some("3"));
        assert_eq!(shown("d/x"), None);
        let mut names: Vec<_> = fs::read_dir(place.path().join("v"))
            .expect("folder must be readable")
            .map(|entry| entry.expect("entry").file_name().into_string().expect("name"))
            .collect();
        names.sort();
        assert_eq!(names, ["..1", "..2", "..data", "a"]);
    }

    #[test]
    fn a_path_that_was_followed_just_before_a_write_still_leads_to_its_file() {
        let place = tempfile::tempdir().expect("temp folder must be made");
        let mut folder = AtomicFolder::create(place.path().join("v")).expect("folder must be made");
        let mut write = |text: &str| folder.write(mk_payloads(&[("t", text, 0o600)])).expect("write must succeed");
        let followed = || fs::canonicalize(place.path().join("v/t")).expect("file must be there");
        write("1");
        let first = followed();
        write("2");
        assert_eq!(fs::read_to_string(&first).ok().as_deref(), Some("1"));
        let second = followed();
        write("3");
        assert_eq!(fs::read_to_string(&first).ok(), None, "what is older goes");
        assert_eq!(fs::read_to_string(&second).ok().as_deref(), Some("2"));
    }

    #[test]
    fn an_open_reader_keeps_the_old_content() {
        use std::io::Read as _;
        let place = tempfile::tempdir().expect("temp folder must be made");
        let mut folder = AtomicFolder::create(place.path().join("v")).expect("folder must be made");
        folder.write(mk_payloads(&[("t", "old", 0o600)])).expect("write must succeed");
        let mut open = fs::File::open(place.path().join("v/t")).expect("file must open");
        folder.write(mk_payloads(&[("t", "new", 0o600)])).expect("second write must succeed");
        let mut text = String::new();
        open.read_to_string(&mut text).expect("old file must be readable");
        assert_eq!(text, "old");
    }

    #[test]
    fn refuses_paths_that_leave_the_volume() {
        let place = tempfile::tempdir().expect("temp folder must be made");
        let mut folder = AtomicFolder::create(place.path().join("v")).expect("folder must be made");
        let mut check = |path: &str| {
            assert!(folder.write(mk_payloads(&[(path, "x", 0o644)])).is_err(), "{path}");
        };
        check("../a");
        check("a/../../b");
        check("/etc/x");
        check("..data");
        check("");
    }
}
