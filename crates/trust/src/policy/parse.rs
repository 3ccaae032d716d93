//! From JSON text to a [`Document`], with the checks that AWS makes when a policy is written.
//! Condition keys are not checked, as AWS does not: a mistyped key is stored and never matches.

use super::condition::{self, Comparison, Operator};
use super::document::{
    Condition, Document, Effect, Match, PrincipalMatch, PrincipalSet, PrincipalType, Statement, Version,
};
use super::error::{Fault, PolicyError};
use super::json::Json;
use super::principal::account_of;

/// What a document is attached to, which decides the elements that it must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A role's trust policy: principals, STS actions, no resources.
    Trust,
    /// A managed, inline or session policy or a boundary: resources, no principals.
    Identity,
    /// A bucket policy: principals and resources.
    Resource,
}

type Members = Vec<(String, Json)>;

impl Document {
    /// Reads and checks a document.
    ///
    /// # Errors
    /// The first fault found; [`PolicyError::aws_message`] has the sentence that AWS answers with.
    pub fn parse(text: &str, kind: Kind) -> Result<Document, PolicyError> {
        parse(text, kind).map_err(|fault| PolicyError { kind, fault })
    }
}

fn parse(text: &str, kind: Kind) -> Result<Document, Fault> {
    let Json::Object(members) = serde_json::from_str(text).map_err(|_| Fault::Json)? else {
        return Err(Fault::Json);
    };
    let mut version = Version::default();
    let mut id = None;
    let mut written = None;
    for (name, value) in members {
        match (name.as_str(), value) {
            ("Version", Json::Text(text)) => {
                version = match text.as_str() {
                    "2008-10-17" => Version::V2008,
                    "2012-10-17" => Version::V2012,
                    _ => return Err(Fault::Version),
                }
            }
            ("Version", _) => return Err(Fault::Version),
            ("Id", Json::Text(text)) => id = Some(text),
            ("Id", _) => return Err(Fault::Syntax),
            ("Statement", value) => written = Some(value),
            _ => return Err(Fault::UnknownField(name)),
        }
    }
    let written = match written {
        Some(Json::List(list)) if !list.is_empty() => list,
        Some(object @ Json::Object(_)) => vec![object],
        Some(Json::List(_)) | None => return Err(Fault::EmptyStatement),
        Some(_) => return Err(Fault::Syntax),
    };
    let mut statements: Vec<Statement> = Vec::with_capacity(written.len());
    for value in written {
        let Json::Object(members) = value else {
            return Err(Fault::Syntax);
        };
        let statement = parse_statement(members, kind)?;
        let sid = statement.sid.as_deref().filter(|sid| !sid.is_empty());
        if sid.is_some() && statements.iter().any(|other| other.sid.as_deref() == sid) {
            return Err(Fault::DuplicateSid);
        }
        statements.push(statement);
    }
    Ok(Document { version, id, statements })
}

