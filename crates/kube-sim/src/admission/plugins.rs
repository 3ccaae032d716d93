//! The built-in plugins: namespace lifecycle, service account, priority, default tolerations.
//!
//! They run in both rounds and must not change what they have changed before.

use serde_json::{Value, json};

use super::{Attributes, Operation};
use crate::object::{self, Fields, default, list, text};
use crate::resources;
use crate::status::Status;
use crate::store::{Key, Store};

/// Where containers find the API token.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Namespaces that cannot be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

pub(super) fn run(store: &Store, attributes: &mut Attributes<'_>) -> Result<(), Status> {
    namespace_lifecycle(store, attributes)?;
    if attributes.is_creating("pods") {
        service_account(store, attributes)?;
        priority(store, attributes)?;
        tolerations(attributes);
    }
    Ok(())
}

fn namespace_lifecycle(store: &Store, attributes: &Attributes<'_>) -> Result<(), Status> {
    let namespaces = resources::core("namespaces");
    if attributes.resource.is_core("namespaces") {
        if attributes.operation == Operation::Delete && IMMORTAL.contains(&attributes.name) {
            return Err(attributes.forbidden("this namespace may not be deleted"));
        }
        return Ok(());
    }
    if attributes.operation != Operation::Create || attributes.namespace.is_empty() {
        return Ok(());
    }
    let namespace = store
        .get(&Key::new(namespaces, "", attributes.namespace))
        .ok_or_else(|| Status::not_found(namespaces, attributes.namespace))?;
    if object::is_deleting(namespace.value()) {
        return Err(terminating(attributes));
    }
    Ok(())
}

/// Nothing new comes into a namespace that goes.
pub(super) fn terminating(attributes: &Attributes<'_>) -> Status {
    let namespace = attributes.namespace;
    attributes
        .forbidden(&format!("unable to create new content in namespace {namespace} because it is being terminated"))
        .caused("NamespaceTerminating", &format!("namespace {namespace} is being terminated"), "metadata.namespace")
}

fn service_account(store: &Store, attributes: &mut Attributes<'_>) -> Result<(), Status> {
    let Some(pod) = &mut attributes.object else {
        return Ok(());
    };
    // A mirror pod stands for one that a node runs by itself.
    if pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some() {
        return Ok(());
    }
    let spec = object::section(pod, "spec");
    if spec.get("serviceAccountName").and_then(Value::as_str).is_none_or(str::is_empty) {
        spec.insert("serviceAccountName".into(), "default".into());
        spec.insert("serviceAccount".into(), "default".into());
    }
    let name = spec.get("serviceAccountName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(account) = store.get(&Key::new(resources::core("serviceaccounts"), attributes.namespace, &name)) else {
        let why = format!(
            "error looking up service account {}/{name}: serviceaccount {name:?} not found",
            attributes.namespace
        );
        return Err(attributes.forbidden(&why));
    };
    let wanted =
        spec.get("automountServiceAccountToken").or_else(|| account.value().get("automountServiceAccountToken"));
    if wanted.and_then(Value::as_bool).unwrap_or(true) {
        mount_token(spec);
    }
    let secrets = list(account.value(), "/imagePullSecrets");
    if !secrets.is_empty() {
        default(spec, "imagePullSecrets", secrets);
    }
    Ok(())
}

fn mount_token(spec: &mut Fields) {
    let existing =
        spec.get("volumes").and_then(Value::as_array).into_iter().flatten().map(|volume| text(volume, "/name"));
    let existing = existing.filter(|name| name.starts_with("kube-api-access-")).map(str::to_owned).next();
    let has_volume = existing.is_some();
    let volume = existing.unwrap_or_else(|| format!("kube-api-access-{}", object::suffix()));
    let mut is_needed = false;
    for key in ["initContainers", "containers"] {
        for container in spec.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            if list(container, "/volumeMounts").iter().any(|mount| text(mount, "/mountPath") == TOKEN_PATH) {
                continue;
            }
            is_needed = true;
            push(
                object::fields(container),
                "volumeMounts",
                json!({"name": volume, "readOnly": true, "mountPath": TOKEN_PATH}),
            );
        }
    }
    if is_needed && !has_volume {
        push(spec, "volumes", token_volume(&volume));
    }
}

/// kubernetes plugin/pkg/admission/serviceaccount: 3607 s, so that the token can be told from one that a user asked for.
fn token_volume(name: &str) -> Value {
    json!({"name": name, "projected": {"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
    ]}})
}

fn push(fields: &mut Fields, key: &str, item: Value) {
    if let Value::Array(items) = fields.entry(key).or_insert_with(|| json!([])) {
        items.push(item);
    }
}

