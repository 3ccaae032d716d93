//! The folder `scenarios/`: one folder a scenario, and `faults/aws/` with the catalogue of refusals.

use std::path::{Path, PathBuf};

use crate::fault::Fault;
use crate::file::{FILE, Scenario};
use crate::nearest;
use crate::source::SourceError;

/// Where faults towards AWS lie, below the scenarios folder.
const AWS_FAULTS: &str = "faults/aws";

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
    #[error("no fault `{id}`{hint} (known: {known})")]
    UnknownFault {
        /// Asked for.
        id: String,
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

    /// Names of all scenarios, sorted.
    pub fn scenarios(&self) -> Vec<String> {
        names(&self.folder, |path| path.join(FILE).is_file())
    }

    /// Ids of all faults, sorted.
    pub fn faults(&self) -> Vec<String> {
        names(&self.folder.join(AWS_FAULTS), |path| path.extension().is_some_and(|ending| ending == "yaml"))
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

    /// Reads a fault.
    ///
    /// # Errors
    /// When there is none of this id, or its file is wrong.
    pub fn fault(&self, id: &str) -> Result<Fault, CatalogueError> {
        let known = self.faults();
        if !known.iter().any(|known| known == id) {
            let hint = nearest::hint(id, known.iter().map(String::as_str));
            return Err(CatalogueError::UnknownFault { id: id.to_owned(), hint, known: known.join(", ") });
        }
        Ok(Fault::load(&self.folder.join(AWS_FAULTS).join(format!("{id}.yaml")))?)
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
