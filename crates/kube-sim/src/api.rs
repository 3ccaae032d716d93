//! One request from end to end: who asks, what for, whether that is allowed, and which handler answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio_util::sync::CancellationToken;
use transport::{Authority, PeerIdentity};

use crate::admission::Callers;
use crate::custom::Kinds;
use crate::node::Nodes;
use crate::request::{Params, RequestInfo, WriteOptions};
use crate::resources::Resource;
use crate::status::Status;
use crate::store::{Key, Store};
use crate::tokens::Issuer;
use crate::user::User;
use crate::{decode, discovery, handlers, impersonation, protobuf, rbac, respond, yaml};

/// Largest body of a request, in bytes.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// A body must be there by then: the real server's `--request-timeout`.
const BODY_PATIENCE: Duration = Duration::from_secs(60);

/// A response, or the Status that stands for one.
pub(crate) type Answer = Result<Response, Status>;

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) kinds: Kinds,
    pub(crate) issuer: Issuer,
    pub(crate) callers: Callers,
    pub(crate) nodes: Nodes,
    pub(crate) root_pem: String,
    pub(crate) addr: SocketAddr,
    pub(crate) stopping: CancellationToken,
    /// Namespaces are furnished and emptied by us; otherwise by whoever plays the controllers.
    pub(crate) has_controllers: bool,
    /// Controllers of workloads run, since there is one.
    pub(crate) controllers: AtomicBool,
}

impl Api {
    pub(crate) fn new(
        issuer: Issuer,
        authority: &Authority,
        addr: SocketAddr,
        stopping: CancellationToken,
        has_controllers: bool,
    ) -> Result<Self, rustls::Error> {
        Ok(Self {
            store: Store::new(),
            kinds: Kinds::default(),
            issuer,
            callers: Callers::default(),
            nodes: Nodes::trusting(authority)?,
            root_pem: authority.root_pem().to_owned(),
            addr,
            stopping,
            has_controllers,
            controllers: AtomicBool::new(false),
        })
    }

    /// The present, as objects write it.
    pub(crate) fn now(&self) -> String {
        crate::object::time(self.issuer.clock.now())
    }

    /// Audiences that a token for this server may have.
    pub(crate) fn audiences(&self) -> Vec<String> {
        vec![self.issuer.url.to_string()]
    }
}

/// One request on a resource.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) api: &'a Arc<Api>,
    pub(crate) user: User,
    pub(crate) info: RequestInfo,
    pub(crate) params: Params,
    pub(crate) headers: HeaderMap,
    pub(crate) resource: &'static Resource,
    pub(crate) body: Bytes,
    pub(crate) warnings: Vec<String>,
}

impl Call<'_> {
    /// The object that the path names.
    pub(crate) fn key(&self) -> Key {
        let namespace = if self.resource.namespaced { self.info.namespace.as_str() } else { "" };
        Key::new(self.resource, namespace, &self.info.name)
    }

    /// Who changes the object: as the client says, else the program that it says to be.
    pub(crate) fn manager(&self, options: &WriteOptions) -> String {
        if !options.field_manager.is_empty() {
            return options.field_manager.clone();
        }
        let agent = self.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        agent.split('/').next().unwrap_or_default().chars().take(128).collect()
    }

    /// A change that brings the object into being needs the right to create it, too.
    ///
    /// # Errors
    /// 403.
    pub(crate) fn may_create(&self) -> Result<(), Status> {
        let info = RequestInfo { verb: "create".into(), ..self.info.clone() };
        let decision = rbac::authorize(&self.api.store, &self.user, &info);
        if decision.allowed { Ok(()) } else { Err(rbac::forbidden(&self.user, &info, &decision.reason)) }
    }

    pub(crate) fn not_found(&self) -> Status {
        Status::not_found(self.resource, &self.info.name)
    }

    /// Media type of the body, without parameters.
    pub(crate) fn content_type(&self) -> &str {
        let value = self.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim()
    }

    /// Checks that the body can be decoded at all: JSON, or not said.
    ///
    /// # Errors
    /// 415.
    pub(crate) fn require_json(&self) -> Result<(), Status> {
        match self.content_type() {
            "" | "application/json" => Ok(()),
            _ => {
                Err(Status::unsupported_body("application/json, application/yaml, application/vnd.kubernetes.protobuf"))
            }
        }
    }
}

pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new().fallback(handle).with_state(api)
}

async fn handle(State(api): State<Arc<Api>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let is_yaml = yaml::is_preferred(&parts.headers);
    let response = match serve(&api, parts, body).await {
        Ok(response) => response,
        Err(status) => {
            tracing::debug!(code = status.code, message = %trust::redact(&status.message), "refused");
            respond::failure(&status)
        }
    };
    if is_yaml { yaml::of(response).await } else { response }
}

