//! Tokens that the run puts into a pod in place of those that the kubelet projects: for a fault, or for an issuer of its own.

use std::sync::Arc;

use scenario::access::Signer;
use scenario::{Cloud, Scenario};
use trust::{KeyRing, UnverifiedToken};

use super::federate::LiveCell;
use super::workload::Stage;
use super::{kube_objects, overlay, token};
use crate::exit::Stop;

/// A token that the run put into a pod.
#[derive(Debug)]
pub(crate) struct Planted {
    /// The cloud that it is for.
    pub(crate) cloud: Cloud,
    /// What it says, where it is a token at all.
    pub(crate) token: Option<UnverifiedToken>,
}

/// The clouds for which a cell's tokens are the run's and not the kubelet's.
pub(super) fn clouds(scenario: &Scenario, cell: &LiveCell) -> Vec<Cloud> {
    let access = &cell.cell.access;
    if access.token.is_projected() && access.issuer.is_none() {
        return Vec::new();
    }
    scenario.clouds().into_iter().filter(|&cloud| cell.cell.concerns(cloud)).collect()
}

/// Puts the tokens of a fault into the cell; none where the kubelet's own are used.
pub(super) async fn plant(
    stage: &Stage<'_>,
    cell: &LiveCell,
    ring: Option<Arc<KeyRing>>,
) -> Result<Vec<Planted>, Stop> {
    let mut planted = Vec::new();
    let client = stage.places.cluster.client();
    let fault = &cell.rendered.token;
    let stranger = match fault.signed_by {
        Signer::Stranger => Some(stage.places.stranger().await?),
        Signer::Issuer | Signer::None => None,
    };
    let signers = token::Signers { issuer: ring.as_deref(), stranger: stranger.as_deref() };
    for cloud in clouds(stage.scenario, cell) {
        let genuine = token::genuine(client, cell, cloud).await?;
        let issuer = cell.rendered.issuer.as_ref().map(|issuer| &issuer.url);
        let altered = token::altered(&genuine, fault, issuer, signers)?;
        let secret = overlay::secret(&overlay::token_secret(cloud), &[("token", altered.expose())]);
        let path = format!("/api/v1/namespaces/{}/secrets", cell.names.namespace);
        kube_objects::create(client, &path, &secret)
            .await
            .map_err(|error| kube_objects::refused("the fault's token", &error))?;
        planted.push(Planted { cloud, token: UnverifiedToken::decode(altered.expose()).ok() });
    }
    Ok(planted)
}
