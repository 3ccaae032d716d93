//! Which members the kinds have that this server understands, and of what type: the decoder's view of an object.
//!
//! Decoding drops unknown members (and names them), drops empty ones as Go's `omitempty` does, and refuses wrong types with
//! Go's words. Kinds that are only stored have no entry: of them only the metadata is looked at.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::go_json;
use crate::object::Fields;

/// Name, then members with their types:
/// `s` string, `i` int32, `l` int64, `b` bool (with `?`: a pointer, kept when empty), `m` map of strings, `M` map of base64 bytes,
/// `x` base64 bytes, `*` anything, `t` time, `u` int or string, `[X]` a list, `X` a struct of this table.
const TYPES: &str = "
ObjectMeta name=s generateName=s namespace=s selfLink=s uid=s resourceVersion=s generation=l creationTimestamp=t deletionTimestamp=t deletionGracePeriodSeconds=l? labels=m annotations=m ownerReferences=[OwnerReference] finalizers=[s] managedFields=[*]
OwnerReference apiVersion=s kind=s name=s uid=s controller=b? blockOwnerDeletion=b?
Namespace metadata=ObjectMeta spec=NamespaceSpec status=*
NamespaceSpec finalizers=[s]
ServiceAccount metadata=ObjectMeta secrets=[*] imagePullSecrets=[LocalObjectReference] automountServiceAccountToken=b?
LocalObjectReference name=s
ConfigMap metadata=ObjectMeta immutable=b? data=m binaryData=M
Secret metadata=ObjectMeta immutable=b? data=M stringData=m type=s
Pod metadata=ObjectMeta spec=PodSpec status=*
PodTemplateSpec metadata=ObjectMeta spec=PodSpec
PodSpec volumes=[Volume] initContainers=[Container] containers=[Container] ephemeralContainers=[*] restartPolicy=s terminationGracePeriodSeconds=l? activeDeadlineSeconds=l? dnsPolicy=s nodeSelector=m serviceAccountName=s serviceAccount=s automountServiceAccountToken=b? nodeName=s hostNetwork=b hostPID=b hostIPC=b shareProcessNamespace=b? securityContext=* imagePullSecrets=[LocalObjectReference] hostname=s subdomain=s affinity=* schedulerName=s tolerations=[Toleration] hostAliases=[*] priorityClassName=s priority=i? dnsConfig=* readinessGates=[*] runtimeClassName=s? enableServiceLinks=b? preemptionPolicy=s? overhead=* topologySpreadConstraints=[*] setHostnameAsFQDN=b? os=* hostUsers=b? schedulingGates=[*] resourceClaims=[*] resources=* hostnameOverride=s? schedulingGroup=* workloadRef=*
Toleration key=s operator=s value=s effect=s tolerationSeconds=l?
Container name=s image=s command=[s] args=[s] workingDir=s ports=[ContainerPort] envFrom=[EnvFromSource] env=[EnvVar] resources=* resizePolicy=[*] restartPolicy=s? restartPolicyRules=[*] volumeMounts=[VolumeMount] volumeDevices=[*] livenessProbe=* readinessProbe=* startupProbe=* lifecycle=* terminationMessagePath=s terminationMessagePolicy=s imagePullPolicy=s securityContext=* stdin=b stdinOnce=b tty=b
ContainerPort name=s hostPort=i containerPort=i protocol=s hostIP=s
EnvFromSource prefix=s configMapRef=NamedSource secretRef=NamedSource
NamedSource name=s optional=b?
EnvVar name=s value=s valueFrom=EnvVarSource
EnvVarSource fieldRef=ObjectFieldSelector resourceFieldRef=* configMapKeyRef=KeySelector secretKeyRef=KeySelector fileKeyRef=*
ObjectFieldSelector apiVersion=s fieldPath=s
KeySelector name=s key=s optional=b?
VolumeMount name=s readOnly=b recursiveReadOnly=s? mountPath=s subPath=s mountPropagation=s? subPathExpr=s
Volume name=s hostPath=* emptyDir=EmptyDir gcePersistentDisk=* awsElasticBlockStore=* gitRepo=* secret=SecretVolume nfs=* iscsi=* glusterfs=* persistentVolumeClaim=* rbd=* flexVolume=* cinder=* cephfs=* flocker=* downwardAPI=DownwardAPIVolume fc=* azureFile=* configMap=ConfigMapVolume vsphereVolume=* quobyte=* azureDisk=* photonPersistentDisk=* projected=Projected portworxVolume=* scaleIO=* storageos=* csi=* ephemeral=* image=*
EmptyDir medium=s sizeLimit=*
SecretVolume secretName=s items=[KeyToPath] defaultMode=i? optional=b?
ConfigMapVolume name=s items=[KeyToPath] defaultMode=i? optional=b?
KeyToPath key=s path=s mode=i?
DownwardAPIVolume items=[DownwardAPIFile] defaultMode=i?
DownwardAPIFile path=s fieldRef=ObjectFieldSelector resourceFieldRef=* mode=i?
Projected sources=[ProjectedSource] defaultMode=i?
ProjectedSource secret=ProjectedKeys downwardAPI=ProjectedDownward configMap=ProjectedKeys serviceAccountToken=TokenProjection clusterTrustBundle=* podCertificate=*
ProjectedKeys name=s items=[KeyToPath] optional=b?
ProjectedDownward items=[DownwardAPIFile]
TokenProjection audience=s expirationSeconds=l? path=s
MutatingWebhookConfiguration metadata=ObjectMeta webhooks=[Webhook]
ValidatingWebhookConfiguration metadata=ObjectMeta webhooks=[Webhook]
Webhook name=s clientConfig=WebhookClient rules=[Rule] failurePolicy=s? matchPolicy=s? namespaceSelector=LabelSelector objectSelector=LabelSelector sideEffects=s? timeoutSeconds=i? admissionReviewVersions=[s] reinvocationPolicy=s? matchConditions=[MatchCondition]
WebhookClient url=s? service=ServiceReference caBundle=x
ServiceReference namespace=s name=s path=s? port=i?
Rule operations=[s] apiGroups=[s] apiVersions=[s] resources=[s] scope=s?
MatchCondition name=s expression=s
LabelSelector matchLabels=m matchExpressions=[LabelRequirement]
LabelRequirement key=s operator=s values=[s]
Deployment metadata=ObjectMeta spec=DeploymentSpec status=*
DeploymentSpec replicas=i? selector=LabelSelector template=PodTemplateSpec strategy=* minReadySeconds=i revisionHistoryLimit=i? paused=b progressDeadlineSeconds=i?
Job metadata=ObjectMeta spec=JobSpec status=*
JobSpec parallelism=i? completions=i? activeDeadlineSeconds=l? podFailurePolicy=* successPolicy=* backoffLimit=i? backoffLimitPerIndex=i? maxFailedIndexes=i? selector=LabelSelector manualSelector=b? template=PodTemplateSpec ttlSecondsAfterFinished=i? completionMode=s? suspend=b? podReplacementPolicy=s? managedBy=s?
TokenRequest metadata=ObjectMeta spec=TokenRequestSpec status=*
TokenRequestSpec audiences=[s] expirationSeconds=l? boundObjectRef=BoundObjectReference
BoundObjectReference kind=s apiVersion=s name=s uid=s
Role metadata=ObjectMeta rules=[PolicyRule]
ClusterRole metadata=ObjectMeta rules=[PolicyRule] aggregationRule=*
PolicyRule verbs=[s] apiGroups=[s] resources=[s] resourceNames=[s] nonResourceURLs=[s]
RoleBinding metadata=ObjectMeta subjects=[Subject] roleRef=RoleRef
ClusterRoleBinding metadata=ObjectMeta subjects=[Subject] roleRef=RoleRef
Subject kind=s apiGroup=s name=s namespace=s
RoleRef apiGroup=s kind=s name=s
";

