//! Blobs as clients and issuers' readers meet them: who may do what, and how the service says no.

use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request};
use jiff::SignedDuration;
use serde_json::json;
use tower::ServiceExt;
use uuid::Uuid;

use crate::world::{ROLES, STORAGE, World, account, container};

const CONTRIBUTOR: &str = "ba92f5b4-2d11-453d-a403-e96b0029c9fe";
const READER: &str = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1";
const SCOPE: &str = "https://storage.azure.com/.default";
const DISCOVERY: &str = "/oidc/.well-known/openid-configuration";
const VERSION: (&str, &str) = ("x-ms-version", "2023-11-03");
const BLOCK: (&str, &str) = ("x-ms-blob-type", "BlockBlob");

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    /// `status code` of a refusal, whose header and body must agree, `status` of a success.
    fn outcome(&self) -> String {
        let Some(code) = self.headers.get("x-ms-error-code") else {
            return self.status.to_string();
        };
        let code = code.to_str().expect("code must be text");
        let opening = format!("<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>");
        assert!(self.text.starts_with(&opening) || self.text.is_empty(), "{}", self.text);
        format!("{} {code}", self.status)
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl World {
    /// A request to account `oidc1`.
    async fn blob(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "oidc1.blob.core.windows.net");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).expect("request must be made");
        let (parts, body) = self.sim.router().oneshot(request).await.expect("router must answer").into_parts();
        let body = to_bytes(body, 1 << 20).await.expect("body must be read");
        let text = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    async fn put_blob(&self, path: &str, token: &str, body: &str) -> String {
        let headers = [VERSION, BLOCK, ("authorization", token), ("content-type", "application/json")];
        self.blob(Method::PUT, path, &headers, body).await.outcome()
    }

    async fn read_blob(&self, path: &str, token: &str) -> String {
        self.blob(Method::GET, path, &[VERSION, ("authorization", token)], "").await.outcome()
    }

    /// A role for the administrator; gives its path.
    async fn give(&self, scope: &str, role: &str) -> String {
        let definition = format!(
            "/subscriptions/{}/providers/Microsoft.Authorization/roleDefinitions/{role}",
            self.admin.subscription
        );
        let body = json!({"properties": {"roleDefinitionId": definition, "principalId": self.admin.object_id}});
        let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{}", Uuid::new_v4());
        assert_eq!(self.put(&path, ROLES, &body).await.outcome(), "201");
        path
    }

    /// The administrator's `Authorization` for storage.
    async fn storage_token(&self) -> String {
        format!("Bearer {}", self.login_for(&self.admin, SCOPE).await)
    }

    /// Account `oidc1` with an open container `oidc` and a closed one `private`.
    async fn with_containers() -> World {
        let world = World::new().await;
        assert_eq!(world.account("oidc1", json!({"allowBlobPublicAccess": true})).await.outcome(), "200");
        assert_eq!(world.container("oidc1", "oidc", "Blob").await.outcome(), "201");
        assert_eq!(world.container("oidc1", "private", "None").await.outcome(), "201");
        world
    }
}

#[tokio::test]
async fn what_is_published_can_be_read_by_everybody_and_is_replaced_whole() {
    let world = World::with_containers().await;
    world.give(&account("oidc1"), CONTRIBUTOR).await;
    let token = world.storage_token().await;
    let put = [VERSION, BLOCK, ("authorization", token.as_str()), ("content-type", "application/json")];
    let made = world.blob(Method::PUT, DISCOVERY, &put, "{}").await;
    assert_eq!((made.outcome().as_str(), made.header("x-ms-version"), made.text.as_str()), ("201", VERSION.1, ""));
    let read = world.blob(Method::GET, DISCOVERY, &[], "").await;
    let seen = [read.header("content-type"), read.header("x-ms-blob-type"), read.header("etag")];
    assert_eq!((read.status, read.text.as_str()), (200, "{}"));
    assert_eq!(seen, ["application/json", "BlockBlob", made.header("etag")]);
    let head = world.blob(Method::HEAD, DISCOVERY, &[], "").await;
    assert_eq!((head.status, head.header("content-length"), head.text.as_str()), (200, "2", ""));

    let own = [put.as_slice(), &[("x-ms-blob-content-type", "text/plain"), ("x-ms-blob-cache-control", "no-store")]];
    assert_eq!(world.blob(Method::PUT, DISCOVERY, &own.concat(), "{\"a\":1}").await.outcome(), "201");
    let read = world.blob(Method::GET, DISCOVERY, &[], "").await;
    let seen = [read.header("content-type"), read.header("cache-control"), read.text.as_str()];
    assert_eq!(seen, ["text/plain", "no-store", "{\"a\":1}"]);
    assert_ne!(read.header("etag"), made.header("etag"));

    let new = [put.as_slice(), &[("if-none-match", "*")]].concat();
    assert_eq!(world.blob(Method::PUT, DISCOVERY, &new, "").await.outcome(), "409 BlobAlreadyExists");
    assert_eq!(world.blob(Method::PUT, "/oidc/openid/v1/jwks", &new, "").await.outcome(), "201");
    let gone = world.blob(Method::DELETE, DISCOVERY, &put, "").await;
    assert_eq!(gone.outcome(), "202");
    assert_eq!(world.blob(Method::DELETE, DISCOVERY, &put, "").await.outcome(), "404 BlobNotFound");
    assert_eq!(world.blob(Method::GET, DISCOVERY, &[], "").await.outcome(), "404 BlobNotFound");
}

