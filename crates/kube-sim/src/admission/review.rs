//! The AdmissionReview on the wire: building the question, checking the answer, applying the patch. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Attributes;
use crate::go_json;
use crate::object::{self, list, text};
use crate::resources::Resource;
use crate::status::Status;

/// What an accepted answer asks for.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) patch: Option<Vec<Value>>,
    pub(super) warnings: Vec<String>,
}

/// Why an answer is not acted on.
#[derive(Debug, PartialEq)]
pub(super) enum Rejected {
    /// The webhook said no, perhaps with warnings.
    Denied(Status, Vec<String>),
    /// The answer is not one: counts as a failed call.
    Unusable(String),
    /// The patch is not one: an error whatever the failure policy.
    BrokenPatch(String),
}

/// The question, for one of the two versions of the protocol.
pub(super) fn question(attributes: &Attributes<'_>, version: &str, uid: &str) -> Value {
    let resource = attributes.resource;
    let kind = json!({"group": resource.group, "version": resource.version, "kind": resource.kind});
    let path = json!({"group": resource.group, "version": resource.version, "resource": resource.plural});
    let mut request = json!({"uid": uid, "kind": kind, "resource": path});
    if !attributes.subresource.is_empty() {
        request["subResource"] = attributes.subresource.into();
    }
    request["requestKind"] = kind;
    request["requestResource"] = path;
    if !attributes.subresource.is_empty() {
        request["requestSubResource"] = attributes.subresource.into();
    }
    if !attributes.name.is_empty() {
        request["name"] = attributes.name.into();
    }
    if !attributes.namespace.is_empty() {
        request["namespace"] = attributes.namespace.into();
    }
    request["operation"] = attributes.operation.name().into();
    request["userInfo"] = attributes.user.to_value();
    let shown = |object: &Option<Value>| object.as_ref().map_or(Value::Null, |object| object::typed(resource, object));
    request["object"] = shown(&attributes.object);
    request["oldObject"] = shown(&attributes.old);
    request["dryRun"] = attributes.dry_run.into();
    request["options"] = attributes.options.clone();
    json!({"kind": "AdmissionReview", "apiVersion": format!("admission.k8s.io/{version}"), "request": request})
}

/// Reads an answer with status 200. Under v1 its kind and uid are checked, under v1beta1 they are not.
pub(super) fn answer(body: &[u8], version: &str, uid: &str, webhook: &str) -> Result<Answer, Rejected> {
    const HEAD: &str = "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }";
    let unusable = |why: String| Rejected::Unusable(format!("failed to call webhook: {why}"));
    let invalid = |why: String| Rejected::Unusable(format!("received invalid webhook response: {why}"));
    let review = go_json::parse(body)
        .map_err(|error| unusable(format!("couldn't get version/kind; json parse error: {error}")))?;
    if !review.is_object() {
        let given = go_json::type_name(&review);
        return Err(unusable(format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {given} into Go value of type {HEAD}"
        )));
    }
    let (api, kind) = (text(&review, "/apiVersion"), text(&review, "/kind"));
    let (group, given) = api.split_once('/').unwrap_or(("", api));
    if !kind.is_empty() && (api, kind) != (format!("admission.k8s.io/{version}").as_str(), "AdmissionReview") {
        return Err(unusable(match (group, given, kind) {
            ("admission.k8s.io", "v1" | "v1beta1", "AdmissionReview") => {
                format!("converting ({given}.{kind}) to ({version}.AdmissionReview): unknown conversion")
            }
            _ => format!(
                "no kind {kind:?} is registered for version {api:?} in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\""
            ),
        }));
    }
    let Some(response) = review.get("response").filter(|response| response.is_object()) else {
        return Err(invalid("webhook response was absent".to_owned()));
    };
    let patch_text = text(response, "/patch");
    if version == "v1" {
        let given_uid = text(response, "/uid");
        if given_uid != uid {
            return Err(invalid(format!("expected response.uid={uid:?}, got {given_uid:?}")));
        }
        if kind.is_empty() || api.is_empty() {
            return Err(invalid(format!(
                "expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got {group}/{given}, Kind={kind}"
            )));
        }
        match (patch_text.is_empty(), response.get("patchType").and_then(Value::as_str)) {
            (false, None) => {
                return Err(invalid("webhook returned response.patch but not response.patchType".to_owned()));
            }
            (true, Some(_)) => {
                return Err(invalid("webhook returned response.patchType but not response.patch".to_owned()));
            }
            (false, Some("")) => {
                return Err(invalid("webhook returned invalid response.patchType of \"\"".to_owned()));
            }
            _ => {}
        }
    }
    let warnings = list(response, "/warnings").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if response["allowed"] != true {
        return Err(Rejected::Denied(denial(webhook, response.get("status")), warnings));
    }
    if patch_text.is_empty() {
        return Ok(Answer { patch: None, warnings });
    }
    if version == "v1" && text(response, "/patchType") != "JSONPatch" {
        return Err(Rejected::Unusable(format!("unsupported patch type {:?}", text(response, "/patchType"))));
    }
    let bytes =
        STANDARD.decode(patch_text).map_err(|_| unusable("illegal base64 data in response.patch".to_owned()))?;
    match go_json::parse(&bytes) {
        Ok(Value::Array(operations)) => Ok(Answer { patch: (!operations.is_empty()).then_some(operations), warnings }),
        Ok(other) => Err(Rejected::BrokenPatch(format!(
            "json: cannot unmarshal {} into Go value of type jsonpatch.Patch",
            go_json::type_name(&other)
        ))),
        Err(error) => Err(Rejected::BrokenPatch(error)),
    }
}

