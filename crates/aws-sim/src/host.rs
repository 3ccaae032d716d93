//! Which service a request is for, and the door to the two query services: body, parameters, signature.
//! Must not know what any action does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::request::Parts;
use transport::{BodyError, read_body};
use trust::policy::Context;

use crate::AwsSimOptions;
use crate::error::ApiError;
use crate::query::{self, Answer, Parameters, Service};
use crate::requests::{LoggedRequest, RequestLog, Signer, Told};
use crate::sigv4::{self, Verified, query_pairs};
use crate::state::State;
use crate::{iam, s3, sts};

/// What the front doors share.
#[derive(Clone, Debug)]
struct House {
    state: State,
    s3: s3::Front,
    log: Arc<RequestLog>,
    body_idle: Duration,
}

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

pub(crate) fn router(state: State, s3: s3::Front, log: Arc<RequestLog>, options: &AwsSimOptions) -> Router {
    let body_idle = options.body_idle;
    let house = House { s3, state, log, body_idle };
    Router::new().fallback(move |request: Request| {
        let house = house.clone();
        async move { house.answer(request).await }
    })
}

impl House {
    async fn answer(&self, request: Request) -> Response {
        let started = Instant::now();
        let host = host_of(&request).to_owned();
        let mut entry = LoggedRequest::of(self.state.now(), &host, request.method().as_str(), request.uri().path());
        entry.source_ip = request.extensions().get::<transport::PeerAddr>().map(|peer| peer.0.ip());
        let (service, mut response) = self.dispatch(request, &host).await;
        if let Some(told) = response.extensions_mut().remove::<Told>() {
            entry.tell(told);
        }
        let id = response.headers().get("x-amzn-requestid").or_else(|| response.headers().get("x-amz-request-id"));
        entry.request_id = id.and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        entry.service = service;
        entry.status = response.status().as_u16();
        entry.micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.log.push(entry);
        response
    }

    /// The service that the request is for, by its signing name, and the answer.
    async fn dispatch(&self, request: Request, host: &str) -> (&'static str, Response) {
        match addressed(&host.to_ascii_lowercase()) {
            Addressed::Query(service, region) => {
                let (parts, body) = request.into_parts();
                let body = read_body(&parts.headers, body, BODY_LIMIT, self.body_idle).await;
                (service.signing_name(), self.serve(service, region.as_deref(), &parts, body).await)
            }
            Addressed::S3 => ("s3", self.s3.answer(request).await),
            Addressed::Other => {
                let text = format!("no service is simulated at {host}\n");
                ("", (StatusCode::NOT_FOUND, text).into_response())
            }
            Addressed::Plain => self.plain(request).await,
        }
    }

    /// One endpoint for every service, as `AWS_ENDPOINT_URL` makes it: the credential scope decides, or
    /// else the `Version` of the form.
    async fn plain(&self, request: Request) -> (&'static str, Response) {
        let scope = scope_of(&request);
        let is_query = match scope.as_deref() {
            Some("iam" | "sts") => true,
            Some(_) => false,
            None => is_unsigned_query(&request),
        };
        if !is_query {
            return ("s3", self.s3.answer(request).await);
        }
        let (parts, body) = request.into_parts();
        let body = read_body(&parts.headers, body, BODY_LIMIT, self.body_idle).await;
        let service = match (scope.as_deref(), &body) {
            (Some("iam"), _) => Service::Iam,
            (None, Ok(body)) if is_version_of_iam(&parts, body) => Service::Iam,
            _ => Service::Sts,
        };
        (service.signing_name(), self.serve(service, None, &parts, body).await)
    }