fn parse_statement(members: Members, kind: Kind) -> Result<Statement, Fault> {
    let (mut sid, mut effect, mut principal) = (None, None, None);
    let (mut action, mut resource) = (None, None);
    let mut conditions = Vec::new();
    for (name, value) in members {
        match name.as_str() {
            "Sid" => match value {
                Json::Text(text) => sid = Some(text),
                _ => return Err(Fault::Syntax),
            },
            "Effect" => {
                effect = Some(match value {
                    Json::Text(text) if text == "Allow" => Effect::Allow,
                    Json::Text(text) if text == "Deny" => Effect::Deny,
                    Json::Text(text) => return Err(Fault::Effect(text)),
                    _ => return Err(Fault::Syntax),
                });
            }
            "Principal" | "NotPrincipal" if kind == Kind::Identity => {
                return Err(Fault::Prohibited("Principal"));
            }
            "Principal" => once(&mut principal, PrincipalMatch::Any(principals(value, kind)?))?,
            "NotPrincipal" => once(&mut principal, PrincipalMatch::Not(principals(value, kind)?))?,
            "Action" => once(&mut action, Match::Any(texts(value)?))?,
            "NotAction" => once(&mut action, Match::Not(texts(value)?))?,
            "Resource" if kind == Kind::Trust => return Err(Fault::Prohibited("Resource")),
            "NotResource" if kind == Kind::Trust => return Err(Fault::Prohibited("NotResource")),
            "Resource" => once(&mut resource, Match::Any(texts(value)?))?,
            "NotResource" => once(&mut resource, Match::Not(texts(value)?))?,
            "Condition" => conditions = parse_conditions(value)?,
            _ => return Err(Fault::UnknownField(name)),
        }
    }

    let effect = effect.ok_or(Fault::Missing("Effect"))?;
    match (&principal, kind) {
        (Some(PrincipalMatch::Not(_)), _) if effect == Effect::Allow => {
            return Err(Fault::AllowNotPrincipal);
        }
        (Some(PrincipalMatch::Not(_)), Kind::Trust) => {
            return Err(Fault::Prohibited("NotPrincipal"));
        }
        (None, Kind::Trust | Kind::Resource) => return Err(Fault::Missing("Principal")),
        _ => {}
    }
    let action = action.filter(|element: &Match| !element.patterns().is_empty());
    let action = action.ok_or(Fault::Missing("Action"))?;
    action.patterns().iter().try_for_each(|name| check_action(name, kind))?;
    if kind != Kind::Trust {
        let element = resource.as_ref().filter(|element: &&Match| !element.patterns().is_empty());
        let element = element.ok_or(Fault::Missing("Resource"))?;
        element.patterns().iter().try_for_each(|text| check_resource(text))?;
    }
    if kind == Kind::Identity && sid.as_ref().is_some_and(|sid| !sid.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
        return Err(Fault::SidCharacters);
    }
    Ok(Statement { sid, effect, principal, action, resource, conditions })
}

/// `Action` and `NotAction` and their like exclude each other.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), Fault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Fault::Syntax),
    }
}

/// A single string or a list of strings.
fn texts(value: Json) -> Result<Vec<String>, Fault> {
    match value {
        Json::Text(text) => Ok(vec![text]),
        Json::List(list) => list
            .into_iter()
            .map(|item| match item {
                Json::Text(text) => Ok(text),
                _ => Err(Fault::Syntax),
            })
            .collect(),
        _ => Err(Fault::Syntax),
    }
}

fn principals(value: Json, kind: Kind) -> Result<PrincipalSet, Fault> {
    let members = match value {
        Json::Object(members) if !members.is_empty() => members,
        Json::Object(_) => return Err(Fault::EmptyPrincipal),
        Json::Text(text) if text == "*" => {
            return Ok(PrincipalSet { entries: vec![(PrincipalType::Aws, text)] });
        }
        _ => return Err(Fault::PrincipalShape),
    };
    let mut entries = Vec::new();
    for (name, value) in members {
        let principal_type = match name.as_str() {
            "AWS" => PrincipalType::Aws,
            "Federated" => PrincipalType::Federated,
            "Service" => PrincipalType::Service,
            "CanonicalUser" if kind == Kind::Resource => PrincipalType::CanonicalUser,
            _ => return Err(Fault::Principal(format!("\"{name}\""))),
        };
        for text in texts(value)? {
            check_principal(principal_type, &text)?;
            entries.push((principal_type, text));
        }
    }
    if entries.is_empty() {
        return Err(Fault::EmptyPrincipal);
    }
    Ok(PrincipalSet { entries })
}

fn check_principal(principal_type: PrincipalType, text: &str) -> Result<(), Fault> {
    let good = match principal_type {
        PrincipalType::Aws => text == "*" || account_of(text).is_some() || is_principal_arn(text),
        PrincipalType::Federated => {
            return if is_domain_name(text) || is_provider_arn(text) { Ok(()) } else { Err(Fault::FederatedPrincipal) };
        }
        PrincipalType::Service => is_domain_name(text),
        PrincipalType::CanonicalUser => !text.is_empty(),
    };
    if good { Ok(()) } else { Err(Fault::Principal(format!("\"{}\":\"{text}\"", principal_type.as_str()))) }
}

