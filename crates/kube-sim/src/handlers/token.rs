//! TokenRequest: tokens of a service account, for any audience, bound to a pod, node or secret if asked.

use http::StatusCode;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::api::{Answer, Call};
use crate::decode::{self, Expected};
use crate::object::{self, Object, text};
use crate::request::WriteOptions;
use crate::resources;
use crate::respond;
use crate::status::{FieldError, Status};
use crate::store::Key;
use crate::tokens::Grant;
use crate::validation;

const GROUP: &str = "authentication.k8s.io";

pub(super) async fn create(call: &mut Call<'_>) -> Answer {
    call.require_json()?;
    respond::negotiate(&call.headers)?;
    let options = WriteOptions::of(&call.params, "CreateOptions")?;
    let expected = Expected { group: GROUP, version: "v1", kind: "TokenRequest", custom: None };
    let mut request = decode::object(&call.body, expected, options.field_validation, &mut call.warnings)?;
    let (name, namespace) = (call.info.name.clone(), call.info.namespace.clone());
    agrees(&request, &name, &namespace)?;
    let account = call.api.store.get(&call.key()).ok_or_else(|| call.not_found())?;
    let issuer = &call.api.issuer;
    let mut audiences: Vec<String> =
        object::list(&request, "/spec/audiences").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if audiences.is_empty() {
        audiences.push(issuer.url.to_string());
    }
    let mut lifetime = request.pointer("/spec/expirationSeconds").and_then(Value::as_i64).unwrap_or(3600);
    let mut errors = Vec::new();
    validation::check_lifetime("spec.expirationSeconds", lifetime, issuer.min_lifetime(), &mut errors);
    if !errors.is_empty() {
        return Err(Status::invalid(GROUP, "TokenRequest", "", &errors));
    }
    let mut grant =
        Grant { namespace: &namespace, account: &name, account_uid: object::uid(account.value()), ..Grant::default() };
    let reference = request.pointer("/spec/boundObjectRef").cloned().unwrap_or(Value::Null);
    bind(call, &reference, &mut grant)?;
    if let Some(max) = issuer.max_lifetime.filter(|max| lifetime > *max) {
        call.warnings.push(format!("requested expiration of {lifetime} seconds shortened to {max} seconds"));
        lifetime = max;
    }
    grant.audiences.clone_from(&audiences);
    grant.lifetime = lifetime;
    let (token, now) =
        issuer.issue(&grant).await.map_err(|error| Status::internal(&format!("failed to generate token: {error}")))?;
    let expiry = now.saturating_add(SignedDuration::from_secs(lifetime)).unwrap_or(now);
    let metadata = object::metadata(&mut request);
    for (key, value) in [
        ("name", name.as_str()),
        ("namespace", namespace.as_str()),
        ("uid", &object::new_uid()),
        ("creationTimestamp", &object::time(now)),
    ] {
        metadata.insert(key.into(), value.into());
    }
    let answer = json!({
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": metadata,
        "spec": {"audiences": audiences, "expirationSeconds": lifetime, "boundObjectRef": reference},
        "status": {"token": token, "expirationTimestamp": object::time(expiry)},
    });
    Ok(respond::value(StatusCode::CREATED, &answer))
}

fn agrees(request: &Value, name: &str, namespace: &str) -> Result<(), Status> {
    for (key, given, wanted) in
        [("name", object::name(request), name), ("namespace", object::namespace(request), namespace)]
    {
        if !given.is_empty() && given != wanted {
            let error = FieldError::invalid(
                format!("metadata.{key}"),
                &given.into(),
                &format!("must match the service account {key} if specified"),
            );
            return Err(Status::invalid(GROUP, "TokenRequest", name, &[error]));
        }
    }
    Ok(())
}

/// Finds what the token shall die with.
fn bind(call: &Call<'_>, reference: &Value, grant: &mut Grant<'_>) -> Result<(), Status> {
    if reference.is_null() {
        return Ok(());
    }
    let (api_version, kind, name) =
        (text(reference, "/apiVersion"), text(reference, "/kind"), text(reference, "/name"));
    let find = |plural: &str, namespace: &str, name: &str| {
        let resource = resources::core(plural);
        call.api.store.get(&Key::new(resource, namespace, name)).ok_or_else(|| Status::not_found(resource, name))
    };
    let named = |object: &Object| (object::name(object.value()).to_owned(), object::uid(object.value()).to_owned());
    let namespace = grant.namespace.to_owned();
    let bound = match (api_version, kind) {
        ("v1", "Pod") => {
            let pod = find("pods", &namespace, name)?;
            if text(pod.value(), "/spec/serviceAccountName") != grant.account {
                let why = format!(
                    "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                    grant.account
                );
                return Err(Status::bad_request(why));
            }
            grant.pod = Some(named(&pod));
            let node = text(pod.value(), "/spec/nodeName");
            if !node.is_empty() {
                // A node that is not registered is known by its name alone.
                grant.node = Some(
                    find("nodes", "", node).map_or_else(|_| (node.to_owned(), String::new()), |node| named(&node)),
                );
            }
            pod
        }
        ("v1", "Node") => {
            let node = find("nodes", "", name)?;
            grant.node = Some(named(&node));
            node
        }
        ("v1", "Secret") => {
            let secret = find("secrets", &namespace, name)?;
            grant.secret = Some(named(&secret));
            secret
        }
        _ => {
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let wanted = text(reference, "/uid");
    let found = object::uid(bound.value());
    if !wanted.is_empty() && wanted != found {
        let why = format!(
            "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict("", kind, name, &why));
    }
    Ok(())
}
