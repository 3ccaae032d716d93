//! Running: workloads, rollouts, logs.

use tokio::io::{AsyncBufReadExt, BufReader};

use super::Kubectl;

#[tokio::test]
async fn a_rollout_is_followed_restarted_scaled_and_undone() {
    let Some(kubectl) = Kubectl::start().await else { return };
    kubectl.run("create deployment web --image=runs:1 --replicas=2").await;
    let text = kubectl.run("rollout status deployment/web --timeout=20s").await;
    assert!(text.ends_with("deployment \"web\" successfully rolled out\n"), "{text}");
    kubectl.run("rollout restart deployment/web").await;
    kubectl.run("rollout status deployment/web --timeout=20s").await;
    kubectl.run("set image deployment/web runs=runs:2").await;
    kubectl.run("rollout status deployment/web --timeout=20s").await;
    assert!(kubectl.run("rollout history deployment/web").await.contains("3 "));
    kubectl.run("rollout undo deployment/web").await;
    kubectl.run("rollout status deployment/web --timeout=20s").await;
    assert_eq!(kubectl.run("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}").await, "runs:1");
    assert_eq!(kubectl.run("scale deployment web --replicas=3").await, "deployment.apps/web scaled\n");
    kubectl.run("wait --for=jsonpath={.status.readyReplicas}=3 deployment/web --timeout=20s").await;
    kubectl.stop().await;
}

#[tokio::test]
async fn jobs_run_to_their_end() {
    let Some(kubectl) = Kubectl::start().await else { return };
    kubectl.run("create job once --image=ends:1").await;
    kubectl.run("wait --for=condition=complete job/once --timeout=20s").await;
    assert!(kubectl.run("get job once").await.contains("Complete"));
    kubectl.run("create cronjob yearly --image=ends:1 --schedule=@yearly").await;
    kubectl.run("create job now --from=cronjob/yearly").await;
    kubectl.run("wait --for=condition=complete job/now --timeout=20s").await;
    assert!(kubectl.run("get cronjob yearly").await.contains("@yearly"));
    kubectl.run("delete cronjob yearly").await;
    assert_eq!(kubectl.run("get jobs -o name").await, "job.batch/once\n");
    kubectl.run("delete job once").await;
    kubectl.run("wait --for=delete pods -l job-name=once --timeout=20s").await;
    kubectl.stop().await;
}

#[tokio::test]
async fn logs_come_from_the_node() {
    let Some(kubectl) = Kubectl::start().await else { return };
    kubectl.run("run web --image=runs:1").await;
    kubectl.run("wait --for=condition=Ready pod/web --timeout=20s").await;
    assert!(kubectl.run("logs web").await.ends_with("hello from the node\n"));
    let mut follow = kubectl.begin("logs -f web --tail=5");
    let mut lines = BufReader::new(follow.stdout.take().expect("a pipe")).lines();
    let path = lines.next_line().await.expect("must be read").expect("a line");
    assert!(
        path.starts_with("/containerLogs/default/web/web?")
            && path.contains("follow=true")
            && path.contains("tailLines=5"),
        "{path}"
    );
    assert!(follow.wait().await.expect("must end").success());
    assert!(kubectl.run("logs -l run=web").await.contains("hello from the node"));
    assert!(kubectl.refused("logs web -c none").await.contains("container none is not valid for pod web"));
    kubectl.stop().await;
}
