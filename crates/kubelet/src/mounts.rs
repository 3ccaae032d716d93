//! Puts what a container mounts where it looks for it. It must not know what the volumes show.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::PodSpec;

use crate::atomic::create_folder;
use crate::paths::{MountError, PathMap};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error("failed to mount volume {volume:?} at {mount_path:?}: {reason}")]
    Place { volume: String, mount_path: String, reason: io::Error },
}

/// Where a pod's volumes lie, and which of them a part of is shown as it was when the container started.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    folder: PathBuf,
    /// Volumes that the node itself rewrites. A part of one (`subPath`) does not follow, as on a real node.
    rewritten: BTreeSet<String>,
}

impl Shelf {
    /// `pod_folder` holds the volumes.
    pub(crate) fn new(pod_folder: &Path, spec: &PodSpec) -> Self {
        let volumes = spec.volumes.iter().flatten().filter(|volume| volume.empty_dir.is_none());
        Self { folder: pod_folder.to_owned(), rewritten: volumes.map(|volume| volume.name.clone()).collect() }
    }

    /// Where the volumes themselves are.
    pub(crate) fn volumes(&self) -> PathBuf {
        self.folder.join("volumes")
    }

    /// Makes all mounts of a container, and gives what is shown where. Called at each start.
    ///
    /// # Errors
    /// When a sub path leaves its volume, two containers want different things at one place of a volume, or the disk refuses.
    pub(crate) fn place(
        &self,
        container: &str,
        paths: &PathMap,
        expand: impl Fn(&str) -> String,
    ) -> Result<Vec<Shown>, PlaceError> {
        let mut shown = Vec::new();
        for (index, mount) in paths.mounts().iter().enumerate() {
            let sub_path = mount.sub_path(&expand)?;
            let failed = |reason| PlaceError::Place {
                volume: mount.volume.clone(),
                mount_path: mount.mount_path.clone(),
                reason,
            };
            let copy = self.folder.join("parts").join(container).join(index.to_string());
            let source = self.source(&mount.volume, &sub_path, copy).map_err(failed)?;
            if !paths.is_real() {
                link(&source, &mount.private).map_err(failed)?;
            }
            shown.push(Shown { source, mount_path: mount.mount_path.clone() });
        }
        Ok(shown)
    }

    /// What a mount shows; a folder is made if it is not there.
    fn source(&self, volume: &str, sub_path: &str, copy: PathBuf) -> io::Result<PathBuf> {
        let folder = self.volumes().join(volume);
        if sub_path.is_empty() {
            return Ok(folder);
        }
        let part = folder.join(sub_path);
        if !self.rewritten.contains(volume) {
            if !part.exists() {
                create_folder(&part, 0o755)?;
            }
            return Ok(part);
        }
        remove(&copy)?;
        if let Some(parent) = copy.parent() {
            create_folder(parent, 0o755)?;
        }
        copy_all(&part, &copy)?;
        Ok(copy)
    }
}

/// What a container sees at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) source: PathBuf,
    pub(crate) mount_path: String,
}

fn link(source: &Path, private: &Path) -> io::Result<()> {
    if let Some(parent) = private.parent() {
        create_folder(parent, 0o755)?;
    }
    match symlink(source, private) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match fs::read_link(private) {
            // A container that starts again.
            Ok(target) if target == source => Ok(()),
            _ => Err(io::Error::new(
                error.kind(),
                "something else lies there, of an outer mount or of another container",
            )),
        },
        other => other,
    }
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A copy with the same permissions; an empty folder of what is not there.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_file() {
        return fs::copy(from, to).map(drop);
    }
    create_folder(to, 0o755)?;
    if from.is_dir() {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy_all(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::VolumeMount;
    use serde_json::{Value, json};

    use super::*;

    struct Pod {
        folder: tempfile::TempDir,
        shelf: Shelf,
    }

    fn mk_pod() -> Pod {
        let spec = json!({"containers": [], "volumes": [{"name": "e", "emptyDir": {}}, {"name": "c", "configMap": {"name": "c"}}]});
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let shelf = Shelf::new(folder.path(), &serde_json::from_value(spec).expect("spec must parse"));
        for volume in ["e", "c"] {
            create_folder(&shelf.volumes().join(volume), 0o755).expect("folder must be made");
        }
        Pod { folder, shelf }
    }

    impl Pod {
        fn place(&self, container: &str, mounts: Value) -> Result<(), String> {
            let mounts: Vec<VolumeMount> = serde_json::from_value(mounts).expect("mounts must parse");
            let root = self.folder.path().join("root").join(container);
            let paths = PathMap::new(root, self.folder.path(), &mounts).expect("mounts must be accepted");
            let placed = self.shelf.place(container, &paths, |text| text.replace("$(P)", "p1"));
            placed.map(drop).map_err(|error| error.to_string())
        }

        fn write(&self, path: &str, text: &str) {
            fs::write(self.shelf.volumes().join(path), text).expect("file must be written");
        }

        fn read(&self, path: &str) -> Option<String> {
            fs::read_to_string(self.folder.path().join("root").join(path)).ok()
        }
    }

    #[test]
    fn a_part_of_a_rewritten_volume_is_shown_as_it_was_at_the_start() {
        let pod = mk_pod();
        pod.write("c/k", "1");
        let mounts = json!([
            {"name": "c", "mountPath": "/all"}, {"name": "c", "mountPath": "/etc/k", "subPath": "k"},
            {"name": "c", "mountPath": "/absent", "subPath": "absent"},
        ]);
        pod.place("a", mounts.clone()).expect("must be placed");
        pod.write("c/k", "2");
        assert_eq!(pod.read("a/all/k").as_deref(), Some("2"));
        assert_eq!(pod.read("a/etc/k").as_deref(), Some("1"));
        assert!(pod.folder.path().join("root/a/absent").is_dir());
        pod.place("a", mounts).expect("must be placed again");
        assert_eq!(pod.read("a/etc/k").as_deref(), Some("2"));
    }

    #[test]
    fn parts_of_a_folder_of_the_pods_own_are_shared() {
        let pod = mk_pod();
        let mount = |expression: &str| json!([{"name": "e", "mountPath": "/logs", "subPathExpr": expression}]);
        pod.place("a", mount("$(P)/x")).expect("must be placed");
        pod.write("e/p1/x/f", "1");
        assert_eq!(pod.read("a/logs/f").as_deref(), Some("1"));
        let refused = pod.place("b", mount("../$(P)"));
        assert_eq!(refused, Err(r#"subPath "../p1" must be relative and must not contain '..'"#.to_owned()));
    }

    #[test]
    fn a_mount_may_lie_in_another() {
        let pod = mk_pod();
        let mounts = |inner: &str| json!([{"name": "e", "mountPath": "/a"}, {"name": inner, "mountPath": "/a/b/c"}]);
        pod.place("a", mounts("c")).expect("must be placed");
        pod.write("c/k", "1");
        pod.write("e/f", "2");
        assert_eq!(pod.read("a/a/b/c/k").as_deref(), Some("1"));
        assert_eq!(pod.read("a/a/f").as_deref(), Some("2"));
        pod.place("same", mounts("c")).expect("must be placed");
        let refused = pod.place("other", mounts("e")).expect_err("must be refused");
        assert!(refused.contains("something else lies there"), "{refused}");
    }
}
