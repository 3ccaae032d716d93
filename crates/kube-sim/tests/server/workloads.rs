//! Controllers of workloads and the collector of garbage, on a node that runs nothing.

use kube::api::ListParams;
use serde_json::{Value, json};

use crate::node::{self, objects, until};
use crate::support::Cluster;

async fn cluster() -> Cluster {
    let cluster = Cluster::start().await;
    node::start(&cluster, 1).await;
    cluster
}

fn workload(kind: &str, name: &str, spec: Value) -> Value {
    let mut object = json!({"kind": kind, "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app", "image": "runs:1"}]}},
    }});
    object["apiVersion"] = "apps/v1".into();
    json_patch::merge(&mut object["spec"], &spec);
    object
}

fn job(name: &str, image: &str, spec: Value) -> Value {
    let mut object = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": image}]}},
    }});
    json_patch::merge(&mut object["spec"], &spec);
    object
}

async fn create(cluster: &Cluster, path: &str, object: Value) {
    let (status, body) = cluster.send("POST", path, Some(object)).await;
    assert_eq!(status, 201, "{body}");
}

async fn pods(cluster: &Cluster, label: &str) -> Vec<Value> {
    let found =
        objects(cluster, "v1", "Pod", "default").list(&ListParams::default().labels(label)).await.expect("a list");
    found.items.iter().map(|pod| serde_json::to_value(pod).expect("must be JSON")).collect()
}

const APPS: &str = "/apis/apps/v1/namespaces/default";
const BATCH: &str = "/apis/batch/v1/namespaces/default";

fn condition<'a>(value: &'a Value, kind: &str) -> Option<&'a Value> {
    value["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == kind)
}

#[tokio::test]
async fn a_deployment_gets_its_pods_and_rolls_over_to_a_new_template() {
    let cluster = cluster().await;
    create(&cluster, &format!("{APPS}/deployments"), workload("Deployment", "web", json!({"replicas": 3}))).await;
    let api = objects(&cluster, "apps/v1", "Deployment", "default");
    let is_done = |generation: i64, wanted: i64| {
        move |one: Option<&Value>| {
            one.is_some_and(|one| {
                let status = &one["status"];
                ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
                    .iter()
                    .all(|key| status[*key] == wanted)
                    && status["observedGeneration"] == generation
                    && condition(one, "Progressing").is_some_and(|one| one["reason"] == "NewReplicaSetAvailable")
            })
        }
    };
    let web = until(&api, "web", is_done(1, 3)).await;
    assert_eq!(condition(&web, "Available").expect("must be there")["status"], "True");
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "1");
    let before = pods(&cluster, "app=web").await;
    let pod = &before[0]["metadata"];
    let owner = &pod["ownerReferences"][0];
    assert_eq!((&owner["kind"], &owner["controller"]), (&json!("ReplicaSet"), &json!(true)));
    assert_eq!(pod["managedFields"][0]["manager"], "kube-controller-manager");
    assert!(pod["labels"]["pod-template-hash"].is_string());

    let change =
        json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "app", "image": "runs:2"}]}}}});
    let path = format!("{APPS}/deployments/web");
    cluster.send_raw("PATCH", &path, "application/strategic-merge-patch+json", change.to_string().into_bytes()).await;
    let web = until(&api, "web", is_done(2, 2)).await;
    assert_eq!(web["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
    let after: Vec<Value> = pods(&cluster, "app=web")
        .await
        .into_iter()
        .filter(|pod| pod["metadata"].get("deletionTimestamp").is_none())
        .collect();
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|pod| pod["spec"]["containers"][0]["image"] == "runs:2"), "{after:?}");
    cluster.stop().await;
}

