//! What the server answers, and when it waits for an account.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

/// A cache that holds `shop/reader`, and learns of `shop/late` only when it is given time.
#[derive(Debug, Default)]
struct Accounts {
    asked: Mutex<Vec<(String, Duration)>>,
}

#[async_trait::async_trait]
impl ServiceAccounts for Accounts {
    async fn find(&self, namespace: &str, name: &str, grace: Duration) -> Option<ServiceAccountView> {
        self.asked.lock().expect("lock").push((format!("{namespace}/{name}"), grace));
        match (namespace, name) {
            ("shop", "reader") => Some(reader()),
            ("shop", "late") if !grace.is_zero() => Some(reader()),
            ("shop", "plain") => Some(ServiceAccountView::default()),
            _ => None,
        }
    }
}

async fn send(router: axum::Router, method: &str, path: &str, content_type: Option<&str>, body: &str) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let request = request.body(Body::from(body.to_owned())).expect("request");
    let response = router.oneshot(request).await.expect("router must answer");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("text"))
}

async fn post(config: Config, body: &str) -> (u16, String) {
    send(router(config, Arc::new(Accounts::default())), "POST", "/mutate", Some("application/json"), body).await
}

fn review(version: &str, service_account: &str) -> String {
    let pod = mk_pod(json!({"spec": {"serviceAccountName": service_account}}));
    let request = json!({"uid": "u-1", "namespace": "shop", "operation": "CREATE", "object": pod});
    json!({"apiVersion": format!("admission.k8s.io/{version}"), "kind": "AdmissionReview", "request": request})
        .to_string()
}

#[tokio::test]
async fn echoes_uid_and_type_of_either_version() {
    for version in ["v1", "v1beta1"] {
        let (status, body) = post(Config::bare(), &review(version, "plain")).await;
        assert_eq!(status, 200);
        let want = format!(
            r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/{version}","response":{{"uid":"u-1","allowed":true}}}}"#
        );
        assert_eq!(body, want);
    }
}

