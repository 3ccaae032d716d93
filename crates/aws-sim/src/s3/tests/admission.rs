//! Who is let in: signatures, keys, tokens, clocks, regions.

use jiff::SignedDuration;

use super::*;

const READ_ALL: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
const HELLO: &str = "/data/hello.txt";

fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

#[tokio::test]
async fn refuses_a_key_that_nobody_has() {
    let world = World::with_data().await;
    world.get(HOST, HELLO).await.expect(200);
    let stranger = Key { id: "AKIANOBODY".to_owned(), ..world.admin.clone() };
    let answer = world.call("GET", HOST, HELLO).key(&stranger).send().await;
    assert_eq!(answer.verdict(), "403 InvalidAccessKeyId");
    assert_eq!(answer.element("AWSAccessKeyId").as_deref(), Some("AKIANOBODY"));
}

#[tokio::test]
async fn refuses_another_secret_and_shows_what_it_computed() {
    let world = World::with_data().await;
    let wrong = Key { secret: "wrong".to_owned(), ..world.admin.clone() };
    let answer = world.call("GET", HOST, HELLO).key(&wrong).send().await;
    assert_eq!(answer.verdict(), "403 SignatureDoesNotMatch");
    assert!(answer.element("StringToSign").is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256\n")));
    assert!(answer.element("CanonicalRequest").is_some_and(|text| text.starts_with("GET\n/data/hello.txt\n")));
}

#[tokio::test]
async fn never_echoes_a_session_token() {
    let world = World::with_data().await;
    let session = world.session(READ_ALL);
    world.call("GET", HOST, HELLO).key(&session).send().await.expect(200);
    let token = session.token.clone().expect("a session must have a token");
    let wrong = Key { secret: "wrong".to_owned(), ..session };
    let answer = world.call("GET", HOST, HELLO).key(&wrong).send().await;
    assert_eq!(answer.verdict(), "403 SignatureDoesNotMatch");
    assert!(!answer.body.contains(&token), "{}", answer.body);
}

#[tokio::test]
async fn refuses_a_session_key_without_its_token() {
    let world = World::with_data().await;
    let session = world.session(READ_ALL);
    let call = |token: Option<&str>| {
        let key = Key { token: token.map(str::to_owned), ..session.clone() };
        world.call("GET", HOST, HELLO).key(&key).send()
    };
    assert_eq!(call(session.token.as_deref()).await.verdict(), "200");
    assert_eq!(call(None).await.verdict(), "403 InvalidAccessKeyId");
    assert_eq!(call(Some("another-token")).await.verdict(), "400 InvalidToken");
}

#[tokio::test]
async fn refuses_a_token_with_a_key_that_has_none() {
    let world = World::with_data().await;
    let odd = Key { token: Some("session-token".to_owned()), ..world.admin.clone() };
    assert_eq!(world.call("GET", HOST, HELLO).key(&odd).send().await.verdict(), "400 InvalidToken");
}

#[tokio::test]
async fn refuses_a_token_that_was_not_signed() {
    let world = World::with_data().await;
    let session = world.session(READ_ALL);
    let token = session.token.clone();
    let bare = Key { token: None, ..session };
    let (mut request, _) = world.call("GET", HOST, HELLO).key(&bare).signed();
    let token = token.expect("a session must have a token").parse().expect("a token must fit a header");
    request.headers_mut().insert("x-amz-security-token", token);
    let answer = world.deliver(request).await;
    assert_eq!(answer.verdict(), "403 AccessDenied");
    assert_eq!(answer.element("HeadersNotSigned").as_deref(), Some("x-amz-security-token"));
}

#[tokio::test]
async fn refuses_an_expired_session() {
    let world = World::with_data().await;
    let session = world.session(READ_ALL);
    world.clock.advance(SignedDuration::from_secs(3599));
    assert_eq!(world.call("GET", HOST, HELLO).key(&session).send().await.verdict(), "200");
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(world.call("GET", HOST, HELLO).key(&session).send().await.verdict(), "400 ExpiredToken");
}

#[tokio::test]
async fn accepts_fifteen_minutes_of_skew_and_no_more() {
    let world = World::with_data().await;
    for (minutes, expected) in
        [(-15, "200"), (15, "200"), (-16, "403 RequestTimeTooSkewed"), (16, "403 RequestTimeTooSkewed")]
    {
        let answer = world.call("GET", HOST, HELLO).at(mins(minutes)).send().await;
        assert_eq!(answer.verdict(), expected, "{minutes} minutes");
    }
}

#[tokio::test]
async fn refuses_an_anonymous_request() {
    let world = World::with_data().await;
    let request = |authorized: bool| {
        let (mut request, _) = world.call("GET", HOST, HELLO).signed();
        if !authorized {
            request.headers_mut().remove("authorization");
        }
        world.deliver(request)
    };
    assert_eq!(request(true).await.verdict(), "200");
    let answer = request(false).await;
    assert_eq!((answer.verdict().as_str(), answer.message().as_str()), ("403 AccessDenied", "Access Denied"));
}

#[tokio::test]
async fn refuses_signature_version_2() {
    let world = World::with_data().await;
    let (mut request, _) = world.call("GET", HOST, HELLO).signed();
    request.headers_mut().insert("authorization", http::HeaderValue::from_static("AWS AKIA:c2lnbmF0dXJl"));
    assert_eq!(world.deliver(request).await.verdict(), "400 InvalidRequest");
}

#[tokio::test]
async fn refuses_a_request_without_a_payload_hash() {
    let world = World::with_data().await;
    let (mut request, _) = world.call("GET", HOST, HELLO).signed();
    request.headers_mut().remove("x-amz-content-sha256");
    let answer = world.deliver(request).await;
    assert_eq!(answer.verdict(), "400 InvalidRequest");
    assert_eq!(answer.message(), "Missing required header for this request: x-amz-content-sha256");
}

#[tokio::test]
async fn refuses_another_body_than_the_signed_one() {
    let world = World::with_data().await;
    let put = |payload: &str| world.call("PUT", HOST, "/data/new").body("new").payload(payload).send();
    assert_eq!(put(&sha256(b"new")).await.verdict(), "200");
    assert_eq!(put("UNSIGNED-PAYLOAD").await.verdict(), "200");
    assert_eq!(put(&sha256(b"old")).await.verdict(), "400 XAmzContentSHA256Mismatch");
    assert_eq!(put("nonsense").await.verdict(), "400 InvalidArgument");
}

#[tokio::test]
async fn names_the_region_that_the_scope_should_have() {
    let world = World::with_data().await;
    let answer = world.call("GET", HOST, HELLO).region("us-east-1").send().await;
    assert_eq!(answer.verdict(), "400 AuthorizationHeaderMalformed");
    assert_eq!(answer.element("Region").as_deref(), Some(REGION));
    assert_eq!(
        answer.message(),
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'"
    );
}

#[tokio::test]
async fn refuses_a_signature_for_another_service() {
    let world = World::with_data().await;
    let mut call = world.call("GET", HOST, HELLO);
    call.service = "sts".to_owned();
    assert_eq!(call.send().await.verdict(), "400 AuthorizationHeaderMalformed");
}

#[tokio::test]
async fn redirects_to_the_region_of_the_bucket() {
    let world = World::with_data().await;
    let answer = world.call("GET", "data.s3.eu-west-1.amazonaws.com", "/hello.txt").region("eu-west-1").send().await;
    assert_eq!(answer.verdict(), "301 PermanentRedirect");
    assert_eq!(answer.element("Endpoint").as_deref(), Some("data.s3.eu-central-1.amazonaws.com"));
    assert_eq!(answer.header("x-amz-bucket-region"), REGION);
    let head = world.call("HEAD", "s3.eu-west-1.amazonaws.com", "/data").region("eu-west-1").send().await;
    assert_eq!((head.status, head.body.as_str(), head.header("x-amz-bucket-region")), (301, "", REGION));
}

#[tokio::test]
async fn serves_every_host_that_names_the_bucket() {
    let world = World::with_data().await;
    for (host, target) in [
        (HOST, HELLO),
        ("data.s3.eu-central-1.amazonaws.com", "/hello.txt"),
        ("data.s3.eu-central-1.amazonaws.com:443", "/hello.txt"),
        ("data.s3.amazonaws.com", "/hello.txt"),
        ("s3.amazonaws.com", HELLO),
        ("127.0.0.1:9000", HELLO),
        ("data.localhost:9000", "/hello.txt"),
    ] {
        let answer = world.get(host, target).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello, world"), "{host}");
    }
    let elsewhere = world.call("GET", "127.0.0.1:9000", HELLO).region("eu-west-1").send().await;
    assert_eq!(elsewhere.verdict(), "301 PermanentRedirect");
    let unguided = world.call("GET", "s3.amazonaws.com", HELLO).region("us-east-1").send().await;
    assert_eq!(unguided.verdict(), "400 AuthorizationHeaderMalformed");
    assert_eq!(unguided.element("Region").as_deref(), Some(REGION));
}

#[tokio::test]
async fn serves_a_presigned_url_until_it_expires() {
    let world = World::with_data().await;
    let session = world.session(READ_ALL);
    for key in [&world.admin, &session] {
        let url = |age: i64| {
            let call = world.call("GET", HOST, HELLO).key(key).at(SignedDuration::from_secs(-age));
            world.deliver(call.presigned(60))
        };
        let answer = url(60).await;
        assert_eq!((answer.verdict().as_str(), answer.body.as_str()), ("200", "hello, world"));
        let late = url(61).await;
        assert_eq!((late.verdict().as_str(), late.message().as_str()), ("403 AccessDenied", "Request has expired"));
    }
    let week = world.call("GET", HOST, HELLO).presigned(604_801);
    assert_eq!(world.deliver(week).await.verdict(), "400 AuthorizationQueryParametersError");
    let mut forged = world.call("GET", HOST, HELLO).presigned(60);
    let uri = forged.uri().to_string().replace("hello.txt", "other.txt");
    *forged.uri_mut() = uri.parse().expect("uri must parse");
    assert_eq!(world.deliver(forged).await.verdict(), "403 SignatureDoesNotMatch");
}

#[tokio::test]
async fn labels_every_answer_with_its_ids() {
    let world = World::with_data().await;
    for target in [HELLO, "/data/missing"] {
        let answer = world.get(HOST, target).await;
        assert_eq!(answer.header("server"), "AmazonS3");
        assert_eq!(answer.header("x-amz-request-id").len(), 16);
        assert!(!answer.header("x-amz-id-2").is_empty());
        if answer.status != 200 {
            assert_eq!(answer.element("RequestId").as_deref(), Some(answer.header("x-amz-request-id")));
            assert_eq!(answer.element("HostId").as_deref(), Some(answer.header("x-amz-id-2")));
            assert_eq!(answer.header("content-type"), "application/xml");
        }
    }
}