#[tokio::test]
async fn a_workload_that_is_refused_pods_says_why_and_gets_them_later() {
    let cluster = cluster().await;
    let mut spec = json!({"replicas": 1});
    spec["template"]["spec"]["serviceAccountName"] = "late".into();
    create(&cluster, &format!("{APPS}/deployments"), workload("Deployment", "web", spec)).await;
    let api = objects(&cluster, "apps/v1", "Deployment", "default");
    let web = until(&api, "web", |one| one.is_some_and(|one| condition(one, "ReplicaFailure").is_some())).await;
    let message = condition(&web, "ReplicaFailure").expect("must be there")["message"].as_str().expect("a text");
    assert!(
        message.ends_with(r#"error looking up service account default/late: serviceaccount "late" not found"#),
        "{message}"
    );
    let events = objects(&cluster, "v1", "Event", "default").list(&ListParams::default()).await.expect("a list");
    assert!(
        events.items.iter().any(|event| event.data["reason"] == "FailedCreate"
            && event.data["source"]["component"] == "replicaset-controller")
    );
    create(&cluster, "/api/v1/namespaces/default/serviceaccounts", json!({"metadata": {"name": "late"}})).await;
    let web = until(&api, "web", |one| one.is_some_and(|one| one["status"]["readyReplicas"] == 1)).await;
    assert_eq!(condition(&web, "ReplicaFailure"), None);
    cluster.stop().await;
}

#[tokio::test]
async fn a_stateful_set_numbers_its_pods() {
    let cluster = cluster().await;
    create(
        &cluster,
        &format!("{APPS}/statefulsets"),
        workload("StatefulSet", "db", json!({"replicas": 3, "serviceName": "db"})),
    )
    .await;
    let api = objects(&cluster, "apps/v1", "StatefulSet", "default");
    let set = until(&api, "db", |one| one.is_some_and(|one| one["status"]["readyReplicas"] == 3)).await;
    assert_eq!((&set["status"]["replicas"], &set["status"]["updatedReplicas"]), (&json!(3), &json!(3)));
    let found = pods(&cluster, "app=db").await;
    let names: Vec<&str> = found.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
    assert_eq!(names, ["db-0", "db-1", "db-2"]);
    assert_eq!((&found[1]["spec"]["hostname"], &found[1]["spec"]["subdomain"]), (&json!("db-1"), &json!("db")));

    let change =
        json!({"spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "app", "image": "runs:2"}]}}}});
    let path = format!("{APPS}/statefulsets/db");
    cluster.send_raw("PATCH", &path, "application/merge-patch+json", change.to_string().into_bytes()).await;
    let is_done = |one: Option<&Value>| {
        let status = one.map(|one| &one["status"]);
        status.is_some_and(|status| {
            status["observedGeneration"] == 2
                && status["replicas"] == 1
                && status["readyReplicas"] == 1
                && status["currentRevision"] == status["updateRevision"]
        })
    };
    until(&api, "db", is_done).await;
    let left = objects(&cluster, "v1", "Pod", "default").get("db-0").await.expect("must be there");
    assert_eq!(left.data["spec"]["containers"][0]["image"], "runs:2");
    cluster.stop().await;
}

#[tokio::test]
async fn a_daemon_set_has_a_pod_on_each_node_that_fits() {
    let cluster = cluster().await;
    create(&cluster, &format!("{APPS}/daemonsets"), workload("DaemonSet", "agent", json!({}))).await;
    let api = objects(&cluster, "apps/v1", "DaemonSet", "default");
    let set = until(&api, "agent", |one| one.is_some_and(|one| one["status"]["numberAvailable"] == 1)).await;
    assert_eq!(
        (&set["status"]["desiredNumberScheduled"], &set["status"]["updatedNumberScheduled"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(pods(&cluster, "app=agent").await[0]["spec"]["nodeName"], node::NODE);
    let elsewhere = json!({"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}});
    create(&cluster, &format!("{APPS}/daemonsets"), workload("DaemonSet", "other", elsewhere)).await;
    let set = until(&api, "other", |one| one.is_some_and(|one| one["status"]["observedGeneration"] == 1)).await;
    assert_eq!(set["status"]["desiredNumberScheduled"], 0);
    cluster.stop().await;
}

#[tokio::test]
async fn a_job_ends_when_enough_pods_have_succeeded_or_too_many_failed() {
    let cluster = cluster().await;
    let api = objects(&cluster, "batch/v1", "Job", "default");
    create(&cluster, &format!("{BATCH}/jobs"), job("works", "ends:1", json!({"completions": 3, "parallelism": 2})))
        .await;
    let done = until(&api, "works", |one| one.is_some_and(|one| condition(one, "Complete").is_some())).await;
    assert_eq!(
        (&done["status"]["succeeded"], done["status"].get("failed"), done["status"].get("active")),
        (&json!(3), None, None)
    );
    assert!(done["status"]["completionTime"].is_string());
    create(&cluster, &format!("{BATCH}/jobs"), job("breaks", "fails:1", json!({"backoffLimit": 0}))).await;
    let failed = until(&api, "breaks", |one| one.is_some_and(|one| condition(one, "Failed").is_some())).await;
    assert_eq!(condition(&failed, "Failed").expect("must be there")["reason"], "BackoffLimitExceeded");
    assert_eq!(failed["status"]["failed"], 1);
    let indexed =
        json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed", "ttlSecondsAfterFinished": 0});
    create(&cluster, &format!("{BATCH}/jobs"), job("parts", "ends:1", indexed)).await;
    until(&api, "parts", |one| one.is_none()).await;
    assert!(pods(&cluster, "job-name=parts").await.is_empty());
    cluster.stop().await;
}

#[tokio::test]
async fn a_cron_job_makes_a_job_when_it_is_due() {
    let cluster = cluster().await;
    let spec = job("x", "ends:1", json!({}))["spec"].clone();
    let cron = json!({"metadata": {"name": "often"}, "spec": {"schedule": "@every 1s", "jobTemplate": {"spec": spec}}});
    create(&cluster, &format!("{BATCH}/cronjobs"), cron.clone()).await;
    let api = objects(&cluster, "batch/v1", "CronJob", "default");
    until(&api, "often", |one| one.is_some_and(|one| one["status"]["lastSuccessfulTime"].is_string())).await;
    let mut bad = cron;
    bad["spec"]["schedule"] = "61 * * * *".into();
    let (status, body) = cluster.send("POST", &format!("{BATCH}/cronjobs"), Some(bad)).await;
    assert_eq!(status, 422, "{body}");
    cluster.stop().await;
}

#[tokio::test]
async fn dependents_go_with_their_owner_before_it_or_not_at_all() {
    let cluster = cluster().await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let api = objects(&cluster, "v1", "ConfigMap", "default");
    for policy in ["Background", "Foreground", "Orphan"] {
        create(&cluster, maps, json!({"metadata": {"name": "owner"}})).await;
        let uid = api.get("owner").await.expect("must be there").metadata.uid.expect("an id");
        let refers =
            json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "blockOwnerDeletion": true}]);
        let held = json!({"metadata": {"name": "held", "ownerReferences": refers, "finalizers": ["example.com/hold"]}});
        create(&cluster, maps, held).await;
        let free = json!({"metadata": {"name": "free", "ownerReferences": refers}});
        create(&cluster, maps, free).await;
        let (status, _) =
            cluster.send("DELETE", &format!("{maps}/owner"), Some(json!({"propagationPolicy": policy}))).await;
        assert_eq!(status, 200);
        let [owner, held, free] = ["owner", "held", "free"].map(|name| api.get_opt(name));
        let (owner, held, free) =
            (owner.await.expect("asked"), held.await.expect("asked").expect("held"), free.await.expect("asked"));
        let is_marked = held.metadata.deletion_timestamp.is_some();
        let expected = match policy {
            "Foreground" => (true, true, false),
            "Background" => (false, true, false),
            _ => (false, false, true),
        };
        assert_eq!((owner.is_some(), is_marked, free.is_some()), expected, "{policy}");
        if policy == "Orphan" {
            assert_eq!(held.metadata.owner_references, None);
            cluster.send("DELETE", &format!("{maps}/free"), None).await;
            cluster.send("DELETE", &format!("{maps}/held"), None).await;
        }
        let (status, _) = cluster
            .send_raw(
                "PATCH",
                &format!("{maps}/held"),
                "application/merge-patch+json",
                br#"{"metadata":{"finalizers":null}}"#.to_vec(),
            )
            .await;
        assert_eq!(status, 200);
        assert!(api.get_opt("owner").await.expect("asked").is_none(), "{policy}");
    }
    let (status, _) = cluster
        .send("DELETE", &format!("{maps}/kube-root-ca.crt"), Some(json!({"propagationPolicy": "Sometimes"})))
        .await;
    assert_eq!(status, 422);
    cluster.stop().await;
}

#[tokio::test]
async fn a_budget_says_how_many_of_its_pods_may_go() {
    let cluster = cluster().await;
    let budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
    let spec = json!({"minAvailable": "60%", "selector": {"matchLabels": {"app": "web"}}});
    create(&cluster, budgets, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let api = objects(&cluster, "policy/v1", "PodDisruptionBudget", "default");
    let shows = |numbers: [i64; 4], state: &'static str| {
        move |one: Option<&Value>| {
            one.is_some_and(|one| {
                let names = ["expectedPods", "currentHealthy", "desiredHealthy", "disruptionsAllowed"];
                names.iter().zip(numbers).all(|(name, number)| one["status"][*name] == number)
                    && condition(one, "DisruptionAllowed").is_some_and(|one| one["status"] == state)
            })
        }
    };
    until(&api, "web", shows([0, 0, 0, 0], "False")).await;
    create(&cluster, &format!("{APPS}/deployments"), workload("Deployment", "web", json!({"replicas": 4}))).await;
    until(&api, "web", shows([4, 4, 3, 1], "True")).await;
    let scale = json!({"spec": {"replicas": 1}}).to_string().into_bytes();
    let path = format!("{APPS}/deployments/web/scale");
    assert_eq!(cluster.send_raw("PATCH", &path, "application/merge-patch+json", scale).await.0, 200);
    let last = until(&api, "web", shows([1, 1, 1, 0], "False")).await;
    assert_eq!(last["status"]["observedGeneration"], last["metadata"]["generation"]);
    cluster.stop().await;
}
