//! The one table of what this server serves: groups, kinds, names, scopes, verbs, subresources.
//!
//! Discovery, routing and authorization read it; it knows no object and no request.

use std::sync::LazyLock;

use serde_json::Value;

use crate::custom::Custom;
use crate::decode::Expected;
use crate::schema::{self, Shape};

/// A kind that is served, or a review that is only created.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Place in the table; the store's first key.
    pub(crate) id: usize,
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) singular: &'static str,
    pub(crate) short_names: Vec<&'static str>,
    pub(crate) categories: Vec<&'static str>,
    pub(crate) namespaced: bool,
    pub(crate) verbs: Vec<&'static str>,
    pub(crate) subresources: Vec<Subresource>,
    /// Of a kind that a definition brought.
    pub(crate) custom: Option<&'static Custom>,
}

/// A part of an object with a path of its own.
#[derive(Debug)]
pub(crate) struct Subresource {
    pub(crate) name: &'static str,
    /// Group and version of the kind, where it is not the resource's own.
    pub(crate) foreign: Option<(&'static str, &'static str)>,
    pub(crate) kind: &'static str,
    pub(crate) verbs: Vec<&'static str>,
}

const ALL: &str = "create,delete,deletecollection,get,list,patch,update,watch";
const CHANGE: &str = "get,patch,update";

/// A line a resource: group/version kind plural singular short-names scope categories verbs subresources…
/// A subresource is `name`, `name=Kind:verbs` or `name=group/version/Kind:verbs`; `-` stands for none, `*` for all verbs.
const TABLE: &str = "
/v1 Binding bindings binding - N - create
/v1 ComponentStatus componentstatuses componentstatus cs C - get,list
/v1 ConfigMap configmaps configmap cm N - *
/v1 Endpoints endpoints endpoints ep N - *
/v1 Event events event ev N - *
/v1 LimitRange limitranges limitrange limits N - *
/v1 Namespace namespaces namespace ns C - create,delete,get,list,patch,update,watch finalize=Namespace:update status
/v1 Node nodes node no C - * proxy=NodeProxyOptions:create,delete,get,patch,update status
/v1 PersistentVolumeClaim persistentvolumeclaims persistentvolumeclaim pvc N - * status
/v1 PersistentVolume persistentvolumes persistentvolume pv C - * status
/v1 Pod pods pod po N all * attach=PodAttachOptions:create,get binding=Binding:create ephemeralcontainers eviction=policy/v1/Eviction:create exec=PodExecOptions:create,get log=Pod:get portforward=PodPortForwardOptions:create,get proxy=PodProxyOptions:create,delete,get,patch,update resize status
/v1 PodTemplate podtemplates podtemplate - N - *
/v1 ReplicationController replicationcontrollers replicationcontroller rc N all * scale status
/v1 ResourceQuota resourcequotas resourcequota quota N - * status
/v1 Secret secrets secret - N - *
/v1 ServiceAccount serviceaccounts serviceaccount sa N - * token=authentication.k8s.io/v1/TokenRequest:create
/v1 Service services service svc N all * proxy=ServiceProxyOptions:create,delete,get,patch,update status
apiregistration.k8s.io/v1 APIService apiservices apiservice - C api-extensions * status
apps/v1 ControllerRevision controllerrevisions controllerrevision - N - *
apps/v1 DaemonSet daemonsets daemonset ds N all * status
apps/v1 Deployment deployments deployment deploy N all * scale status
apps/v1 ReplicaSet replicasets replicaset rs N all * scale status
apps/v1 StatefulSet statefulsets statefulset sts N all * scale status
authentication.k8s.io/v1 SelfSubjectReview selfsubjectreviews selfsubjectreview - C - create
authentication.k8s.io/v1 TokenReview tokenreviews tokenreview - C - create
authorization.k8s.io/v1 LocalSubjectAccessReview localsubjectaccessreviews localsubjectaccessreview - N - create
authorization.k8s.io/v1 SelfSubjectAccessReview selfsubjectaccessreviews selfsubjectaccessreview - C - create
authorization.k8s.io/v1 SelfSubjectRulesReview selfsubjectrulesreviews selfsubjectrulesreview - C - create
authorization.k8s.io/v1 SubjectAccessReview subjectaccessreviews subjectaccessreview - C - create
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers horizontalpodautoscaler hpa N all * status
batch/v1 CronJob cronjobs cronjob cj N all * status
batch/v1 Job jobs job - N all * status
certificates.k8s.io/v1 CertificateSigningRequest certificatesigningrequests certificatesigningrequest csr C - * approval status
networking.k8s.io/v1 IngressClass ingressclasses ingressclass - C - *
networking.k8s.io/v1 Ingress ingresses ingress ing N - * status
networking.k8s.io/v1 NetworkPolicy networkpolicies networkpolicy netpol N - *
policy/v1 PodDisruptionBudget poddisruptionbudgets poddisruptionbudget pdb N - * status
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings clusterrolebinding - C - *
rbac.authorization.k8s.io/v1 ClusterRole clusterroles clusterrole - C - *
rbac.authorization.k8s.io/v1 RoleBinding rolebindings rolebinding - N - *
rbac.authorization.k8s.io/v1 Role roles role - N - *
storage.k8s.io/v1 CSIDriver csidrivers csidriver - C - *
storage.k8s.io/v1 CSINode csinodes csinode - C - *
storage.k8s.io/v1 StorageClass storageclasses storageclass sc C - *
storage.k8s.io/v1 VolumeAttachment volumeattachments volumeattachment - C - * status
admissionregistration.k8s.io/v1 MutatingAdmissionPolicy mutatingadmissionpolicies mutatingadmissionpolicy - C api-extensions *
admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding mutatingadmissionpolicybindings mutatingadmissionpolicybinding - C api-extensions *
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations mutatingwebhookconfiguration - C api-extensions *
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy validatingadmissionpolicies validatingadmissionpolicy - C api-extensions * status
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings validatingadmissionpolicybinding - C api-extensions *
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations validatingwebhookconfiguration - C api-extensions *
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions customresourcedefinition crd,crds C api-extensions * status
scheduling.k8s.io/v1 PriorityClass priorityclasses priorityclass pc C - *
coordination.k8s.io/v1 Lease leases lease - N - *
node.k8s.io/v1 RuntimeClass runtimeclasses runtimeclass - C - *
discovery.k8s.io/v1 EndpointSlice endpointslices endpointslice - N - *
";