    async fn serve(
        &self,
        service: Service,
        region: Option<&str>,
        parts: &Parts,
        body: Result<Bytes, BodyError>,
    ) -> Response {
        let body = match body {
            Ok(body) => body,
            Err(error) => return query::respond(service, "", Err(error.into())),
        };
        let parameters = Parameters::parse(parts.uri.query(), &body);
        let action = parameters.get("Action").unwrap_or_default();
        let mut signer = None;
        let outcome = run(&self.state, service, region, (parts, &body), &parameters, action, &mut signer).await;
        let error = outcome.as_ref().err().map(|error| error.code.to_owned());
        let mut response = query::respond(service, action, outcome);
        // An action that is none could be anything, a token put into the wrong field too.
        let operation = if is_known(service, action) { action.to_owned() } else { String::new() };
        response.extensions_mut().insert(Told { operation, who: signer, error });
        response
    }
}

fn is_unsigned_query(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let is_form = kind.is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let has_action = || request.uri().query().is_some_and(|query| query.contains("Action="));
    request.uri().path() == "/" && (is_form || has_action())
}

fn is_version_of_iam(parts: &Parts, body: &[u8]) -> bool {
    // The first one counts, and mostly stands before what is long.
    let body = String::from_utf8_lossy(body);
    let mut pairs = query_pairs(parts.uri.query().unwrap_or_default()).chain(query_pairs(&body));
    pairs.find(|(name, _)| name == "Version").is_some_and(|(_, version)| version == Service::Iam.version())
}

fn is_known(service: Service, action: &str) -> bool {
    match service {
        Service::Iam => iam::ACTIONS.contains(&action),
        Service::Sts => sts::ACTIONS.contains(&action),
    }
}

async fn run(
    state: &State,
    service: Service,
    region: Option<&str>,
    (parts, body): (&Parts, &[u8]),
    parameters: &Parameters,
    action: &str,
    signer: &mut Option<Signer>,
) -> Result<Answer, ApiError> {
    if action.is_empty() {
        return Err(ApiError::missing_action());
    }
    let version = parameters.get("Version").unwrap_or_default();
    if !is_known(service, action) || version != service.version() {
        return Err(ApiError::invalid_action(action, version));
    }
    let mut context = request_context(parts);
    if let Some(region) = region {
        context.set("aws:RequestedRegion", region);
    }
    // The one action that needs no signature: the token is the credential.
    if action == sts::EXCHANGE {
        let made = sts::exchange(state, parameters, context).await?;
        *signer = Some(Signer { access_key_id: made.access_key_id, principal: made.arn });
        return Ok(made.answer);
    }
    let verified = authenticate(state, service, region, parts, body)?;
    let caller = verified.caller;
    *signer = Some(Signer { access_key_id: verified.access_key_id, principal: caller.arn.clone() });
    match (service, action) {
        (Service::Iam, _) => iam::handle(state, &caller, action, parameters, &context).await,
        (Service::Sts, "AssumeRole") => sts::assume(state, &caller, parameters, context),
        (Service::Sts, _) => Ok(sts::caller_identity(&caller)),
    }
}

/// Verifies the signature and that it is meant for this service and region.
fn authenticate(
    state: &State,
    service: Service,
    region: Option<&str>,
    parts: &Parts,
    body: &[u8],
) -> Result<Verified, ApiError> {
    let verified = sigv4::verify(parts, body, state.now(), |key, token| state.key(key, token))?;
    let mismatch = |message: String| ApiError::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message);
    if verified.service != service.signing_name() {
        return Err(mismatch(format!("Credential should be scoped to correct service: '{}'.", service.signing_name())));
    }
    if region.is_some_and(|region| region != verified.region) {
        return Err(mismatch("Credential should be scoped to a valid region. ".to_owned()));
    }
    Ok(verified)
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

/// Without the port.
fn host_of(request: &http::Request<Body>) -> &str {
    let header = request.headers().get(HOST).and_then(|value| value.to_str().ok());
    let host = header.or_else(|| request.uri().host()).unwrap_or_default();
    host.rsplit_once(':').map_or(host, |(name, _)| name)
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
fn scope_of(request: &Request) -> Option<String> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = match header {
        Some(header) => {
            let (_, rest) = header.split_once("Credential=")?;
            rest.split([',', ' ']).next()?.to_owned()
        }
        None => query_pairs(request.uri().query()?).find(|(name, _)| name == "X-Amz-Credential")?.1,
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
