//! What was required of a cell and what it showed: the facts that the chain is made of.
//!
//! They come from the admitted pod, the token and the policies that stand in the clouds, never from the fault.

use serde_json::Value;
use trust::UnverifiedToken;

use super::federate::LiveCell;
use super::overlay::TOKEN_VOLUME;

/// Annotation by which a service account asks for a role.
pub(crate) const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
const ROLE_ENV: &str = "AWS_ROLE_ARN";
const TOKEN_FILE_ENV: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

/// What the pod shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Role that the service account asks for.
    pub(crate) role_annotation: Option<String>,
    /// Role and token file in the first container's environment.
    pub(crate) injected: Option<(String, String)>,
    /// Audience of the token.
    pub(crate) audience: Option<String>,
    /// Where the token comes from, for people.
    pub(crate) token_source: Option<String>,
    /// Subject that Kubernetes gives the service account.
    pub(crate) subject: String,
}

/// What AWS holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// URL of the provider.
    pub(crate) provider: Option<String>,
    /// Its client ids.
    pub(crate) client_ids: Vec<String>,
    /// What the trust policy's conditions ask of the subject.
    pub(crate) subject: Option<String>,
    /// What the permission policy allows.
    pub(crate) actions: Vec<String>,
}

impl Shown {
    pub(crate) fn of(cell: &LiveCell, admitted: &Value, token: Option<&UnverifiedToken>) -> Self {
        let container = admitted.pointer("/spec/containers/0");
        let env = |name: &str| {
            let all = container?.get("env")?.as_array()?;
            all.iter().find(|one| one["name"] == name)?.get("value")?.as_str().map(str::to_owned)
        };
        let volumes = admitted.pointer("/spec/volumes").and_then(Value::as_array);
        let volume = volumes.into_iter().flatten().find(|volume| volume["name"] == TOKEN_VOLUME);
        let projection = volume.and_then(|volume| volume.pointer("/projected/sources/0/serviceAccountToken"));
        let (audience, token_source) = match (token, projection) {
            (Some(token), _) => {
                let expiry = token.numeric_date("exp").and_then(|at| jiff::Timestamp::from_second(at).ok());
                let expiry = expiry.map(|at| format!(", expires {at}")).unwrap_or_default();
                (
                    token.audiences().first().map(|&audience| audience.to_owned()),
                    Some(format!("volume of the pod's own{expiry}")),
                )
            }
            (None, Some(projection)) => {
                let seconds = projection.get("expirationSeconds").and_then(Value::as_i64).unwrap_or_default();
                let audience = projection.get("audience").and_then(Value::as_str).map(str::to_owned);
                (audience, Some(format!("projected, {seconds} s")))
            }
            (None, None) => (None, None),
        };
        Self {
            role_annotation: cell.rendered.annotations.get(ROLE_ANNOTATION).cloned(),
            injected: env(ROLE_ENV).zip(env(TOKEN_FILE_ENV)),
            audience,
            token_source,
            subject: trust::Subject::service_account(&cell.names.namespace, &cell.names.service_account).to_string(),
        }
    }
}

impl Held {
    pub(crate) fn of(cell: &LiveCell) -> Self {
        let rendered = &cell.rendered;
        Self {
            provider: rendered.provider.as_ref().map(|(url, _)| url.to_string()),
            client_ids: rendered.provider.iter().flat_map(|(_, ids)| ids.iter().cloned()).collect(),
            subject: condition(&rendered.trust_policy, ":sub"),
            actions: actions(&rendered.permission_policy),
        }
    }
}

/// The value of the first condition whose key ends so.
fn condition(policy: &str, key_ends: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let statements = policy.get("Statement")?.as_array()?;
    let operators = statements.iter().filter_map(|statement| statement.get("Condition")?.as_object());
    let conditions = operators.flat_map(|operators| operators.iter());
    for (operator, keys) in conditions {
        for (key, value) in keys.as_object().into_iter().flatten() {
            if key.ends_with(key_ends) {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                return Some(format!("{operator} {value}"));
            }
        }
    }
    None
}

fn actions(policy: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy.get("Statement").and_then(Value::as_array).cloned().unwrap_or_default();
    let texts = |value: &Value| match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    statements
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
        .flat_map(|statement| texts(&statement["Action"]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_conditions_and_actions_from_policies() {
        let trust =
            r#"{"Statement":[{"Condition":{"StringEquals":{"h/:aud":"a","h/:sub":"system:serviceaccount:n:s"}}}]}"#;
        assert_eq!(condition(trust, ":sub").as_deref(), Some("StringEquals system:serviceaccount:n:s"));
        assert_eq!(condition("{}", ":sub"), None);
        let policy = r#"{"Statement":[{"Effect":"Allow","Action":["a","b"]},{"Effect":"Deny","Action":"c"},{"Effect":"Allow","Action":"d"}]}"#;
        assert_eq!(actions(policy), ["a", "b", "d"]);
    }
}
