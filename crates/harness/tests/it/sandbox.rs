//! A temporary folder in which `crossfed` is started: a working directory, scenarios that may be changed, programs for pods.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use insta::internals::SettingsBindDropGuard;
use tempfile::TempDir;

use crate::filters;
use crate::run::Invocation;

/// The image of the scenario's pod.
pub(crate) const IMAGE: &str = "ghcr.io/crossfed/s3-reader";

/// The folder, with the snapshot filters that fit it.
pub(crate) struct Sandbox {
    folder: TempDir,
    _filters: SettingsBindDropGuard,
}

impl Sandbox {
    /// With nothing in it: scenarios are those of the repository.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder must be made");
        let filters = filters::bind(folder.path(), &repository());
        Self { folder, _filters: filters }
    }

    /// With a copy of the scenarios, which [`Sandbox::crossfed`] then uses.
    pub(crate) fn with_own_scenarios() -> Self {
        let sandbox = Self::new();
        copy(&repository().join("scenarios"), &sandbox.path("scenarios"));
        sandbox
    }

    /// With a copy of the scenarios in which aks-to-aws checks these refusals only.
    pub(crate) fn with_refusals(ids: &[&str]) -> Self {
        let sandbox = Self::with_own_scenarios();
        let file = "scenarios/aks-to-aws/scenario.yaml";
        let text = sandbox.read(file);
        let (head, _) = text.split_once("\nrefusals:\n").expect("the scenario must have refusals");
        sandbox.write(file, &format!("{head}\nrefusals: [{}]\n", ids.join(", ")));
        sandbox
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub(crate) fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_else(|error| panic!("{below} must be there: {error}"))
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        fs::write(self.path(below), text).expect("a file must be written");
    }

    /// Changes the one place of a file at which `from` stands.
    pub(crate) fn edit(&self, below: &str, from: &str, to: &str) {
        let text = self.read(below);
        assert_eq!(text.matches(from).count(), 1, "`{from}` must stand in {below} exactly once");
        self.write(below, &text.replace(from, to));
    }

    /// A shell script that a pod can run; `--image` for it.
    pub(crate) fn script(&self, lines: &str) -> String {
        self.write("workload", &format!("#!/bin/sh\n{lines}\n"));
        fs::set_permissions(self.path("workload"), fs::Permissions::from_mode(0o755)).expect("must become executable");
        format!("{IMAGE}={}", self.path("workload").display())
    }

    /// `crossfed` with these words, in this folder, with nothing of this process's environment.
    pub(crate) fn crossfed(&self, words: &[&str]) -> Invocation {
        let own = self.path("scenarios").is_dir();
        let root = if own { self.folder.path().to_owned() } else { repository() };
        Invocation::new(words, self.folder.path(), &root)
    }

    /// Text of an inline snapshot, or of an exact comparison, with this folder's path cut out.
    pub(crate) fn without_paths(&self, text: &str) -> String {
        text.replace(&self.folder.path().display().to_string(), "[folder]")
    }
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository must be there")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a folder must be made");
    for entry in fs::read_dir(from).expect("a folder must be read") {
        let entry = entry.expect("an entry must be read");
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a file must be copied");
        }
    }
}
