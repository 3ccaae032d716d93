//! What a run tries: the control and, beside it, one cell a fault.

use crate::access::{self, Access, Cloud, Token};
use crate::catalogue::{Catalogue, CatalogueError};
use crate::fault::{Expectation, Fault};
use crate::file::Scenario;
use crate::selection::Selection;
use crate::source::{self, SourceError};

/// Id of the cell in which nothing is wrong: the allowed twin of every refusal.
pub const CONTROL: &str = "control";

/// A scenario with the cells that are tried.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The control first.
    pub cells: Vec<Cell>,
}

/// One namespace, one service account, one role, one pod.
#[derive(Clone, Debug)]
pub struct Cell {
    /// [`CONTROL`] or the fault's id.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// How its access is built.
    pub access: Access,
    /// The fault, unless it is the control.
    pub fault: Option<Fault>,
    /// It changes what an AWS account has only once (the OIDC provider), so it must have an account to itself.
    pub own_account: bool,
    /// It changes the bucket or the object, so it must have a bucket to itself.
    pub own_bucket: bool,
    /// It changes the vault or the secret, so it must have a vault to itself.
    pub own_vault: bool,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A scenario or fault.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// A fault that does not fit the scenario.
    #[error("{complaint} (tried on scenario `{scenario}`)")]
    Misfit {
        /// What is wrong with its `change`.
        complaint: SourceError,
        /// The scenario.
        scenario: String,
    },
}

impl From<SourceError> for PlanError {
    fn from(error: SourceError) -> Self {
        Self::Catalogue(error.into())
    }
}

impl Plan {
    /// The plan of a scenario with the selected faults.
    ///
    /// # Errors
    /// When a file is wrong, a selected fault is unknown, or it changes nothing or something that the scenario does not have.
    pub fn of(catalogue: &Catalogue, name: &str, selection: &Selection) -> Result<Self, PlanError> {
        let scenario = catalogue.scenario(name)?;
        let mut cells = vec![Cell {
            id: CONTROL.to_owned(),
            title: scenario.title.clone(),
            access: scenario.access.clone(),
            fault: None,
            own_account: false,
            own_bucket: false,
            own_vault: false,
        }];
        for fault in selection.of(catalogue, &scenario)? {
            cells.push(cell(&scenario, fault)?);
        }
        Ok(Self { scenario, cells })
    }

    /// How many accesses are judged.
    pub fn checks(&self) -> usize {
        self.cells.iter().map(|cell| cell.judged(&self.scenario).len()).sum()
    }
}

/// The cell of a fault.
///
/// # Errors
/// When it changes nothing, or something that the scenario does not have.
pub fn cell(scenario: &Scenario, fault: Fault) -> Result<Cell, PlanError> {
    let misfit = |path: &str, message: String| PlanError::Misfit {
        complaint: SourceError::member(&fault.file, path, message),
        scenario: scenario.name.clone(),
    };
    if let Some(cloud) = fault.needs.iter().find(|cloud| !scenario.clouds().contains(cloud)) {
        let message = format!("it concerns {}, and the scenario does not name {0} (`{cloud}`)", cloud.title());
        return Err(misfit("change", message));
    }
    if !fault.fits(scenario) {
        return Err(misfit("where", "the scenario's access is built in another way".to_owned()));
    }
    let document = access::changed(&scenario.access_document, &fault.change);
    let within = |path: &str| if path == "." { "change".to_owned() } else { format!("change.{path}") };
    let access: Access = serde_path_to_error::deserialize(&document)
        .map_err(|error| misfit(&within(&error.path().to_string()), source::explained(&error.inner().to_string())))?;
    if let Some(path) = access::list_for_mapping(&document, &access) {
        return Err(misfit(&within(&path), "a mapping is expected here, and this is a list".to_owned()));
    }
    if access == scenario.access && fault.by_hand.is_none() {
        return Err(misfit("change", "it changes nothing".to_owned()));
    }
    if access.token.text.is_some() && access.token != (Token { text: access.token.text.clone(), ..Token::default() }) {
        return Err(misfit("change.token.text", "a text in place of a token leaves nothing else to change".to_owned()));
    }
    if fault.about.is_none() && matches!(fault.expect, Expectation::NotCreated { .. }) {
        return Err(misfit("expect", "which cloud refuses? Put the file into aws/ or azure/".to_owned()));
    }
    for (cloud, lost) in [
        (Cloud::Aws, scenario.access.aws.is_some() != access.aws.is_some()),
        (Cloud::Azure, scenario.access.azure.is_some() != access.azure.is_some()),
    ] {
        if lost {
            return Err(misfit(
                &format!("change.{cloud}"),
                "a fault changes parts of an access, never the whole".to_owned(),
            ));
        }
    }
    let provider = |access: &Access| access.aws.as_ref().map(|aws| (aws.provider.clone(), aws.thumbprints, aws.probe));
    let bucket = |access: &Access| access.aws.as_ref().map(|aws| (aws.bucket_policy.clone(), aws.object));
    let vault = |access: &Access| access.azure.as_ref().map(|azure| (azure.vault, azure.secret));
    Ok(Cell {
        id: fault.id.clone(),
        title: fault.title.clone(),
        own_account: provider(&access) != provider(&scenario.access),
        own_bucket: bucket(&access) != bucket(&scenario.access),
        own_vault: vault(&access) != vault(&scenario.access),
        access,
        fault: Some(fault),
    })
}

impl Cell {
    /// Whether its fault, if it has one, concerns the access to a cloud.
    pub fn concerns(&self, cloud: Cloud) -> bool {
        self.fault.as_ref().is_none_or(|fault| fault.about.is_none_or(|about| about == cloud))
    }

    /// The clouds in which its access is judged: where a cloud refuses to create something, no pod reads in the other one.
    pub fn judged(&self, scenario: &Scenario) -> Vec<Cloud> {
        let one = self.fault.as_ref().filter(|fault| matches!(fault.expect, Expectation::NotCreated { .. }));
        match one.and_then(|fault| fault.about) {
            Some(about) => vec![about],
            None => scenario.clouds(),
        }
    }

    /// What must be seen of its access to a cloud.
    pub fn expectation(&self, cloud: Cloud) -> &Expectation {
        match &self.fault {
            // Without a pod nothing is read anywhere.
            Some(fault) if matches!(fault.expect, Expectation::Rejected { .. }) => &fault.expect,
            Some(fault) if self.concerns(cloud) => &fault.expect,
            _ => &Expectation::Read,
        }
    }
}
