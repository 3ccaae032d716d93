//! Reading: tables, formats, selectors, watches, descriptions, who may do what.

use tokio::io::{AsyncBufReadExt, BufReader};

use super::Kubectl;

#[tokio::test]
async fn the_server_tells_what_it_is_and_what_it_has() {
    let Some(kubectl) = Kubectl::start().await else { return };
    assert!(kubectl.run("version").await.contains("Server Version: v1.36"));
    let kinds = kubectl.run("api-resources").await;
    for line in ["serviceaccounts", "deployments", "mutatingwebhookconfigurations", "events"] {
        assert!(kinds.lines().any(|one| one.starts_with(line)), "{line}: {kinds}");
    }
    assert!(kubectl.run("explain pod.spec.serviceAccountName").await.contains("FIELD: serviceAccountName <string>"));
    assert!(kubectl.run("cluster-info").await.contains("is running at"));
    kubectl.stop().await;
}

#[tokio::test]
async fn objects_are_shown_as_tables_and_found_by_selectors() {
    let Some(kubectl) = Kubectl::start().await else { return };
    kubectl.run("run web --image=runs:1 --labels=app=web,tier=front").await;
    kubectl.run("run db --image=starts:1 --labels=app=db").await;
    kubectl.run("wait --for=condition=Ready pod/web --timeout=20s").await;
    let table = kubectl.run("get pods").await;
    let web = table.lines().find(|line| line.starts_with("web")).expect("a row");
    assert_eq!(web.split_whitespace().take(4).collect::<Vec<_>>(), ["web", "1/1", "Running", "0"], "{table}");
    assert!(kubectl.run("get pods -o wide").await.contains("node-1"));
    assert!(kubectl.run("get pods -A --show-labels").await.contains("app=web,tier=front"));
    let names = "-o jsonpath={.items[*].metadata.name}";
    assert_eq!(kubectl.run(&format!("get pods -l app=web {names}")).await, "web");
    assert_eq!(kubectl.run(&format!("get pods -l 'app in (web, db),!tier' {names}")).await, "db");
    assert_eq!(kubectl.run(&format!("get pods --field-selector status.phase=Running {names}")).await, "web");
    assert_eq!(
        kubectl.run(&format!("get pods --field-selector spec.nodeName=node-1,metadata.name!=web {names}")).await,
        "db"
    );
    assert!(kubectl.run("get pod web -o yaml").await.contains("serviceAccountName: default"));
    assert!(kubectl.run("get pods --sort-by=.metadata.name -o name").await.starts_with("pod/db"));
    assert!(kubectl.run("get all").await.contains("service/kubernetes"));
    assert!(kubectl.run("get sa,cm").await.contains("configmap/kube-root-ca.crt"));
    assert_eq!(kubectl.refused("get pod none").await, "Error from server (NotFound): pods \"none\" not found\n");
    assert_eq!(kubectl.refused("get nonsense").await, "error: the server doesn't have a resource type \"nonsense\"\n");
    kubectl.stop().await;
}

#[tokio::test]
async fn a_watch_shows_each_change_as_a_row() {
    let Some(kubectl) = Kubectl::start().await else { return };
    kubectl.run("create configmap first").await;
    let mut watch = kubectl.begin("get configmaps -w -l owner=us");
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    kubectl.run("label configmap first owner=us").await;
    let mut next = async || lines.next_line().await.expect("must be read").expect("a line");
    assert!(next().await.starts_with("NAME"));
    assert!(next().await.starts_with("first"));
    watch.kill().await.expect("must end");
    kubectl.stop().await;
}

#[tokio::test]
async fn descriptions_tell_of_objects_and_their_events() {
    let Some(kubectl) = Kubectl::start().await else { return };
    kubectl.run("create deployment web --image=runs:1 --replicas=2").await;
    kubectl.run("rollout status deployment/web --timeout=20s").await;
    let text = kubectl.run("describe deployment web").await;
    for part in ["2 desired | 2 updated | 2 total | 2 available | 0 unavailable", "ScalingReplicaSet", "NewReplicaSet:"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = kubectl.run("describe pods -l app=web").await;
    assert!(
        text.contains("Controlled By:  ReplicaSet/web-") && text.contains("serviceaccount from kube-api-access"),
        "{text}"
    );
    assert!(kubectl.run("describe sa default").await.contains("Name:                default"));
    let text = kubectl.run("describe node node-1").await;
    assert!(text.contains("Non-terminated Pods:") && text.contains("web-"), "{text}");
    assert!(kubectl.run("events").await.contains("SuccessfulCreate"));
    assert!(
        kubectl.run("get events --field-selector reason=ScalingReplicaSet").await.contains("Scaled up replica set")
    );
    kubectl.stop().await;
}

#[tokio::test]
async fn people_learn_who_they_are_and_what_they_may() {
    let Some(kubectl) = Kubectl::start().await else { return };
    assert!(kubectl.run("auth whoami").await.contains("kubernetes-admin"));
    assert_eq!(kubectl.run("auth can-i create pods").await, "yes\n");
    kubectl.run("create serviceaccount reader").await;
    kubectl.run("create role read --verb=get,list --resource=configmaps").await;
    kubectl.run("create rolebinding read --role=read --serviceaccount=default:reader").await;
    let token = kubectl.run("create token reader --duration=600s").await;
    let asked = format!(
        "--kubeconfig=/dev/null --server=https://{} --insecure-skip-tls-verify --token={}",
        kubectl.cluster.server.addr(),
        token.trim()
    );
    assert_eq!(kubectl.run(&format!("auth can-i list configmaps {asked}")).await, "yes\n");
    assert!(kubectl.run(&format!("get configmaps {asked}")).await.contains("kube-root-ca.crt"));
    let refusal = kubectl.refused(&format!("get secrets {asked}")).await;
    assert!(
        refusal.contains(r#"User "system:serviceaccount:default:reader" cannot list resource "secrets""#),
        "{refusal}"
    );
    assert!(kubectl.run("auth can-i list configmaps --as=system:serviceaccount:default:reader").await.contains("yes"));
    assert_eq!(
        kubectl.run("get cm kube-root-ca.crt -o name --as=system:serviceaccount:default:reader").await,
        "configmap/kube-root-ca.crt\n"
    );
    let refusal = kubectl.refused("get secrets --as=system:serviceaccount:default:reader").await;
    assert!(
        refusal.contains(r#"User "system:serviceaccount:default:reader" cannot list resource "secrets""#),
        "{refusal}"
    );
    let refusal = kubectl.refused(&format!("get cm --as=jane {asked}")).await;
    assert!(refusal.contains(r#"users "jane" is forbidden: User "system:serviceaccount:default:reader" cannot impersonate resource "users""#), "{refusal}");
    assert!(kubectl.run("auth can-i --list").await.contains("*.*"));
    let bound = kubectl.run("create token reader --audience=sts.amazonaws.com").await;
    let claims = trust::UnverifiedToken::decode(bound.trim()).expect("must be a token");
    assert!(format!("{claims:?}").contains("sts.amazonaws.com"));
    kubectl.stop().await;
}