/// The refusal that the client gets: at least 400, with the webhook's words.
fn denial(webhook: &str, status: Option<&Value>) -> Status {
    let part = |pointer: &str| status.map(|status| text(status, pointer)).unwrap_or_default();
    let by = format!("admission webhook {webhook:?} denied the request");
    let message = match (part("/message"), part("/reason")) {
        ("", "") => format!("{by} without explanation"),
        ("", reason) => format!("{by}: {reason}"),
        (message, _) => format!("{by}: {message}"),
    };
    let code = status
        .and_then(|status| status["code"].as_u64())
        .and_then(|code| u16::try_from(code).ok())
        .unwrap_or(0)
        .max(400);
    let mut refusal = Status::plain(code, message);
    refusal.reason = Some(part("/reason").to_owned()).filter(|reason| !reason.is_empty());
    refusal.details =
        status.and_then(|status| status.get("details")).filter(|details| details.is_object()).cloned().map(Box::new);
    refusal
}

/// Applies a patch to an object as the webhook saw it.
///
/// # Errors
/// The words of the library that the real server uses.
pub(super) fn apply(resource: &Resource, value: &Value, operations: &[Value]) -> Result<Value, String> {
    let mut patched = object::typed(resource, value);
    for operation in operations {
        let (op, path) = (text(operation, "/op"), text(operation, "/path"));
        let parsed: json_patch::PatchOperation = serde_json::from_value(operation.clone())
            .map_err(|_| format!("Unexpected kind: {}", if op.is_empty() { "unknown" } else { op }))?;
        json_patch::patch(&mut patched, &[parsed]).map_err(|_| match op {
            "test" => format!("testing value {path} failed: test failed"),
            "replace" => format!("replace operation does not apply: doc is missing path: {path}: missing value"),
            _ => format!("{op} operation does not apply: doc is missing path: {path:?}: missing value"),
        })?;
    }
    let fields = object::fields(&mut patched);
    fields.shift_remove("kind");
    fields.shift_remove("apiVersion");
    Ok(patched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Operation;
    use crate::resources;
    use crate::user::User;

    #[test]
    fn the_question_has_the_real_servers_members() {
        let user = User { name: "ann".into(), ..User::default() };
        let mut attributes = Attributes {
            operation: Operation::Create,
            resource: resources::core("pods"),
            subresource: "",
            namespace: "n",
            name: "p",
            user: &user,
            options: json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}),
            dry_run: false,
            object: Some(json!({"metadata": {"name": "p"}})),
            old: None,
        };
        insta::assert_snapshot!(
            question(&attributes, "v1beta1", "u"),
            @r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u","kind":{"group":"","version":"v1","kind":"Pod"},"resource":{"group":"","version":"v1","resource":"pods"},"requestKind":{"group":"","version":"v1","kind":"Pod"},"requestResource":{"group":"","version":"v1","resource":"pods"},"name":"p","namespace":"n","operation":"CREATE","userInfo":{"username":"ann"},"object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"}},"oldObject":null,"dryRun":false,"options":{"kind":"CreateOptions","apiVersion":"meta.k8s.io/v1"}}}"#
        );
        attributes.name = "";
        assert!(question(&attributes, "v1", "u")["request"].get("name").is_none());
    }

    fn unusable(body: &Value, version: &str) -> String {
        match answer(body.to_string().as_bytes(), version, "u", "w.x.y") {
            Err(Rejected::Unusable(why)) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn v1_answers_are_checked_and_v1beta1_ones_are_not() {
        let check = |body: Value, expected: &str| assert_eq!(unusable(&body, "v1"), expected);
        check(
            json!({"response": {"uid": "u", "allowed": true}}),
            "received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got /, Kind=",
        );
        check(
            json!({"response": {"uid": "other"}}),
            r#"received invalid webhook response: expected response.uid="u", got "other""#,
        );
        check(
            json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}),
            "received invalid webhook response: webhook response was absent",
        );
        let typed = |response: Value| json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response});
        check(
            typed(json!({"uid": "u", "allowed": true, "patch": "W10="})),
            "received invalid webhook response: webhook returned response.patch but not response.patchType",
        );
        check(
            json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1", "response": {}}),
            "failed to call webhook: converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion",
        );
        check(
            json!("text"),
            r#"failed to call webhook: couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#,
        );
        assert!(answer(br#"{"response":{"allowed":true}}"#, "v1beta1", "u", "w").is_ok());
    }

    #[test]
    fn denials_keep_the_webhooks_words_and_a_code_of_at_least_400() {
        let check = |status: Value, code: u16, reason: Option<&str>, message: &str| {
            let refusal = denial("w.x.y", Some(&status));
            assert_eq!((refusal.code, refusal.reason.as_deref(), refusal.message.as_str()), (code, reason, message));
        };
        check(json!({"message": "no thanks"}), 400, None, r#"admission webhook "w.x.y" denied the request: no thanks"#);
        check(
            json!({"code": 403, "reason": "Forbidden"}),
            403,
            Some("Forbidden"),
            r#"admission webhook "w.x.y" denied the request: Forbidden"#,
        );
        check(json!({"code": 200}), 400, None, r#"admission webhook "w.x.y" denied the request without explanation"#);
    }

    #[test]
    fn patches_apply_or_say_why_not() {
        let pods = resources::core("pods");
        let pod = json!({"spec": {"containers": []}});
        let patched = apply(pods, &pod, &[json!({"op": "add", "path": "/spec/containers/-", "value": {"name": "a"}})]);
        assert_eq!(patched, Ok(json!({"spec": {"containers": [{"name": "a"}]}})));
        let check = |operation: Value, expected: &str| {
            assert_eq!(apply(pods, &pod, &[operation]).expect_err("must fail"), expected)
        };
        check(
            json!({"op": "add", "path": "/x/y", "value": 1}),
            r#"add operation does not apply: doc is missing path: "/x/y": missing value"#,
        );
        check(json!({"op": "test", "path": "/kind", "value": "x"}), "testing value /kind failed: test failed");
        check(json!({"op": "nope", "path": "/kind"}), "Unexpected kind: nope");
    }
}
