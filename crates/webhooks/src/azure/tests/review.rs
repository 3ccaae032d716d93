//! What the server answers, and whom it asks for an account.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;
use crate::LookupError;

/// A cache that holds `shop/reader`, before an API server that has `shop/late` as well and refuses to speak of
/// `shop/secret`.
#[derive(Debug, Default)]
struct Accounts(Mutex<Vec<String>>);

#[async_trait::async_trait]
impl ServiceAccounts for Accounts {
    async fn find(&self, namespace: &str, name: &str, grace: Duration) -> Option<ServiceAccountView> {
        let mut asked = self.0.lock().expect("lock");
        asked.push(format!("cache {namespace}/{name}"));
        assert!(grace.is_zero(), "a cache that misses must not hold it up");
        (namespace == "shop" && name == "reader").then(reader)
    }

    async fn look_up(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccountView>, LookupError> {
        let mut asked = self.0.lock().expect("lock");
        asked.push(format!("live {namespace}/{name}"));
        match (namespace, name) {
            ("shop", "late") => Ok(Some(reader())),
            ("shop", "secret") => Err(LookupError("serviceaccounts is forbidden".into())),
            _ => Ok(None),
        }
    }
}

async fn send(content_type: &str, body: impl Into<Body>) -> Value {
    let router = router(chart(Layout::V1_6), Arc::new(Accounts::default()));
    answer(router, content_type, body).await
}

async fn answer(router: axum::Router, content_type: &str, body: impl Into<Body>) -> Value {
    let request = Request::post(PATH).header("content-type", content_type);
    let request = request.body(body.into()).expect("request");
    let response = router.oneshot(request).await.expect("router must answer");
    assert_eq!(response.status().as_u16(), 200, "whatever is wrong");
    let body = response.into_body().collect().await.expect("body");
    serde_json::from_slice(&body.to_bytes()).expect("json")
}

fn review(version: &str, service_account: &str) -> Value {
    let pod = mk_pod(json!({"spec": {"serviceAccountName": service_account}}));
    let request = json!({"uid": "u-1", "namespace": "shop", "operation": "CREATE", "object": pod});
    json!({"apiVersion": format!("admission.k8s.io/{version}"), "kind": "AdmissionReview", "request": request})
}

fn refusal(code: u16, message: &str) -> Value {
    json!({"uid": "", "allowed": false, "status": {"metadata": {}, "message": message, "code": code}})
}

const JSON: &str = "application/json";

#[tokio::test]
async fn answers_either_version_with_the_patch_of_the_pure_function() {
    for version in ["v1", "v1beta1"] {
        let body = review(version, "reader");
        let answer = send(JSON, body.to_string()).await;
        let patch = STANDARD.decode(answer["response"]["patch"].as_str().expect("patch")).expect("must be base64");
        let want = ops(mutate(&chart(Layout::V1_6), &body["request"]["object"], Some(&reader())));
        assert_eq!(serde_json::from_slice::<Value>(&patch).expect("json"), json!(want));
        let mut rest = answer;
        rest["response"]["patch"] = json!("-");
        let want = json!({
            "kind": "AdmissionReview",
            "apiVersion": format!("admission.k8s.io/{version}"),
            "response": {
                "uid": "u-1", "allowed": true, "patch": "-", "patchType": "JSONPatch",
                "status": {"metadata": {}, "code": 200},
            },
        });
        assert_eq!(rest, want);
    }
}

#[tokio::test]
async fn sends_neither_patch_nor_its_type_where_nothing_is_to_be_done() {
    let mut body = review("v1", "reader");
    let pod = &body["request"]["object"];
    body["request"]["object"] = mutated(&chart(Layout::V1_6), pod, &reader());
    let answer = send(JSON, body.to_string()).await;
    assert_eq!(answer["response"], json!({"uid": "u-1", "allowed": true, "status": {"metadata": {}, "code": 200}}));
}

#[tokio::test]
async fn asks_the_api_server_for_what_the_cache_has_not() {
    let check = async |name: &str, want: Result<(), &str>, live: bool| {
        let accounts = Arc::new(Accounts::default());
        let router = router(chart(Layout::V1_6), accounts.clone());
        let answer = answer(router, JSON, review("v1", name).to_string()).await;
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        let response = &answer["response"];
        match want {
            Ok(()) => assert_eq!(response["patchType"], "JSONPatch", "{name}"),
            Err(message) => {
                let mut want = refusal(400, message);
                want["uid"] = json!("u-1");
                assert_eq!(*response, want);
            }
        }
        let name = if name.is_empty() { "default" } else { name };
        let mut asked = vec![format!("cache shop/{name}")];
        asked.extend(live.then(|| format!("live shop/{name}")));
        assert_eq!(*accounts.0.lock().expect("lock"), asked);
    };
    check("reader", Ok(()), false).await;
    check("late", Ok(()), true).await;
    check("never", Err(r#"serviceaccounts "never" not found"#), true).await;
    check("", Err(r#"serviceaccounts "default" not found"#), true).await;
    check("secret", Err("serviceaccounts is forbidden"), true).await;
}

#[tokio::test]
async fn lets_a_cache_catch_up_where_nobody_asks_the_api_server() {
    #[derive(Debug)]
    struct Watched;

    #[async_trait::async_trait]
    impl ServiceAccounts for Watched {
        async fn find(&self, _: &str, _: &str, grace: Duration) -> Option<ServiceAccountView> {
            (!grace.is_zero()).then(reader)
        }
    }

    let router = router(chart(Layout::V1_5), Arc::new(Watched));
    let answer = answer(router, JSON, review("v1", "late").to_string()).await;
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
}

#[tokio::test]
async fn says_what_is_wrong_with_the_call_in_a_review_without_type() {
    let check = async |content_type: &str, body: String, code: u16, message: &str| {
        let want = json!({"response": refusal(code, message)});
        assert_eq!(send(content_type, body).await, want, "{message}");
    };
    let good = || review("v1", "reader").to_string();
    check("text/plain", good(), 400, "contentType=text/plain, expected application/json").await;
    check(
        "application/json; charset=utf-8",
        good(),
        400,
        "contentType=application/json; charset=utf-8, expected application/json",
    )
    .await;
    check(JSON, String::new(), 400, "request body is empty").await;
    check("text/plain", String::new(), 400, "request body is empty").await;
    check(JSON, "{".into(), 400, "couldn't get version/kind; json parse error: unexpected end of JSON input").await;
    check(
        JSON,
        r#"{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v2"}"#.into(),
        400,
        r#"no kind "AdmissionReview" is registered for version "admission.k8s.io/v2""#,
    )
    .await;
    check(JSON, " ".repeat(7 << 20), 413, "request entity is too large; limit is 7340032 bytes").await;
}

#[tokio::test]
async fn says_what_is_wrong_with_the_request_in_a_full_review() {
    let check = async |body: Value, uid: &str, message: &str| {
        let mut response = refusal(400, message);
        response["uid"] = json!(uid);
        let want = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response});
        assert_eq!(send(JSON, body.to_string()).await, want, "{message}");
    };
    let nothing = "there is no content to decode";
    check(json!({}), "", nothing).await;
    check(json!({"request": {"uid": "u"}}), "u", nothing).await;
    check(json!({"request": {"uid": "u", "object": null}}), "u", nothing).await;
    check(
        json!({"request": {"uid": "u", "object": {"spec": 7}}}),
        "u",
        "json: cannot unmarshal number into Go struct field Pod.spec of type v1.PodSpec",
    )
    .await;
}

#[tokio::test]
async fn takes_reviews_of_the_size_that_api_servers_send() {
    let mut body = review("v1", "reader");
    body["request"]["object"]["metadata"]["annotations"] = json!({"large": "x".repeat(6 << 20)});
    let answer = send(JSON, body.to_string()).await;
    assert_eq!(answer["response"]["allowed"], true);
}