/// Lists and structs that are written even when they are empty: they have no `omitempty`.
const ALWAYS: [&str; 5] = ["containers", "sources", "rules", "verbs", "admissionReviewVersions"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Int,
    Long,
    Bool,
    TextMap,
    BytesMap,
    Bytes,
    Any,
    Time,
    IntOrText,
    Struct(&'static str),
}

#[derive(Debug, Clone, Copy)]
struct Member {
    kind: Type,
    list: bool,
    pointer: bool,
}

type Struct = HashMap<&'static str, Member>;

static STRUCTS: LazyLock<HashMap<&'static str, Struct>> = LazyLock::new(|| {
    let lines = TYPES.lines().filter(|line| !line.is_empty());
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, members)| (name, members.split(' ').filter_map(member).collect()))
        .collect()
});

fn member(text: &'static str) -> Option<(&'static str, Member)> {
    let (name, kind) = text.split_once('=')?;
    let pointer = kind.ends_with('?');
    let kind = kind.trim_end_matches('?');
    let list = kind.starts_with('[');
    let kind = match kind.trim_matches(['[', ']']) {
        "s" => Type::Text,
        "i" => Type::Int,
        "l" => Type::Long,
        "b" => Type::Bool,
        "m" => Type::TextMap,
        "M" => Type::BytesMap,
        "x" => Type::Bytes,
        "*" => Type::Any,
        "t" => Type::Time,
        "u" => Type::IntOrText,
        other => Type::Struct(other),
    };
    Some((name, Member { kind, list, pointer }))
}

