"""What people do with the Python client, against the cluster of the kubeconfig that is the first argument."""

import base64
import json
import sys

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException

config.load_kube_config(sys.argv[1])
core, apps, batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()


def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except ApiException as error:
        assert error.status == code, error
        return json.loads(error.body)
    raise AssertionError("must be refused")


# Create, in a namespace of its own.
core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="py")))
account = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="web", annotations={"a/b": "c"}))
assert core.create_namespaced_service_account("py", account).metadata.uid
assert refused(409, core.create_namespaced_service_account, "py", account)["reason"] == "AlreadyExists"
assert refused(404, core.read_namespaced_pod, "none", "py")["message"] == 'pods "none" not found'

# A pod, watched until it runs.
container = client.V1Container(name="app", image="runs:1", env=[client.V1EnvVar(name="A", value="1")])
spec = client.V1PodSpec(service_account_name="web", containers=[container])
core.create_namespaced_pod("py", client.V1Pod(metadata=client.V1ObjectMeta(name="web", labels={"app": "web"}), spec=spec))
for event in watch.Watch().stream(core.list_namespaced_pod, "py", label_selector="app=web", timeout_seconds=20):
    if event["object"].status.phase == "Running":
        break
else:
    raise AssertionError("must run")
assert [pod.metadata.name for pod in core.list_namespaced_pod("py", field_selector="status.phase=Running").items] == ["web"]
assert "hello" in core.read_namespaced_pod_log("web", "py")

# Patches: strategic for a mapping, JSON for a list.
pod = core.patch_namespaced_pod("web", "py", {"metadata": {"labels": {"tier": "front"}}})
assert pod.metadata.labels == {"app": "web", "tier": "front"}, pod.metadata.labels
patch = [{"op": "replace", "path": "/metadata/labels/tier", "value": "back"}]
assert core.patch_namespaced_pod("web", "py", patch).metadata.labels["tier"] == "back"
read = core.read_namespaced_pod("web", "py")
read.metadata.annotations = {"x": "y"}
assert core.replace_namespaced_pod("web", "py", read).metadata.annotations == {"x": "y"}
assert refused(409, core.replace_namespaced_pod, "web", "py", read)["reason"] == "Conflict"

# Tokens.
request = client.AuthenticationV1TokenRequest(
    spec=client.V1TokenRequestSpec(audiences=["sts.amazonaws.com"], expiration_seconds=3600)
)
token = core.create_namespaced_service_account_token("web", "py", request).status.token
claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==="))
assert (claims["aud"], claims["sub"]) == (["sts.amazonaws.com"], "system:serviceaccount:py:web"), claims
request.spec.expiration_seconds = 1
assert refused(422, core.create_namespaced_service_account_token, "web", "py", request)["reason"] == "Invalid"
review = client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token, audiences=["sts.amazonaws.com"]))
assert client.AuthenticationV1Api().create_token_review(review).status.authenticated

# Workloads, from a mapping as from a file.
template = {"metadata": {"labels": {"app": "set"}}, "spec": {"containers": [{"name": "app", "image": "runs:1"}]}}
deployment = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "set"},
    "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "set"}}, "template": template},
}
utils.create_from_dict(client.ApiClient(), deployment, namespace="py")
for event in watch.Watch().stream(apps.list_namespaced_deployment, "py", timeout_seconds=20):
    if event["object"].status.ready_replicas == 2:
        break
else:
    raise AssertionError("must be ready")
assert apps.patch_namespaced_deployment_scale("set", "py", {"spec": {"replicas": 1}}).spec.replicas == 1
assert apps.read_namespaced_deployment_scale("set", "py").status.selector == "app=set"

# Pages, and the dynamic client with server-side apply.
for at in range(5):
    core.create_namespaced_config_map("py", client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"map-{at}"), data={"a": "b"}))
names, more = [], None
while True:
    page = core.list_namespaced_config_map("py", limit=2, _continue=more)
    names += [one.metadata.name for one in page.items]
    more = page.metadata._continue
    if not more:
        break
assert names == ["kube-root-ca.crt"] + [f"map-{at}" for at in range(5)], names
maps = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")
body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"x": "1"}}
assert maps.server_side_apply(body=body, name="applied", namespace="py", field_manager="us").data.x == "1"

# Deletions.
core.delete_namespaced_config_map("map-0", "py", propagation_policy="Background")
core.delete_collection_namespaced_config_map("py", field_selector="metadata.name=map-1")
assert refused(404, core.read_namespaced_config_map, "map-1", "py")["code"] == 404
apps.delete_namespaced_deployment("set", "py", body=client.V1DeleteOptions(propagation_policy="Foreground"))
core.delete_namespaced_pod("web", "py", grace_period_seconds=0)
core.delete_namespace("py")
assert client.VersionApi().get_code().minor == "36"
