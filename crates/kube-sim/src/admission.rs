//! The admission chain: built-in plugins, mutating webhooks, and one extra round for those that asked for it.
//!
//! Order and reinvocation follow `k8s.io/apiserver/pkg/admission`: a change after a webhook's call, by another webhook or by a
//! built-in plugin, is what calls it again. It knows requests as attributes, not as HTTP.

mod call;
mod plugins;
mod review;
mod webhook;

use serde_json::Value;

pub(crate) use call::Callers;

use crate::resources::Resource;
use crate::status::Status;
use crate::store::Store;
use crate::user::User;

/// What is done to the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Update,
    Delete,
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
        }
    }
}

/// One request on its way through the chain.
#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    pub(crate) operation: Operation,
    pub(crate) resource: &'static Resource,
    pub(crate) subresource: &'a str,
    pub(crate) namespace: &'a str,
    /// Empty while a generated name is still to come.
    pub(crate) name: &'a str,
    pub(crate) user: &'a User,
    pub(crate) options: Value,
    pub(crate) dry_run: bool,
    /// Absent on deletion.
    pub(crate) object: Option<Value>,
    pub(crate) old: Option<Value>,
}

impl Attributes<'_> {
    /// The name that messages give: generated ones are not known yet.
    fn shown_name(&self) -> &str {
        if !self.name.is_empty() {
            return self.name;
        }
        let object = self.object.as_ref();
        let named = object.map(|object| crate::object::text(object, "/metadata/name")).filter(|name| !name.is_empty());
        named
            .or_else(|| {
                object
                    .map(|object| crate::object::text(object, "/metadata/generateName"))
                    .filter(|name| !name.is_empty())
            })
            .unwrap_or("Unknown")
    }

    fn forbidden(&self, why: &str) -> Status {
        Status::forbidden(self.resource.group, self.resource.plural, self.shown_name(), why)
    }

    fn is_creating(&self, plural: &str) -> bool {
        self.operation == Operation::Create && self.subresource.is_empty() && self.resource.is_core(plural)
    }
}

/// Runs the chain; the object in `attributes` is changed in place.
///
/// # Errors
/// The refusal as the client gets it.
pub(crate) async fn admit(
    store: &Store,
    callers: &Callers,
    attributes: &mut Attributes<'_>,
    warnings: &mut Vec<String>,
) -> Result<(), Status> {
    plugins::run(store, attributes)?;
    let mut rounds = webhook::Rounds::default();
    webhook::run(store, callers, attributes, &mut rounds, warnings).await?;
    if rounds.changed() {
        plugins::run(store, attributes)?;
        rounds.second(attributes);
        webhook::run(store, callers, attributes, &mut rounds, warnings).await?;
    }
    Ok(())
}