#[tokio::test]
async fn answers_as_released_images_do_without_type_metadata() {
    let (_, body) = post(chart("eu-central-1"), &review("v1beta1", "plain")).await;
    insta::assert_snapshot!(body, @r#"{"response":{"uid":"u-1","allowed":true}}"#);
}

#[tokio::test]
async fn sends_the_patch_of_the_pure_function_as_base64() {
    let config = chart("eu-central-1");
    let (_, body) = post(config.clone(), &review("v1beta1", "reader")).await;
    let body: Value = serde_json::from_str(&body).expect("json");
    let response = &body["response"];
    assert_eq!((&response["allowed"], &response["patchType"]), (&json!(true), &json!("JSONPatch")));
    let patch = STANDARD.decode(response["patch"].as_str().expect("patch")).expect("must be base64");
    let pod = mk_pod(json!({}));
    let want = ops(mutate(&config, &Sources::default(), "shop", &pod, Some(&reader()), &Lowest).expect("pod"));
    assert_eq!(serde_json::from_slice::<Value>(&patch).expect("json"), json!(want));
}

#[tokio::test]
async fn refuses_every_content_type_but_one() {
    for content_type in [None, Some("application/json; charset=utf-8"), Some("Application/JSON"), Some("text/plain")] {
        let router = router(Config::bare(), Arc::new(Accounts::default()));
        let (status, body) = send(router, "POST", "/mutate", content_type, &review("v1", "reader")).await;
        assert_eq!(
            (status, body.as_str()),
            (415, "Invalid Content-Type, expected `application/json`\n"),
            "{content_type:?}"
        );
    }
}

#[tokio::test]
async fn refuses_what_it_cannot_decode_in_a_good_answer() {
    let check = async |body: &str, uid: &str, message: &str| {
        let (status, answer) = post(chart("eu-central-1"), body).await;
        let answer: Value = serde_json::from_str(&answer).expect("json");
        let response = json!({"uid": uid, "allowed": false, "status": {"metadata": {}, "message": message}});
        assert_eq!((status, answer), (200, json!({"response": response})), "{body}");
    };
    check("", "", "bad content").await;
    check("{}", "", "bad content").await;
    check(r#"{"request":null}"#, "", "bad content").await;
    check("{", "", "couldn't get version/kind; json parse error: unexpected end of JSON input").await;
    check(r#"{"request":{"uid":"u"}}"#, "u", "unexpected end of JSON input").await;
    check(r#"{"request":{"uid":"u","object":null}}"#, "u", "unexpected end of JSON input").await;
    check(
        r#"{"request":{"uid":"u","object":{"spec":7}}}"#,
        "u",
        "json: cannot unmarshal number into Go struct field Pod.spec of type v1.PodSpec",
    )
    .await;
    check(
        r#"{"request":{"uid":7}}"#,
        "",
        "json: cannot unmarshal number into Go struct field AdmissionRequest.request.uid of type types.UID",
    )
    .await;
}

#[tokio::test]
async fn takes_reviews_of_the_size_that_api_servers_send() {
    let mut review: Value = serde_json::from_str(&review("v1beta1", "reader")).expect("json");
    review["request"]["object"]["metadata"]["annotations"] = json!({"large": "x".repeat(6 << 20)});
    let (status, _) = post(chart("eu-central-1"), &review.to_string()).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn is_healthy_and_serves_nothing_else() {
    let get =
        async |path: &str| send(router(Config::bare(), Arc::new(Accounts::default())), "GET", path, None, "").await;
    assert_eq!(get("/healthz").await, (200, "ok".into()));
    assert_eq!(get("/mutate").await.0, 415);
    assert_eq!(get("/Mutate").await.0, 404);
    assert_eq!(get("/").await.0, 404);
}

#[tokio::test]
async fn waits_for_an_account_only_where_that_could_help() {
    let check = async |grace_ms: u64, sources: Sources, name: &str, waited: bool, patched: bool| {
        let accounts = Arc::new(Accounts::default());
        let grace = Duration::from_millis(grace_ms);
        let config = Config { service_account_lookup_grace: grace, watch_config_map: true, ..Config::bare() };
        let (_keep, sources) = watch::channel(sources);
        let router = Webhook::new(config, accounts.clone()).watching(sources).router();
        let (_, body) = send(router, "POST", "/mutate", Some("application/json"), &review("v1", name)).await;
        assert_eq!(body.contains("JSONPatch"), patched, "{name}: {body}");
        let want = if waited { grace } else { Duration::ZERO };
        assert_eq!(*accounts.asked.lock().expect("lock"), [(format!("shop/{name}"), want)]);
    };
    let map = || RoleMap::parse(r#"{"*/late": {"RoleARN": "mapped"}}"#).expect("map");
    check(0, Sources::default(), "reader", false, true).await;
    check(0, Sources::default(), "late", false, false).await;
    check(100, Sources::default(), "late", true, true).await;
    check(100, Sources::default(), "never", true, false).await;
    // A mirror pod names no account, and pays the full grace.
    check(100, Sources::default(), "", true, false).await;
    check(100, Sources { config_map: map(), ..Sources::default() }, "late", false, true).await;
    check(100, pod_identity(), "reader", false, true).await;
}

#[tokio::test]
async fn follows_its_sources() {
    let (sender, sources) = watch::channel(Sources::default());
    let webhook = Webhook::new(Config::bare(), Arc::new(Accounts::default()));
    let router = webhook.watching(sources).router();
    let is_pod_identity = async || {
        let (_, body) =
            send(router.clone(), "POST", "/mutate", Some("application/json"), &review("v1", "reader")).await;
        let body: Value = serde_json::from_str(&body).expect("json");
        let patch = STANDARD.decode(body["response"]["patch"].as_str().expect("patch")).expect("base64");
        String::from_utf8(patch).expect("text").contains("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    };
    assert!(!is_pod_identity().await);
    sender.send_replace(pod_identity());
    assert!(is_pod_identity().await);
    sender.send_replace(Sources::default());
    assert!(!is_pod_identity().await);
}
