//! How a run goes from a shared provider: it takes along the client ids that it alone needed, and the provider if nobody
//! else is on it.

use super::look::{Provider, delete, read, read_back, remove_client_id, tag, untag};
use super::pace::Pace;
use super::roll::Entry;
use super::unfinished;
use crate::Consistency;
use crate::aws::access::Clients;
use crate::aws::error::ProvisionError;
use crate::aws::undo::Undone;

const OPERATION: &str = "DeleteOpenIDConnectProvider";

/// Takes a run from a provider, and the provider away with the last one.
///
/// First it says that it is leaving: if the others need all that is there, that is all. Otherwise it says that it is
/// closing, so that nobody comes meanwhile. Of several that are closing, the first by name goes on.
pub(in crate::aws) async fn leave(
    clients: &Clients,
    arn: &str,
    run: &str,
    resource: &str,
) -> Result<Undone, ProvisionError> {
    let found = read(clients, arn, resource).await?;
    let known = match &found {
        Some(found) if !found.is_ours => return Ok(Undone::NotOurs),
        // A lag may hide it, or the run on it; a write tells.
        None if clients.consistency() == Consistency::Immediate => return Ok(Undone::AlreadyGone),
        Some(found) if !found.is_of(run) && clients.consistency() == Consistency::Immediate => {
            return Ok(Undone::NotOurs);
        }
        found => found.as_ref().and_then(|found| found.entry(run)),
    };
    let (leaving, closing) = (Entry::leaving(run, known), Entry::closing(run, known));
    let (mut pace, mut own, mut gone) = (Pace::of(clients.consistency()), &leaving, Undone::AlreadyGone);
    loop {
        if !tag(clients, arn, resource, own).await? {
            return Ok(gone);
        }
        // From here on another may take it away.
        gone = Undone::Deleted;
        let Some(found) = read_back(clients, arn, resource, own).await? else { return Ok(gone) };
        if !found.is_ours {
            // Another's, made since ours went.
            untag(clients, arn, resource, run).await?;
            return Ok(gone);
        }
        if own == &leaving && is_covered(&found) {
            untag(clients, arn, resource, run).await?;
            return Ok(Undone::Left);
        }
        let waits_for = match found.closing(run) {
            Some(first) if own == &closing && first < run => {
                own = &leaving;
                continue;
            }
            Some(other) => Some(other),
            None if own == &leaving => {
                own = &closing;
                continue;
            }
            None => match finish(clients, arn, run, resource, &found).await {
                Err(error) if error.retryable => None,
                Err(error) => {
                    // Nobody should wait for what will not come. What went wrong is told, not this.
                    tag(clients, arn, resource, &leaving).await.ok();
                    return Err(error);
                }
                end => return end,
            },
        };
        if !pace.pause().await {
            tag(clients, arn, resource, &leaving).await?;
            return Err(unfinished(OPERATION, resource, waits_for));
        }
    }
}

/// Whether all that is there is needed by others.
fn is_covered(found: &Provider) -> bool {
    found.is_used() && found.unneeded().is_empty()
}

/// What only one run at a time may do, and none while another comes.
async fn finish(
    clients: &Clients,
    arn: &str,
    run: &str,
    resource: &str,
    found: &Provider,
) -> Result<Undone, ProvisionError> {
    if !found.is_used() {
        return delete(clients, arn, resource).await.map(|_| Undone::Deleted);
    }
    for id in found.unneeded() {
        remove_client_id(clients, arn, resource, &id).await?;
    }
    untag(clients, arn, resource, run).await?;
    Ok(Undone::Left)
}