impl Member {
    /// The type's name in Go, as error messages have it.
    fn go_name(self) -> String {
        let name = match self.kind {
            Type::Text => "string".to_owned(),
            Type::Int => "int32".to_owned(),
            Type::Long => "int64".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::TextMap => "map[string]string".to_owned(),
            Type::BytesMap => "map[string][]uint8".to_owned(),
            Type::Bytes => "[]uint8".to_owned(),
            Type::Any | Type::Time => "v1.Time".to_owned(),
            Type::IntOrText => "intstr.IntOrString".to_owned(),
            Type::Struct(name) => format!("v1.{name}"),
        };
        if self.list { format!("[]{name}") } else { name }
    }
}

/// Reads an object as its kind: unknown members go (their paths are returned), empty ones go, types are checked.
///
/// # Errors
/// Go's message on the first member of a wrong type.
pub(crate) fn decode(kind: &str, value: &mut Value) -> Result<Vec<String>, String> {
    let mut decoder = Decoder { unknown: Vec::new() };
    match STRUCTS.get(kind) {
        Some(_) => decoder.structure(kind, value, "", "")?,
        None => {
            if let Some(metadata) = value.get_mut("metadata") {
                decoder.structure("ObjectMeta", metadata, "metadata", "metadata")?;
            }
        }
    }
    Ok(decoder.unknown)
}

struct Decoder {
    unknown: Vec<String>,
}

impl Decoder {
    /// `path` has indices (for unknown members), `go_path` has none (for type errors).
    fn structure(&mut self, name: &str, value: &mut Value, path: &str, go_path: &str) -> Result<(), String> {
        let Some(known) = STRUCTS.get(name) else {
            return Ok(());
        };
        let Value::Object(fields) = value else {
            return Ok(());
        };
        let keys: Vec<String> = fields.keys().cloned().collect();
        for key in keys {
            if path.is_empty() && (key == "kind" || key == "apiVersion") {
                continue;
            }
            let here = joined(path, &key);
            let Some(member) = known.get(key.as_str()) else {
                self.unknown.push(here);
                fields.shift_remove(&key);
                continue;
            };
            let Some(value) = fields.get_mut(&key) else {
                continue;
            };
            let keep = !value.is_null() && self.member(name, *member, value, &here, &joined(go_path, &key))?;
            let is_always_there = ALWAYS.contains(&key.as_str()) && value.is_array();
            if !keep && !is_always_there {
                fields.shift_remove(&key);
            }
        }
        Ok(())
    }

