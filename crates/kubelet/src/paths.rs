//! A container's view of the file system: which of its paths lie in its private folder.
//! Pure: it computes names and touches no file.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::VolumeMount;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum MountError {
    #[error("mountPath {0:?} is not supported: a process cannot have its own root")]
    Root(String),
    #[error("mountPath {0:?} must not contain '..'")]
    Upwards(String),
    #[error("mountPath {inner:?} lies below mountPath {outer:?}: nested mounts are not supported by a process node")]
    Nested { inner: String, outer: String },
    #[error("subPathExpr of mountPath {0:?} is not supported by a process node")]
    SubPathExpr(String),
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
}

/// Maps a container's mounted paths into its private root.
#[derive(Debug, Clone)]
pub(crate) struct PathMap {
    root: PathBuf,
    pod_folder: String,
    mounts: Vec<Mount>,
}

impl PathMap {
    /// `root` is the container's private root, somewhere below `pod_folder`.
    pub(crate) fn new(root: PathBuf, pod_folder: &Path, mounts: &[VolumeMount]) -> Result<Self, MountError> {
        let mut mapped = Vec::with_capacity(mounts.len());
        for mount in mounts {
            if mount.sub_path_expr.as_deref().is_some_and(|expression| !expression.is_empty()) {
                return Err(MountError::SubPathExpr(mount.mount_path.clone()));
            }
            let sub_path = mount.sub_path.clone().unwrap_or_default();
            if sub_path.starts_with('/') || sub_path.split('/').any(|segment| segment == "..") {
                return Err(MountError::SubPath(sub_path));
            }
            let mount_path = normalise(&mount.mount_path)?;
            mapped.push(Mount {
                private: root.join(&mount_path[1..]),
                mount_path,
                volume: mount.name.clone(),
                sub_path,
            });
        }
        for inner in &mapped {
            if let Some(outer) = mapped.iter().find(|outer| {
                outer.mount_path != inner.mount_path && below(&inner.mount_path, &outer.mount_path).is_some()
            }) {
                return Err(MountError::Nested { inner: inner.mount_path.clone(), outer: outer.mount_path.clone() });
            }
        }
        Ok(Self { root, pod_folder: pod_folder.to_string_lossy().into_owned(), mounts: mapped })
    }

    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The value, with a leading mounted path replaced by the private one. A value that already lies in
    /// the pod's folder is left alone: a mount at `/tmp` must not catch a private folder below `/tmp`.
    pub(crate) fn rewrite(&self, value: &str) -> String {
        if below(value, &self.pod_folder).is_some() {
            return value.to_owned();
        }
        for mount in &self.mounts {
            if let Some(rest) = below(value, &mount.mount_path) {
                return format!("{}{rest}", mount.private.display());
            }
        }
        value.to_owned()
    }

    /// Where a folder that the container works in lies here, mounted or not.
    pub(crate) fn working_dir(&self, path: &str) -> Result<PathBuf, MountError> {
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
        check(
            &["/a/b", "/a"],
            r#"mountPath "/a/b" lies below mountPath "/a": nested mounts are not supported by a process node"#,
        );
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
