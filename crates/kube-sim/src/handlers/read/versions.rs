//! Which state a list shows: the present one, that of a version, or that which an earlier page began with.
//!
//! The rules are those of `k8s.io/apimachinery/pkg/apis/meta/internalversion/validation`.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::resource_version;
use crate::api::Call;
use crate::go_json;
use crate::object::{self, Object, text};
use crate::request::Params;
use crate::status::{FieldError, Status};
use crate::store::Key;

const MATCH: &str = "resourceVersionMatch";

fn verdict(errors: &[FieldError]) -> Result<(), Status> {
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid("meta.k8s.io", "ListOptions", "", errors)) }
}

/// # Errors
/// 422 for options that do not go together.
pub(super) fn check_list(params: &Params) -> Result<(), Status> {
    let mut errors = Vec::new();
    let wanted = params.get(MATCH);
    if !wanted.is_empty() {
        if params.get("resourceVersion").is_empty() {
            errors.push(FieldError::forbidden(
                MATCH,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if !params.get("continue").is_empty() {
            errors.push(FieldError::forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
        }
        if !["Exact", "NotOlderThan"].contains(&wanted) {
            errors.push(FieldError::unsupported(MATCH, &wanted.into(), &["Exact", "NotOlderThan", ""]));
        }
        if wanted == "Exact" && params.get("resourceVersion") == "0" {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            errors.push(FieldError::forbidden(MATCH, why));
        }
    }
    if params.has("sendInitialEvents") {
        errors.push(FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
    }
    verdict(&errors)
}

/// # Errors
/// 422 for options that do not go together.
pub(in crate::handlers) fn check_watch(params: &Params) -> Result<(), Status> {
    let mut errors = Vec::new();
    let (wanted, sends) = (params.get(MATCH), params.has("sendInitialEvents"));
    if sends && wanted != "NotOlderThan" {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        errors.push(FieldError::forbidden(MATCH, why));
    }
    if !wanted.is_empty() {
        if !sends {
            let why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided";
            errors.push(FieldError::forbidden(MATCH, why));
        }
        if wanted != "NotOlderThan" {
            errors.push(FieldError::unsupported(MATCH, &wanted.into(), &["NotOlderThan"]));
        }
        if !params.get("continue").is_empty() {
            errors.push(FieldError::forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"));
        }
    }
    verdict(&errors)
}

/// The objects that a list is about, in order, and the version that they are of.
///
/// # Errors
/// 410 when the history does not reach back, 504 for a version that is still to come.
pub(super) fn state(call: &Call<'_>) -> Result<(Vec<Arc<Object>>, u64), Status> {
    let (store, resource, namespace) = (&call.api.store, call.resource, call.info.namespace.as_str());
    let asked = resource_version(call)?;
    let current = store.version();
    if asked > current {
        return Err(Status::from_the_future(asked, current));
    }
    let Some((start, version)) = continue_after(call)? else {
        if call.params.get(MATCH) == "Exact" {
            let found = store.list_at(resource, namespace, None, asked).map_err(|_| Status::stale_list())?;
            return Ok((found, asked));
        }
        return Ok(store.list(resource, namespace, None));
    };
    if !["", "0"].contains(&call.params.get("resourceVersion")) {
        return Err(Status::bad_request("specifying resource version is not allowed when using continue"));
    }
    // As the token of an expired list says: whatever there is now.
    let Some(version) = u64::try_from(version).ok().filter(|version| *version > 0) else {
        return Ok(store.list(resource, namespace, Some(&start)));
    };
    let found = store.list_at(resource, namespace, Some(&start), version);
    let found = found.map_err(|_| Status::stale_page(token(-1, &start.namespace, &start.name)))?;
    Ok((found, version))
}

pub(super) fn continue_from(version: u64, last: &Value) -> String {
    token(i64::try_from(version).unwrap_or(i64::MAX), object::namespace(last), object::name(last))
}

fn token(version: i64, namespace: &str, name: &str) -> String {
    let start = format!("{namespace}/{name}");
    URL_SAFE_NO_PAD.encode(json!({"v": "meta.k8s.io/v1", "rv": version, "start": start}).to_string())
}

fn continue_after(call: &Call<'_>) -> Result<Option<(Key, i64)>, Status> {
    let token = call.params.get("continue");
    if token.is_empty() {
        return Ok(None);
    }
    let bad = |why: String| Status::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
    // Go's decoder ignores bits that are left over.
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
    );
    let bytes = lenient.decode(token).map_err(|error| match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => {
            bad(format!("illegal base64 data at input byte {at}"))
        }
        _ => bad(format!("illegal base64 data at input byte {}", token.len() / 4 * 4)),
    })?;
    let token = go_json::parse(&bytes).map_err(bad)?;
    let start = text(&token, "/start");
    let (namespace, name) =
        start.split_once('/').ok_or_else(|| bad("incorrect encoded start key (version meta.k8s.io/v1)".to_owned()))?;
    let version = token["rv"].as_i64().unwrap_or(0);
    Ok(Some((Key::new(call.resource, namespace, name), version)))
}