async fn serve(api: &Arc<Api>, mut parts: Parts, body: Body) -> Answer {
    let user = impersonation::acting(&api.store, authenticate(api, &parts).await?, &parts.headers)?;
    let params = Params::of(&parts.uri);
    let info = RequestInfo::of(&parts.method, parts.uri.path(), &params);
    let decision = rbac::authorize(&api.store, &user, &info);
    if !decision.allowed {
        return Err(rbac::forbidden(&user, &info, &decision.reason));
    }
    if !info.is_resource {
        return discovery::serve(api, &parts, &info).await;
    }
    let Some(resource) = api.kinds.find(&info.group, &info.version, &info.resource) else {
        let is_known = api.kinds.all().iter().any(|one| one.group == info.group && one.version == info.version);
        return if is_known {
            Err(Status::no_such_resource())
        } else {
            Ok(respond::text(StatusCode::NOT_FOUND, "404 page not found\n"))
        };
    };
    if !resource.namespaced && !info.namespace.is_empty() && !resource.is_core("namespaces") {
        return Err(Status::no_such_resource());
    }
    let body = read(body, &parts, BODY_PATIENCE).await?;
    let body = in_json(&mut parts, resource, body)?;
    let mut call = Call { api, user, info, params, headers: parts.headers, resource, body, warnings: Vec::new() };
    let answer = handlers::dispatch(&mut call, &parts.method).await;
    let mut response = answer.unwrap_or_else(|status| respond::failure(&status));
    respond::warn(&mut response, &call.warnings);
    Ok(response)
}

async fn read(body: Body, parts: &Parts, patience: Duration) -> Result<Bytes, Status> {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return Ok(Bytes::new());
    }
    // What says beforehand that it is too large is not waited for.
    if usize::try_from(body.size_hint().lower()).is_ok_and(|size| size > BODY_LIMIT) {
        return Err(Status::too_large(BODY_LIMIT));
    }
    let collected = tokio::time::timeout(patience, Limited::new(body, BODY_LIMIT).collect()).await;
    match collected.map_err(|_| Status::timed_out())? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Status::too_large(BODY_LIMIT)),
        Err(error) => Err(Status::bad_request(error.to_string())),
    }
}

/// Protobuf and YAML are read into JSON, and the rest of the server sees nothing of them.
fn in_json(parts: &mut Parts, resource: &Resource, body: Bytes) -> Result<Bytes, Status> {
    let is = |media: &str| {
        let given = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        given.split(';').next().unwrap_or_default().trim() == media
    };
    let (is_protobuf, is_yaml) = (is(protobuf::MEDIA), is(yaml::MEDIA));
    if body.is_empty() || parts.method == Method::PATCH {
        return Ok(body);
    }
    if is_yaml {
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return yaml::to_json(&body).map_err(|why| decode::unrecognized(resource.kind, &why, &body));
    }
    if !is_protobuf {
        return Ok(body);
    }
    if resource.custom.is_some() {
        return Err(Status::unsupported_body("application/json, application/yaml"));
    }
    let value = protobuf::to_json(&body).map_err(|error| match error {
        protobuf::Error::Malformed => Status::bad_request(error.to_string()),
        protobuf::Error::Unknown(_) => Status::unsupported_body("application/json, application/yaml"),
    })?;
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(Bytes::from(value.to_string()))
}

/// A client certificate, else a token, else nobody. A token that does not hold is refused and not ignored.
async fn authenticate(api: &Arc<Api>, parts: &Parts) -> Result<User, Status> {
    if let Some(peer) = parts.extensions.get::<PeerIdentity>() {
        return Ok(User::of_certificate(&peer.common_name, &peer.organizations));
    }
    let Some(header) = parts.headers.get(header::AUTHORIZATION) else {
        return Ok(User::anonymous());
    };
    let header = header.to_str().unwrap_or_default();
    let Some((scheme, token)) = header.split_once(' ') else {
        return Ok(User::anonymous());
    };
    if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
        return Ok(User::anonymous());
    }
    let known = api.issuer.authenticate(&api.store, token.trim(), &api.audiences()).await;
    known.map(|(user, _)| user).map_err(|error| {
        tracing::debug!(%error, "token refused");
        Status::unauthorized()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refused(body: Body) -> u16 {
        let (parts, body) = Request::post("/").body(body).expect("must be a request").into_parts();
        read(body, &parts, Duration::ZERO).await.expect_err("must be refused").code
    }

    #[tokio::test]
    async fn bodies_are_bounded_in_time_and_size() {
        let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(refused(Body::from_stream(never)).await, 504);
        assert_eq!(refused(Body::from(vec![b' '; BODY_LIMIT + 1])).await, 413);
        let pieces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1024 * 1024])));
        assert_eq!(refused(Body::from_stream(pieces)).await, 413);
    }
}
