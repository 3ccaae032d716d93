//! Which service a request is for, and the door to the two query services: body, parameters, signature.
//! Must not know what any action does.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;
use tower::ServiceExt;
use trust::policy::Context;

use crate::error::ApiError;
use crate::identity::Caller;
use crate::query::{self, Answer, Parameters, Service};
use crate::sigv4::{self, query_pairs};
use crate::state::State;
use crate::{iam, s3, sts};

/// Larger than any request that the services accept: a policy document is at most 131072 characters.
const BODY_LIMIT: usize = 1 << 20;

/// What a host name says about the service behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Addressed {
    /// With the region that its signatures must be scoped to, where it has one.
    Query(Service, Option<String>),
    S3,
    /// Some other AWS host, which is not simulated.
    Other,
    /// No AWS name: the request itself must say.
    Plain,
}

pub(crate) fn router(state: State) -> Router {
    let s3 = s3::service(state.clone());
    Router::new().fallback(move |request: Request| {
        let (state, s3) = (state.clone(), s3.clone());
        async move { dispatch(state, s3, request).await }
    })
}

async fn dispatch(state: State, s3: Router, request: Request) -> Response {
    let host = host_of(&request);
    match addressed(&host) {
        Addressed::Query(service, region) => {
            let (parts, body) = request.into_parts();
            let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
                return StatusCode::PAYLOAD_TOO_LARGE.into_response();
            };
            serve(&state, service, region.as_deref(), &parts, &body).await
        }
        Addressed::S3 => to_s3(s3, request).await,
        Addressed::Other => {
            let text = format!("no service is simulated at {host}\n");
            (StatusCode::NOT_FOUND, text).into_response()
        }
        Addressed::Plain => plain(state, s3, request).await,
    }
}

async fn to_s3(s3: Router, request: Request) -> Response {
    match s3.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// One endpoint for every service, as `AWS_ENDPOINT_URL` makes it: the credential scope decides, or
/// else the `Version` of the form.
async fn plain(state: State, s3: Router, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let scope = scope_of(&parts);
    let is_form = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let has_action = parts.uri.query().is_some_and(|query| query.contains("Action="));
    let is_query = match scope.as_deref() {
        Some("iam" | "sts") => true,
        Some(_) => false,
        None => parts.uri.path() == "/" && (is_form || has_action),
    };
    if !is_query {
        return to_s3(s3, Request::from_parts(parts, body)).await;
    }
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let parameters = Parameters::parse(parts.uri.query(), &body);
    let service = match scope.as_deref() {
        Some("iam") => Service::Iam,
        Some(_) => Service::Sts,
        None if parameters.get("Version") == Some(Service::Iam.version()) => Service::Iam,
        None => Service::Sts,
    };
    serve(&state, service, None, &parts, &body).await
}

async fn serve(state: &State, service: Service, region: Option<&str>, parts: &Parts, body: &[u8]) -> Response {
    let parameters = Parameters::parse(parts.uri.query(), body);
    let action = parameters.get("Action").unwrap_or_default();
    let outcome = run(state, service, region, parts, body, &parameters, action).await;
    query::respond(service, action, outcome)
}

async fn run(
    state: &State,
    service: Service,
    region: Option<&str>,
    parts: &Parts,
    body: &[u8],
    parameters: &Parameters,
    action: &str,
) -> Result<Answer, ApiError> {
    if action.is_empty() {
        return Err(ApiError::missing_action());
    }
    let version = parameters.get("Version").unwrap_or_default();
    let known = match service {
        Service::Iam => iam::ACTIONS.contains(&action),
        Service::Sts => sts::ACTIONS.contains(&action),
    };
    if !known || version != service.version() {
        return Err(ApiError::invalid_action(action, version));
    }
    let mut context = request_context(parts);
    if let Some(region) = region {
        context.set("aws:RequestedRegion", region);
    }
    // The one action that needs no signature: the token is the credential.
    if action == sts::EXCHANGE {
        return sts::exchange(state, parameters, context).await;
    }
    let caller = authenticate(state, service, region, parts, body)?;
    match service {
        Service::Iam => iam::handle(state, &caller, action, parameters, &context).await,
        Service::Sts => Ok(sts::caller_identity(&caller)),
    }
}

/// Verifies the signature and that it is meant for this service and region.
fn authenticate(
    state: &State,
    service: Service,
    region: Option<&str>,
    parts: &Parts,
    body: &[u8],
) -> Result<Caller, ApiError> {
    let verified = sigv4::verify(parts, body, state.now(), |key| state.secret_for(key))?;
    tracing::trace!(key = verified.access_key_id, caller = verified.caller.arn, "signature verified");
    let mismatch = |message: String| ApiError::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message);
    if verified.service != service.signing_name() {
        return Err(mismatch(format!("Credential should be scoped to correct service: '{}'.", service.signing_name())));
    }
    if region.is_some_and(|region| region != verified.region) {
        return Err(mismatch("Credential should be scoped to a valid region. ".to_owned()));
    }
    Ok(verified.caller)
}