fn priority(store: &Store, attributes: &mut Attributes<'_>) -> Result<(), Status> {
    let Some(pod) = &mut attributes.object else {
        return Ok(());
    };
    let spec = object::section(pod, "spec");
    let classes = resources::known("scheduling.k8s.io", "priorityclasses");
    let name = spec.get("priorityClassName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let class = if name.is_empty() {
        store.list(classes, "", None).0.into_iter().find(|class| class.value()["globalDefault"] == true)
    } else {
        let class = store.get(&Key::new(classes, "", &name));
        if class.is_none() {
            return Err(attributes.forbidden(&format!("no PriorityClass with name {name} was found")));
        }
        class
    };
    let class = class.as_ref().map(|class| class.value());
    if name.is_empty()
        && let Some(class) = class
    {
        spec.insert("priorityClassName".into(), object::name(class).into());
    }
    let number = class.map_or(json!(0), |class| class["value"].clone());
    let policy = class.and_then(|class| class["preemptionPolicy"].as_str()).unwrap_or("PreemptLowerPriority");
    default(spec, "preemptionPolicy", policy);
    match spec.get("priority") {
        Some(given) if *given != number => {
            let why = format!(
                "the integer value of priority ({given}) must not be provided in pod spec; priority admission controller computed {number} from the given PriorityClass name"
            );
            return Err(attributes.forbidden(&why));
        }
        _ => spec.insert("priority".into(), number),
    };
    Ok(())
}

fn tolerations(attributes: &mut Attributes<'_>) {
    let Some(pod) = &mut attributes.object else {
        return;
    };
    let spec = object::section(pod, "spec");
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = spec.get("tolerations").and_then(Value::as_array).into_iter().flatten().any(|one| {
            let (its_key, effect) = (text(one, "/key"), text(one, "/effect"));
            (its_key == key || its_key.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        });
        if !tolerated {
            push(
                spec,
                "tolerations",
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::User;

    fn store(account: Value) -> Store {
        let store = Store::new();
        store.change(|tx| {
            tx.put(Key::new(resources::core("namespaces"), "", "n"), json!({"metadata": {"name": "n"}}));
            tx.put(
                Key::new(resources::core("namespaces"), "", "going"),
                json!({"metadata": {"name": "going", "deletionTimestamp": "t"}}),
            );
            tx.put(Key::new(resources::core("serviceaccounts"), "n", "default"), account);
        });
        store
    }

    fn admitted(store: &Store, namespace: &str, pod: Value) -> Result<Value, Status> {
        let user = User::anonymous();
        let mut attributes = Attributes {
            operation: Operation::Create,
            resource: resources::core("pods"),
            subresource: "",
            namespace,
            name: "",
            user: &user,
            options: Value::Null,
            dry_run: false,
            object: Some(pod),
            old: None,
        };
        run(store, &mut attributes)?;
        let once = attributes.object.clone();
        run(store, &mut attributes)?;
        assert_eq!(attributes.object, once, "a second round must change nothing");
        Ok(once.expect("an object"))
    }

    #[test]
    fn every_container_gets_the_token_once() {
        let store = store(json!({}));
        let pod = json!({"spec": {"initContainers": [{"name": "i"}], "containers": [{"name": "a"}, {"name": "b", "volumeMounts": [{"name": "own", "mountPath": TOKEN_PATH}]}]}});
        let pod = admitted(&store, "n", pod).expect("must be admitted");
        let volume = text(&pod, "/spec/volumes/0/name").to_owned();
        assert!(volume.starts_with("kube-api-access-"));
        for at in ["/spec/initContainers/0", "/spec/containers/0"] {
            assert_eq!(text(&pod, &format!("{at}/volumeMounts/0/name")), volume);
        }
        assert_eq!(list(&pod, "/spec/containers/1/volumeMounts").len(), 1);
        assert_eq!(list(&pod, "/spec/tolerations").len(), 2);
    }

    #[test]
    fn mounting_can_be_declined_by_account_or_pod() {
        let check = |account: Value, spec: Value, mounted: bool| {
            let pod = admitted(&store(account), "n", json!({"spec": spec})).expect("must be admitted");
            assert_eq!(list(&pod, "/spec/volumes").len(), usize::from(mounted), "{pod}");
        };
        let off = json!({"automountServiceAccountToken": false});
        check(json!({}), json!({"containers": [{}]}), true);
        check(off.clone(), json!({"containers": [{}]}), false);
        check(off, json!({"containers": [{}], "automountServiceAccountToken": true}), true);
        check(json!({}), json!({"containers": [{}], "automountServiceAccountToken": false}), false);
    }

    #[test]
    fn refusals_say_what_is_missing() {
        let check = |namespace: &str, pod: Value, code: u16, message: &str| {
            let status = admitted(&store(json!({})), namespace, pod).expect_err("must be refused");
            assert_eq!((status.code, status.message.as_str()), (code, message));
        };
        check(
            "n",
            json!({"metadata": {"name": "p"}, "spec": {"serviceAccountName": "absent"}}),
            403,
            r#"pods "p" is forbidden: error looking up service account n/absent: serviceaccount "absent" not found"#,
        );
        check(
            "n",
            json!({"metadata": {"generateName": "p-"}, "spec": {"priorityClassName": "x"}}),
            403,
            r#"pods "p-" is forbidden: no PriorityClass with name x was found"#,
        );
        check("nowhere", json!({}), 404, r#"namespaces "nowhere" not found"#);
        check(
            "going",
            json!({"metadata": {"name": "p"}}),
            403,
            r#"pods "p" is forbidden: unable to create new content in namespace going because it is being terminated"#,
        );
    }
}
