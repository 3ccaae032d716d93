//! The columns of each kind, as `pkg/printers/internalversion` of Kubernetes has them.

use serde_json::Value;

use super::Column;
use super::cells::Cell;
use crate::object::{list, text};
use crate::resources::Resource;

/// A line a kind: group/kind, then columns as `name=cell`, with `*` behind the names of those that only `-o wide` shows.
/// `Name` and `Age` stand for themselves. Cells: see [`Cell::parse`].
const TABLE: &str = "
/Pod|Name|Ready=!pod ready|Status=!pod status|Restarts=!pod restarts|Age|IP*=.status.podIP?|Node*=.spec.nodeName?|Nominated Node*=.status.nominatedNodeName?|Readiness Gates*=!pod gates
/ConfigMap|Name|Data=!data|Age
/Secret|Name|Type=.type|Data=!data|Age
/Namespace|Name|Status=.status.phase|Age
/ServiceAccount|Name|Age
/Service|Name|Type=.spec.type|Cluster-IP=.spec.clusterIP?|External-IP=!external|Port(s)=!ports|Age|Selector*=!map /spec/selector
/Endpoints|Name|Endpoints=!endpoints|Age
/Node|Name|Status=!node status|Roles=!node roles|Age|Version=.status.nodeInfo.kubeletVersion|Internal-IP*=!node InternalIP|External-IP*=!node ExternalIP|OS-Image*=.status.nodeInfo.osImage?|Kernel-Version*=.status.nodeInfo.kernelVersion?|Container-Runtime*=.status.nodeInfo.containerRuntimeVersion?
/Event|Last Seen=!event last|Type=.type|Reason=.reason|Object=!event object|Subobject*=.involvedObject.fieldPath|Source*=!event source|Message=.message|First Seen*=!event first|Count*=!event count|Name*=.metadata.name
/PersistentVolumeClaim|Name|Status=.status.phase|Volume=.spec.volumeName|Capacity=.status.capacity.storage|Access Modes=!list /spec/accessModes|StorageClass=.spec.storageClassName|VolumeAttributesClass=.spec.volumeAttributesClassName?|Age|VolumeMode*=.spec.volumeMode?
/ReplicationController|Name|Desired=#.spec.replicas|Current=#.status.replicas|Ready=#.status.readyReplicas|Age|Containers*=!containers|Images*=!images|Selector*=!map /spec/selector
apps/Deployment|Name|Ready=#.status.readyReplicas/.spec.replicas|Up-to-date=#.status.updatedReplicas|Available=#.status.availableReplicas|Age|Containers*=!containers|Images*=!images|Selector*=!selector
apps/ReplicaSet|Name|Desired=#.spec.replicas|Current=#.status.replicas|Ready=#.status.readyReplicas|Age|Containers*=!containers|Images*=!images|Selector*=!selector
apps/StatefulSet|Name|Ready=#.status.readyReplicas/.spec.replicas|Age|Containers*=!containers|Images*=!images
apps/DaemonSet|Name|Desired=#.status.desiredNumberScheduled|Current=#.status.currentNumberScheduled|Ready=#.status.numberReady|Up-to-date=#.status.updatedNumberScheduled|Available=#.status.numberAvailable|Node Selector=!map /spec/template/spec/nodeSelector|Age|Containers*=!containers|Images*=!images|Selector*=!selector
apps/ControllerRevision|Name|Controller=!owner|Revision=#.revision|Age
batch/Job|Name|Status=!job status|Completions=!job completions|Duration=!job duration|Age|Containers*=!containers|Images*=!images|Selector*=!selector
batch/CronJob|Name|Schedule=.spec.schedule|Timezone=.spec.timeZone?|Suspend=!suspend|Active=!active|Last Schedule=@.status.lastScheduleTime?|Age|Containers*=!containers|Images*=!images|Selector*=!selector
policy/PodDisruptionBudget|Name|Min Available=!available minAvailable|Max Unavailable=!available maxUnavailable|Allowed Disruptions=#.status.disruptionsAllowed|Age
networking.k8s.io/Ingress|Name|Class=.spec.ingressClassName?|Hosts=!hosts|Address=!address|Ports=!ingress ports|Age
networking.k8s.io/NetworkPolicy|Name|Pod-Selector=!map /spec/podSelector/matchLabels|Age
storage.k8s.io/StorageClass|Name|Provisioner=.provisioner|ReclaimPolicy=.reclaimPolicy|VolumeBindingMode=.volumeBindingMode|AllowVolumeExpansion=!expansion|Age
scheduling.k8s.io/PriorityClass|Name|Value=#.value|Global-Default=!default|Age|PreemptionPolicy=.preemptionPolicy
coordination.k8s.io/Lease|Name|Holder=.spec.holderIdentity|Age
rbac.authorization.k8s.io/Role|Name|Created At=.metadata.creationTimestamp
rbac.authorization.k8s.io/ClusterRole|Name|Created At=.metadata.creationTimestamp
rbac.authorization.k8s.io/RoleBinding|Name|Role=!role|Age|Users*=!subjects User|Groups*=!subjects Group|ServiceAccounts*=!subjects ServiceAccount
rbac.authorization.k8s.io/ClusterRoleBinding|Name|Role=!role|Age|Users*=!subjects User|Groups*=!subjects Group|ServiceAccounts*=!subjects ServiceAccount
admissionregistration.k8s.io/MutatingWebhookConfiguration|Name|Webhooks=!webhooks|Age
admissionregistration.k8s.io/ValidatingWebhookConfiguration|Name|Webhooks=!webhooks|Age
apiextensions.k8s.io/CustomResourceDefinition|Name|Created At=.metadata.creationTimestamp
";