#[tokio::test]
async fn owning_an_account_gives_no_access_to_its_data() {
    let world = World::with_containers().await;
    let token = world.storage_token().await;
    let check = async |expected: [&str; 2]| {
        let seen = [world.put_blob("/private/a", &token, "x").await, world.read_blob("/private/a", &token).await];
        assert_eq!(seen, expected);
    };
    let refused = "403 AuthorizationPermissionMismatch";
    check([refused, refused]).await;
    for scope in ["", "/resourceGroups/g", &account("oidc1"), &container("oidc1", "private")] {
        let role = world.give(scope, READER).await;
        let path = if scope.is_empty() { "404 BlobNotFound" } else { "200" };
        check([refused, path]).await;
        assert_eq!(world.delete(&role, ROLES).await.status, 200);
        let role = world.give(scope, CONTRIBUTOR).await;
        check(["201", "200"]).await;
        assert_eq!(world.delete(&role, ROLES).await.status, 200);
    }
    world.give(&container("oidc1", "oidc"), CONTRIBUTOR).await;
    check([refused, refused]).await;
    // Who says who they are is judged by that alone, even where everybody may read.
    world.give(&account("oidc1"), READER).await;
    assert_eq!(world.read_blob("/absent/a", &token).await, "404 ContainerNotFound");
    assert_eq!(world.put_blob("/absent/a", &token, "x").await, refused);
}

#[tokio::test]
async fn who_shows_nothing_reads_open_containers_alone() {
    let world = World::with_containers().await;
    world.give(&account("oidc1"), CONTRIBUTOR).await;
    let token = world.storage_token().await;
    assert_eq!(world.put_blob("/oidc/a", &token, "x").await, "201");
    assert_eq!(world.put_blob("/private/a", &token, "x").await, "201");
    let check = async |method: Method, path: &str, headers: &[(&str, &str)], expected: &str| {
        assert_eq!(world.blob(method, path, headers, "").await.outcome(), expected, "{path} {headers:?}");
    };
    check(Method::GET, "/oidc/a", &[], "200").await;
    check(Method::GET, "/oidc/b", &[], "404 BlobNotFound").await;
    // Newer clients are told where to get a token; others, that there is nothing.
    for path in ["/private/a", "/absent/a"] {
        check(Method::GET, path, &[], "404 ResourceNotFound").await;
        check(Method::HEAD, path, &[("x-ms-version", "2019-07-07")], "404 ResourceNotFound").await;
        check(Method::GET, path, &[VERSION], "401 NoAuthenticationInformation").await;
    }
    check(Method::PUT, "/oidc/a", &[BLOCK], "404 ResourceNotFound").await;
    check(Method::PUT, "/oidc/a", &[VERSION, BLOCK], "401 NoAuthenticationInformation").await;
    check(Method::DELETE, "/oidc/a", &[VERSION], "401 NoAuthenticationInformation").await;
    let closed = json!({"properties": {"allowBlobPublicAccess": false}});
    assert_eq!(world.manage(Method::PATCH, &account("oidc1"), STORAGE, &closed).await.status, 200);
    check(Method::GET, "/oidc/a", &[], "409 PublicAccessNotPermitted").await;
    assert_eq!(world.read_blob("/oidc/a", &token).await, "200", "whoever has a role reads on");
}

