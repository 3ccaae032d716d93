//! Private mount namespaces, for containers that must see their mounts where their pod says: whether this system
//! permits them, and how a process gets one. It must not know what is mounted.
//!
//! A namespace takes no privilege of ours: util-linux' `unshare` and `mount` make it, as the real root where this program is that,
//! else as the root of a user namespace. What they mount is seen by that process and its children only.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::atomic::create_folder;
use crate::mounts::Shown;
use crate::process::{self, Launch};

mod room;

pub(crate) use room::{BIN, HOME, OWN, Room};

/// Where the programs lie that make a namespace. A search path is not asked: it is the pod's.
const FOLDERS: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];
const SHELL: &str = "/bin/sh";
/// What the check may take; it needs some milliseconds.
const CHECK: Duration = Duration::from_secs(5);
/// Mounts what a file lists, then goes where the container begins: `$1` is the list, the rest the second `unshare`'s words.
const SCRIPT: &str = r#"mount=$0; list=$1; shift; "$mount" --all --fstab "$list" || exit 125; exec "$@""#;

/// How a namespace is made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tool {
    unshare: PathBuf,
    mount: PathBuf,
    /// It takes a user namespace as well.
    as_user: bool,
}

impl Tool {
    fn find(as_user: bool) -> Result<Self, String> {
        let find = |name: &str| {
            let found = FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
            found.ok_or_else(|| format!("no program {name:?}"))
        };
        Ok(Self { unshare: find("unshare")?, mount: find("mount")?, as_user })
    }

    /// The same process, in a namespace that shows the room.
    pub(crate) fn inside(&self, room: &Room, launch: Launch) -> Launch {
        let mut args: Vec<OsString> = Vec::new();
        if self.as_user {
            args.extend(["--user", "--map-root-user"].map(OsString::from));
        }
        // Nothing that is mounted comes back to the system's own namespace.
        args.extend(["--mount", "--propagation", "private", "--", SHELL, "-c", SCRIPT].map(OsString::from));
        args.extend([self.mount.clone().into(), room.list().into(), self.unshare.clone().into()]);
        args.extend([option("--root=", room.root()), option("--wd=", &launch.folder), "--".into()]);
        args.push(launch.program.into());
        args.extend(launch.args);
        Launch { program: self.unshare.clone(), args, env: launch.env, folder: PathBuf::from("/") }
    }

    /// Makes one that shows something, and looks whether it is seen there, and not outside.
    async fn check(&self, folder: &Path) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        let shown = folder.join("shown");
        create_folder(&shown, 0o700).map_err(told)?;
        fs::write(shown.join("seen"), "").map_err(told)?;
        let mounts = [Shown { source: shown, mount_path: "/.crossfed-check".to_owned() }];
        let room = Room::build(folder.join("room"), &mounts, Path::new("/")).map_err(told)?;
        let launch = Launch {
            program: SHELL.into(),
            args: ["-c", "test -e /.crossfed-check/seen"].map(OsString::from).into(),
            env: Vec::new(),
            folder: "/".into(),
        };
        let run = process::capture(self.inside(&room, launch));
        let (exit_code, output) =
            tokio::time::timeout(CHECK, run).await.map_err(|_| "it takes too long".to_owned())?.map_err(told)?;
        if exit_code == 0 { Ok(()) } else { Err(format!("{} (exit code {exit_code})", output.trim())) }
    }
}

fn option(name: &str, value: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}

/// Whether this system permits mount namespaces: found out once, when the first container wants one.
#[derive(Debug, Default)]
pub(crate) struct Namespaces(OnceCell<Result<Tool, String>>);

impl Namespaces {
    /// `node_folder` is for what the check needs. The error says why there are none.
    pub(crate) async fn tool(&self, node_folder: &Path) -> Result<Tool, String> {
        self.0.get_or_init(|| find(node_folder)).await.clone()
    }
}

async fn find(node_folder: &Path) -> Result<Tool, String> {
    let folder = node_folder.join(".mount-check");
    let is_root = rustix::process::geteuid().is_root();
    let mut reasons = Vec::new();
    for as_user in if is_root { &[false, true][..] } else { &[true] } {
        let tool = Tool::find(*as_user)?;
        let checked = tool.check(&folder).await;
        remove(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        match checked {
            Ok(()) => return Ok(tool),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join("; "))
}

/// Removes a folder and all it holds, unless something is mounted in it: that would be removed as well.
///
/// # Errors
/// When something is mounted there, or the disk refuses. A folder that is not there is no error.
pub(crate) fn remove(folder: &Path) -> std::io::Result<()> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if let Some(path) = mounted_below(&mounts, folder) {
        return Err(std::io::Error::other(format!("{path:?} is a mount point")));
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A mount point in or below the folder, as `/proc/self/mountinfo` spells it.
fn mounted_below<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let folder = folder.to_string_lossy();
    let folder = room::escape(folder.trim_end_matches('/'));
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points
        .into_iter()
        .find(|point| point.strip_prefix(folder.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_in_a_folder_is_seen() {
        let mounts = "22 1 0:2 / / rw - ext4 a rw\n23 22 0:3 / /run/x\\040y rw - tmpfs b rw\n";
        let check = |folder: &str, expected: Option<&str>| {
            assert_eq!(mounted_below(mounts, Path::new(folder)), expected, "{folder}");
        };
        check("/run", Some("/run/x\\040y"));
        check("/run/x y", Some("/run/x\\040y"));
        check("/run/x y/", Some("/run/x\\040y"));
        check("/run/x", None);
        check("/home", None);
    }

    #[test]
    fn a_folder_without_mounts_is_removed() {
        let place = tempfile::tempdir().expect("temp folder must be made");
        let folder = place.path().join("a");
        fs::create_dir_all(folder.join("b")).expect("folder must be made");
        remove(&folder).expect("folder must be removed");
        assert!(!folder.exists());
        remove(&folder).expect("what is not there is no error");
        assert!(remove(Path::new("/proc")).is_err());
    }
}
