//! Reviews: questions that are asked by creating an object which is never stored.

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::{Answer, Call};
use crate::decode;
use crate::object::{self, list, text};
use crate::rbac;
use crate::request::{RequestInfo, WriteOptions};
use crate::respond;
use crate::status::Status;
use crate::user::User;

pub(super) async fn create(call: &mut Call<'_>) -> Answer {
    call.require_json()?;
    respond::negotiate(&call.headers)?;
    let options = WriteOptions::of(&call.params, "CreateOptions")?;
    let resource = call.resource;
    let expected = resource.expected();
    let review = decode::object(&call.body, expected, options.field_validation, &mut call.warnings)?;
    let status = match resource.kind {
        "TokenReview" => token(call, &review).await?,
        "SelfSubjectReview" => json!({"userInfo": call.user.to_value()}),
        "SelfSubjectAccessReview" => access(call, &review["spec"], &call.user)?,
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            access(call, &review["spec"], &subject(&review["spec"])?)?
        }
        "SelfSubjectRulesReview" => rules(call, text(&review, "/spec/namespace"))?,
        _ => return Err(Status::method_not_allowed()),
    };
    let metadata =
        if resource.kind == "SelfSubjectReview" { json!({"creationTimestamp": call.api.now()}) } else { json!({}) };
    let mut answer = json!({"kind": resource.kind, "apiVersion": resource.api_version(), "metadata": metadata});
    if let Some(spec) = review.get("spec") {
        answer["spec"] = spec.clone();
    }
    answer["status"] = status;
    Ok(respond::value(StatusCode::CREATED, &answer))
}

async fn token(call: &Call<'_>, review: &Value) -> Result<Value, Status> {
    let token = text(review, "/spec/token");
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let asked: Vec<String> =
        list(review, "/spec/audiences").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let audiences = if asked.is_empty() { call.api.audiences() } else { asked };
    Ok(match call.api.issuer.authenticate(&call.api.store, token, &audiences).await {
        Ok((user, accepted)) => {
            json!({"authenticated": true, "user": user.to_value(), "audiences": accepted})
        }
        Err(error) => json!({"user": {}, "error": error}),
    })
}

/// What the caller may do, as the rules of its roles.
fn rules(call: &Call<'_>, namespace: &str) -> Result<Value, Status> {
    if namespace.is_empty() {
        return Err(Status::bad_request("no namespace on request"));
    }
    let (mut of_resources, mut of_paths) = (Vec::new(), Vec::new());
    for rule in rbac::rules(&call.api.store, &call.user, namespace) {
        if rule.get("nonResourceURLs").is_some() {
            of_paths.push(json!({"verbs": rule["verbs"], "nonResourceURLs": rule["nonResourceURLs"]}));
        } else {
            of_resources.push(rule);
        }
    }
    Ok(json!({"resourceRules": of_resources, "nonResourceRules": of_paths, "incomplete": false}))
}

fn subject(spec: &Value) -> Result<User, Status> {
    let texts = |value: &Value| {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let user = User {
        name: text(spec, "/user").to_owned(),
        uid: text(spec, "/uid").to_owned(),
        groups: texts(&spec["groups"]),
        ..User::default()
    };
    if user.name.is_empty() && user.groups.is_empty() {
        return Err(Status::bad_request("at least one of user or group must be specified"));
    }
    Ok(user)
}

fn access(call: &Call<'_>, spec: &Value, user: &User) -> Result<Value, Status> {
    let info = match (spec.get("resourceAttributes"), spec.get("nonResourceAttributes")) {
        (Some(asked), None) => of_resource(asked),
        (None, Some(asked)) => RequestInfo {
            verb: verb(text(asked, "/verb")),
            path: text(asked, "/path").to_owned(),
            ..RequestInfo::default()
        },
        _ => {
            return Err(Status::bad_request(
                "exactly one of nonResourceAttributes or resourceAttributes must be specified",
            ));
        }
    };
    if call.resource.kind == "LocalSubjectAccessReview" && info.namespace != call.info.namespace {
        return Err(Status::bad_request("spec.resourceAttributes.namespace must match metadata.namespace"));
    }
    let decision = rbac::authorize(&call.api.store, user, &info);
    let mut status = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        status["reason"] = decision.reason.into();
    }
    Ok(status)
}

fn of_resource(asked: &Value) -> RequestInfo {
    let of = |member: &str| object::text(asked, member).to_owned();
    RequestInfo {
        is_resource: true,
        verb: verb(text(asked, "/verb")),
        path: String::new(),
        group: of("/group"),
        version: of("/version"),
        namespace: of("/namespace"),
        resource: of("/resource"),
        subresource: of("/subresource"),
        name: of("/name"),
    }
}

/// Known verbs; any other is one that only a rule for all verbs allows.
fn verb(text: &str) -> &'static str {
    const KNOWN: [&str; 12] = [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
        "impersonate",
        "bind",
        "escalate",
        "use",
    ];
    KNOWN.into_iter().find(|known| *known == text).unwrap_or("*")
}