#[tokio::test]
async fn a_token_must_be_for_storage_of_this_tenant_and_of_today() {
    let world = World::with_containers().await;
    world.give(&account("oidc1"), CONTRIBUTOR).await;
    let token = world.storage_token().await;
    let check = async |token: &str, expected: &str, detail: &str| {
        let answer = world.blob(Method::GET, "/oidc/a", &[VERSION, ("authorization", token)], "").await;
        assert_eq!(answer.outcome(), expected, "{detail}");
        let detail = format!("<AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>");
        assert!(answer.text.ends_with(&detail) || expected.starts_with("404"), "{}", answer.text);
        answer
    };
    let invalid = "401 InvalidAuthenticationInfo";
    check(&token, "404 BlobNotFound", "").await;
    let slash = format!("Bearer {}", world.login_for(&world.admin, "https://storage.azure.com//.default").await);
    check(&slash, "404 BlobNotFound", "").await;
    let refused = check("Bearer x.y.z", invalid, "The token is not well formed.").await;
    assert_eq!(
        refused.header("www-authenticate"),
        format!(
            "Bearer authorization_uri=https://login.microsoftonline.com/{}/oauth2/authorize resource_id=https://storage.azure.com",
            world.admin.tenant
        )
    );
    let manager = format!("Bearer {}", world.bearer);
    check(&manager, invalid, "Audience validation failed. Audience did not match.").await;
    let other = world.sim.create_subscription(Uuid::new_v4(), Uuid::new_v4());
    let other = format!("Bearer {}", world.login_for(&other, SCOPE).await);
    check(&other, invalid, "Issuer validation failed. Issuer did not match.").await;
    check("SharedKey oidc1:c2ln", "403 AuthenticationFailed", "Only bearer tokens are simulated.").await;
    let old = [("x-ms-version", "2016-05-31"), ("authorization", token.as_str())];
    for headers in [&old[..], &old[1..]] {
        let answer = world.blob(Method::GET, "/oidc/a", headers, "").await;
        assert_eq!(answer.outcome(), "403 AuthenticationFailed");
        assert!(answer.text.contains("Authentication scheme Bearer is not supported in this version."));
    }
    world.clock.advance(SignedDuration::from_hours(2));
    check(&token, invalid, "Lifetime validation failed. The token is expired.").await;
}

#[tokio::test]
async fn a_write_says_that_it_is_of_a_block_blob() {
    let world = World::with_containers().await;
    world.give(&account("oidc1"), CONTRIBUTOR).await;
    let token = world.storage_token().await;
    let check = async |headers: &[(&str, &str)], expected: &str| {
        let headers = [&[VERSION, ("authorization", token.as_str())], headers].concat();
        let answer = world.blob(Method::PUT, "/oidc/a", &headers, "x").await;
        assert_eq!(answer.outcome(), expected);
        answer.text
    };
    check(&[BLOCK], "201").await;
    let text = check(&[], "400 MissingRequiredHeader").await;
    assert!(text.ends_with("</Message><HeaderName>x-ms-blob-type</HeaderName></Error>"), "{text}");
    check(&[("x-ms-blob-type", "PageBlob")], "400 InvalidHeaderValue").await;
    let read = world.blob(Method::GET, "/oidc/a", &[], "").await;
    assert_eq!(read.header("content-type"), "application/octet-stream");
    let large = "x".repeat(9 << 20);
    let headers = [VERSION, BLOCK, ("authorization", token.as_str())];
    assert_eq!(world.blob(Method::PUT, "/oidc/a", &headers, &large).await.outcome(), "413 RequestBodyTooLarge");
}

#[tokio::test]
async fn a_deleted_account_takes_its_blobs_along() {
    let world = World::with_containers().await;
    world.give("/resourceGroups/g", CONTRIBUTOR).await;
    let token = world.storage_token().await;
    assert_eq!(world.put_blob(DISCOVERY, &token, "{}").await, "201");
    assert_eq!(world.delete(&account("oidc1"), STORAGE).await.status, 200);
    let nobody = world.blob(Method::GET, DISCOVERY, &[], "").await;
    assert_eq!((nobody.status, nobody.header("x-ms-error-code")), (404, ""));
    assert_eq!(world.account("oidc1", json!({"allowBlobPublicAccess": true})).await.outcome(), "200");
    assert_eq!(world.container("oidc1", "oidc", "Blob").await.outcome(), "201");
    assert_eq!(world.blob(Method::GET, DISCOVERY, &[], "").await.outcome(), "404 BlobNotFound");
}
