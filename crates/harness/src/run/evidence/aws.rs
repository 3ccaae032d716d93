//! AWS's facts: annotation, role, provider, trust policy, permission policy.

use serde_json::Value;
use trust::Link;

use super::super::federate::LiveCell;
use super::pod::Container;
use super::{Facts, or_nothing};

/// Annotation by which a service account asks for a role.
const ROLE_ANNOTATION: &str = "eks.amazonaws.com/role-arn";
const ROLE: &str = "AWS_ROLE_ARN";
pub(super) const TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";

pub(super) fn facts(cell: &LiveCell, container: &Container<'_>) -> Facts {
    let annotation = cell.account.get().and_then(|account| account.annotations.get(ROLE_ANNOTATION));
    let injected = container.env(ROLE).zip(container.env(TOKEN_FILE));
    // Half of an identity is one that the webhook has seen, and no SDK can use.
    let (half, complete) = (container.env(ROLE).or(container.env(TOKEN_FILE)), injected.is_some());
    let mut facts = Facts { opted_in: annotation.is_some(), injected: half.is_some(), complete, ..Facts::default() };
    facts.presents(Link::OptedIn, annotation.cloned());
    facts.requires(Link::OptedIn, format!("annotation {ROLE_ANNOTATION}"), "service account");
    facts.presents(Link::Injected, injected.map(|(role, file)| format!("{role}, {file}")));
    facts.requires(Link::Injected, format!("{ROLE}, {TOKEN_FILE}"), "admitted pod");
    let Some(rendered) = &cell.rendered.aws else { return facts };
    let provider = rendered.provider.as_ref();
    let url = or_nothing(provider.map(|(url, _)| url.to_string()));
    let client_ids = provider.map(|(_, ids)| ids.join(", ")).unwrap_or_default();
    facts.requires(Link::IssuerTrusted, format!("provider {url}"), "account of the role");
    facts.requires(Link::AudienceAccepted, client_ids, "client ids of the provider");
    let subject = or_nothing(condition(&rendered.trust_policy, ":sub"));
    facts.requires(Link::SubjectAccepted, subject, "trust policy of the role");
    facts.presents(Link::Permitted, Some("s3:GetObject".to_owned()));
    facts.requires(Link::Permitted, actions(&rendered.permission_policy).join(", "), "permission policy");
    facts
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
