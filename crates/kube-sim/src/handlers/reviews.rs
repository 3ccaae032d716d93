//! Reviews: questions that are asked by creating an object which is never stored.

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::{Answer, Call};
use crate::decode;
use crate::object::{self, list, text};
use crate::rbac;
use crate::request::{RequestInfo, WriteOptions};
use crate::respond;
use crate::status::{FieldError, Status};
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
        "SelfSubjectAccessReview" => {
            check(&review, resource.kind)?;
            access(call, &review["spec"], &call.user)
        }
        "SubjectAccessReview" | "LocalSubjectAccessReview" => {
            check(&review, resource.kind)?;
            if resource.namespaced && object::namespace(&review) != call.info.namespace {
                let why = format!("spec.resourceAttributes.namespace must match namespace: {}", call.info.namespace);
                return Err(Status::bad_request(why));
            }
            access(call, &review["spec"], &subject(&review["spec"]))
        }
        "SelfSubjectRulesReview" => rules(call, text(&review, "/spec/namespace"))?,
        _ => return Err(Status::method_not_allowed()),
    };
    let mut answer = json!({"kind": resource.kind, "apiVersion": resource.api_version(), "metadata": {}});
    match resource.kind {
        "SelfSubjectReview" => answer["metadata"] = json!({"creationTimestamp": call.api.now()}),
        // The real server makes a new object of this kind, and only of this kind.
        "SelfSubjectRulesReview" => answer["spec"] = json!({}),
        _ => {
            let mut metadata = review["metadata"].clone();
            object::fields(&mut metadata).shift_remove("managedFields");
            answer["metadata"] = metadata;
            answer["spec"] = review["spec"].clone();
            object::fields(&mut answer["spec"]);
        }
    }
    answer["status"] = status;
    Ok(respond::value(StatusCode::CREATED, &answer))
}

/// The rules of `pkg/apis/authorization/validation`.
///
/// # Errors
/// 422. The kind is not named: the real server has forgotten it by then.
fn check(review: &Value, kind: &str) -> Result<(), Status> {
    let spec = &review["spec"];
    let given = |member: &str| spec.get(member).filter(|value| !value.is_null());
    let (of_resource, of_path) = (given("resourceAttributes"), given("nonResourceAttributes"));
    let mut errors = Vec::new();
    if let (Some(_), Some(path)) = (of_resource, of_path) {
        let why = "cannot be specified in combination with resourceAttributes";
        errors.push(FieldError::invalid("spec.nonResourceAttributes", path, why));
    }
    if of_resource.is_none() && of_path.is_none() {
        let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(FieldError::invalid("spec.resourceAttributes", &"null".into(), why));
    }
    if kind != "SelfSubjectAccessReview" && text(spec, "/user").is_empty() && list(spec, "/groups").is_empty() {
        let why = "at least one of user or group must be specified";
        errors.push(FieldError::invalid("spec.user", &"".into(), why));
    }
    let is_local = kind == "LocalSubjectAccessReview";
    let mut metadata = review["metadata"].clone();
    let rest = object::fields(&mut metadata);
    rest.shift_remove("managedFields");
    let is_empty = rest.keys().all(|key| is_local && key == "namespace");
    if !is_empty {
        let why = if is_local { "must be empty except for namespace" } else { "must be empty" };
        errors.push(FieldError::invalid("metadata", &metadata, why));
    }
    if let Some(asked) = of_resource.filter(|asked| is_local && text(asked, "/namespace") != object::namespace(review))
    {
        let why = "must match metadata.namespace";
        errors.push(FieldError::invalid("spec.resourceAttributes.namespace", &text(asked, "/namespace").into(), why));
    }
    if let Some(path) = of_path.filter(|_| is_local) {
        let why = "disallowed on this kind of request";
        errors.push(FieldError::invalid("spec.nonResourceAttributes", path, why));
    }
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("authorization.k8s.io", "", "", &errors)) }
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

fn subject(spec: &Value) -> User {
    let texts = |value: &Value| {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    User {
        name: text(spec, "/user").to_owned(),
        uid: text(spec, "/uid").to_owned(),
        groups: texts(&spec["groups"]),
        ..User::default()
    }
}

fn access(call: &Call<'_>, spec: &Value, user: &User) -> Value {
    let info = match spec.get("resourceAttributes").filter(|asked| !asked.is_null()) {
        Some(asked) => of_resource(asked),
        None => RequestInfo {
            verb: text(spec, "/nonResourceAttributes/verb").to_owned().into(),
            path: text(spec, "/nonResourceAttributes/path").to_owned(),
            ..RequestInfo::default()
        },
    };
    let decision = rbac::authorize(&call.api.store, user, &info);
    let mut status = json!({"allowed": decision.allowed});
    if !decision.reason.is_empty() {
        status["reason"] = decision.reason.into();
    }
    status
}

fn of_resource(asked: &Value) -> RequestInfo {
    let of = |member: &str| object::text(asked, member).to_owned();
    RequestInfo {
        is_resource: true,
        verb: of("/verb").into(),
        path: String::new(),
        group: of("/group"),
        version: of("/version"),
        namespace: of("/namespace"),
        resource: of("/resource"),
        subresource: of("/subresource"),
        name: of("/name"),
    }
}
