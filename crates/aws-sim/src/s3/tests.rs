//! S3 over its router: requests are signed here by hand, independently of the code that verifies.
//! Every refusal stands beside a request that differs in one thing and is served.

mod admission;
mod anonymous;
mod buckets;
mod objects;
mod permission;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use axum::body::{Body, Bytes};
use http::{HeaderMap, Request};
use jiff::{SignedDuration, Timestamp};
use trust::policy::{Context, Document, Kind};
use trust::{AccountId, Clock as _, FixedClock};

use crate::account::{Role, StoredPolicy};
use crate::identity::RoleSession;
use crate::state::State;

const ACCOUNT: &str = "111122223333";
const OTHER_ACCOUNT: &str = "444455556666";
const REGION: &str = "eu-central-1";
const HOST: &str = "s3.eu-central-1.amazonaws.com";

#[derive(Clone)]
struct Key {
    id: String,
    secret: String,
    token: Option<String>,
}

struct World {
    state: State,
    clock: Arc<FixedClock>,
    front: super::Front,
    admin: Key,
}

impl World {
    /// Nothing but an account.
    fn new() -> World {
        let clock = Arc::new(FixedClock::new("2026-05-04T10:00:00Z".parse().expect("timestamp must parse")));
        let authority = transport::Authority::generate("test", &*clock).expect("authority must generate");
        let roots = transport::Roots::of(&authority).expect("roots must load");
        let state =
            State::new(clock.clone(), transport::Client::new(roots, Duration::from_secs(1)), &Default::default());
        let admin = admin_of(&state, ACCOUNT);
        World { front: super::Front::new(state.clone(), 1 << 26, Duration::from_secs(1)), state, clock, admin }
    }

    /// With the bucket `data`, and in it `hello.txt`.
    async fn with_data() -> World {
        let world = World::new();
        world.put(HOST, "/data", &create_in(REGION)).await.expect(200);
        world.put(HOST, "/data/hello.txt", "hello, world").await.expect(200);
        world
    }

    /// A session of a role in `ACCOUNT` that has `statement` as its only policy.
    fn session(&self, statement: &str) -> Key {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let policy = StoredPolicy {
            document: Arc::new(Document::parse(&text, Kind::Identity).expect("policy must parse")),
            text: text.into(),
        };
        let account: AccountId = ACCOUNT.parse().expect("account must parse");
        let role = Role {
            name: "reader".to_owned(),
            path: "/".to_owned(),
            id: "AROAREADER".to_owned(),
            arn: format!("arn:aws:iam::{ACCOUNT}:role/reader"),
            created: self.clock.now(),
            description: None,
            max_session_seconds: 3600,
            trust: policy.clone(),
            boundary: None,
            attached: Default::default(),
            inline: [("only".to_owned(), policy)].into(),
            tags: Vec::new(),
        };
        let session = RoleSession {
            role_arn: role.arn.clone(),
            role_name: role.name.clone(),
            role_id: role.id.clone(),
            policies: None,
            context: Context::new(),
        };
        let expires = self.clock.now() + SignedDuration::from_hours(1);
        let given = self.state.sessions().issue(&account, &session, "pod", expires);
        let mut directory = self.state.write();
        directory.accounts.get_mut(&account).expect("account must exist").roles.insert(role.name.clone(), role);
        Key {
            id: given.access_key_id,
            secret: given.secret.expose().to_owned(),
            token: Some(given.token.expose().to_owned()),
        }
    }

    fn call(&self, method: &'static str, host: &str, target: &str) -> Call<'_> {
        Call {
            world: self,
            method,
            host: host.to_owned(),
            target: target.to_owned(),
            headers: BTreeMap::new(),
            body: Bytes::new(),
            key: self.admin.clone(),
            region: REGION.to_owned(),
            service: "s3".to_owned(),
            at: self.clock.now(),
            payload: None,
        }
    }

    async fn get(&self, host: &str, target: &str) -> Answer {
        self.call("GET", host, target).send().await
    }

    async fn put(&self, host: &str, target: &str, body: &str) -> Answer {
        self.call("PUT", host, target).body(body).send().await
    }
}

fn admin_of(state: &State, account: &str) -> Key {
    let (id, secret) = state.create_account(&account.parse().expect("account must parse"));
    Key { id, secret: secret.expose().to_owned(), token: None }
}

fn create_in(region: &str) -> String {
    format!("<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>")
}

/// One request on its way to be signed. A target's query must be in canonical order and encoding.
#[derive(Clone)]
struct Call<'a> {
    world: &'a World,
    method: &'static str,
    host: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Bytes,
    key: Key,
    region: String,
    service: String,
    at: Timestamp,
    payload: Option<String>,
}

