//! Link 10: what the role's policy or the identity's role permits. It must not know how the session came about.

use serde_json::{Value, json};
use trust::policy::{Context, Decision, Effect, PrincipalFacts, Request, StatementTrace};
use trust::{Evidence, Link, LinkState};

use super::credential::Assignment;
use super::files::shell_word;
use super::links::{Links, compared};
use super::material::{Material, Policy};

/// Roles that may read secrets: name and id (Azure built-in roles).
const SECRET_READERS: [(&str, &str); 3] = [
    ("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6"),
    ("Key Vault Secrets Officer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"),
    ("Key Vault Administrator", "00482a5a-887f-4fb3-b363-3b7fe8e74483"),
];
/// It sees names and properties only.
const METADATA_READER: (&str, &str) = ("Key Vault Reader", "21090545-7ca7-4776-b22c-e363652d74d2");

/// Explains a permission policy of the role.
pub(crate) fn aws(material: &Material, links: &mut Links) {
    let link = Link::Permitted;
    let Some(policy) = &material.permission else {
        return links.unchecked(link, "needs --policy FILE --action ACTION --resource ARN");
    };
    let Some((action, resource)) = &material.tried else {
        return links.unchecked(link, "needs --action ACTION and --resource ARN: what is tried?");
    };
    let resource = resource.to_string();
    // Who asks matters to policies with principals only.
    let (principal, context) = (PrincipalFacts::Anonymous, Context::new());
    let request = Request { principal: &principal, action, resource: &resource, context: &context };
    let decision = policy.document.evaluate(&request);
    let presented = format!("{action} on {resource}");
    match settle(&decision) {
        Settled::Allowed => {
            links.found(Evidence::new(link, LinkState::Holds).presented(presented).source(&policy.name));
            let why = "bucket policy, permissions boundary, session policy and organisation are not looked at";
            links.unchecked(link, why);
        }
        Settled::Denied(statement) => {
            let evidence =
                compared(link, false, presented, format!("no Deny; statement {} denies", statement.index + 1));
            links.found(evidence.source(&policy.name).note("the policy denies it"));
            links.hint(link, "a Deny wins over every Allow", None);
        }
        Settled::Conditional(statement) => {
            let asked =
                statement.conditions.iter().map(|condition| format!("{} on {}", condition.operator, condition.key));
            let (number, asked) = (statement.index + 1, asked.collect::<Vec<_>>().join(", "));
            links
                .unchecked(link, format!("statement {number} has a condition that only the request can meet: {asked}"));
        }
        Settled::Silent => refused(material, policy, &decision, action, &resource, links),
    }
}

/// What a policy says to action and resource alone.
enum Settled<'a> {
    Allowed,
    Denied(&'a StatementTrace),
    /// A condition decides.
    Conditional(&'a StatementTrace),
    Silent,
}

fn settle(decision: &Decision) -> Settled<'_> {
    let fits = |statement: &&StatementTrace| {
        statement.action.holds && statement.resource.as_ref().is_none_or(|resource| resource.holds)
    };
    let find = |effect: Effect, is_conditional: bool| {
        let mut fitting = decision.statements.iter().filter(fits);
        fitting.find(|one| one.effect == effect && one.conditions.is_empty() != is_conditional)
    };
    if let Some(statement) = find(Effect::Deny, false) {
        Settled::Denied(statement)
    } else if find(Effect::Allow, false).is_some() {
        find(Effect::Deny, true).map_or(Settled::Allowed, Settled::Conditional)
    } else {
        find(Effect::Allow, true).map_or(Settled::Silent, Settled::Conditional)
    }
}