/// The keys that describe the request itself. The simulator is reached over TLS only.
fn request_context(parts: &Parts) -> Context {
    let mut context = Context::new().with("aws:SecureTransport", "true");
    if let Some(peer) = parts.extensions.get::<transport::PeerAddr>() {
        context.set("aws:SourceIp", peer.0.ip().to_string());
    }
    if let Some(agent) = parts.headers.get(http::header::USER_AGENT)
        && let Ok(agent) = agent.to_str()
    {
        context.set("aws:UserAgent", agent);
    }
    context
}

fn host_of(request: &http::Request<Body>) -> String {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let host = header.or_else(|| request.uri().host()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.to_ascii_lowercase()
}

fn addressed(host: &str) -> Addressed {
    let Some(prefix) = host.strip_suffix(".amazonaws.com") else {
        return Addressed::Plain;
    };
    let labels: Vec<&str> = prefix.split('.').collect();
    match labels[..] {
        ["iam"] => Addressed::Query(Service::Iam, Some("us-east-1".to_owned())),
        ["sts"] => Addressed::Query(Service::Sts, Some("us-east-1".to_owned())),
        ["sts", region] => Addressed::Query(Service::Sts, Some(region.to_owned())),
        // `[bucket.]s3`, `[bucket.]s3.region`, `[bucket.]s3.dualstack.region`; a bucket has dots of its own.
        [.., "s3"] | [.., "s3", _] | [.., "s3", "dualstack", _] => Addressed::S3,
        _ => Addressed::Other,
    }
}

/// The service in the credential scope of a signature, unverified.
fn scope_of(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = match header {
        Some(header) => {
            let (_, rest) = header.split_once("Credential=")?;
            rest.split([',', ' ']).next()?.to_owned()
        }
        None => query_pairs(parts.uri.query()?).find(|(name, _)| name == "X-Amz-Credential")?.1,
    };
    credential.rsplit('/').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_choose_the_service() {
        let check = |host: &str, expected: Addressed| assert_eq!(addressed(host), expected, "{host}");
        let sts = |region: &str| Addressed::Query(Service::Sts, Some(region.to_owned()));
        check("iam.amazonaws.com", Addressed::Query(Service::Iam, Some("us-east-1".to_owned())));
        check("sts.amazonaws.com", sts("us-east-1"));
        check("sts.eu-central-1.amazonaws.com", sts("eu-central-1"));
        check("s3.amazonaws.com", Addressed::S3);
        check("s3.eu-central-1.amazonaws.com", Addressed::S3);
        check("a.dotted.bucket.s3.eu-central-1.amazonaws.com", Addressed::S3);
        check("bucket.s3.amazonaws.com", Addressed::S3);
        check("bucket.s3.dualstack.eu-central-1.amazonaws.com", Addressed::S3);
        check("ec2.eu-central-1.amazonaws.com", Addressed::Other);
        check("sts.amazonaws.com.cn", Addressed::Plain);
        check("127.0.0.1", Addressed::Plain);
    }
}
