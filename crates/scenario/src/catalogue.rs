//! The folder `scenarios/`: one folder a scenario, and `faults/` with the catalogue of refusals: `faults/aws/` and
//! `faults/azure/` for what goes wrong towards one cloud, `faults/cluster/` for what concerns every access.

use std::path::{Path, PathBuf};

use crate::access::Cloud;
use crate::fault::{Fault, is_word};
use crate::file::{FILE, Scenario};
use crate::nearest;
use crate::source::SourceError;

/// Where faults lie, below the scenarios folder, and which cloud they concern.
const FAULTS: [(&str, Option<Cloud>); 3] =
    [("faults/aws", Some(Cloud::Aws)), ("faults/azure", Some(Cloud::Azure)), ("faults/cluster", None)];

/// A scenarios folder.
#[derive(Clone, Debug)]
pub struct Catalogue {
    folder: PathBuf,
}

/// Why something is not in the catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The folder itself.
    #[error("no scenarios folder at {}; run from the repository's root or pass --scenarios DIR", .0.display())]
    NoFolder(PathBuf),
    /// No scenario of this name.
    #[error("no scenario `{name}`{hint} (known: {known})")]
    UnknownScenario {
        /// Asked for.
        name: String,
        /// `; did you mean …?`
        hint: String,
        /// What there is.
        known: String,
    },
    /// No fault of this id.
    #[error("no fault `{id}`{hint} (`cargo xtask list` shows all {known})")]
    UnknownFault {
        /// Asked for.
        id: String,
        /// `; did you mean …?`
        hint: String,
        /// How many there are.
        known: usize,
    },
    /// No fault has this tag.
    #[error("no fault has the tag `{tag}`{hint} (known: {known})")]
    UnknownTag {
        /// Asked for.
        tag: String,
        /// `; did you mean …?`
        hint: String,
        /// What there is.
        known: String,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] SourceError),
}

impl Catalogue {
    /// Opens a scenarios folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(folder: &Path) -> Result<Self, CatalogueError> {
        if folder.is_dir() {
            Ok(Self { folder: folder.to_owned() })
        } else {
            Err(CatalogueError::NoFolder(folder.to_owned()))
        }
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Names of all scenarios, sorted.
    pub fn scenarios(&self) -> Vec<String> {
        names(&self.folder, |path| path.join(FILE).is_file())
    }

    /// Ids of all faults, sorted.
    pub fn faults(&self) -> Vec<String> {
        let mut ids: Vec<String> = FAULTS.iter().flat_map(|(folder, _)| self.faults_in(folder)).collect();
        ids.sort();
        ids
    }

    fn faults_in(&self, folder: &str) -> Vec<String> {
        names(&self.folder.join(folder), |path| path.extension().is_some_and(|ending| ending == "yaml"))
    }

    /// Reads a scenario.
    ///
    /// # Errors
    /// When there is none of this name, or a file of it is wrong.
    pub fn scenario(&self, name: &str) -> Result<Scenario, CatalogueError> {
        let known = self.scenarios();
        if !known.iter().any(|known| known == name) {
            let hint = nearest::hint(name, known.iter().map(String::as_str));
            return Err(CatalogueError::UnknownScenario { name: name.to_owned(), hint, known: known.join(", ") });
        }
        Ok(Scenario::load(&self.folder.join(name))?)
    }

    /// Reads all faults, sorted by id.
    ///
    /// # Errors
    /// When a file is wrong, or two have the same id.
    pub fn all_faults(&self) -> Result<Vec<Fault>, CatalogueError> {
        self.faults().iter().map(|id| self.fault(id)).collect()
    }

    /// Reads a fault.
    ///
    /// # Errors
    /// When there is none of this id, or its file is wrong.
    pub fn fault(&self, id: &str) -> Result<Fault, CatalogueError> {
        let file = |folder: &str| self.folder.join(folder).join(format!("{id}.yaml"));
        let mut found = FAULTS.iter().filter(|(folder, _)| self.faults_in(folder).iter().any(|known| known == id));
        let Some((folder, about)) = found.next() else {
            let known = self.faults();
            let hint = nearest::hint(id, known.iter().map(String::as_str));
            return Err(CatalogueError::UnknownFault { id: id.to_owned(), hint, known: known.len() });
        };
        if let Some((other, _)) = found.next() {
            let message = format!("{} has the same id; ids are unique in the whole catalogue", file(folder).display());
            return Err(SourceError::whole(&file(other), message).into());
        }
        if !is_word(id) {
            let message = "the name of the file is the fault's id: lower-case letters, digits and dashes";
            return Err(SourceError::whole(&file(folder), message).into());
        }
        Ok(Fault::load(&file(folder), *about)?)
    }
}

fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| wanted(path))
        .filter_map(|path| path.file_stem().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}
