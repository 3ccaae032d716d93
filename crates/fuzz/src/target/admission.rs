//! Admission reviews: each body goes to both webhooks as an API server would send it.

use std::time::Duration;

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use json_patch::Patch;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use webhooks::{LookupError, ServiceAccountView, ServiceAccounts, aws, azure};

use super::{Broken, Seen, broken, ensure};

/// One account that both webhooks know, and no other.
#[derive(Debug)]
struct OneAccount;

#[async_trait::async_trait]
impl ServiceAccounts for OneAccount {
    async fn find(&self, _namespace: &str, name: &str, _grace: Duration) -> Option<ServiceAccountView> {
        let annotations = [
            ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/reader"),
            ("azure.workload.identity/client-id", "00000000-0000-0000-0000-000000000001"),
        ];
        (name == "reader").then(|| ServiceAccountView {
            annotations: annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        })
    }

    async fn look_up(&self, namespace: &str, name: &str) -> Result<Option<ServiceAccountView>, LookupError> {
        Ok(self.find(namespace, name, Duration::ZERO).await)
    }
}

struct Webhook {
    name: &'static str,
    path: &'static str,
    router: Router,
}

pub(super) fn target() -> Result<impl Fn(&[u8]) -> Seen + Send + Sync> {
    let runtime = Builder::new_current_thread().build().context("the runtime of the admission target")?;
    let tenant = "00000000-0000-0000-0000-00000000000f";
    let webhooks = [
        Webhook {
            name: "aws",
            path: aws::PATH,
            router: aws::router(aws::Config::chart(aws::ChartValues::default()), Arc::new(OneAccount)),
        },
        Webhook {
            name: "azure",
            path: azure::PATH,
            router: azure::router(azure::Config::chart(azure::Layout::V1_6, tenant), Arc::new(OneAccount)),
        },
    ];
    Ok(move |input: &[u8]| {
        let mut seen = Vec::new();
        for webhook in &webhooks {
            seen.push(format!("{}: {}", webhook.name, review(&runtime, webhook, input)?));
        }
        Ok(seen.join(" | "))
    })
}

fn review(runtime: &Runtime, webhook: &Webhook, input: &[u8]) -> Seen {
    let answer = ask(runtime, webhook, input)?;
    let review: Value = serde_json::from_slice(input).unwrap_or_default();
    let uid = answer.pointer("/response/uid").and_then(Value::as_str);
    ensure(uid.is_some(), || format!("no uid: {answer}"))?;
    let Some(patch) = patch(&answer)? else {
        let status = answer.pointer("/response/status");
        let allowed = answer.pointer("/response/allowed").and_then(Value::as_bool);
        let message = status.and_then(|status| status.get("message")).and_then(Value::as_str).unwrap_or_default();
        return Ok(format!("{allowed:?} {message}"));
    };
    ensure(uid == review.pointer("/request/uid").and_then(Value::as_str).or(Some("")), || {
        format!("a foreign uid: {answer}")
    })?;
    let mut pod = review.pointer("/request/object").cloned().unwrap_or_default();
    let applied = json_patch::patch(&mut pod, &patch);
    ensure(applied.is_ok(), || format!("the patch does not apply: {applied:?} {}", shown(&patch)))?;

    // Called again, as with `reinvocationPolicy: IfNeeded`, it must not put a second copy beside the first.
    let mut second = review;
    second["request"]["object"] = pod.clone();
    let repeated = ask(runtime, webhook, second.to_string().as_bytes())?;
    let mut twice = pod.clone();
    if let Some(patch) = self::patch(&repeated)? {
        let applied = json_patch::patch(&mut twice, &patch);
        ensure(applied.is_ok(), || format!("the second patch does not apply: {applied:?}"))?;
    }
    ensure(twice == pod, || format!("a second call changes the pod again: {}", shown(&patch)))?;
    let paths: Vec<String> = patch.iter().map(|operation| operation.path().to_string()).collect();
    Ok(format!("patched {}", paths.join(" ")))
}

fn shown(patch: &Patch) -> String {
    serde_json::to_string(patch).unwrap_or_default()
}

/// The patch of an answer, if it has one.
fn patch(answer: &Value) -> Result<Option<Patch>, Broken> {
    let Some(text) = answer.pointer("/response/patch").and_then(Value::as_str) else {
        return Ok(None);
    };
    let bytes = STANDARD.decode(text).map_err(anyhow::Error::new).map_err(broken("a patch"))?;
    serde_json::from_slice(&bytes).map_err(anyhow::Error::new).map_err(broken("a patch")).map(Some)
}

/// The review that comes back, whatever was sent.
fn ask(runtime: &Runtime, webhook: &Webhook, body: &[u8]) -> Result<Value, Broken> {
    let request = Request::post(webhook.path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_vec()))
        .map_err(anyhow::Error::new)
        .map_err(broken("a request"))?;
    let (status, bytes) = runtime
        .block_on(async {
            let response = webhook.router.clone().oneshot(request).await?;
            let status = response.status();
            anyhow::Ok((status, response.into_body().collect().await?.to_bytes()))
        })
        .map_err(broken("an answer"))?;
    ensure(status == StatusCode::OK, || format!("status {status}"))?;
    serde_json::from_slice(&bytes).map_err(anyhow::Error::new).map_err(broken("an answer"))
}