fn refused(material: &Material, policy: &Policy, decision: &Decision, action: &str, resource: &str, links: &mut Links) {
    let link = Link::Permitted;
    let on_action = decision.statements.iter().find(|statement| statement.action.holds);
    let listed: Vec<String> = match on_action.and_then(|statement| statement.resource.as_ref()) {
        Some(resource) => resource.required.clone(),
        None => decision.statements.iter().flat_map(|statement| statement.action.required.clone()).collect(),
    };
    let (presented, note) = match on_action {
        Some(_) => (resource, "the action is allowed, on other resources"),
        None => (action, "no statement allows the action"),
    };
    links.found(compared(link, false, presented, listed.join(", ")).source(&policy.name).note(note));
    let below = |bucket: &&String| resource.strip_prefix(bucket.as_str()).is_some_and(|rest| rest.starts_with('/'));
    let what = if on_action.is_none() {
        format!("the policy lists {}", listed.join(", "))
    } else if let Some(bucket) = listed.iter().find(below) {
        format!("{bucket} is the bucket alone: objects are {bucket}/*")
    } else if let Some(objects) = listed.iter().find(|one| one.strip_suffix("/*") == Some(resource)) {
        format!("{objects} is the objects alone: the bucket is {resource}")
    } else {
        "the resource is another one".to_owned()
    };
    let mended = mended(&policy.json, on_action.map(|statement| statement.index), action, resource);
    let role = super::trust_policy::role_name(material);
    let fix = mended.map(|document| {
        format!(
            "aws iam put-role-policy --role-name {role} --policy-name POLICY_NAME --policy-document {}",
            shell_word(&document)
        )
    });
    links.hint(link, what, fix);
}

/// The policy with the resource added to the statement that allows the action, or with a statement added.
pub(crate) fn mended(policy: &Value, index: Option<usize>, action: &str, resource: &str) -> Option<String> {
    let mut document = policy.clone();
    let statements = document.get_mut("Statement")?;
    if !statements.is_array() {
        *statements = Value::Array(vec![statements.take()]);
    }
    let statements = statements.as_array_mut()?;
    match index {
        Some(index) => {
            let listed = statements.get_mut(index)?.get_mut("Resource")?;
            let mut all = listed.as_array().cloned().unwrap_or_else(|| vec![listed.clone()]);
            all.push(resource.into());
            *listed = Value::Array(all);
        }
        None => statements.push(json!({"Effect": "Allow", "Action": action, "Resource": resource})),
    }
    Some(document.to_string())
}

/// Explains the role assignments of an identity.
pub(crate) fn azure(material: &Material, links: &mut Links) {
    let link = Link::Permitted;
    let (Some(assignments), Some(identity)) = (&material.assignments, &material.identity) else {
        return links.unchecked(link, "needs --role-assignment FILE and --identity FILE");
    };
    let is = |assignment: &Assignment, role: (&str, &str)| {
        assignment.role.as_deref() == Some(role.0) || assignment.role_id.to_ascii_lowercase().ends_with(role.1)
    };
    let reads = |assignment: &&Assignment| SECRET_READERS.iter().any(|role| is(assignment, *role));
    let of = |principal: &str| {
        assignments.iter().filter(move |one| one.principal_id.eq_ignore_ascii_case(principal)).collect::<Vec<_>>()
    };
    let own = of(&identity.principal_id);
    if let Some(assignment) = own.iter().copied().find(reads) {
        let role = assignment.role.as_deref().unwrap_or(&assignment.role_id);
        let evidence = Evidence::new(link, LinkState::Holds).presented(format!("{role} on {}", assignment.scope));
        links.found(evidence.source("role assignments"));
        links.unchecked(
            link,
            "whether the vault lies in that scope, asks for roles (not access policies) and lets the network in",
        );
        return;
    }
    let scope = assignments.first().map_or("VAULT_ID", |assignment| assignment.scope.as_str());
    let fix = format!(
        "az role assignment create --role 'Key Vault Secrets User' --assignee-object-id {} --assignee-principal-type ServicePrincipal --scope {}",
        shell_word(&identity.principal_id),
        shell_word(scope)
    );
    let required = format!("a role that reads secrets, for principal {}", identity.principal_id);
    let metadata = own.iter().any(|assignment| is(assignment, METADATA_READER));
    let (presented, what) = if metadata {
        (METADATA_READER.0.to_owned(), "Key Vault Reader sees names and properties, not values")
    } else if !of(&identity.client_id).is_empty() {
        let presented = format!("a role for {}", identity.client_id);
        (presented, "the role is assigned to the client id: it belongs to the principal id (object id)")
    } else {
        (
            format!("{} role assignments, none that fits", assignments.len()),
            "no role is assigned to the identity's principal id",
        )
    };
    links.found(
        compared(link, false, presented, required).source("role assignments").note("the identity may not read secrets"),
    );
    links.hint(link, what, Some(fix));
}