impl Call<'_> {
    fn body(mut self, body: &str) -> Self {
        self.body = Bytes::copy_from_slice(body.as_bytes());
        self
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    fn key(mut self, key: &Key) -> Self {
        self.key = key.clone();
        self
    }

    fn region(mut self, region: &str) -> Self {
        self.region = region.to_owned();
        self
    }

    fn at(mut self, offset: SignedDuration) -> Self {
        self.at += offset;
        self
    }

    /// `x-amz-content-sha256` in place of the hash of the body.
    fn payload(mut self, payload: &str) -> Self {
        self.payload = Some(payload.to_owned());
        self
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.at.strftime("%Y%m%d"), self.region, self.service)
    }

    fn stamp(&self) -> String {
        self.at.strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn signing_key(&self) -> Vec<u8> {
        let mut key = format!("AWS4{}", self.key.secret).into_bytes();
        for part in self.scope().split('/') {
            key = mac(&key, part.as_bytes());
        }
        key
    }

    fn sign(&self, canonical: &str) -> String {
        let text = format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", self.stamp(), self.scope(), sha256(canonical.as_bytes()));
        hex(&mac(&self.signing_key(), text.as_bytes()))
    }

    fn parts(&self) -> (&str, String) {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let pairs: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        (path, pairs.join("&"))
    }

    /// The request signed in its headers, and the signature.
    fn signed(&self) -> (Request<Body>, String) {
        let payload = self.payload.clone().unwrap_or_else(|| sha256(&self.body));
        let mut headers = self.headers.clone();
        headers.insert("host".to_owned(), self.host.clone());
        headers.insert("x-amz-date".to_owned(), self.stamp());
        headers.insert("x-amz-content-sha256".to_owned(), payload.clone());
        if let Some(token) = &self.key.token {
            headers.insert("x-amz-security-token".to_owned(), token.clone());
        }
        let names: Vec<&str> = headers.keys().map(String::as_str).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let (path, query) = self.parts();
        let canonical = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{payload}", self.method);
        let signature = self.sign(&canonical);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={signature}",
            self.key.id,
            self.scope()
        );
        let mut request = Request::builder().method(self.method).uri(&self.target);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let request = request
            .header("authorization", authorization)
            .header("content-length", self.body.len())
            .body(Body::from(self.body.clone()))
            .expect("request must build");
        (request, signature)
    }

    /// The same as a presigned URL.
    fn presigned(&self, expires: u32) -> Request<Body> {
        let encode = |text: &str| text.replace('/', "%2F");
        let (path, query) = self.parts();
        let mut pairs = vec![
            "X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned(),
            format!("X-Amz-Credential={}", encode(&format!("{}/{}", self.key.id, self.scope()))),
            format!("X-Amz-Date={}", self.stamp()),
            format!("X-Amz-Expires={expires}"),
            "X-Amz-SignedHeaders=host".to_owned(),
        ];
        let token = |token: &String| crate::sigv4::percent_encode(token.as_bytes(), false);
        pairs.extend(self.key.token.iter().map(|one| format!("X-Amz-Security-Token={}", token(one))));
        pairs.extend((!query.is_empty()).then_some(query));
        pairs.sort();
        let query = pairs.join("&");
        let canonical = format!("{}\n{path}\n{query}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD", self.method, self.host);
        let signature = self.sign(&canonical);
        Request::builder()
            .method(self.method)
            .uri(format!("{path}?{query}&X-Amz-Signature={signature}"))
            .header("host", &self.host)
            .body(Body::from(self.body.clone()))
            .expect("request must build")
    }

    async fn send(self) -> Answer {
        let request = self.signed().0;
        self.world.deliver(request).await
    }
}

impl World {
    async fn deliver(&self, request: Request<Body>) -> Answer {
        let response = self.front.answer(request).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("body must arrive");
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    #[track_caller]
    fn expect(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// Status and code, `200` or `403 AccessDenied`.
    fn verdict(&self) -> String {
        match self.element("Code") {
            Some(code) if self.status >= 300 => format!("{} {code}", self.status),
            _ => self.status.to_string(),
        }
    }

    fn element(&self, name: &str) -> Option<String> {
        let rest = self.body.split_once(&format!("<{name}>"))?.1;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    }

    fn elements(&self, name: &str) -> Vec<String> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        self.body.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
    }

    fn message(&self) -> String {
        self.element("Message").unwrap_or_default().replace("&quot;", "\"").replace("&apos;", "'")
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
    }
}

fn mac(key: &[u8], data: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data).as_ref().to_vec()
}

fn sha256(data: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, data).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
