//! What is served at no resource's path: groups and their resources, version, health, and the issuer's documents.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::api::{Answer, Api};
use crate::custom::Kinds;
use crate::openapi;
use crate::request::RequestInfo;
use crate::resources::Resource;
use crate::respond;
use crate::status::Status;
use crate::tokens::Issuer;

/// Answers a path that is no resource.
pub(crate) async fn serve(api: &Api, parts: &Parts, info: &RequestInfo) -> Answer {
    let path = info.path.trim_end_matches('/');
    if !["get", "head"].contains(&info.verb.as_ref()) {
        return if is_served(path) { Err(Status::method_not_allowed()) } else { Ok(missing()) };
    }
    match path {
        "/livez" | "/readyz" | "/healthz" | "/livez/ping" | "/readyz/ping" | "/healthz/ping" => {
            Ok(respond::text(StatusCode::OK, "ok"))
        }
        "/version" => Ok(respond::value(StatusCode::OK, &version())),
        "/.well-known/openid-configuration" => {
            let mut document = api.issuer.discovery();
            // The API server's own copy of the key set has a fixed path, wherever the managed one lies.
            document["jwks_uri"] = format!("https://{}/openid/v1/jwks", api.addr).into();
            Ok(published("application/json", &document))
        }
        "/openid/v1/jwks" => key_set(api, parts).await,
        "/openapi/v2" if takes(parts, &[openapi::PROTOBUF, openapi::OLD_PROTOBUF]) => {
            Ok(binary(openapi::PROTOBUF, openapi::version_2_in_protobuf()))
        }
        "/openapi/v2" => {
            respond::negotiate(&parts.headers)?;
            Ok(respond::value(StatusCode::OK, &openapi::version_2()))
        }
        _ => {
            respond::negotiate(&parts.headers)?;
            match openapi::document(&api.kinds, path).or_else(|| group_path(api, path)) {
                Some(document) => Ok(respond::value(StatusCode::OK, &document)),
                None => Ok(missing()),
            }
        }
    }
}

/// Names one of these media types itself.
fn takes(parts: &Parts, media: &[&str]) -> bool {
    let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|range| media.contains(&range.split(';').next().unwrap_or_default().trim()))
}

fn binary(media: &'static str, body: Vec<u8>) -> Response {
    let mut response = respond::json(StatusCode::OK, Bytes::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

fn missing() -> Response {
    respond::text(StatusCode::NOT_FOUND, "404 page not found\n")
}

fn is_served(path: &str) -> bool {
    ["/api", "/apis", "/version", "/livez", "/readyz", "/healthz"]
        .iter()
        .any(|known| path == *known || path.starts_with(&format!("{known}/")))
}

fn group_path(api: &Api, path: &str) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts[..] {
        ["api"] => Some(json!({"kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": api.addr.to_string()}]})),
        ["api", version] => resource_list(&api.kinds, "", version),
        ["apis"] => {
            let groups: Vec<Value> =
                groups(&api.kinds).into_iter().map(|(name, versions)| group(name, &versions)).collect();
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", name] => groups(&api.kinds).into_iter().find(|(known, _)| *known == name).map(|(name, versions)| {
            let mut group = group(name, &versions);
            group["kind"] = "APIGroup".into();
            group["apiVersion"] = "v1".into();
            group
        }),
        ["apis", name, version] if !name.is_empty() => resource_list(&api.kinds, name, version),
        _ => None,
    }
}

/// Groups in the order of the table, each with its versions; the first is preferred.
fn groups(kinds: &Kinds) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for resource in kinds.all().into_iter().filter(|one| !one.group.is_empty()) {
        match groups.iter_mut().find(|(name, _)| *name == resource.group) {
            Some((_, versions)) if versions.contains(&resource.version) => {}
            Some((_, versions)) => versions.push(resource.version),
            None => groups.push((resource.group, vec![resource.version])),
        }
    }
    groups
}

