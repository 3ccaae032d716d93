//! Thousands of objects.

use futures::StreamExt;
use serde_json::json;

use super::Kubectl;

#[tokio::test]
async fn thousands_of_accounts_and_pods_are_listed() {
    const MANY: usize = 5000;
    let Some(kubectl) = Kubectl::start().await else { return };
    let cluster = &kubectl.cluster;
    let send = |kind: &'static str, body: serde_json::Value| async move {
        let (status, body) = cluster.send("POST", &format!("/api/v1/namespaces/default/{kind}"), Some(body)).await;
        assert_eq!(status, 201, "{body}");
    };
    futures::stream::iter(0..MANY)
        .for_each_concurrent(16, |at| async move {
            send("serviceaccounts", json!({"metadata": {"name": format!("account-{at}")}})).await;
            // Another scheduler's: the node of the test leaves them alone.
            let spec = json!({"schedulerName": "none", "serviceAccountName": format!("account-{at}"), "containers": [{"name": "app", "image": "starts:1"}]});
            send("pods", json!({"metadata": {"name": format!("pod-{at}")}, "spec": spec})).await;
        })
        .await;
    assert_eq!(kubectl.run("get serviceaccounts --no-headers").await.lines().count(), MANY + 1);
    assert_eq!(kubectl.run("get pods --no-headers").await.lines().count(), MANY);
    assert_eq!(kubectl.run("get pods -o name --chunk-size=100").await.lines().count(), MANY);
    kubectl.stop().await;
}
