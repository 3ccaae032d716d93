//! The variables of a cell, and texts filled in with them. Knows no cloud's documents.

use std::collections::BTreeMap;

use federation::azure::IdentityIds;
use federation::template;
use scenario::access::Step;
use scenario::{Cell, Scenario};
use serde_json::{Map, Value};
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
            ("issuer_path_slash_toggled", issuer.with_slash_toggled().without_scheme().to_owned()),
            ("namespace", names.namespace.clone()),
            ("service_account", names.service_account.clone()),
        ]);
        if let Some(aws) = &names.aws {
            variables.extend([
                ("account", aws.account.to_string()),
                ("bucket", aws.bucket.clone()),
                ("role", aws.role.clone()),
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

    /// The same for every text of a document, names of members too.
    pub(super) fn fill_document(&self, member: &str, document: &Value) -> Result<Value, Stop> {
        Ok(match document {
            Value::String(text) => Value::String(self.fill(member, text)?),
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.fill_document(member, item)).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => Value::Object(self.fill_members(member, members)?),
            other => other.clone(),
        })
    }

    pub(super) fn fill_members(&self, member: &str, members: &Map<String, Value>) -> Result<Map<String, Value>, Stop> {
        let filled = members.iter().map(|(name, value)| {
            Ok((self.fill(member, name)?, self.fill_document(&format!("{member}.{name}"), value)?))
        });
        filled.collect()
    }

    /// Applies the steps of a JSON Patch.
    pub(super) fn patch(&self, member: &str, document: &mut Value, steps: &[Step]) -> Result<(), Stop> {
        for (at, step) in steps.iter().enumerate() {
            let member = format!("{member}[{at}]");
            let wrong = |message: String| Stop::new(Exit::Usage, format!("{}: {message}", self.name(&member)));
            let mut operation = serde_json::to_value(step).map_err(|error| wrong(error.to_string()))?;
            if let Some(path) = operation.get("path").and_then(Value::as_str) {
                operation["path"] = Value::from(self.fill_pointer(&member, path)?);
            }
            if let Some(value) = operation.get("value") {
                operation["value"] = self.fill_document(&member, value)?;
            }
            let operations: json_patch::Patch =
                serde_json::from_value(Value::Array(vec![operation])).map_err(|error| wrong(error.to_string()))?;
            json_patch::patch(document, &operations).map_err(|error| wrong(error.to_string()))?;
        }
        Ok(())
    }

    /// A JSON Pointer (RFC 6901) with its variables filled in, each within its own segment.
    fn fill_pointer(&self, member: &str, pointer: &str) -> Result<String, Stop> {
        let segment = |segment: &str| {
            let filled = self.fill(member, &segment.replace("~1", "/").replace("~0", "~"))?;
            Ok(filled.replace('~', "~0").replace('/', "~1"))
        };
        let segments: Vec<String> = pointer.split('/').map(segment).collect::<Result<_, Stop>>()?;
        Ok(segments.join("/"))
    }

    /// A text filled in and read as what it must be.
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
