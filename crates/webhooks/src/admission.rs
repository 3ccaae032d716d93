//! AdmissionReview as the webhooks speak it, `admission.k8s.io/v1` and `v1beta1` alike: decoding a request,
//! encoding an answer. It must not know what any webhook does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::pod::{NotAPod, entry, text};

/// What a webhook wants done to a pod.
#[derive(Clone, Debug, PartialEq)]
pub enum Mutation {
    /// Let it through as it is, without a patch.
    Unchanged,
    /// Let it through with this JSON Patch (RFC 6902), which may change nothing.
    Patch(Vec<PatchOp>),
}

/// One operation of a JSON Patch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PatchOp {
    /// `add` or `replace`: no webhook sends another.
    pub op: &'static str,
    /// JSON pointer (RFC 6901).
    pub path: String,
    /// What is put there.
    pub value: Value,
}

impl PatchOp {
    pub(crate) fn add(path: impl Into<String>, value: Value) -> Self {
        Self { op: "add", path: path.into(), value }
    }

    pub(crate) fn replace(path: impl Into<String>, value: Value) -> Self {
        Self { op: "replace", path: path.into(), value }
    }
}

/// A refusal, which the API server passes on to whoever creates the pod.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    /// HTTP status that the API server answers with.
    pub code: u16,
    /// What it says behind `admission webhook "…" denied the request: `.
    pub message: String,
}

impl Denied {
    pub(crate) fn bad_request(why: impl ToString) -> Self {
        Self { code: 400, message: why.to_string() }
    }
}

impl From<NotAPod> for Denied {
    fn from(error: NotAPod) -> Self {
        Self::bad_request(error)
    }
}

/// Why a body is no AdmissionReview. The text goes into the answer, so it follows Go's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("couldn't get version/kind; json parse error: {0}")]
    Syntax(String),
    #[error(
        "couldn't get version/kind; json parse error: json: cannot unmarshal {0} into Go value of type struct \
         {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
    )]
    NotAnObject(&'static str),
    #[error(transparent)]
    Shape(#[from] NotAPod),
}

/// `apiVersion` and `kind`, for the echo.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TypeMeta {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) kind: String,
    #[serde(rename = "apiVersion", skip_serializing_if = "String::is_empty")]
    pub(crate) api_version: String,
}

#[derive(Debug, Default)]
pub(crate) struct Review {
    pub(crate) type_meta: TypeMeta,
    pub(crate) request: Option<Request>,
}

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) uid: String,
    pub(crate) namespace: String,
    /// Absent when the request has none, or a null.
    pub(crate) object: Option<Value>,
}

impl Review {
    /// Any `apiVersion` and `kind` will do: upstream does not look, and an API server sends what was registered.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        // Upstream takes what does not begin with a brace for YAML: nothing is a null there, and prose a string.
        let mut review = match serde_json::from_slice::<Value>(body) {
            Ok(Value::Object(review)) => review,
            Ok(Value::Null) => return Ok(Self::default()),
            Ok(other) => return Err(DecodeError::NotAnObject(crate::pod::kind_of(&other))),
            Err(error) => {
                let body = body.trim_ascii();
                return match body.first() {
                    None => Ok(Self::default()),
                    Some(b'{') if error.is_eof() => Err(DecodeError::Syntax("unexpected end of JSON input".into())),
                    Some(b'{') => Err(DecodeError::Syntax(error.to_string())),
                    Some(_) => Err(DecodeError::NotAnObject("string")),
                };
            }
        };
        let type_meta = TypeMeta {
            kind: text(&review, "kind", ".kind", "string")?.to_owned(),
            api_version: text(&review, "apiVersion", ".apiVersion", "string")?.to_owned(),
        };
        let request = match review.get_mut("request") {
            None | Some(Value::Null) => None,
            Some(request) => Some(Request::take_from(request)?),
        };
        Ok(Self { type_meta, request })
    }
}

impl Request {
    fn take_from(request: &mut Value) -> Result<Self, NotAPod> {
        const FIELD: &str = "AdmissionReview.request";
        entry(request, FIELD, "v1beta1.AdmissionRequest")?;
        let empty = &mut Map::new();
        let request = request.as_object_mut().unwrap_or(empty);
        Ok(Self {
            uid: text(request, "uid", "AdmissionRequest.request.uid", "types.UID")?.to_owned(),
            namespace: text(request, "namespace", "AdmissionRequest.request.namespace", "string")?.to_owned(),
            object: request.get_mut("object").map(Value::take).filter(|object| !object.is_null()),
        })
    }
}

