//! An OIDC provider, which an account has once for each issuer and runs of the tool therefore share: how a run comes on it.
//!
//! It carries the tool's tag and one tag for each run that is on it ([`roll`]). No call compares before it writes, so two
//! runs keep out of each other's way by writing first and looking afterwards: a run that comes writes its tag and then
//! looks whether another is closing; one that is closing says so and then looks who is on it. Whoever is second sees the
//! first. Where writes are shown late, one looks until one's own is shown.

mod leave;
mod look;
mod pace;
mod roll;

use trust::IssuerUrl;

use super::access::Clients;
use super::call::call;
use super::error::ProvisionError;
use super::owner::Owner;
use crate::thumbprint::Thumbprint;
use crate::{Kind, Tags};
pub(super) use leave::leave;
pub(super) use look::{Provider, find};
use look::{add_client_id, read, read_back, tag, untag};
use pace::Pace;
pub(super) use roll::Entry;

/// The provider that a run wants to be on.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) arn: &'a str,
    pub(super) resource: &'a str,
    pub(super) url: &'a IssuerUrl,
    pub(super) client_ids: &'a [String],
    pub(super) thumbprints: &'a [Thumbprint],
}

/// Whether a run is on a provider that is there.
enum Joined {
    Yes,
    /// It went meanwhile, or this run is taking it away.
    NotYet(Option<String>),
}

/// Makes the provider, or comes on one that other runs of the tool have made. `tried` says that this may have been done
/// before.
pub(super) async fn join(
    clients: &Clients,
    wanted: Wanted<'_>,
    tags: &Tags,
    tried: bool,
) -> Result<(), ProvisionError> {
    let own = Entry::on(tags, wanted.client_ids);
    let (mut pace, mut tried) = (Pace::of(clients.consistency()), tried);
    loop {
        let refusal = match create(clients, wanted, &own).await {
            Err(error) if error.kind == Kind::Exists => error,
            Err(error) => return Err(ProvisionError { maybe_done: error.maybe_done || tried, ..error }),
            Ok(()) => return Ok(()),
        };
        tried |= refusal.maybe_done;
        let refusal = ProvisionError { maybe_done: false, ..refusal };
        match enter(clients, wanted, &own, tried, &refusal).await? {
            Joined::Yes => return Ok(()),
            Joined::NotYet(closing) => {
                if !pace.pause().await {
                    let error = unfinished(refusal.operation, wanted.resource, closing.as_deref());
                    return Err(ProvisionError { maybe_done: tried, ..error });
                }
            }
        }
    }
}

async fn create(clients: &Clients, wanted: Wanted<'_>, own: &Entry) -> Result<(), ProvisionError> {
    let tags = own.founding_tags(wanted.resource)?;
    let send = || {
        let thumbprints = wanted.thumbprints.iter().map(ToString::to_string).collect::<Vec<_>>();
        let request = clients.iam().create_open_id_connect_provider().url(wanted.url.as_str());
        request
            .set_client_id_list(Some(wanted.client_ids.to_vec()))
            .set_thumbprint_list((!thumbprints.is_empty()).then_some(thumbprints))
            .set_tags(Some(tags.clone()))
            .send()
    };
    call(clients.consistency(), "CreateOpenIDConnectProvider", wanted.resource, send).await.map(drop)
}

/// Comes on a provider that is there. Thumbprints are left as they are.
async fn enter(
    clients: &Clients,
    wanted: Wanted<'_>,
    own: &Entry,
    tried: bool,
    refusal: &ProvisionError,
) -> Result<Joined, ProvisionError> {
    let Wanted { arn, resource, .. } = wanted;
    let Some(found) = read(clients, arn, resource).await? else { return Ok(Joined::NotYet(None)) };
    let is_on = found.entry(&own.run).is_some_and(Entry::is_on);
    if !found.is_ours || (is_on && !tried) {
        return Err(refusal.clone());
    }
    if let Some(closing) = found.closing(&own.run) {
        return Ok(Joined::NotYet(Some(closing.to_owned())));
    }
    if !tag(clients, arn, resource, own).await.map_err(|error| full(error, &found))? {
        return Ok(Joined::NotYet(None));
    }
    let open = |error| ProvisionError { maybe_done: true, ..error };
    let Some(found) = read_back(clients, arn, resource, own).await.map_err(open)? else {
        return Ok(Joined::NotYet(None));
    };
    let closing = found.closing(&own.run).map(str::to_owned);
    if closing.is_some() || !found.is_ours {
        untag(clients, arn, resource, &own.run).await.map_err(open)?;
        return if found.is_ours { Ok(Joined::NotYet(closing)) } else { Err(refusal.clone()) };
    }
    for id in wanted.client_ids.iter().filter(|id| !found.client_ids.contains(*id)) {
        if !add_client_id(clients, arn, resource, id).await.map_err(open)? {
            return Ok(Joined::NotYet(None));
        }
    }
    Ok(Joined::Yes)
}

/// Says what is full: IAM takes fifty tags a resource (IAM User Guide, "Tagging IAM resources").
fn full(error: ProvisionError, found: &Provider) -> ProvisionError {
    let maybe_done = error.maybe_done || error.kind != Kind::Quota;
    if error.kind != Kind::Quota {
        return ProvisionError { maybe_done, ..error };
    }
    let message = format!("{} runs are on it, and each has one of its fifty tags", found.entries.len());
    ProvisionError { message, maybe_done, ..error }
}

/// Another run is at it and does not come to an end.
fn unfinished(operation: &'static str, resource: &str, closing: Option<&str>) -> ProvisionError {
    let message = match closing {
        Some(run) => format!("run {run} began to take it away and has not finished: clean up run {run}"),
        None => "it came and went all the time".to_owned(),
    };
    ProvisionError { kind: Kind::Unavailable, retryable: true, ..ProvisionError::bug(operation, resource, message) }
}

/// Whether a run is on a provider. One that the tool made and that nobody is on is whoever's finds it.
pub(super) async fn owner(clients: &Clients, arn: &str, run: &str, resource: &str) -> Result<Owner, ProvisionError> {
    Ok(match read(clients, arn, resource).await? {
        None => Owner::Absent,
        Some(found) if found.is_of(run) => Owner::Run,
        Some(_) => Owner::Other,
    })
}
