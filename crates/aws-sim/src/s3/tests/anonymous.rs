//! Requests that nobody signed, as everyone sends them to a static site: a bucket policy opens, Block Public Access shuts.

use super::*;

const SITE: &str = "data.s3.eu-central-1.amazonaws.com";
const OPEN: &str = r#"{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}"#;

impl World {
    /// The bucket `data` with Block Public Access as given and a policy of one statement.
    async fn with_site(policy_blocked: bool, restricted: bool, statement: &str) -> World {
        let world = World::with_data().await;
        world.block(false, restricted).await;
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        world.put(HOST, "/data?policy", &policy).await.expect(204);
        world.block(policy_blocked, restricted).await;
        world
    }

    async fn block(&self, policy: bool, restrict: bool) {
        let body = format!(
            "<PublicAccessBlockConfiguration><BlockPublicPolicy>{policy}</BlockPublicPolicy>\
             <RestrictPublicBuckets>{restrict}</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
        );
        self.call("PUT", HOST, "/data?publicAccessBlock").body(&body).send().await.expect(200);
    }

    async fn anonymous(&self, method: &str, host: &str, target: &str) -> Answer {
        let request = Request::builder().method(method).uri(target).header("host", host).header("content-length", 0);
        self.deliver(request.body(Body::empty()).expect("request must build")).await
    }
}

#[tokio::test]
async fn everyone_reads_what_the_policy_opens_and_nothing_else() {
    let world = World::with_site(false, false, OPEN).await;
    world
        .call("PUT", HOST, "/data/openid/v1/jwks")
        .body("{}")
        .header("content-type", "application/jwk-set+json")
        .send()
        .await
        .expect(200);
    let keys = world.anonymous("GET", SITE, "/openid/v1/jwks").await.expect(200);
    assert_eq!((keys.body.as_str(), keys.header("content-type")), ("{}", "application/jwk-set+json"));
    let head = world.anonymous("HEAD", SITE, "/openid/v1/jwks").await.expect(200);
    assert_eq!((head.body.as_str(), head.header("content-type")), ("", "application/jwk-set+json"));

    for (method, target) in [
        ("GET", "/missing"),
        ("GET", "/"),
        ("GET", "/?list-type=2"),
        ("GET", "/?policy"),
        ("PUT", "/?policy"),
        ("PUT", "/hello.txt"),
        ("DELETE", "/hello.txt"),
        ("DELETE", "/"),
    ] {
        let refused = world.anonymous(method, SITE, target).await;
        assert_eq!(refused.verdict(), "403 AccessDenied", "{method} {target}");
        assert_eq!(refused.message(), "Access Denied", "{method} {target}");
    }
    assert_eq!(world.anonymous("GET", SITE, "/hello.txt").await.body, "hello, world");
}

#[tokio::test]
async fn block_public_access_shuts_what_a_policy_opens() {
    let check = async |policy_blocked: bool, restricted: bool, expected: &str| {
        let world = World::with_site(policy_blocked, restricted, OPEN).await;
        assert_eq!(world.anonymous("GET", SITE, "/hello.txt").await.verdict(), expected);
    };
    check(false, false, "200").await;
    // It keeps new public policies out and leaves the one that is there alone.
    check(true, false, "200").await;
    check(false, true, "403 AccessDenied").await;

    let world = World::with_site(false, true, OPEN).await;
    world.call("DELETE", HOST, "/data?publicAccessBlock").send().await.expect(204);
    assert_eq!(world.anonymous("GET", SITE, "/hello.txt").await.verdict(), "200");
}

#[tokio::test]
async fn only_a_statement_for_everyone_lets_in_who_did_not_sign() {
    let check = async |statement: &str, expected: &str| {
        let world = World::with_site(false, false, statement).await;
        assert_eq!(world.anonymous("GET", SITE, "/hello.txt").await.verdict(), expected, "{statement}");
    };
    let when = |condition: &str| OPEN.replace("\"Resource\"", &format!("\"Condition\":{{{condition}}},\"Resource\""));
    check(OPEN, "200").await;
    check(&OPEN.replace("\"*\"", r#"{"AWS":"*"}"#), "200").await;
    check(&OPEN.replace("\"*\"", r#"{"AWS":"111122223333"}"#), "403 AccessDenied").await;
    check(&OPEN.replace("data/*", "data/other/*"), "403 AccessDenied").await;
    check(&format!("{OPEN},{}", OPEN.replace("Allow", "Deny")), "403 AccessDenied").await;
    check(&when(r#""StringEquals":{"aws:PrincipalType":"Anonymous"}"#), "200").await;
    check(&when(r#""StringEquals":{"aws:PrincipalAccount":"111122223333"}"#), "403 AccessDenied").await;
    check(&when(r#""Null":{"s3:authType":"false"}"#), "403 AccessDenied").await;
}

#[tokio::test]
async fn every_host_that_names_the_bucket_serves_its_site() {
    let world = World::with_site(false, false, OPEN).await;
    for (host, target) in [
        (SITE, "/hello.txt"),
        ("data.s3.amazonaws.com", "/hello.txt"),
        (HOST, "/data/hello.txt"),
        ("127.0.0.1:9000", "/data/hello.txt"),
    ] {
        assert_eq!(world.anonymous("GET", host, target).await.body, "hello, world", "{host}");
    }
    let elsewhere = world.anonymous("GET", "data.s3.eu-west-1.amazonaws.com", "/hello.txt").await;
    assert_eq!(elsewhere.verdict(), "301 PermanentRedirect");
}

#[tokio::test]
async fn a_bucket_that_nobody_has_is_no_secret() {
    let world = World::with_data().await;
    assert_eq!(world.anonymous("GET", SITE, "/hello.txt").await.verdict(), "403 AccessDenied");
    let nobodys = world.anonymous("GET", "nothing.s3.eu-central-1.amazonaws.com", "/hello.txt").await;
    assert_eq!(nobodys.verdict(), "404 NoSuchBucket");
}

#[tokio::test]
async fn buckets_are_neither_made_nor_listed_without_a_signature() {
    let world = World::with_data().await;
    assert_eq!(world.anonymous("PUT", HOST, "/new").await.verdict(), "403 AccessDenied");
    assert_eq!(world.anonymous("GET", HOST, "/").await.verdict(), "403 AccessDenied");
    assert_eq!(world.anonymous("GET", HOST, "/new/k").await.verdict(), "404 NoSuchBucket");
}

#[tokio::test]
async fn a_wrong_signature_is_not_taken_for_none() {
    let world = World::with_site(false, false, OPEN).await;
    let read = |key: &Key| world.call("GET", HOST, "/data/hello.txt").key(key).send();
    assert_eq!(read(&world.admin).await.verdict(), "200");
    let forged = Key { secret: "another".to_owned(), ..world.admin.clone() };
    assert_eq!(read(&forged).await.verdict(), "403 SignatureDoesNotMatch");
}