const DESCRIPTIONS: [(&str, &str); 9] = [
    (
        "Name",
        "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
    ),
    (
        "Age",
        "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
    ),
    ("Pod Ready", "The aggregate readiness state of this pod for accepting traffic."),
    ("Pod Status", "The aggregate status of the containers in this pod."),
    (
        "Pod Restarts",
        "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
    ),
    ("Pod IP", "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated."),
    (
        "Pod Node",
        "NodeName indicates in which node this pod is scheduled. If empty, this pod is a candidate for scheduling by the scheduler defined in schedulerName. Once this field is set, the kubelet for this node becomes responsible for the lifecycle of this pod. This field should not be used to express a desire for the pod to be scheduled on a specific node. https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#nodename",
    ),
    (
        "Pod Nominated Node",
        "nominatedNodeName is set only when this pod preempts other pods on the node, but it cannot be scheduled right away as preemption victims receive their graceful termination periods. This field does not guarantee that the pod will be scheduled on this node. Scheduler may decide to place the pod elsewhere if other nodes become available sooner. Scheduler may also decide to give the resources on this node to a higher priority pod that is created after preemption. As a result, this field may be different than PodSpec.nodeName when the pod is scheduled.",
    ),
    (
        "Pod Readiness Gates",
        "If specified, all readiness gates will be evaluated for pod readiness. A pod is ready when all its containers are ready AND all conditions specified in the readiness gates have status equal to \"True\" More info: https://git.k8s.io/enhancements/keps/sig-network/580-pod-readiness-gates",
    ),
];

/// The columns of a kind.
pub(super) fn of(resource: &Resource) -> Vec<Column> {
    if let Some(custom) = resource.custom {
        return of_custom(&custom.columns);
    }
    let id = format!("{}/{}", resource.group, resource.kind);
    let line = TABLE.lines().find_map(|line| line.strip_prefix(id.as_str())?.strip_prefix('|')).unwrap_or("Name|Age");
    line.split('|').map(|word| column(resource.kind, word)).collect()
}

fn column(kind: &str, word: &'static str) -> Column {
    let (name, cell) = match word {
        "Name" => ("Name", ".metadata.name"),
        "Age" => ("Age", "@.metadata.creationTimestamp"),
        other => other.split_once('=').unwrap_or((other, "")),
    };
    let (name, priority) = name.strip_suffix('*').map_or((name, 0), |name| (name, 1));
    let format = if word == "Name" { "name" } else { "" };
    let number = cell.starts_with('#') && !cell.contains('/');
    Column {
        name: name.to_owned(),
        kind: if number { "integer" } else { "string" },
        format,
        description: description(kind, name),
        priority,
        cell: Cell::parse(cell),
    }
}

fn description(kind: &str, name: &str) -> String {
    let own = format!("{kind} {name}");
    DESCRIPTIONS
        .iter()
        .find(|(key, _)| *key == name || *key == own)
        .map(|(_, text)| (*text).to_owned())
        .unwrap_or_default()
}

/// What a definition's `additionalPrinterColumns` say; name and age where it says nothing.
fn of_custom(columns: &'static Value) -> Vec<Column> {
    let mut all = vec![column("", "Name")];
    let given = list(columns, "");
    all.extend(given.iter().map(|given| Column {
        name: text(given, "/name").to_owned(),
        kind: match text(given, "/type") {
            "integer" => "integer",
            "number" => "number",
            "boolean" => "boolean",
            "date" => "date",
            _ => "string",
        },
        format: "",
        description: text(given, "/description").to_owned(),
        priority: given["priority"].as_i64().unwrap_or(0),
        cell: Cell::of_path(text(given, "/jsonPath"), text(given, "/type") == "date"),
    }));
    if given.is_empty() {
        all.push(column("", "Age"));
    }
    all
}
