//! The variables of a cell, and texts filled in with them. Knows no cloud's documents.

use std::collections::BTreeMap;

use federation::azure::IdentityIds;
use federation::template;
use scenario::{Cell, Scenario};
use trust::IssuerUrl;

use super::Names;
use crate::exit::{Exit, Stop};

/// What may stand as `${…}` in the texts of a cell.
pub(super) struct Texts {
    variables: BTreeMap<&'static str, String>,
    /// For messages.
    file: String,
}

impl Texts {
    pub(super) fn new(
        scenario: &Scenario,
        cell: &Cell,
        names: &Names,
        issuer: &IssuerUrl,
        identity: Option<&IdentityIds>,
    ) -> Self {
        let mut variables = BTreeMap::from([
            ("issuer", issuer.to_string()),
            ("issuer_path", issuer.without_scheme().to_owned()),
            ("issuer_slash_toggled", issuer.with_slash_toggled().to_string()),
            ("namespace", names.namespace.clone()),
            ("service_account", names.service_account.clone()),
        ]);
        if let Some(aws) = &names.aws {
            variables.extend([
                ("account", aws.account.to_string()),
                ("bucket", aws.bucket.clone()),
                ("role_arn", aws.role_arn()),
            ]);
        }
        if let Some(azure) = &names.azure {
            variables.extend([
                ("tenant_id", azure.tenant.clone()),
                ("subscription_id", azure.subscription.clone()),
                ("vault", azure.vault.clone()),
            ]);
        }
        if let Some(ids) = identity {
            variables.extend([("client_id", ids.client_id.clone()), ("principal_id", ids.principal_id.clone())]);
        }
        let file = scenario.folder.join("scenario.yaml").display().to_string();
        let file = match &cell.fault {
            None => file,
            Some(fault) => format!("{file} with fault {}", fault.id),
        };
        Self { variables, file }
    }

    /// Fills in the text of a member of `access`.
    pub(super) fn fill(&self, member: &str, text: &str) -> Result<String, Stop> {
        let name = self.name(member);
        // The line that the error names is the value's own, which is always 1.
        template::render(text, &name, &self.variables)
            .map_err(|error| Stop::new(Exit::Usage, error.to_string().replacen(":1: ", ": ", 1)))
    }

    /// The same, read as what it must be.
    pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
        &self,
        member: &str,
        text: &str,
    ) -> Result<T, Stop> {
        let filled = self.fill(member, text)?;
        filled.parse().map_err(|error| Stop::new(Exit::Usage, format!("{}: {error}", self.name(member))))
    }

    fn name(&self, member: &str) -> String {
        format!("{}: access.{member}", self.file)
    }
}
