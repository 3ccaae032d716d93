//! The calls that look at a shared provider and change what it carries. Each tells whether the provider is there.

use std::collections::BTreeSet;

use super::pace::Pace;
use super::roll::{self, Entry};
use super::unfinished;
use crate::aws::access::Clients;
use crate::aws::call::{call, once};
use crate::aws::error::ProvisionError;
use crate::aws::undo::is_absent;
use crate::{Consistency, tags};

/// A provider that is there.
#[derive(Clone, Debug)]
pub(in crate::aws) struct Provider {
    /// The tool made it.
    pub(in crate::aws) is_ours: bool,
    /// The runs that are on it or going.
    pub(in crate::aws) entries: Vec<Entry>,
    pub(in crate::aws) client_ids: BTreeSet<String>,
}

impl Provider {
    pub(super) fn entry(&self, run: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.run == run)
    }

    /// Whether there is anything for this run to take back.
    pub(super) fn is_of(&self, run: &str) -> bool {
        self.is_ours && (self.entries.is_empty() || self.entry(run).is_some())
    }

    /// Another run that is taking it away, the first by name.
    pub(super) fn closing(&self, but: &str) -> Option<&str> {
        let closing = self.entries.iter().filter(|entry| entry.is_closing() && entry.run != but);
        closing.map(|entry| entry.run.as_str()).min()
    }

    pub(super) fn unneeded(&self) -> Vec<String> {
        roll::unneeded(&self.entries, &self.client_ids)
    }

    pub(super) fn is_used(&self) -> bool {
        self.entries.iter().any(Entry::is_on)
    }
}

/// The provider with this ARN, for those who only look.
pub(in crate::aws) async fn find(clients: &Clients, arn: &str) -> Result<Option<Provider>, ProvisionError> {
    read(clients, arn, &format!("OIDC provider {arn}")).await
}

pub(super) async fn read(clients: &Clients, arn: &str, resource: &str) -> Result<Option<Provider>, ProvisionError> {
    let send = || clients.iam().get_open_id_connect_provider().open_id_connect_provider_arn(arn).send();
    let found = match call(clients.consistency(), "GetOpenIDConnectProvider", resource, send).await {
        Ok(found) => found,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let pairs = || found.tags().iter().map(|tag| (tag.key(), tag.value()));
    Ok(Some(Provider {
        is_ours: pairs().any(|pair| pair == tags::tool()),
        entries: pairs().filter_map(|(key, value)| Entry::read(key, value)).collect(),
        client_ids: found.client_id_list().iter().cloned().collect(),
    }))
}

/// Reads until `own`, which was just written, is shown. None if the provider went meanwhile.
pub(super) async fn read_back(
    clients: &Clients,
    arn: &str,
    resource: &str,
    own: &Entry,
) -> Result<Option<Provider>, ProvisionError> {
    let mut pace = Pace::of(clients.consistency());
    loop {
        let found = read(clients, arn, resource).await?;
        if let Some(found) = found.filter(|found| found.entry(&own.run) == Some(own)) {
            return Ok(Some(found));
        }
        // Reads lag; a write tells for certain whether it is there.
        if clients.consistency() == Consistency::Immediate || !tag(clients, arn, resource, own).await? {
            return Ok(None);
        }
        if !pace.pause().await {
            return Err(unfinished("TagOpenIDConnectProvider", resource, None));
        }
    }
}

fn there<T>(answer: Result<T, ProvisionError>) -> Result<bool, ProvisionError> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(super) async fn tag(clients: &Clients, arn: &str, resource: &str, entry: &Entry) -> Result<bool, ProvisionError> {
    let tag = entry.tag(resource)?;
    let send = || {
        let request = clients.iam().tag_open_id_connect_provider().open_id_connect_provider_arn(arn);
        request.tags(tag.clone()).send()
    };
    there(call(clients.consistency(), "TagOpenIDConnectProvider", resource, send).await)
}

pub(super) async fn untag(clients: &Clients, arn: &str, resource: &str, run: &str) -> Result<bool, ProvisionError> {
    let key = Entry::key(run);
    let send = || {
        let request = clients.iam().untag_open_id_connect_provider().open_id_connect_provider_arn(arn);
        request.tag_keys(&key).send()
    };
    there(call(clients.consistency(), "UntagOpenIDConnectProvider", resource, send).await)
}

pub(super) async fn add_client_id(
    clients: &Clients,
    arn: &str,
    resource: &str,
    id: &str,
) -> Result<bool, ProvisionError> {
    let send = || {
        let request = clients.iam().add_client_id_to_open_id_connect_provider().open_id_connect_provider_arn(arn);
        request.client_id(id).send()
    };
    there(call(clients.consistency(), "AddClientIDToOpenIDConnectProvider", resource, send).await)
}

pub(super) async fn remove_client_id(
    clients: &Clients,
    arn: &str,
    resource: &str,
    id: &str,
) -> Result<bool, ProvisionError> {
    let send = || {
        let request = clients.iam().remove_client_id_from_open_id_connect_provider().open_id_connect_provider_arn(arn);
        request.client_id(id).send()
    };
    there(call(clients.consistency(), "RemoveClientIDFromOpenIDConnectProvider", resource, send).await)
}

/// Sent once: after a lost answer the provider may be another, and must be looked at first.
pub(super) async fn delete(clients: &Clients, arn: &str, resource: &str) -> Result<bool, ProvisionError> {
    let send = || clients.iam().delete_open_id_connect_provider().open_id_connect_provider_arn(arn).send();
    there(once("DeleteOpenIDConnectProvider", resource, send).await)
}
