//! Patching: JSON patch, merge patch and strategic merge patch. Apply is another handler's.

use http::StatusCode;
use serde_json::Value;

use super::update::Owners;
use super::{apply, update};
use crate::api::{Answer, Call};
use crate::decode::{self, FieldValidation};
use crate::request::WriteOptions;
use crate::schema::Shape;
use crate::status::{FieldError, Status};
use crate::{defaults, go_json, object, schema, strategic};

/// The ways to describe a change that this server understands.
#[derive(Debug)]
pub(super) enum Patch {
    Json(Vec<Value>),
    Merge(Value),
    Strategic(Value),
}

const JSON: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

impl Patch {
    /// # Errors
    /// 400, or 415 for another media type.
    pub(super) fn parse(call: &Call<'_>) -> Result<Self, Status> {
        let decoding = |why: String| Status::bad_request(format!("error decoding patch: {why}"));
        let content = call.content_type();
        if ![JSON, MERGE, STRATEGIC].contains(&content) {
            return Err(Status::unsupported_patch());
        }
        let (value, _) = decode::json(&call.body).map_err(decoding)?;
        match (content, value) {
            (JSON, Value::Array(operations)) => Ok(Self::Json(operations)),
            (JSON, other) => {
                let given = go_json::type_name(&other);
                Err(decoding(format!("json: cannot unmarshal {given} into Go value of type []handlers.jsonPatchOp")))
            }
            (STRATEGIC, change @ Value::Object(_)) => Ok(Self::Strategic(change)),
            (_, change @ Value::Object(_)) => Ok(Self::Merge(change)),
            (_, other) => {
                let given = go_json::type_name(&other);
                Err(decoding(format!("json: cannot unmarshal {given} into Go value of type map[string]interface {{}}")))
            }
        }
    }

    /// # Errors
    /// 422 for a patch that does not fit.
    pub(super) fn apply(&self, value: &mut Value, shape: Shape<'_>) -> Result<(), Status> {
        match self {
            Self::Strategic(change) => strategic::merge(value, change, shape).map_err(Status::internal_plain),
            Self::Merge(change) => {
                json_patch::merge(value, change);
                Ok(())
            }
            Self::Json(operations) => {
                let parsed: Result<Vec<json_patch::PatchOperation>, _> =
                    operations.iter().cloned().map(serde_json::from_value).collect();
                let parsed = parsed.map_err(|_| Status::unprocessable())?;
                json_patch::patch(value, &parsed).map_err(|_| Status::unprocessable())
            }
        }
    }
}

pub(super) async fn patch(call: &mut Call<'_>) -> Answer {
    if call.content_type() == apply::MEDIA {
        return apply::apply(call).await;
    }
    let patch = Patch::parse(call)?;
    let options = WriteOptions::of(&call.params, "PatchOptions")?;
    let resource = call.resource;
    let (name, namespace) =
        (call.info.name.clone(), if resource.namespaced { call.info.namespace.clone() } else { String::new() });
    update::change(call, &options, "PatchOptions", Owners::Found, |old, warnings| {
        let mut value = object::typed(resource, old);
        patch.apply(&mut value, resource.shape())?;
        let invalid = |value: &Value, why: &str| {
            let error = FieldError::invalid("patch", &value.to_string().into(), why);
            Status::invalid("", "", "", &[error])
        };
        let (api_version, kind) = (object::text(&value, "/apiVersion"), object::text(&value, "/kind"));
        if (api_version, kind) != (resource.api_version().as_str(), resource.kind) {
            let scheme = "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30";
            let why = format!("no kind {kind:?} is registered for version {api_version:?} in scheme {scheme:?}");
            return Err(invalid(&value, &why));
        }
        let fields = object::fields(&mut value);
        fields.shift_remove("kind");
        fields.shift_remove("apiVersion");
        let unknown = resource.decode(&mut value).map_err(|why| invalid(&value, &why))?;
        let complaints = decode::complaints(&unknown, &[]);
        match options.field_validation {
            FieldValidation::Strict if !complaints.is_empty() => {
                return Err(invalid(&value, &format!("strict decoding error: {}", complaints.join(", "))));
            }
            FieldValidation::Warn => warnings.extend(complaints),
            _ => {}
        }
        if resource.is_core("secrets") {
            schema::fold_string_data(object::fields(&mut value));
        }
        let given = object::name(&value);
        if given != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({given}) does not match the name on the URL ({name})"
            )));
        }
        if object::namespace(&value) != namespace {
            return Err(Status::bad_request("the namespace of the object does not match the namespace on the URL"));
        }
        defaults::apply(resource, &mut value);
        Ok(value)
    })
    .await
    .map(|mut response| {
        // Only apply creates; the patches here always change.
        *response.status_mut() = StatusCode::OK;
        response
    })
}
