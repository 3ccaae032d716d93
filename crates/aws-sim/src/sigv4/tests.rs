//! The published test vectors of Signature Version 4, then each refusal beside the request that is accepted.

use http::Request;
use trust::AccountId;

use super::*;
use crate::identity::CallerKind;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AT: &str = "2015-08-30T12:36:00Z";

fn record(secret: &str, token: Option<&str>, expires: Option<&str>) -> KeyRecord {
    let account: AccountId = "123456789012".parse().expect("account id must parse");
    KeyRecord {
        secret: Secret::new(secret),
        session_token: token.map(Secret::new),
        expires: expires.map(|at| at.parse().expect("timestamp must parse")),
        caller: Arc::new(Caller {
            arn: format!("arn:aws:iam::{account}:user/admin"),
            account,
            user_id: "AIDAEXAMPLE".to_owned(),
            kind: CallerKind::User { name: "admin".to_owned() },
        }),
    }
}

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> http::request::Parts {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).expect("request must build").into_parts().0
}

/// `service` of AWS's suite, signed with the headers given besides host and date.
fn authorization(signed_headers: &str, signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/service/aws4_request, \
         SignedHeaders={signed_headers}, Signature={signature}"
    )
}

fn vector(method: &str, uri: &str, extra: &[(&str, &str)], body: &str, signed_headers: &str, signature: &str) {
    let authorization = authorization(signed_headers, signature);
    let mut headers = vec![
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
        ("authorization", authorization.as_str()),
    ];
    headers.extend(extra);
    let parts = parts(method, uri, &headers);
    let now = AT.parse().expect("timestamp must parse");
    let token = parts.headers.get("x-amz-security-token").map(|token| token.to_str().expect("ascii").to_owned());
    let verified =
        verify(&parts, body.as_bytes(), now, |key, _| (key == KEY).then(|| record(SECRET, token.as_deref(), None)))
            .unwrap_or_else(|error| panic!("{method} {uri} must verify: {error}"));
    assert_eq!((verified.region.as_str(), verified.service.as_str()), ("us-east-1", "service"));
}

#[test]
fn accepts_the_published_suite_of_signed_headers() {
    const PLAIN: &str = "host;x-amz-date";
    let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    vector("GET", "/", &[], "", PLAIN, vanilla);
    vector("GET", "/example/..", &[], "", PLAIN, vanilla);
    vector(
        "GET",
        "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
        &[],
        "",
        PLAIN,
        "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
    );
    vector(
        "GET",
        "/",
        &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
        "",
        "host;my-header1;my-header2;x-amz-date",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    );
    vector(
        "GET",
        "/",
        &[("x-amz-security-token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267")],
        "",
        "host;x-amz-date;x-amz-security-token",
        "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
    );
    vector(
        "POST",
        "/",
        &[
            ("content-type", "application/x-www-form-urlencoded"),
            ("content-length", "13"),
            ("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"),
        ],
        "Param1=value1",
        "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
        "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
    );
}

/// AWS's "get-vanilla" as a presigned URL.
const PRESIGNED: &str = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fservice\
    %2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-SignedHeaders=host&X-Amz-Expires=3600\
    &X-Amz-Signature=e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d";

fn presigned_at(now: &str) -> Result<Verified, SigError> {
    let parts = parts("GET", PRESIGNED, &[("host", "example.amazonaws.com")]);
    verify(&parts, b"", now.parse().expect("timestamp must parse"), |_, _| Some(record(SECRET, None, None)))
}

#[test]
fn accepts_the_published_presigned_url_until_it_expires() {
    presigned_at("2015-08-30T13:36:00Z").expect("the last second must be accepted");
    let late = presigned_at("2015-08-30T13:36:01Z").expect_err("a second later must be refused");
    assert_eq!(late.code, "SignatureDoesNotMatch");
    assert!(late.message.starts_with("Signature expired: 20150830T123600Z"), "{late}");
}

/// The two requests of the S3 API reference, "Examples: Signature Calculations".
#[test]
fn accepts_the_published_examples_of_s3() {
    let secret = Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let empty = hex(sha256(b""));
    let scope = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";
    let check = |uri: &str, headers: &[(&str, &str)], payload: &str| {
        let parts = parts("GET", uri, headers);
        let presented = Presented::of(&parts).expect("signature must parse");
        presented
            .check(&parts, &secret, payload, PathRule::AsIs)
            .unwrap_or_else(|mismatch| panic!("{uri} must verify: {}", mismatch.canonical_request));
    };
    let host = ("host", "examplebucket.s3.amazonaws.com");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={scope},SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
         Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    );
    check(
        "/test.txt",
        &[
            host,
            ("range", "bytes=0-9"),
            ("x-amz-content-sha256", &empty),
            ("x-amz-date", "20130524T000000Z"),
            ("authorization", &authorization),
        ],
        &empty,
    );
    let query = format!(
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400\
         &X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        scope.replace('/', "%2F")
    );
    check(&query, &[host], "UNSIGNED-PAYLOAD");
}

