//! Changing: create, apply, patch, label, annotate, delete.

use super::Kubectl;

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  a: '1'\n  b: '2'\n";

#[tokio::test]
async fn what_is_applied_again_is_merged_with_what_others_set() {
    let Some(kubectl) = Kubectl::start().await else { return };
    assert_eq!(kubectl.feed("apply -f -", MAP).await, "configmap/settings created\n");
    assert_eq!(kubectl.feed("apply -f -", MAP).await, "configmap/settings unchanged\n");
    kubectl.run("patch configmap settings --type=merge -p {\"data\":{\"c\":\"3\"}}").await;
    let less = MAP.replace("  b: '2'\n", "");
    assert!(kubectl.feed("diff -f -", MAP).await.is_empty());
    assert_eq!(kubectl.feed("apply -f -", &less).await, "configmap/settings configured\n");
    assert_eq!(kubectl.run("get cm settings -o jsonpath={.data}").await, r#"{"a":"1","c":"3"}"#);
    let bad = MAP.replace("\ndata:", "\ndada:");
    let mut child = kubectl.command("apply -f -").stdin(std::process::Stdio::piped()).spawn().expect("must run");
    tokio::io::AsyncWriteExt::write_all(&mut child.stdin.take().expect("a pipe"), bad.as_bytes())
        .await
        .expect("written");
    let output = child.wait_with_output().await.expect("must end");
    assert!(String::from_utf8_lossy(&output.stderr).contains("unknown field \"dada\""), "{output:?}");
    kubectl.stop().await;
}

#[tokio::test]
async fn a_server_side_apply_owns_its_members() {
    let Some(kubectl) = Kubectl::start().await else { return };
    let words = "apply --server-side --field-manager=ours -f -";
    assert_eq!(kubectl.feed(words, MAP).await, "configmap/settings serverside-applied\n");
    let owned = kubectl.json("get cm settings -o json --show-managed-fields").await;
    assert_eq!(owned["metadata"]["managedFields"][0]["manager"], "ours");
    kubectl
        .run("patch configmap settings --type=json -p [{\"op\":\"replace\",\"path\":\"/data/a\",\"value\":\"9\"}]")
        .await;
    let mut child = kubectl.command(words).stdin(std::process::Stdio::piped()).spawn().expect("must run");
    tokio::io::AsyncWriteExt::write_all(&mut child.stdin.take().expect("a pipe"), MAP.as_bytes())
        .await
        .expect("written");
    let output = child.wait_with_output().await.expect("must end");
    assert!(String::from_utf8_lossy(&output.stderr).contains("conflict with \"kubectl-patch\""), "{output:?}");
    kubectl.feed(&format!("{words} --force-conflicts"), MAP).await;
    assert_eq!(kubectl.run("get cm settings -o jsonpath={.data.a}").await, "1");
    kubectl.stop().await;
}

#[tokio::test]
async fn labels_annotations_and_patches_change_what_they_name() {
    let Some(kubectl) = Kubectl::start().await else { return };
    assert_eq!(kubectl.run("create serviceaccount web").await, "serviceaccount/web created\n");
    kubectl.run("annotate sa web eks.amazonaws.com/role-arn=arn:aws:iam::1:role/web").await;
    assert_eq!(kubectl.run("label sa web azure.workload.identity/use=true").await, "serviceaccount/web labeled\n");
    assert!(
        kubectl
            .refused("label sa web azure.workload.identity/use=false")
            .await
            .contains("'azure.workload.identity/use' already has a value")
    );
    kubectl.run("label sa web azure.workload.identity/use-").await;
    let sa = kubectl.json("get sa web -o json").await;
    assert_eq!(sa["metadata"]["annotations"]["eks.amazonaws.com/role-arn"], "arn:aws:iam::1:role/web");
    assert!(sa["metadata"].get("labels").is_none(), "{sa}");
    kubectl.run("create deployment web --image=runs:1").await;
    kubectl.run("patch deployment web -p {\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"runs\",\"env\":[{\"name\":\"A\",\"value\":\"1\"}]}]}}}}").await;
    let one = kubectl.json("get deployment web -o json").await;
    let container = &one["spec"]["template"]["spec"]["containers"][0];
    assert_eq!((&container["image"], &container["env"][0]["name"]), (&"runs:1".into(), &"A".into()));
    kubectl.run("set env deployment/web B=2").await;
    kubectl.run("set serviceaccount deployment web web").await;
    assert_eq!(kubectl.run("get deployment web -o jsonpath={.spec.template.spec.serviceAccountName}").await, "web");
    kubectl.stop().await;
}

#[tokio::test]
async fn deletions_wait_and_reach_as_far_as_they_are_told() {
    let Some(kubectl) = Kubectl::start().await else { return };
    kubectl.run("create namespace shop").await;
    kubectl.run("create configmap held -n shop").await;
    kubectl
        .run("patch configmap held -n shop --type=merge -p {\"metadata\":{\"finalizers\":[\"example.com/hold\"]}}")
        .await;
    assert!(
        kubectl
            .refused("delete configmap held -n shop --timeout=1s")
            .await
            .contains("timed out waiting for the condition")
    );
    assert_eq!(
        kubectl.run("delete configmap held -n shop --wait=false").await,
        "configmap \"held\" deleted from shop namespace\n".replace(" from shop namespace", &shown(&kubectl).await)
    );
    kubectl.run("patch configmap held -n shop --type=merge -p {\"metadata\":{\"finalizers\":null}}").await;
    kubectl.run("wait --for=delete configmap/held -n shop --timeout=10s").await;
    for cascade in ["background", "foreground"] {
        kubectl.run("create deployment web -n shop --image=runs:1 --replicas=2").await;
        kubectl.run("rollout status deployment/web -n shop --timeout=20s").await;
        kubectl.run(&format!("delete deployment web -n shop --cascade={cascade} --timeout=20s")).await;
        kubectl.run("wait --for=delete pods -l app=web -n shop --timeout=20s").await;
        assert!(kubectl.run("get rs,pods -n shop -o name").await.is_empty());
    }
    kubectl.run("create deployment web -n shop --image=runs:1 --replicas=2").await;
    kubectl.run("rollout status deployment/web -n shop --timeout=20s").await;
    kubectl.run("delete deployment web -n shop --cascade=orphan --timeout=20s").await;
    assert_eq!(kubectl.run("get rs,pods -n shop -o name").await.lines().count(), 3);
    kubectl.run("delete pods --all -n shop --grace-period=0 --force").await;
    kubectl.run("delete namespace shop --timeout=20s").await;
    assert!(kubectl.refused("get namespace shop").await.contains("NotFound"));
    kubectl.stop().await;
}

/// Newer releases name the namespace.
async fn shown(kubectl: &Kubectl) -> String {
    kubectl.run("create configmap probe -n shop").await;
    let text = kubectl.run("delete configmap probe -n shop").await;
    text.trim_end().strip_prefix("configmap \"probe\" deleted").unwrap_or_default().to_owned()
}

#[tokio::test]
async fn kinds_that_are_sent_in_protobuf_are_created() {
    let Some(kubectl) = Kubectl::start().await else { return };
    let created = kubectl.run("create pdb web --selector=app=web --min-available=50%").await;
    assert_eq!(created, "poddisruptionbudget.policy/web created\n");
    assert_eq!(kubectl.run("get pdb web -o jsonpath={.spec.minAvailable}").await, "50%");
    kubectl.run("create ingress web --rule=example.test/shop*=web:80,tls=cert").await;
    let rule = kubectl.json("get ingress web -o json").await["spec"].clone();
    assert_eq!(rule["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"]["number"], 80);
    assert_eq!(rule["tls"][0]["secretName"], "cert");
    kubectl.run("create priorityclass high --value=10 --description=first").await;
    assert_eq!(kubectl.run("get priorityclass high -o jsonpath={.value}").await, "10");
    kubectl.stop().await;
}

#[tokio::test]
async fn a_definition_and_an_object_of_its_kind_need_two_turns() {
    let Some(kubectl) = Kubectl::start().await else { return };
    let definition = r#"{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.test"},
        "spec": {"group": "example.test", "scope": "Namespaced", "names": {"kind": "Thing", "plural": "things"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}}"#;
    let thing = r#"{"apiVersion": "example.test/v1", "kind": "Thing", "metadata": {"name": "one"}}"#;
    let file = kubectl.home.join("both.yaml");
    std::fs::write(&file, format!("{definition}\n{thing}\n")).expect("must be written");
    let words = format!("apply -f {}", file.display());
    let refused = kubectl.refused(&words).await;
    assert!(refused.contains("no matches for kind \"Thing\" in version \"example.test/v1\""), "{refused}");
    let (_, body) = kubectl.cluster.send("GET", "/openapi/v2", None).await;
    assert_eq!(body["swagger"], "2.0");
    assert!(kubectl.run(&words).await.contains("thing.example.test/one created"));
    kubectl.stop().await;
}