    /// False when the member is empty and Go would leave it out.
    fn member(
        &mut self,
        owner: &str,
        member: Member,
        value: &mut Value,
        path: &str,
        go_path: &str,
    ) -> Result<bool, String> {
        let wrong = |value: &Value, go_type: String| {
            let given = match value {
                Value::Number(number) if matches!(member.kind, Type::Int | Type::Long) => {
                    format!("number {number}")
                }
                other => go_json::type_name(other).to_owned(),
            };
            format!("json: cannot unmarshal {given} into Go struct field {owner}.{go_path} of type {go_type}")
        };
        if member.list {
            let Value::Array(items) = value else {
                return Err(wrong(value, member.go_name()));
            };
            let one = Member { list: false, ..member };
            for (index, item) in items.iter_mut().enumerate() {
                self.member(owner, one, item, &format!("{path}[{index}]"), go_path)?;
            }
            return Ok(!items.is_empty());
        }
        let fits = match member.kind {
            Type::Text | Type::Time | Type::Bytes => value.is_string(),
            Type::Int => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            Type::Long => value.is_i64(),
            Type::Bool => value.is_boolean(),
            Type::TextMap | Type::BytesMap | Type::Struct(_) => value.is_object(),
            Type::IntOrText => value.is_string() || value.is_i64(),
            Type::Any => true,
        };
        if !fits {
            return Err(wrong(value, member.go_name()));
        }
        match member.kind {
            Type::Struct(name) => self.structure(name, value, path, go_path)?,
            Type::TextMap => {
                check_map(value, |one| one.is_string().then_some(()).ok_or_else(|| wrong(one, "string".to_owned())))?
            }
            Type::BytesMap => {
                check_map(value, |one| one.as_str().ok_or_else(|| wrong(one, "[]uint8".to_owned())).and_then(base64))?
            }
            Type::Bytes => base64(value.as_str().unwrap_or_default())?,
            _ => {}
        }
        Ok(member.pointer || !is_empty(member.kind, value))
    }
}

fn check_map(value: &Value, check: impl Fn(&Value) -> Result<(), String>) -> Result<(), String> {
    value.as_object().into_iter().flatten().try_for_each(|(_, one)| check(one))
}

fn base64(text: &str) -> Result<(), String> {
    // Go's decoder skips line breaks.
    let text: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match STANDARD.decode(&text) {
        Ok(_) => Ok(()),
        Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
            Err(format!("illegal base64 data at input byte {at}"))
        }
        Err(_) => Err(format!("illegal base64 data at input byte {}", text.len() / 4 * 4)),
    }
}

fn is_empty(kind: Type, value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(bit) => !bit,
        Value::Object(fields) => fields.is_empty() && matches!(kind, Type::TextMap | Type::BytesMap),
        _ => false,
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Secrets: what a client writes in clear is kept in base64.
pub(crate) fn fold_string_data(fields: &mut Fields) {
    let Some(Value::Object(clear)) = fields.shift_remove("stringData") else {
        return;
    };
    if clear.is_empty() {
        return;
    }
    let data = crate::object::fields(fields.entry("data").or_insert(Value::Null));
    for (key, value) in clear {
        data.insert(key, STANDARD.encode(value.as_str().unwrap_or_default()).into());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_struct_that_is_named_is_described() {
        for (name, members) in STRUCTS.iter() {
            for (member, kind) in members {
                if let Type::Struct(inner) = kind.kind {
                    assert!(STRUCTS.contains_key(inner), "{name}.{member} is a {inner}");
                }
            }
        }
    }

    #[test]
    fn unknown_members_go_and_are_named_by_path() {
        let mut pod = json!({"kind": "Pod", "metadata": {"name": "p", "nope": 1}, "spec": {"containers": [{"name": "a", "imag": "x"}]}});
        assert_eq!(decode("Pod", &mut pod), Ok(vec!["metadata.nope".to_owned(), "spec.containers[0].imag".to_owned()]));
        assert_eq!(pod, json!({"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}]}}));
    }

    #[test]
    fn empty_members_go_unless_they_are_pointers() {
        let mut pod = json!({"metadata": {"labels": {}, "generateName": ""}, "spec": {
            "automountServiceAccountToken": false, "hostNetwork": false, "nodeName": "", "volumes": [{"name": "v", "emptyDir": {}}], "containers": []}});
        assert_eq!(decode("Pod", &mut pod), Ok(vec![]));
        let expected = json!({"metadata": {}, "spec": {"automountServiceAccountToken": false, "volumes": [{"name": "v", "emptyDir": {}}], "containers": []}});
        assert_eq!(pod, expected);
    }

    #[test]
    fn wrong_types_are_refused_in_gos_words() {
        let check = |kind: &str, mut value: Value, expected: &str| {
            assert_eq!(decode(kind, &mut value).expect_err("must fail"), expected)
        };
        check(
            "Pod",
            json!({"spec": {"containers": "x"}}),
            "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
        );
        check(
            "Pod",
            json!({"spec": {"containers": [{"name": 1}]}}),
            "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string",
        );
        check("Secret", json!({"data": {"k": "***"}}), "illegal base64 data at input byte 0");
        check(
            "Widget",
            json!({"metadata": {"labels": 1}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        );
    }
}
