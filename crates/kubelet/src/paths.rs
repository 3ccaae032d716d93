//! A container's view of the file system: which of its paths lie in its private folder.
//! It computes names, and looks only whether a program of the machine is there.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::VolumeMount;

use crate::namespace;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum MountError {
    #[error("mountPath {0:?} is not supported: a process cannot have its own root")]
    Root(String),
    #[error("mountPath {0:?} must not contain '..'")]
    Upwards(String),
    #[error("mountPath {0:?} is used twice")]
    Twice(String),
    #[error("subPath {0:?} must be relative and must not contain '..'")]
    SubPath(String),
}

/// One volume mount: the name that the pod uses, the one it has here, and what it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) mount_path: String,
    pub(crate) private: PathBuf,
    pub(crate) volume: String,
    /// Relative to the volume; empty for all of it.
    pub(crate) sub_path: String,
    /// `sub_path` is still to be expanded: it was given as `subPathExpr`.
    pub(crate) is_expression: bool,
}

impl Mount {
    /// The path within the volume, with variables filled in.
    pub(crate) fn sub_path(&self, expand: impl Fn(&str) -> String) -> Result<String, MountError> {
        let sub_path = if self.is_expression { expand(&self.sub_path) } else { self.sub_path.clone() };
        match sub_path.starts_with('/') || sub_path.split('/').any(|segment| segment == "..") {
            true => Err(MountError::SubPath(sub_path)),
            false => Ok(sub_path),
        }
    }
}

/// Maps a container's mounted paths into its private root.
#[derive(Debug, Clone)]
pub(crate) struct PathMap {
    root: PathBuf,
    pod_folder: String,
    /// Sorted by path.
    mounts: Vec<Mount>,
    /// One more path of the pod's, and the file that it stands for.
    file: Option<(String, PathBuf)>,
    real: bool,
}

impl PathMap {
    /// `root` is the container's private root, somewhere below `pod_folder`.
    pub(crate) fn new(root: PathBuf, pod_folder: &Path, mounts: &[VolumeMount]) -> Result<Self, MountError> {
        let mut mapped = Vec::with_capacity(mounts.len());
        for mount in mounts {
            let expression = mount.sub_path_expr.as_deref().filter(|expression| !expression.is_empty());
            let sub_path = expression.or(mount.sub_path.as_deref()).unwrap_or_default().to_owned();
            let mount_path = normalise(&mount.mount_path)?;
            let mount = Mount {
                private: root.join(&mount_path[1..]),
                mount_path,
                volume: mount.name.clone(),
                sub_path,
                is_expression: expression.is_some(),
            };
            if !mount.is_expression {
                mount.sub_path(str::to_owned)?;
            }
            mapped.push(mount);
        }
        // Outer ones first: an inner one lies in what an outer one shows.
        mapped.sort_by(|one, other| one.mount_path.cmp(&other.mount_path));
        if let Some(pair) = mapped.windows(2).find(|pair| pair[0].mount_path == pair[1].mount_path) {
            return Err(MountError::Twice(pair[0].mount_path.clone()));
        }
        Ok(Self {
            root,
            pod_folder: pod_folder.to_string_lossy().into_owned(),
            mounts: mapped,
            file: None,
            real: false,
        })
    }

    /// The same, for a process that sees its mounts where the pod says: nothing is rewritten.
    pub(crate) fn real(self) -> Self {
        Self { real: true, ..self }
    }

    /// The same, with a file that is found at a path beside the mounts.
    pub(crate) fn with_file(self, path: &str, file: PathBuf) -> Self {
        Self { file: Some((path.to_owned(), file)), ..self }
    }

    /// The path of [`with_file`](Self::with_file), and the file.
    pub(crate) fn file(&self) -> Option<&(String, PathBuf)> {
        self.file.as_ref()
    }

    pub(crate) fn is_real(&self) -> bool {
        self.real
    }

    /// Not of this machine, and in nothing that is mounted.
    pub(crate) fn is_absent(&self, path: &Path) -> bool {
        let is_own = self.mounts.iter().any(|mount| path.starts_with(&mount.mount_path));
        path.is_absolute() && !is_own && !path.starts_with(namespace::OWN) && !path.exists()
    }

    /// Outer ones first.
    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The value, with a leading mounted path replaced by the private one. A value that already lies in
    /// the pod's folder is left alone: a mount at `/tmp` must not catch a private folder below `/tmp`.
    pub(crate) fn rewrite(&self, value: &str) -> String {
        if self.real || below(value, &self.pod_folder).is_some() {
            return value.to_owned();
        }
        if let Some((_, file)) = self.file.as_ref().filter(|(path, _)| path == value) {
            return file.display().to_string();
        }
        // The innermost of nested ones comes last.
        for mount in self.mounts.iter().rev() {
            if let Some(rest) = below(value, &mount.mount_path) {
                return format!("{}{rest}", mount.private.display());
            }
        }
        value.to_owned()
    }

    /// Where a folder that the container works in lies here, mounted or not; its real name where nothing is rewritten.
    pub(crate) fn working_dir(&self, path: &str) -> Result<PathBuf, MountError> {
        if self.real {
            return match normalise(path) {
                Ok(path) => Ok(PathBuf::from(path)),
                Err(MountError::Root(_)) => Ok(PathBuf::from("/")),
                Err(error) => Err(error),
            };
        }
        let rewritten = self.rewrite(path);
        if rewritten != path {
            return Ok(PathBuf::from(rewritten));
        }
        match normalise(path) {
            Ok(path) => Ok(self.root.join(&path[1..])),
            Err(MountError::Root(_)) => Ok(self.root.clone()),
            Err(error) => Err(error),
        }
    }
}

