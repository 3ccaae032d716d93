//! What a run tries: the control and, beside it, one cell a fault.

use crate::access::{self, Access, Cloud};
use crate::catalogue::{Catalogue, CatalogueError};
use crate::fault::{Expectation, Fault};
use crate::file::Scenario;
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
    /// The plan of a scenario with the refusals that it names.
    ///
    /// # Errors
    /// When a file is wrong, or a fault changes nothing or something that the scenario does not have.
    pub fn of(catalogue: &Catalogue, name: &str) -> Result<Self, PlanError> {
        let scenario = catalogue.scenario(name)?;
        let mut cells = vec![Cell {
            id: CONTROL.to_owned(),
            title: scenario.title.clone(),
            access: scenario.access.clone(),
            fault: None,
            own_account: false,
            own_vault: false,
        }];
        for id in &scenario.refusals {
            cells.push(cell(&scenario, catalogue.fault(id)?)?);
        }
        Ok(Self { scenario, cells })
    }
}

fn cell(scenario: &Scenario, fault: Fault) -> Result<Cell, PlanError> {
    let misfit = |path: &str, message: String| PlanError::Misfit {
        complaint: SourceError::member(&fault.file, path, message),
        scenario: scenario.name.clone(),
    };
    if let Some(cloud) = fault.about.filter(|cloud| !scenario.clouds().contains(cloud)) {
        let message = format!("it concerns {}, and the scenario does not name {0} (`{cloud}`)", cloud.title());
        return Err(misfit("change", message));
    }
    let mut document = scenario.access_document.clone();
    access::merge(&mut document, &fault.change);
    let access: Access = serde_path_to_error::deserialize(document)
        .map_err(|error| misfit(&format!("change.{}", error.path()), source::explained(&error.inner().to_string())))?;
    if access == scenario.access {
        return Err(misfit("change", "it changes nothing".to_owned()));
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
    let provider = |access: &Access| access.aws.as_ref().map(|aws| aws.provider.clone());
    let vault = |access: &Access| access.azure.as_ref().map(|azure| (azure.vault, azure.secret));
    Ok(Cell {
        id: fault.id.clone(),
        title: fault.title.clone(),
        own_account: provider(&access) != provider(&scenario.access),
        own_vault: vault(&access) != vault(&scenario.access),
        access,
        fault: Some(fault),
    })
}

impl Cell {
    /// What must be seen of its access to a cloud.
    pub fn expectation(&self, cloud: Cloud) -> &Expectation {
        match &self.fault {
            Some(fault) if fault.about.is_none_or(|about| about == cloud) => &fault.expect,
            _ => &Expectation::Read,
        }
    }
}
