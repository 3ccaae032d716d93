//! Logs of a container, fetched from the node that runs it, as the real server does.

use axum::body::Body;
use futures::StreamExt;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::api::{Answer, Call};
use crate::object::{list, text};
use crate::resources;
use crate::respond;
use crate::status::Status;
use crate::store::Key;

/// Parameters that the node understands; the container is part of the path.
const PASSED_ON: [&str; 8] =
    ["follow", "previous", "sinceSeconds", "sinceTime", "timestamps", "tailLines", "limitBytes", "stream"];

pub(super) async fn get(call: &mut Call<'_>) -> Answer {
    let pod = call.api.store.get(&call.key()).ok_or_else(|| call.not_found())?;
    let container = container(call, pod.value())?;
    let node = text(pod.value(), "/spec/nodeName");
    if node.is_empty() {
        // Nothing runs yet: an empty answer.
        let mut response = respond::json(StatusCode::NO_CONTENT, Body::empty());
        response.headers_mut().remove(header::CONTENT_TYPE);
        return Ok(response);
    }
    let (host, port) = endpoint(call, node)?;
    let query: Vec<String> = call
        .params
        .pairs()
        .iter()
        .filter(|(key, value)| {
            PASSED_ON.contains(&key.as_str())
                && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-:.".contains(&byte))
        })
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mut path = format!("/containerLogs/{}/{}/{container}", call.info.namespace, call.info.name);
    if !query.is_empty() {
        path = format!("{path}?{}", query.join("&"));
    }
    let skip = |(key, value): &(String, String)| key == "insecureSkipTLSVerifyBackend" && value == "true";
    let verify = !call.params.pairs().iter().any(skip);
    let fetched = call.api.nodes.get(&host, port, &path, verify).await.map_err(|error| {
        let message = format!("Get \"https://{host}:{port}{path}\": {error}");
        Status::plain(500, message)
    })?;
    let (head, body) = fetched.into_parts();
    if !head.status.is_success() {
        return Err(of_node(call, head.status, body).await);
    }
    let stopping = call.api.stopping.clone();
    let stream = body.into_data_stream().take_until(stopping.cancelled_owned());
    let mut response = respond::json(StatusCode::OK, Body::from_stream(stream));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

/// A node's refusal is passed on with its code and words.
async fn of_node(call: &Call<'_>, code: StatusCode, body: Body) -> Status {
    let words = axum::body::to_bytes(body, 64 * 1024).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words).trim().to_owned();
    match code {
        StatusCode::NOT_FOUND => {
            let name = &call.info.name;
            let mut status = Status::not_found_as("", "pods/log", name);
            status.message = format!("the server could not find the requested resource ( pods/log {name})");
            status
        }
        StatusCode::BAD_REQUEST => Status::bad_request(words),
        _ => {
            let mut status = Status::plain(
                500,
                format!(
                    "an error on the server ({words:?}) has prevented the request from succeeding ( pods/log {})",
                    call.info.name
                ),
            );
            status.reason = Some("InternalError".to_owned());
            status
        }
    }
}

/// The container that is meant: named, or the only one.
fn container(call: &Call<'_>, pod: &Value) -> Result<String, Status> {
    let names = |key: &str| -> Vec<&str> {
        list(pod, &format!("/spec/{key}")).iter().map(|container| text(container, "/name")).collect()
    };
    let (containers, inits) = (names("containers"), names("initContainers"));
    let asked = call.params.get("container");
    let pod_name = &call.info.name;
    if !asked.is_empty() {
        let is_known =
            containers.iter().chain(&inits).any(|name| *name == asked) || names("ephemeralContainers").contains(&asked);
        return if is_known {
            Ok(asked.to_owned())
        } else {
            Err(Status::bad_request(format!("container {asked} is not valid for pod {pod_name}")))
        };
    }
    let annotated = text(pod, "/metadata/annotations/kubectl.kubernetes.io~1default-container");
    match &containers[..] {
        [only] if inits.is_empty() || annotated.is_empty() => Ok((*only).to_owned()),
        [] => Err(Status::bad_request(format!("a container name must be specified for pod {pod_name}"))),
        many => {
            let init = if inits.is_empty() {
                String::new()
            } else {
                format!(" or one of the init containers: [{}]", inits.join(" "))
            };
            Err(Status::bad_request(format!(
                "a container name must be specified for pod {pod_name}, choose one of: [{}]{init}",
                many.join(" ")
            )))
        }
    }
}

/// Where the node listens: its internal address and the port that it announces.
fn endpoint(call: &Call<'_>, node: &str) -> Result<(String, u16), Status> {
    let nodes = resources::core("nodes");
    let found = call.api.store.get(&Key::new(nodes, "", node)).ok_or_else(|| Status::not_found(nodes, node))?;
    let addresses = list(found.value(), "/status/addresses");
    let address = ["InternalIP", "Hostname", "ExternalIP"]
        .iter()
        .find_map(|kind| addresses.iter().find(|address| text(address, "/type") == *kind))
        .map(|address| text(address, "/address"))
        .filter(|address| !address.is_empty())
        .ok_or_else(|| {
            Status::internal(&format!("no preferred addresses found; known addresses: [] for node {node:?}"))
        })?;
    let port = found.value().pointer("/status/daemonEndpoints/kubeletEndpoint/Port").and_then(Value::as_u64);
    let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or(10250);
    Ok((address.to_owned(), port))
}
