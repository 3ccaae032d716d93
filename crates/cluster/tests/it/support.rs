//! A running embedded cluster with what its tests ask of it: webhooks behind a relay, and pods that are posted and never run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::{
    AzureLayout, Cluster, Embedded, EmbeddedConfig, IssuerShape, LONGEST_TOKEN, NodeChoice, PreparedWebhook,
    Surroundings, Webhook, WebhookInstallation,
};
use http::{Method, Request, header};
use kubelet::Programs;
use serde_json::{Value, json};
use tempfile::TempDir;
use transport::Authority;
use trust::{IssuerUrl, SharedClock, SystemClock};

use crate::relay::{Behind, Call, Relay};

pub(crate) const NAMESPACE: &str = "shop";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/reader";
pub(crate) const CLIENT: &str = "7f3e2c1a-0000-4000-8000-00000000c11e";
pub(crate) const TENANT: &str = "7f3e2c1a-0000-4000-8000-000000007e4a";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const LAYOUTS: [AzureLayout; 2] = [AzureLayout::V1_5, AzureLayout::V1_6];

/// Which of the two is called first: a matter of the AWS chart's release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    AwsFirst,
    AzureFirst,
}

pub(crate) const ORDERS: [Order; 2] = [Order::AwsFirst, Order::AzureFirst];

impl Order {
    pub(crate) fn release(self) -> &'static str {
        match self {
            Self::AwsFirst => "amazon-eks-pod-identity-webhook",
            Self::AzureFirst => "irsa",
        }
    }
}

/// A refusal by the API server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: u16,
    pub(crate) message: String,
}

pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) folder: TempDir,
    relay: Relay,
    webhooks: Mutex<Vec<PreparedWebhook>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let issuer = cluster::issuer::aks("westeurope", "t", "c").expect("must parse");
        Self::with(issuer, IssuerShape::Aks, LONGEST_TOKEN).await
    }

    pub(crate) async fn with(issuer: IssuerUrl, shape: IssuerShape, longest_token: Duration) -> Self {
        let folder = tempfile::tempdir().expect("temp folder must be made");
        let clock: SharedClock = Arc::new(SystemClock);
        let authority = Arc::new(Authority::generate("test", &*clock).expect("must be made"));
        let provider = Embedded::new(EmbeddedConfig {
            issuer,
            shape,
            authority: authority.clone(),
            clock: clock.clone(),
            kubeconfig: folder.path().join("kubeconfig"),
            longest_token,
        });
        let surroundings = Surroundings {
            node_labels: BTreeMap::new(),
            node_watch: cluster::NodeWatch::default(),
            folder: folder.path().to_owned(),
            authority: authority.clone(),
            clock,
            programs: Programs::new().with("sh", "/bin/sh"),
            environment: std::collections::BTreeMap::new(),
            node_name: "local".into(),
            namespaces: String::new(),
        };
        let cluster = Cluster::up(Arc::new(provider), surroundings, NodeChoice::Process).await.expect("must come up");
        let relay = Relay::start(&authority).await;
        let world = Self { cluster, folder, relay, webhooks: Mutex::default() };
        world.furnish(NAMESPACE).await;
        world
    }

    /// A cluster with both webhooks.
    pub(crate) async fn both(order: Order, layout: AzureLayout) -> Self {
        let world = Self::start().await;
        world.install("aws", aws(order), json!({})).await;
        world.install("azure", azure(layout), json!({})).await;
        world
    }

    /// A namespace with an account of both clouds.
    pub(crate) async fn furnish(&self, namespace: &str) {
        let created = self.post("/api/v1/namespaces", &json!({"metadata": {"name": namespace}})).await;
        created.expect("namespace must be created");
        let annotations = json!({"eks.amazonaws.com/role-arn": ROLE, "azure.workload.identity/client-id": CLIENT});
        self.account(namespace, "reader", annotations).await;
    }

    pub(crate) async fn account(&self, namespace: &str, name: &str, annotations: Value) {
        let account = json!({"metadata": {"name": name, "annotations": annotations}});
        let created = self.post(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &account).await;
        created.expect("account must be created");
    }

    /// Installs a webhook behind the relay; `change` is merged into the registration's only entry.
    pub(crate) async fn install(&self, name: &str, installation: WebhookInstallation, change: Value) {
        let prepared = self.cluster.prepare_webhook(installation.clone()).await.expect("must be prepared");
        assert_eq!(prepared.name, installation.configuration_name());
        let mut configuration = prepared.configuration.clone();
        assert_eq!(configuration["metadata"]["name"], prepared.name.as_str());
        let entry = &mut configuration["webhooks"][0];
        let url = entry["clientConfig"]["url"].as_str().expect("a URL").to_owned();
        entry["clientConfig"]["url"] = self.relay.before(name, Behind::Url(url)).into();
        merge(entry, &change);
        self.register(&configuration).await;
        self.webhooks.lock().expect("lock").push(prepared);
    }

    /// Stops a webhook's server; its registration stays.
    pub(crate) async fn stop_webhook(&self, configuration: &str) {
        let stopped = {
            let mut webhooks = self.webhooks.lock().expect("lock");
            let at = webhooks.iter().position(|webhook| webhook.name == configuration).expect("must be installed");
            webhooks.remove(at)
        };
        stopped.stop().await;
    }

    /// Registers a webhook of the test's own under this name, which answers to every pod with a patch.
    pub(crate) async fn patcher(&self, configuration: &str, entry: Value, patch: Value) {
        let root =
            self.webhooks.lock().expect("lock")[0].configuration["webhooks"][0]["clientConfig"]["caBundle"].clone();
        let mut webhook = json!({
            "name": format!("{configuration}.example.test"),
            "admissionReviewVersions": ["v1"],
            "clientConfig": {"caBundle": root, "url": self.relay.before(configuration, Behind::Patch(patch))},
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
            "sideEffects": "None",
        });
        merge(&mut webhook, &entry);
        self.register(&json!({"metadata": {"name": configuration}, "webhooks": [webhook]})).await;
    }

    async fn register(&self, configuration: &Value) {
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        self.post(path, configuration).await.expect("must be registered");
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, Refused> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .expect("must be a request");
        self.cluster.client().request::<Value>(request).await.map_err(|error| match error {
            kube::Error::Api(status) => Refused { code: status.code, message: status.message.clone() },
            other => panic!("{other:?}"),
        })
    }

    /// What the API server stored of a pod, which is taken away again at once.
    pub(crate) async fn stored_in(&self, namespace: &str, pod: &Value) -> Result<Value, Refused> {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let created = self.post(&path, pod).await?;
        let path = format!("{path}/{}", created["metadata"]["name"].as_str().expect("a name"));
        let stored = self.send(Method::GET, &path, &json!({})).await.expect("must be stored");
        assert_eq!(stored["spec"], created["spec"], "what is answered is what is stored");
        let now = json!({"gracePeriodSeconds": 0});
        self.send(Method::DELETE, &path, &now).await.expect("must be deleted");
        Ok(stored)
    }

    pub(crate) async fn stored(&self, pod: &Value) -> Result<Value, Refused> {
        self.stored_in(NAMESPACE, pod).await
    }

    /// The pod as it is stored, and who was called about it.
    pub(crate) async fn admitted(&self, pod: &Value) -> (Value, Vec<String>) {
        self.relay.take();
        let stored = self.stored(pod).await.expect("must be admitted");
        (stored, self.calls())
    }

    /// Who was called since the last time: `azure` with a patch, `azure -` without one.
    pub(crate) fn calls(&self) -> Vec<String> {
        let told = |call: Call| {
            let patched = call.answer["response"].get("patch").is_some();
            format!("{}{}", call.webhook, if patched { "" } else { " -" })
        };
        self.reviews().into_iter().map(told).collect()
    }

    pub(crate) fn reviews(&self) -> Vec<Call> {
        self.relay.take()
    }

    pub(crate) async fn stop(self) {
        self.cluster.down().await;
        for webhook in self.webhooks.into_inner().expect("lock") {
            webhook.stop().await;
        }
        self.relay.stop().await;
    }
}

pub(crate) fn aws(order: Order) -> WebhookInstallation {
    let webhook = Webhook::Aws { default_aws_region: REGION.into(), release: order.release().into() };
    WebhookInstallation { webhook, name: None, namespace_selector: None }
}

pub(crate) fn azure(layout: AzureLayout) -> WebhookInstallation {
    let webhook = Webhook::Azure { layout, tenant: TENANT.into() };
    WebhookInstallation { webhook, name: None, namespace_selector: None }
}

/// A pod that asks for both identities and that no node takes, with changes (RFC 7396).
pub(crate) fn pod(change: Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": "pod", "labels": {"azure.workload.identity/use": "true"}},
        "spec": {
            "serviceAccountName": "reader",
            "schedulerName": "nobody",
            "containers": [{"name": "app", "image": "app:1"}],
        },
    });
    merge(&mut pod, &change);
    pod
}

fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    into.shift_remove(key);
                } else {
                    merge(into.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (into, change) => *into = change.clone(),
    }
}
