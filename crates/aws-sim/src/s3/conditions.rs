//! Conditions on reads and writes: entity tags and dates. Must not know who asks.

use s3s::dto::{self, ETagCondition};
use time::OffsetDateTime;

use super::refusal::Refusal;
use super::store::{Bucket, StoredObject};

/// The conditions of a read (RFC 9110, section 13.2.2).
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) matches: Option<ETagCondition>,
    pub(super) matches_not: Option<ETagCondition>,
    pub(super) modified_since: Option<dto::Timestamp>,
    pub(super) unmodified_since: Option<dto::Timestamp>,
}

/// How a condition on a read failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// A condition of this name asked for another object than there is.
    Failed(&'static str),
    NotModified,
}

impl Conditions {
    pub(super) fn check(&self, object: &StoredObject) -> Result<(), Unmet> {
        let modified = object.modified.as_second();
        let seconds = |at: &dto::Timestamp| OffsetDateTime::from(at.clone()).unix_timestamp();
        match (&self.matches, &self.unmodified_since) {
            (Some(condition), _) if !is_match(condition, object) => {
                return Err(Unmet::Failed("If-Match"));
            }
            (None, Some(at)) if modified > seconds(at) => {
                return Err(Unmet::Failed("If-Unmodified-Since"));
            }
            _ => {}
        }
        match (&self.matches_not, &self.modified_since) {
            (Some(condition), _) if is_match(condition, object) => Err(Unmet::NotModified),
            (None, Some(at)) if modified <= seconds(at) => Err(Unmet::NotModified),
            _ => Ok(()),
        }
    }
}

pub(super) fn is_match(condition: &ETagCondition, object: &StoredObject) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

pub(super) fn precondition_failed(condition: &'static str) -> Refusal {
    Refusal::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        .with("Condition", condition)
}

/// The conditions of a write to `key`: over a certain object, or over none.
pub(super) fn check_overwrite(
    bucket: &Bucket,
    key: &str,
    matches: Option<&ETagCondition>,
    matches_not: Option<&ETagCondition>,
) -> Result<(), Refusal> {
    let present = bucket.objects.get(key);
    match (matches, present) {
        (Some(_), None) => return Err(Refusal::no_such_key()),
        (Some(condition), Some(object)) if !is_match(condition, object) => {
            return Err(precondition_failed("If-Match"));
        }
        _ => {}
    }
    match matches_not {
        Some(ETagCondition::Any) if present.is_some() => Err(precondition_failed("If-None-Match")),
        None | Some(ETagCondition::Any) => Ok(()),
        Some(ETagCondition::ETag(_)) => Err(Refusal::not_implemented()),
    }
}
