//! What there is to check: the files of the workspace, and what git and cargo say of it. Judges nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::finding::Source;
use super::imports::{Crate, Import};
use super::tls;
use crate::cargo;

#[derive(Debug)]
pub(crate) struct Tree {
    /// The folder of the workspace, as written on this machine.
    pub(crate) root: String,
    /// All text files that are in the repository, or would be after `git add .`.
    pub(crate) sources: Vec<Source>,
    /// Paths of those that are no text.
    pub(crate) others: Vec<String>,
    /// What git has, by path; `None` outside a repository.
    pub(crate) tracked: Option<Vec<String>>,
    pub(crate) crates: Vec<Crate>,
    /// Name and version of all that our programs are built from on this target, ourselves included.
    pub(crate) dependencies: Vec<(String, String)>,
}

impl Tree {
    pub(crate) fn read() -> Result<Tree> {
        let root = cargo::root();
        let tracked = git_files(root, &["--cached"])?;
        let paths = match &tracked {
            Some(_) => {
                let all = ["--cached", "--others", "--exclude-standard"];
                git_files(root, &all)?.unwrap_or_default()
            }
            None => walk(root)?,
        };
        let (mut sources, mut others) = (Vec::new(), Vec::new());
        for path in paths {
            match fs::read(root.join(&path)).map(String::from_utf8) {
                Ok(Ok(text)) => sources.push(Source::new(path, text)),
                Ok(Err(_)) => others.push(path),
                // In the index, and just removed from the disk.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot read {path}")),
            }
        }
        Ok(Tree {
            root: root.to_string_lossy().replace('\\', "/"),
            sources,
            others,
            tracked,
            crates: crates(root)?,
            dependencies: dependencies()?,
        })
    }

    /// The text of a file, empty when there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        let source = self.sources.iter().find(|source| source.path == path);
        source.map_or("", |source| &source.text)
    }
}

/// Paths from the root, or `None` where this is no repository of git: an unpacked archive.
fn git_files(root: &Path, which: &[&str]) -> Result<Option<Vec<String>>> {
    if !root.join(".git").exists() {
        return Ok(None);
    }
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z"]).args(which);
    let paths = cargo::stdout(&mut git)?;
    let paths = paths.split('\0').filter(|path| !path.is_empty());
    Ok(Some(paths.map(str::to_owned).collect()))
}

/// All files but those that a build or a run makes.
fn walk(root: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        for entry in fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{folder}{name}");
            if !entry.file_type()?.is_dir() {
                paths.push(path);
            } else if ![".git", "target", "_artifacts"].contains(&path.as_str()) {
                folders.push(path + "/");
            }
        }
    }
    Ok(paths)
}

fn crates(root: &Path) -> Result<Vec<Crate>> {
    let mut command = cargo::cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps"]);
    let metadata =
        serde_json::from_str(&cargo::stdout(&mut command)?).context("cargo metadata wrote something else than JSON")?;
    let mut crates = Vec::new();
    for (name, manifest, imports) in packages(&metadata)? {
        let path = Path::new(&manifest);
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {manifest}"))?;
        let path = path.strip_prefix(root).unwrap_or(path);
        crates.push(Crate { name, manifest: Source::new(path.to_string_lossy().replace('\\', "/"), text), imports });
    }
    Ok(crates)
}

/// Name, manifest and imports of each package in what `cargo metadata` says.
fn packages(metadata: &Value) -> Result<Vec<(String, String, Vec<Import>)>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages = list(&metadata["packages"]);
    if packages.is_empty() {
        bail!("cargo metadata names no package");
    }
    packages
        .iter()
        .map(|package| {
            let imports = list(&package["dependencies"])
                .iter()
                // Only ours are found by a path.
                .filter(|dependency| dependency["path"].is_string())
                .filter_map(|dependency| {
                    Some(Import {
                        name: dependency["name"].as_str()?.to_owned(),
                        in_tests: dependency["kind"] == "dev",
                    })
                })
                .collect();
            let name = package["name"].as_str().context("a package has no name")?;
            let manifest =
                package["manifest_path"].as_str().with_context(|| format!("package {name} has no manifest"))?;
            Ok((name.to_owned(), manifest.to_owned(), imports))
        })
        .collect()
}

fn dependencies() -> Result<Vec<(String, String)>> {
    let mut command = cargo::cargo();
    command.args(["tree", "--workspace", "--edges", "normal,build"]).args(["--prefix", "none", "--format", "{p}"]);
    let dependencies = tls::parse(&cargo::stdout(&mut command)?);
    if !dependencies.iter().any(|(name, _)| name == "xtask") {
        bail!("cargo tree does not even name xtask: its output is not understood");
    }
    Ok(dependencies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_our_own_dependencies_are_imports() {
        let metadata = json!({"packages": [{
            "name": "kubelet",
            "manifest_path": "/w/crates/kubelet/Cargo.toml",
            "dependencies": [
                {"name": "trust", "kind": null, "path": "/w/crates/trust"},
                {"name": "kube-sim", "kind": "dev", "path": "/w/crates/kube-sim"},
                {"name": "serde", "kind": null},
            ],
        }]});
        let packages = packages(&metadata).expect("the metadata must be read");
        let imports: Vec<_> = packages[0].2.iter().map(|import| (import.name.as_str(), import.in_tests)).collect();
        assert_eq!(imports, [("trust", false), ("kube-sim", true)]);
    }

    #[test]
    fn metadata_without_packages_is_no_pass() {
        assert!(packages(&json!({})).is_err());
        assert!(packages(&json!({"packages": []})).is_err());
    }

    #[test]
    fn an_unpacked_archive_is_walked_without_its_build() {
        let paths = walk(cargo::root()).expect("the workspace must be listed");
        let has = |path: &str| paths.iter().any(|known| known == path);
        assert!(has("xtask/src/tidy/tree.rs"));
        assert!(has(".ci/run"));
        assert!(!paths.iter().any(|path| path.starts_with("target/")));
    }
}
