//! Deletes of one key and of many.

use s3s::dto::{self, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput};

use super::Simulated;
use super::admission::Visit;
use super::conditions::{is_match, precondition_failed};
use super::objects::check_version;
use super::permission::object_arn;
use super::refusal::Refusal;

pub(super) fn delete(
    simulated: &Simulated,
    _visit: &Visit,
    input: DeleteObjectInput,
) -> Result<DeleteObjectOutput, Refusal> {
    check_version(input.version_id.as_deref())?;
    simulated.store.change(&input.bucket, |bucket| {
        if let Some(condition) = &input.if_match {
            match bucket.objects.get(&input.key) {
                Some(object) if is_match(condition, object) => {}
                _ => return Err(precondition_failed("If-Match")),
            }
        }
        bucket.objects.remove(&input.key);
        Ok(())
    })??;
    Ok(DeleteObjectOutput::default())
}

/// Deletes up to 1000 keys; a key that may not be deleted is reported beside the others.
pub(super) fn delete_many(
    simulated: &Simulated,
    visit: &Visit,
    input: DeleteObjectsInput,
) -> Result<DeleteObjectsOutput, Refusal> {
    let objects = input.delete.objects;
    simulated.store.bucket(&input.bucket, |_| ())?;
    if objects.is_empty() || objects.len() > 1000 {
        return Err(Refusal::malformed_xml());
    }
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in objects {
        let resource = object_arn(&input.bucket, &object.key);
        let outcome = check_version(object.version_id.as_deref())
            .and_then(|()| simulated.permit(visit, "s3:DeleteObject", &resource, &input.bucket, &[]))
            .and_then(|()| simulated.store.change(&input.bucket, |bucket| bucket.objects.remove(&object.key)));
        match outcome {
            Ok(_) => deleted.push(dto::DeletedObject { key: Some(object.key), ..dto::DeletedObject::default() }),
            Err(refusal) => errors.push(dto::Error {
                code: Some(refusal.code.into_owned()),
                key: Some(object.key),
                message: Some(refusal.message.into_owned()),
                version_id: object.version_id,
            }),
        }
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    Ok(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    })
}