/// What follows `prefix` in `value` ("" or "/..."), if `prefix` is a whole-segment prefix of it.
fn below<'a>(value: &'a str, prefix: &str) -> Option<&'a str> {
    value.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Absolute, without empty and `.` segments and without a trailing slash.
fn normalise(path: &str) -> Result<String, MountError> {
    let mut normal = String::with_capacity(path.len() + 1);
    for segment in path.split('/').filter(|segment| !segment.is_empty() && *segment != ".") {
        if segment == ".." {
            return Err(MountError::Upwards(path.to_owned()));
        }
        normal.push('/');
        normal.push_str(segment);
    }
    if normal.is_empty() {
        return Err(MountError::Root(path.to_owned()));
    }
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mk_mounts(paths: &[&str]) -> Vec<VolumeMount> {
        paths
            .iter()
            .map(|path| VolumeMount { mount_path: (*path).to_owned(), name: "v".to_owned(), ..VolumeMount::default() })
            .collect()
    }

    fn mk_map(paths: &[&str]) -> Result<PathMap, MountError> {
        PathMap::new(PathBuf::from("/tmp/x/uid/root/app"), Path::new("/tmp/x/uid"), &mk_mounts(paths))
    }

    #[test]
    fn rewrites_whole_segments_at_the_start_only() {
        let map = mk_map(&["/mnt/a", "/mnt/ab/", "/tmp"]).expect("mounts must be accepted");
        let check = |value: &str, expected: &str| assert_eq!(map.rewrite(value), expected, "{value}");
        check("/mnt/a", "/tmp/x/uid/root/app/mnt/a");
        check("/mnt/a/", "/tmp/x/uid/root/app/mnt/a/");
        check("/mnt/a/token", "/tmp/x/uid/root/app/mnt/a/token");
        check("/mnt/ab/token", "/tmp/x/uid/root/app/mnt/ab/token");
        check("/mnt/abc", "/mnt/abc");
        check("/mnt", "/mnt");
        check("a:/mnt/a", "a:/mnt/a");
        check("--file=/mnt/a", "--file=/mnt/a");
        check("/tmp/file", "/tmp/x/uid/root/app/tmp/file");
        check("/tmp/x/uid/root/app/mnt/a", "/tmp/x/uid/root/app/mnt/a");
        check("/tmp/x/uid2", "/tmp/x/uid/root/app/tmp/x/uid2");
        check("", "");
    }

    #[test]
    fn refuses_what_a_folder_cannot_show() {
        let check = |paths: &[&str], message: &str| {
            let error = mk_map(paths).expect_err("mounts must be refused");
            assert_eq!(error.to_string(), message);
        };
        check(&["/"], r#"mountPath "/" is not supported: a process cannot have its own root"#);
        check(&["/a/../b"], r#"mountPath "/a/../b" must not contain '..'"#);
        check(&["/a/b", "/a", "/a/b/"], r#"mountPath "/a/b" is used twice"#);
    }

    #[test]
    fn the_innermost_of_nested_mounts_counts() {
        let map = mk_map(&["/a/b", "/a", "/a/b/c"]).expect("mounts must be accepted");
        let order: Vec<_> = map.mounts().iter().map(|mount| mount.mount_path.as_str()).collect();
        assert_eq!(order, ["/a", "/a/b", "/a/b/c"]);
        assert_eq!(map.rewrite("/a/b/x"), "/tmp/x/uid/root/app/a/b/x");
        assert_eq!(map.real().rewrite("/a/b/x"), "/a/b/x");
    }

    #[test]
    fn sub_paths_stay_inside_the_volume() {
        let check = |sub_path: &str, accepted: bool| {
            let mut mounts = mk_mounts(&["/etc/app.conf"]);
            mounts[0].sub_path = Some(sub_path.to_owned());
            let map = PathMap::new(PathBuf::from("/r"), Path::new("/r"), &mounts);
            assert_eq!(map.is_ok(), accepted, "{sub_path}");
        };
        check("app.conf", true);
        check("a/b", true);
        check("../b", false);
        check("/b", false);
        let mut mounts = mk_mounts(&["/logs"]);
        mounts[0].sub_path_expr = Some("$(P)".to_owned());
        let map = PathMap::new(PathBuf::from("/r"), Path::new("/r"), &mounts).expect("mounts must be accepted");
        let expanded = |value: &'static str| map.mounts()[0].sub_path(move |_| value.to_owned()).ok();
        assert_eq!(expanded("p-1").as_deref(), Some("p-1"));
        assert_eq!(expanded("../p"), None);
    }

    #[test]
    fn working_folder_lies_in_the_private_root() {
        let map = mk_map(&["/mnt/a"]).expect("mounts must be accepted");
        let check = |path: &str, expected: &str| {
            assert_eq!(map.working_dir(path).ok(), Some(PathBuf::from(expected)), "{path}");
        };
        check("/", "/tmp/x/uid/root/app");
        check("/srv", "/tmp/x/uid/root/app/srv");
        check("/mnt/a/b", "/tmp/x/uid/root/app/mnt/a/b");
        assert!(map.working_dir("/../etc").is_err());
    }
}
