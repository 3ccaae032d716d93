//! Revisions of templates: the short text that tells two of them apart, and the objects that keep them. Pure.

use serde_json::{Value, json};

use super::plan::{Plan, Step, View};
use super::pods;
use crate::object::{self, text};
use crate::resources;

/// The label that tells a revision's pods.
pub(super) const LABEL: &str = "controller-revision-hash";

/// A text that is the same for equal templates, in letters that spell no word. It is not the one that Kubernetes would compute.
pub(super) fn hash(template: &Value) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let hash = template
        .to_string()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash.to_string().bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

/// Makes the revision of the present template the newest of a set that keeps its revisions in objects; gives its name's end.
/// Old ones beyond the limit go.
pub(super) fn keep(view: &View, plan: &mut Plan) -> String {
    let template = &view.owner["spec"]["template"];
    let hash = hash(template);
    let name = format!("{}-{hash}", view.name());
    let resource = resources::known("apps", "controllerrevisions");
    let mut known: Vec<&Value> = view.children("ControllerRevision").collect();
    known.sort_by_key(|one| one["revision"].as_i64());
    let newest = known.last().and_then(|one| one["revision"].as_i64()).unwrap_or(0);
    match known.iter().find(|one| object::name(one) == name) {
        None => {
            let mut kept = template.clone();
            kept["$patch"] = "replace".into();
            let mut revision = json!({
                "metadata": {"name": name, "namespace": object::namespace(&view.owner), "labels": template.pointer("/metadata/labels"), "ownerReferences": [view.reference()]},
                "data": {"spec": {"template": kept}},
                "revision": newest + 1,
            });
            pods::set_label(&mut revision, LABEL, &hash);
            plan.steps.push(Step::Create(resource, revision));
        }
        Some(one) if one["revision"].as_i64() < Some(newest) => {
            plan.steps.push(Step::Change(resource, name.clone(), json!({"revision": newest + 1})));
        }
        Some(_) => {}
    }
    let in_use = |one: &Value| {
        let mark = text(one, "/metadata/labels/controller-revision-hash");
        object::name(one) == name
            || view.pods().iter().any(|pod| text(pod, "/metadata/labels/controller-revision-hash") == mark)
    };
    let limit = view.owner.pointer("/spec/revisionHistoryLimit").and_then(Value::as_u64).unwrap_or(10);
    let old: Vec<&&Value> = known.iter().filter(|one| !in_use(one)).collect();
    for one in old.iter().take(old.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX))) {
        plan.delete(resource, one);
    }
    hash
}

/// The revision that a pod is of.
pub(super) fn of(pod: &Value) -> &str {
    text(pod, "/metadata/labels/controller-revision-hash")
}