fn group(name: &str, versions: &[&str]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn resource_list(kinds: &Kinds, group: &str, version: &str) -> Option<Value> {
    let mut found: Vec<&Resource> =
        kinds.all().into_iter().filter(|one| one.group == group && one.version == version).collect();
    found.sort_by_key(|resource| resource.plural);
    let first = found.first()?;
    let mut entries = Vec::new();
    for resource in &found {
        entries.push(entry(resource));
        for part in &resource.subresources {
            let mut entry = json!({"name": format!("{}/{}", resource.plural, part.name), "singularName": "", "namespaced": resource.namespaced});
            if let Some((group, version)) = part.foreign {
                entry["group"] = group.into();
                entry["version"] = version.into();
            }
            entry["kind"] = part.kind.into();
            entry["verbs"] = json!(part.verbs);
            entries.push(entry);
        }
    }
    let mut list = json!({"kind": "APIResourceList"});
    if !group.is_empty() {
        // The core list is older than this member.
        list["apiVersion"] = "v1".into();
    }
    list["groupVersion"] = first.api_version().into();
    list["resources"] = entries.into();
    Some(list)
}

fn entry(resource: &Resource) -> Value {
    let mut entry = json!({"name": resource.plural, "singularName": resource.singular, "namespaced": resource.namespaced, "kind": resource.kind, "verbs": resource.verbs});
    if !resource.short_names.is_empty() {
        entry["shortNames"] = json!(resource.short_names);
    }
    if !resource.categories.is_empty() {
        entry["categories"] = json!(resource.categories);
    }
    if resource.is_stored() {
        entry["storageVersionHash"] = storage_hash(resource).into();
    }
    entry
}

/// k8s.io/apiserver/pkg/endpoints/discovery `StorageVersionHash`.
fn storage_hash(resource: &Resource) -> String {
    // These two are served as v1 and still stored as v1beta1.
    let version = if resource.kind.starts_with("MutatingAdmissionPolicy") { "v1beta1" } else { resource.version };
    let name = format!("{}/{version}/{}", resource.group, resource.kind);
    STANDARD.encode(&aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes()).as_ref()[..8])
}

/// The release whose behaviour this server follows.
pub(crate) const RELEASE: &str = "v1.36.2";

/// What `/version` says.
fn version() -> Value {
    json!({
        "major": "1", "minor": "36", "emulationMajor": "1", "emulationMinor": "36", "minCompatibilityMajor": "1", "minCompatibilityMinor": "35",
        "gitVersion": RELEASE, "gitCommit": "8e16b12fda5b1dccc41a6de48b3e356cc7d5048b", "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "go1.26.6", "compiler": "gc", "platform": "linux/amd64",
    })
}

/// The key set has a media type of its own, and is given in no other.
async fn key_set(api: &Api, parts: &Parts) -> Answer {
    const TYPE: &str = "application/jwk-set+json";
    let accept = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("*/*");
    if !accept
        .split(',')
        .any(|range| [TYPE, "application/*", "*/*"].contains(&range.split(';').next().unwrap_or_default().trim()))
    {
        return Err(Status::not_acceptable(TYPE));
    }
    keys(&api.issuer).await
}

async fn keys(issuer: &Issuer) -> Answer {
    let ring = issuer.ring().await.map_err(|error| Status::internal(&error.to_string()))?;
    Ok(published("application/jwk-set+json", &json!(ring.jwks())))
}

fn published(media: &'static str, document: &Value) -> Response {
    let mut response = respond::json(StatusCode::OK, Bytes::from(document.to_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}

/// The documents at the issuer's own host.
pub(crate) fn issuer_site(issuer: &Issuer) -> Router {
    let base = issuer.url.path().trim_end_matches('/');
    let document = async |State(issuer): State<Issuer>| published("application/json", &issuer.discovery());
    let key_set =
        async |State(issuer): State<Issuer>| keys(&issuer).await.unwrap_or_else(|status| respond::failure(&status));
    Router::new()
        .route(&format!("{base}/.well-known/openid-configuration"), get(document))
        .route(&format!("{base}{}", issuer.jwks_path), get(key_set))
        .with_state(issuer.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_hashes_are_those_of_the_real_server() {
        let check = |group: &str, plural: &str, hash: &str| {
            assert_eq!(storage_hash(crate::resources::known(group, plural)), hash)
        };
        check("", "pods", "xPOwRZ+Yhw8=");
        check("batch", "jobs", "mudhfqk/qZY=");
    }

    #[test]
    fn group_lists_name_resources_and_their_parts() {
        let list = resource_list(&Kinds::default(), "batch", "v1").expect("must be served");
        let names: Vec<&str> =
            list["resources"].as_array().expect("a list").iter().filter_map(|entry| entry["name"].as_str()).collect();
        assert_eq!(names, ["cronjobs", "cronjobs/status", "jobs", "jobs/status"]);
        assert_eq!(list["groupVersion"], "batch/v1");
        assert!(resource_list(&Kinds::default(), "batch", "v9").is_none());
    }
}
