//! Reading: one object, or a list with selectors and pages.

pub(super) mod versions;

use std::sync::Arc;

use axum::response::Response;
use bytes::{BufMut, BytesMut};
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::{Answer, Call};
use crate::object::{self, Object};
use crate::resources::Resource;
use crate::respond::{self, Form};
use crate::selector::{FieldSelector, LabelSelector};
use crate::status::Status;
use crate::table::{self, Include, Table};

pub(super) fn get(call: &Call<'_>) -> Answer {
    let form = respond::form(&call.headers)?;
    let (asked, current) = (resource_version(call)?, call.api.store.version());
    if asked > current {
        return Err(Status::from_the_future(asked, current));
    }
    let object = call.api.store.get(&call.key()).ok_or_else(|| call.not_found())?;
    let metadata = || json!({"resourceVersion": object.resource_version().to_string()});
    Ok(match form {
        Form::Plain => super::single(call, StatusCode::OK, &object),
        Form::Table => respond::value(StatusCode::OK, &tabled(call, [object.value()].into_iter(), &metadata())?),
        Form::Metadata => respond::value(StatusCode::OK, &table::metadata_of(object.value())),
    })
}

/// Objects as a table.
fn tabled<'a>(call: &Call<'_>, objects: impl Iterator<Item = &'a Value>, metadata: &Value) -> Result<Value, Status> {
    let table = Table::of(call.resource, include(call)?);
    Ok(table.of_rows(objects, metadata, true, call.api.issuer.clock.now()))
}

/// What the rows of a table shall have of their objects.
///
/// # Errors
/// 400.
pub(super) fn include(call: &Call<'_>) -> Result<Include, Status> {
    match call.params.get("includeObject") {
        "" | "Metadata" => Ok(Include::Metadata),
        "Object" => Ok(Include::Object),
        "None" => Ok(Include::None),
        other => Err(Status::bad_request(format!("unrecognized includeObject value: {other:?}"))),
    }
}

/// Which objects of a kind are meant.
#[derive(Debug, Default)]
pub(super) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selection {
    /// # Errors
    /// 400 in the parser's words.
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Status> {
        let labels = LabelSelector::parse(call.params.get("labelSelector")).map_err(Status::bad_request)?;
        let fields = FieldSelector::parse(call.params.get("fieldSelector")).map_err(Status::bad_request)?;
        if let Some(field) = fields.unsupported(call.resource.plural) {
            return Err(Status::bad_request(format!("field label not supported: {field}")));
        }
        Ok(Self { labels, fields })
    }

    pub(super) fn matches(&self, value: &Value) -> bool {
        self.labels.matches(object::labels(value)) && self.fields.matches(value)
    }

    fn is_all(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

pub(super) fn list(call: &Call<'_>) -> Answer {
    let form = respond::form(&call.headers)?;
    let selection = Selection::of(call)?;
    versions::check_list(&call.params)?;
    let limit = call.params.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let (found, version) = versions::state(call)?;
    let mut matching = found.into_iter().filter(|object| selection.matches(object.value()));
    let page: Vec<Arc<Object>> = matching.by_ref().take(limit.unwrap_or(usize::MAX)).collect();
    let mut metadata = json!({"resourceVersion": version.to_string()});
    let rest = matching.count();
    if rest > 0
        && let Some(last) = page.last()
    {
        metadata["continue"] = versions::continue_from(version, last.value()).into();
        // With a selector the real server cannot know how many are left.
        if selection.is_all() {
            metadata["remainingItemCount"] = rest.into();
        }
    }
    let values = || page.iter().map(|object| object.value());
    Ok(match form {
        Form::Plain => listed(call.resource, metadata, &page),
        Form::Table => respond::value(StatusCode::OK, &tabled(call, values(), &metadata)?),
        Form::Metadata => {
            let items: Vec<Value> = values().map(table::metadata_of).collect();
            let list = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": items});
            respond::value(StatusCode::OK, &list)
        }
    })
}

/// A list of stored objects.
pub(super) fn listed(resource: &Resource, mut metadata: Value, objects: &[Arc<Object>]) -> Response {
    if resource.custom.is_some() {
        // Items of a custom kind say what they are, and its lists always have this member.
        let continued = metadata["continue"].as_str().unwrap_or_default().to_owned();
        metadata["continue"] = continued.into();
    }
    let size: usize = objects.iter().map(|object| object.json().len() + 1).sum();
    let mut body = BytesMut::with_capacity(size + 160);
    body.put_slice(
        format!(
            "{{\"kind\":\"{}List\",\"apiVersion\":\"{}\",\"metadata\":{metadata},\"items\":[",
            resource.kind,
            resource.api_version()
        )
        .as_bytes(),
    );
    for (index, object) in objects.iter().enumerate() {
        if index > 0 {
            body.put_u8(b',');
        }
        if resource.custom.is_some() {
            body.put_slice(&object.typed_json(resource));
        } else {
            body.put_slice(object.json());
        }
    }
    body.put_slice(b"]}");
    respond::json(StatusCode::OK, body.freeze())
}

/// The version that a list or watch starts from; 0 when none is given.
///
/// # Errors
/// A failure without a reason, as the real server gives.
pub(super) fn resource_version(call: &Call<'_>) -> Result<u64, Status> {
    match call.params.get("resourceVersion") {
        "" => Ok(0),
        text => text.parse().map_err(|_| {
            Status::plain(
                500,
                format!(
                    "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
                ),
            )
        }),
    }
}