/// A user, role or session; a wildcard cannot stand for a part of a name.
fn is_principal_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, service, "", account, resource] = parts[..] else {
        return false;
    };
    let named = |prefix: &str| resource.strip_prefix(prefix).is_some_and(|name| !name.is_empty());
    let known = match service {
        "iam" => named("user/") || named("role/"),
        "sts" => named("assumed-role/") || named("federated-user/"),
        _ => false,
    };
    known && account_of(account) == Some(account) && !resource.contains(['*', '?'])
}

fn is_provider_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, "iam", "", account, resource] = parts[..] else {
        return false;
    };
    let provider = resource.strip_prefix("oidc-provider/").or_else(|| resource.strip_prefix("saml-provider/"));
    account_of(account) == Some(account) && provider.is_some_and(|name| !name.is_empty() && !name.contains("://"))
}

fn is_domain_name(text: &str) -> bool {
    text.contains('.')
        && text
            .split('.')
            .all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

fn check_action(action: &str, kind: Kind) -> Result<(), Fault> {
    if kind == Kind::Trust {
        let vendor = action.split_once(':').map(|(vendor, _)| vendor);
        return match vendor {
            Some(vendor) if vendor.eq_ignore_ascii_case("sts") => Ok(()),
            _ => Err(Fault::NotStsAction),
        };
    }
    if action == "*" {
        return Ok(());
    }
    let Some((vendor, name)) = action.split_once(':') else {
        return Err(Fault::ActionPrefix(action.to_owned()));
    };
    if name.contains(':') {
        return Err(Fault::ActionColons(action.to_owned()));
    }
    let good = vendor == "*"
        || (!vendor.is_empty() && vendor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)));
    if good { Ok(()) } else { Err(Fault::ActionVendor(vendor.to_owned())) }
}

fn check_resource(resource: &str) -> Result<(), Fault> {
    if resource == "*" {
        return Ok(());
    }
    if !resource.contains(':') {
        return Err(Fault::Resource(resource.to_owned()));
    }
    let parts: Vec<&str> = resource.splitn(6, ':').collect();
    match parts[..] {
        ["arn", "aws" | "aws-cn" | "aws-us-gov" | "*", service, _, _, _] if !service.is_empty() => Ok(()),
        ["arn", "aws" | "aws-cn" | "aws-us-gov" | "*", ..] => Err(Fault::Legacy),
        [_, partition, ..] => {
            Err(Fault::ResourcePartition { partition: partition.to_owned(), resource: resource.to_owned() })
        }
        _ => Err(Fault::Resource(resource.to_owned())),
    }
}

fn parse_conditions(value: Json) -> Result<Vec<Condition>, Fault> {
    let Json::Object(operators) = value else {
        return Err(Fault::Syntax);
    };
    let mut conditions = Vec::new();
    for (name, keys) in operators {
        let operator = Operator::parse(&name).ok_or(Fault::Syntax)?;
        let Json::Object(keys) = keys else {
            return Err(Fault::Syntax);
        };
        for (key, values) in keys {
            let values = condition_values(values)?;
            if is_date(operator.comparison) && values.iter().any(|value| condition::date(value).is_none()) {
                return Err(Fault::Legacy);
            }
            conditions.push(Condition { operator, key, values });
        }
    }
    Ok(conditions)
}

fn is_date(comparison: Comparison) -> bool {
    matches!(
        comparison,
        Comparison::DateEquals
            | Comparison::DateLessThan
            | Comparison::DateLessThanEquals
            | Comparison::DateGreaterThan
            | Comparison::DateGreaterThanEquals
    )
}

/// Strings, numbers and booleans, one or several.
fn condition_values(value: Json) -> Result<Vec<String>, Fault> {
    let scalar = |value: Json| match value {
        Json::Text(text) | Json::Number(text) => Ok(text),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => Err(Fault::Syntax),
    };
    match value {
        Json::List(list) => list.into_iter().map(scalar).collect(),
        one => Ok(vec![scalar(one)?]),
    }
}