static RESOURCES: LazyLock<Vec<Resource>> = LazyLock::new(|| {
    TABLE.lines().filter(|line| !line.is_empty()).enumerate().filter_map(|(id, line)| parse(id, line)).collect()
});

/// Every resource, in the order in which groups are announced.
pub(crate) fn all() -> &'static [Resource] {
    &RESOURCES
}

/// The resource of a path.
pub(crate) fn find(group: &str, version: &str, plural: &str) -> Option<&'static Resource> {
    all().iter().find(|one| one.plural == plural && one.group == group && one.version == version)
}

/// A core resource that is known to be in the table.
pub(crate) fn core(plural: &str) -> &'static Resource {
    known("", plural)
}

/// A resource that is known to be in the table; the first one stands in for a name that is not.
pub(crate) fn known(group: &str, plural: &str) -> &'static Resource {
    all().iter().find(|one| one.plural == plural && one.group == group).unwrap_or(&RESOURCES[0])
}

impl Resource {
    /// `v1`, or `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Objects of this kind are kept, and not only answered.
    pub(crate) fn is_stored(&self) -> bool {
        self.verbs.len() > 2
    }

    pub(crate) fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|one| one.name == name)
    }

    /// What is known of the kind's members.
    pub(crate) fn shape(&self) -> Shape<'static> {
        match self.custom {
            Some(custom) => Shape::of_custom(&custom.schema),
            None => schema::find(self.kind).map_or(Shape::Untyped, Shape::Struct),
        }
    }

    /// What a body on the resource's path must be.
    pub(crate) fn expected(&self) -> Expected<'static> {
        Expected { group: self.group, version: self.version, kind: self.kind, custom: self.custom }
    }

    /// Reads a value as this kind; gives the paths of members that it does not have.
    ///
    /// # Errors
    /// Go's words on a wrong type.
    pub(crate) fn decode(&self, value: &mut Value) -> Result<Vec<String>, String> {
        self.expected().read(value)
    }

    /// True for one core kind.
    pub(crate) fn is_core(&self, plural: &str) -> bool {
        self.group.is_empty() && self.plural == plural
    }
}

fn parse(id: usize, line: &'static str) -> Option<Resource> {
    let mut words = line.split(' ');
    let (group, version) = words.next()?.split_once('/')?;
    let (kind, plural, singular) = (words.next()?, words.next()?, words.next()?);
    let (short_names, scope, categories) = (listed(words.next()?), words.next()?, listed(words.next()?));
    let verbs = verbs(words.next()?);
    let subresources = words.map(|word| subresource(word, kind)).collect();
    Some(Resource {
        id,
        group,
        version,
        kind,
        plural,
        singular,
        short_names,
        categories,
        namespaced: scope == "N",
        verbs,
        subresources,
        custom: None,
    })
}

fn subresource(word: &'static str, owner: &'static str) -> Subresource {
    let Some((name, rest)) = word.split_once('=') else {
        if word == "scale" {
            return Subresource {
                name: "scale",
                foreign: Some(("autoscaling", "v1")),
                kind: "Scale",
                verbs: listed(CHANGE),
            };
        }
        return Subresource { name: word, foreign: None, kind: owner, verbs: listed(CHANGE) };
    };
    let (kind, allowed) = rest.split_once(':').unwrap_or((rest, CHANGE));
    let mut parts = kind.rsplitn(3, '/');
    let kind = parts.next().unwrap_or(kind);
    let version = parts.next();
    Subresource {
        name,
        foreign: version.and_then(|version| Some((parts.next()?, version))),
        kind,
        verbs: listed(allowed),
    }
}

/// Every verb.
pub(crate) fn all_verbs() -> Vec<&'static str> {
    listed(ALL)
}

/// The status subresource of a kind.
pub(crate) fn status_of(kind: &'static str) -> Subresource {
    Subresource { name: "status", foreign: None, kind, verbs: listed(CHANGE) }
}

fn verbs(word: &'static str) -> Vec<&'static str> {
    listed(if word == "*" { ALL } else { word })
}

fn listed(word: &'static str) -> Vec<&'static str> {
    if word == "-" { Vec::new() } else { word.split(',').collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_resource_with_its_own_path() {
        let lines = TABLE.lines().filter(|line| !line.is_empty()).count();
        assert_eq!(all().len(), lines);
        for (index, one) in all().iter().enumerate() {
            assert_eq!(one.id, index);
            let same = all()
                .iter()
                .filter(|other| (other.group, other.version, other.plural) == (one.group, one.version, one.plural));
            assert_eq!(same.count(), 1, "{}", one.plural);
        }
    }

    #[test]
    fn subresources_may_be_of_another_group() {
        let token = core("serviceaccounts").subresource("token").expect("must be there");
        assert_eq!((token.foreign, token.kind), (Some(("authentication.k8s.io", "v1")), "TokenRequest"));
        assert_eq!(core("pods").subresource("status").map(|one| one.foreign), Some(None));
    }
}