/// AWS's "get-vanilla" with one thing changed; returns the code or `ok`.
fn vanilla(change: impl FnOnce(&mut http::HeaderMap, &mut KeyRecord, &mut Timestamp)) -> (String, String) {
    let authorization =
        authorization("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    let mut parts = parts(
        "GET",
        "/",
        &[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", &authorization)],
    );
    let mut record = record(SECRET, None, None);
    let mut now = AT.parse().expect("timestamp must parse");
    change(&mut parts.headers, &mut record, &mut now);
    match verify(&parts, b"", now, |key, _| (key == KEY).then(|| record.clone())) {
        Ok(_) => ("ok".to_owned(), String::new()),
        Err(error) => (format!("{} {}", error.status.as_u16(), error.code), error.message),
    }
}

fn replace(headers: &mut http::HeaderMap, from: &str, to: &str) {
    let value = headers["authorization"].to_str().expect("ascii").replace(from, to);
    headers.insert("authorization", value.parse().expect("header must parse"));
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("timestamp must parse")
}

#[test]
fn refuses_with_the_codes_of_the_query_services() {
    assert_eq!(vanilla(|_, _, _| {}).0, "ok");
    let code = |change: fn(&mut http::HeaderMap, &mut KeyRecord, &mut Timestamp)| vanilla(change).0;

    assert_eq!(
        code(|h, _, _| {
            h.remove("authorization");
        }),
        "403 MissingAuthenticationToken"
    );
    assert_eq!(code(|h, _, _| replace(h, "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")), "400 IncompleteSignature");
    assert_eq!(code(|h, _, _| replace(h, "Signature=5", "Sig=5")), "400 IncompleteSignature");
    assert_eq!(code(|h, _, _| replace(h, "/service/", "/")), "400 IncompleteSignature");
    assert_eq!(
        code(|h, _, _| {
            h.remove("x-amz-date");
        }),
        "400 IncompleteSignature"
    );
    assert_eq!(code(|h, _, _| replace(h, "aws4_request", "aws4_reques")), "403 SignatureDoesNotMatch");
    assert_eq!(code(|h, _, _| replace(h, "/20150830/", "/20150831/")), "403 SignatureDoesNotMatch");
    assert_eq!(code(|h, _, _| replace(h, "host;", "")), "403 SignatureDoesNotMatch");
    assert_eq!(code(|h, _, _| replace(h, ";x-amz-date", "")), "403 SignatureDoesNotMatch");
    assert_eq!(code(|h, _, _| replace(h, "us-east-1", "us-east-2")), "403 SignatureDoesNotMatch");
    assert_eq!(code(|h, _, _| replace(h, KEY, "AKIDUNKNOWN")), "403 InvalidClientTokenId");
    assert_eq!(code(|_, r, _| r.secret = Secret::new("other")), "403 SignatureDoesNotMatch");
    assert_eq!(code(|_, r, _| r.session_token = Some(Secret::new("token"))), "403 InvalidClientTokenId");
    assert_eq!(code(|_, r, _| r.expires = Some(at(AT))), "403 ExpiredToken");
    assert_eq!(code(|_, r, _| r.expires = Some(at("2015-08-30T12:36:01Z"))), "ok");
    assert_eq!(
        code(|h, _, _| {
            h.insert("x-amz-security-token", http::HeaderValue::from_static("unsigned"));
        }),
        "403 SignatureDoesNotMatch"
    );
}

#[test]
fn accepts_fifteen_minutes_of_skew_and_no_more() {
    assert_eq!(vanilla(|_, _, now| *now = at("2015-08-30T12:51:00Z")).0, "ok");
    assert_eq!(vanilla(|_, _, now| *now = at("2015-08-30T12:21:00Z")).0, "ok");
    insta::assert_snapshot!(
        vanilla(|_, _, now| *now = at("2015-08-30T12:51:01Z")).1,
        @"Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T125101Z - 15 min.)"
    );
    insta::assert_snapshot!(
        vanilla(|_, _, now| *now = at("2015-08-30T12:20:59Z")).1,
        @"Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T122059Z + 15 min.)"
    );
}

#[test]
fn refuses_another_body_than_the_signed_one() {
    let authorization =
        authorization("host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
    let parts = parts(
        "GET",
        "/",
        &[("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z"), ("authorization", &authorization)],
    );
    let verify = |body: &[u8]| verify(&parts, body, at(AT), |_, _| Some(record(SECRET, None, None)));
    verify(b"").expect("the signed body must be accepted");
    assert_eq!(verify(b"x").expect_err("another body must be refused").code, "SignatureDoesNotMatch");
}
