//! S3 of the public simulator over real connections: TLS, HTTP/1.1, a plain endpoint in path style.
//! Signed here by hand, as any client would.

#![allow(clippy::expect_used, reason = "helpers of a test fail by panicking")]

#[path = "s3/proxy.rs"]
mod proxy;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use aws_sim::{AdminCredentials, AwsSim, AwsSimConfig};
use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use transport::{Authority, Client, Fetched, Roots, Server};
use trust::{Clock as _, FixedClock, SystemClock};

const REGION: &str = "eu-central-1";
const SITE: &str = "data.s3.eu-central-1.amazonaws.com";

struct Wire {
    server: Server,
    client: Client,
    /// Signs nothing, and reaches the simulator under every name.
    public: Client,
    sim: AwsSim,
    now: Timestamp,
}

impl Wire {
    async fn new() -> Wire {
        let authority = Authority::generate("test", &SystemClock).expect("authority must generate");
        let roots = || Roots::of(&authority).expect("roots must load");
        let now = SystemClock.now();
        let issuers = Client::new(roots(), Duration::from_secs(5));
        let sim = AwsSim::new(AwsSimConfig { clock: Arc::new(FixedClock::new(now)), issuers });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port must bind");
        let identity = authority.server_identity(&["127.0.0.1", SITE]).expect("identity must issue");
        let server = Server::tls(listener, identity, sim.router()).expect("server must start");
        let client = || Client::new(roots(), Duration::from_secs(10));
        let public = client().through(proxy::to(server.addr()).await);
        Wire { server, client: client(), public, sim, now }
    }

    fn admin(&self, account: &str) -> AdminCredentials {
        self.sim.create_account(account.parse().expect("account must parse"))
    }

    async fn send(&self, key: &AdminCredentials, method: Method, path: &str, body: &'static [u8]) -> Fetched {
        self.send_typed(key, method, path, body, &[]).await
    }

    /// `extra` headers are not signed, which S3 allows of those that are not its own.
    async fn send_typed(
        &self,
        key: &AdminCredentials,
        method: Method,
        target: &str,
        body: &'static [u8],
        extra: &[(&str, &str)],
    ) -> Fetched {
        let host = self.server.addr().to_string();
        let (stamp, payload) = (self.now.strftime("%Y%m%dT%H%M%SZ").to_string(), sha256(body));
        let scope = format!("{}/{REGION}/s3/aws4_request", &stamp[..8]);
        let names = "host;x-amz-content-sha256;x-amz-date";
        let (path, query) =
            target.split_once('?').map_or((target, String::new()), |(path, query)| (path, format!("{query}=")));
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{stamp}\n\n{names}\n{payload}"
        );
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let seed = format!("AWS4{}", key.secret_access_key.expose()).into_bytes();
        let signing_key = scope.split('/').fold(seed, |key, part| mac(&key, part));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
            key.access_key_id,
            hex(&mac(&signing_key, &text))
        );
        let mut headers =
            vec![("authorization", authorization.as_str()), ("x-amz-content-sha256", &payload), ("x-amz-date", &stamp)];
        headers.extend_from_slice(extra);
        let url = format!("https://{host}{target}");
        self.client.send(method, &url, &headers, Bytes::from_static(body)).await.expect("an answer must come")
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn sha256(data: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, data).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const CREATE: &[u8] = b"<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";

#[tokio::test]
async fn serves_its_owner_and_refuses_a_stranger() {
    let wire = Wire::new().await;
    let (owner, stranger) = (wire.admin("111122223333"), wire.admin("444455556666"));
    assert_eq!(wire.send(&owner, Method::PUT, "/data", CREATE).await.status, 200);
    assert_eq!(wire.send(&owner, Method::PUT, "/data/hello.txt", b"hello, world").await.status, 200);

    let read = wire.send(&owner, Method::GET, "/data/hello.txt", b"").await;
    assert_eq!((read.status, read.body.as_ref()), (200, b"hello, world".as_slice()));

    let refused = wire.send(&stranger, Method::GET, "/data/hello.txt", b"").await;
    let text = String::from_utf8_lossy(&refused.body).into_owned();
    assert_eq!(refused.status, 403);
    assert!(text.contains("<Code>AccessDenied</Code><Message>Access Denied</Message>"), "{text}");
    wire.server.stop().await;
}

#[tokio::test]
async fn answers_a_head_with_the_length_and_no_body() {
    let wire = Wire::new().await;
    let owner = wire.admin("111122223333");
    wire.send(&owner, Method::PUT, "/data", CREATE).await;
    wire.send(&owner, Method::PUT, "/data/hello.txt", b"hello, world").await;
    // On one connection: a body that strayed would be taken for the next answer.
    let found = wire.send(&owner, Method::HEAD, "/data/hello.txt", b"").await;
    assert_eq!(
        (found.status, found.headers["content-length"].as_bytes(), found.body.len()),
        (200, b"12".as_slice(), 0)
    );
    let missing = wire.send(&owner, Method::HEAD, "/data/missing", b"").await;
    assert_eq!((missing.status, missing.body.len()), (404, 0));
    let read = wire.send(&owner, Method::GET, "/data/hello.txt", b"").await;
    assert_eq!((read.status, read.body.as_ref()), (200, b"hello, world".as_slice()));
    wire.server.stop().await;
}

const UNBLOCK: &[u8] = b"<PublicAccessBlockConfiguration><BlockPublicPolicy>false</BlockPublicPolicy>\
    <RestrictPublicBuckets>false</RestrictPublicBuckets></PublicAccessBlockConfiguration>";
const OPEN: &[u8] = br#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
    "Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}]}"#;

#[tokio::test]
async fn a_public_bucket_serves_an_issuer_s_files_to_everyone_under_its_own_host() {
    let wire = Wire::new().await;
    let owner = wire.admin("111122223333");
    let discovery = format!("https://{SITE}/.well-known/openid-configuration");
    let json = [("content-type", "application/json")];
    assert_eq!(wire.send(&owner, Method::PUT, "/data", CREATE).await.status, 200);
    let put = wire.send_typed(&owner, Method::PUT, "/data/.well-known/openid-configuration", b"{}", &json).await;
    assert_eq!(put.status, 200);

    let private = wire.public.get(&discovery).await.expect("an answer must come");
    let text = String::from_utf8_lossy(&private.body).into_owned();
    assert_eq!((private.status, text.contains("<Code>AccessDenied</Code>")), (403, true), "{text}");

    assert_eq!(wire.send(&owner, Method::PUT, "/data?policy", OPEN).await.status, 403, "new buckets are blocked");
    assert_eq!(wire.send(&owner, Method::PUT, "/data?publicAccessBlock", UNBLOCK).await.status, 200);
    assert_eq!(wire.send(&owner, Method::PUT, "/data?policy", OPEN).await.status, 204);

    for method in [Method::GET, Method::HEAD] {
        let body = if method == Method::GET { b"{}".as_slice() } else { b"" };
        let read = wire.public.send(method, &discovery, &[], Bytes::new()).await.expect("an answer must come");
        assert_eq!((read.status, read.body.as_ref()), (200, body));
        assert_eq!(read.headers["content-type"].as_bytes(), b"application/json");
        assert_eq!(read.headers["content-length"].as_bytes(), b"2");
    }
    wire.server.stop().await;
}