/// An AdmissionResponse. Only what the webhooks ever set: no reason, no warnings.
#[derive(Debug)]
pub(crate) enum Response {
    /// Without a status, as the AWS webhook lets a pod through.
    Allowed(Mutation),
    /// Without a status code, as the AWS webhook refuses.
    Refused(String),
    /// With a status code, as controller-runtime answers for the Azure webhook either way.
    Coded(Result<Mutation, Denied>),
}

impl Response {
    /// The AdmissionReview to send. Without `type_meta` it has neither `apiVersion` nor `kind`.
    pub(crate) fn encode(&self, type_meta: Option<&TypeMeta>, uid: &str) -> Vec<u8> {
        #[derive(Serialize)]
        struct Envelope<'a> {
            #[serde(flatten)]
            type_meta: Option<&'a TypeMeta>,
            response: Body<'a>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            uid: &'a str,
            allowed: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            status: Option<Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            patch: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            patch_type: Option<&'static str>,
        }
        let mut response = Body { uid, allowed: true, status: None, patch: None, patch_type: None };
        // A Go Status always carries its (empty) metadata.
        let mutation = match self {
            Self::Allowed(mutation) => Some(mutation),
            Self::Refused(message) => {
                response.status = Some(json!({"metadata": {}, "message": message}));
                None
            }
            Self::Coded(Ok(mutation)) => {
                response.status = Some(json!({"metadata": {}, "code": 200}));
                Some(mutation)
            }
            Self::Coded(Err(Denied { code, message })) => {
                response.status = Some(json!({"metadata": {}, "message": message, "code": code}));
                None
            }
        };
        response.allowed = mutation.is_some();
        if let Some(Mutation::Patch(ops)) = mutation {
            response.patch = Some(STANDARD.encode(to_json(ops)));
            response.patch_type = Some("JSONPatch");
        }
        to_json(&Envelope { type_meta, response })
    }
}

/// Serialises what has string keys and no fallible parts, which cannot fail.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_upstream_decodes() {
        let check = |body: &str, want: Result<(&str, Option<&str>), &str>| {
            let got = Review::decode(body.as_bytes());
            let got = got.map(|review| (review.type_meta.api_version, review.request.map(|request| request.uid)));
            match (got, want) {
                (Ok((version, uid)), Ok(want)) => {
                    assert_eq!((version.as_str(), uid.as_deref()), want, "{body}")
                }
                (Err(error), Err(want)) => {
                    assert!(error.to_string().contains(want), "{body}: {error}")
                }
                (got, want) => panic!("{body}: {got:?}, not {want:?}"),
            }
        };
        check("", Ok(("", None)));
        check(" \n", Ok(("", None)));
        check("null", Ok(("", None)));
        check("{}", Ok(("", None)));
        check(r#"{"apiVersion":"admission.k8s.io/v1"}"#, Ok(("admission.k8s.io/v1", None)));
        check(r#"{"apiVersion":"v9","request":null}"#, Ok(("v9", None)));
        check(r#"{"request":{"uid":"u"}}"#, Ok(("", Some("u"))));
        check(r#"{"request":{}}"#, Ok(("", Some(""))));
        check("{", Err("json parse error: unexpected end of JSON input"));
        check("{x}", Err("couldn't get version/kind"));
        check("[]", Err("cannot unmarshal array into Go value of type struct { APIVersion string"));
        check("hello", Err("cannot unmarshal string into Go value of type struct { APIVersion string"));
        check(r#"{"kind":7}"#, Err("cannot unmarshal number into Go struct field .kind of type string"));
        check(r#"{"request":[]}"#, Err("cannot unmarshal array into Go struct field AdmissionReview.request"));
        check(r#"{"request":{"uid":7}}"#, Err("Go struct field AdmissionRequest.request.uid of type types.UID"));
    }

    #[test]
    fn leaves_type_meta_out_when_there_is_none_to_echo() {
        let answer =
            |type_meta| String::from_utf8(Response::Allowed(Mutation::Unchanged).encode(type_meta, "u")).expect("text");
        let review = TypeMeta { kind: "AdmissionReview".into(), api_version: "admission.k8s.io/v1".into() };
        insta::assert_snapshot!(answer(None), @r#"{"response":{"uid":"u","allowed":true}}"#);
        insta::assert_snapshot!(answer(Some(&review)), @r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"u","allowed":true}}"#);
    }
}
