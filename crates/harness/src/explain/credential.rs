//! Federated credentials, identities and role assignments as the Azure CLI, Resource Manager and Graph print them. It compares nothing.

use std::path::Path;

use serde_json::{Value, json};

use super::files::{Files, shell_word, wrong};
use crate::exit::Stop;

/// A federated credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credential {
    pub(crate) name: Option<String>,
    /// The id in Resource Manager, or the one in Graph.
    pub(crate) id: Option<String>,
    pub(crate) issuer: String,
    /// Absent in a flexible credential, which has an expression instead.
    pub(crate) subject: Option<String>,
    pub(crate) audiences: Vec<String>,
}

/// A managed identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) client_id: String,
    pub(crate) principal_id: String,
}

/// A role assignment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) principal_id: String,
    /// The role's name, where the Azure CLI printed it.
    pub(crate) role: Option<String>,
    pub(crate) role_id: String,
    pub(crate) scope: String,
}

/// One object or a list of them (`value` in Resource Manager), each with its `properties` at hand.
fn each(value: &Value) -> Vec<&Value> {
    let list = value.as_array().or_else(|| value.get("value").and_then(Value::as_array));
    list.map_or_else(|| vec![value], |list| list.iter().collect())
}

fn text(object: &Value, name: &str) -> Option<String> {
    let found = object.get("properties").and_then(|inner| inner.get(name)).or_else(|| object.get(name));
    found?.as_str().map(str::to_owned)
}

impl Credential {
    /// Reads all credentials of a file.
    ///
    /// # Errors
    /// Exit 2 with the place of a credential without `issuer` or `audiences`.
    pub(crate) fn read(files: &mut Files<'_>, file: &Path) -> Result<Vec<Self>, Stop> {
        let (source, value) = files.json(file)?;
        let of = |(at, object): (usize, &Value)| {
            let missing =
                |name: &str| wrong(&source.name, format!("federated credential {}: `{name}` is missing", at + 1));
            let inner = object.get("properties").unwrap_or(object);
            let audiences = inner.get("audiences").and_then(Value::as_array).ok_or_else(|| missing("audiences"))?;
            Ok(Self {
                name: text(object, "name"),
                id: text(object, "id"),
                issuer: text(object, "issuer").ok_or_else(|| missing("issuer"))?,
                subject: match (text(object, "subject"), inner.get("claimsMatchingExpression")) {
                    (None, None | Some(Value::Null)) => return Err(missing("subject")),
                    (subject, _) => subject,
                },
                audiences: audiences.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            })
        };
        each(&value).into_iter().enumerate().map(of).collect()
    }

    /// What to call it.
    pub(crate) fn title(&self) -> String {
        self.name.as_ref().map_or_else(|| "federated credential".to_owned(), |name| format!("credential {name}"))
    }

    /// A command that gives it these values.
    pub(crate) fn update(&self, issuer: &str, subject: &str, audience: &str) -> String {
        let name = shell_word(self.name.as_deref().unwrap_or("CREDENTIAL"));
        let of_identity = self.id.as_deref().is_none_or(|id| id.contains('/'));
        if !of_identity {
            let parameters = json!({"issuer": issuer, "subject": subject, "audiences": [audience]}).to_string();
            let parameters = shell_word(&parameters);
            return format!(
                "az ad app federated-credential update --id APP_ID --federated-credential-id {name} --parameters {parameters}"
            );
        }
        let part = |kind: &str, otherwise: &str| {
            let mut parts = self.id.as_deref().unwrap_or_default().split('/');
            let found = parts.find(|part| part.eq_ignore_ascii_case(kind)).and_then(|_| parts.next());
            shell_word(found.unwrap_or(otherwise))
        };
        let (group, identity) = (part("resourceGroups", "GROUP"), part("userAssignedIdentities", "IDENTITY"));
        let [issuer, subject, audience] = [issuer, subject, audience].map(shell_word);
        format!(
            "az identity federated-credential update --resource-group {group} --identity-name {identity} --name {name} \
             --issuer {issuer} --subject {subject} --audience {audience}"
        )
    }
}

impl Identity {
    /// Reads one identity.
    ///
    /// # Errors
    /// Exit 2 when an id is missing.
    pub(crate) fn read(files: &mut Files<'_>, file: &Path) -> Result<Self, Stop> {
        let (source, value) = files.json(file)?;
        let id = |name: &str| text(&value, name).ok_or_else(|| wrong(&source.name, format!("`{name}` is missing")));
        Ok(Self { client_id: id("clientId")?, principal_id: id("principalId")? })
    }
}

impl Assignment {
    /// Reads all assignments of a file.
    ///
    /// # Errors
    /// Exit 2 with the place of an assignment without a principal, a role or a scope.
    pub(crate) fn read(files: &mut Files<'_>, file: &Path) -> Result<Vec<Self>, Stop> {
        let (source, value) = files.json(file)?;
        let of = |(at, object): (usize, &Value)| {
            let part = |name: &str| {
                let missing = || wrong(&source.name, format!("role assignment {}: `{name}` is missing", at + 1));
                text(object, name).ok_or_else(missing)
            };
            Ok(Self {
                principal_id: part("principalId")?,
                role: text(object, "roleDefinitionName"),
                role_id: part("roleDefinitionId")?,
                scope: part("scope")?,
            })
        };
        each(&value).into_iter().enumerate().map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_names_identity_and_group_as_the_id_does() {
        let check = |id: Option<&str>, expected: &str| {
            let credential = Credential { id: id.map(str::to_owned), name: Some("n".into()), ..Credential::default() };
            let command = credential.update("https://h/", "s", "a");
            assert!(command.starts_with(expected), "{command}");
        };
        let id = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i/federatedIdentityCredentials/n";
        check(
            Some(id),
            "az identity federated-credential update --resource-group g --identity-name i --name n --issuer",
        );
        check(None, "az identity federated-credential update --resource-group GROUP --identity-name IDENTITY --name n");
        check(
            Some("0f2c"),
            "az ad app federated-credential update --id APP_ID --federated-credential-id n --parameters '{",
        );
    }
}
