//! Which webhooks are installed for the cells of a scenario: one of each kind, unless cells differ in what they meet.

use std::collections::BTreeMap;
use std::sync::Arc;

use cluster::{AzureLayout, Webhook, WebhookInstallation};
use scenario::access::{Installer, Layout};
use serde_json::{Value, json};

use super::federate::LiveCell;
use super::kube_objects::{CELL_LABEL, RUN_LABEL};
use crate::naming::RunId;

/// The webhooks of all cells. `tenant` is the directory that the Azure webhook names. In a cluster that others use, too, they see the run's
/// namespaces alone, under names of their own.
pub(crate) fn installations(
    run: &RunId,
    cells: &[Arc<LiveCell>],
    tenant: Option<&str>,
    is_shared: bool,
) -> Vec<WebhookInstallation> {
    let mut wanted: Vec<(Webhook, Vec<&str>)> = Vec::new();
    for cell in cells {
        let webhooks = &cell.cell.access.webhooks;
        let aws = webhooks.aws_pod_identity.as_ref().map(|aws| match aws.installed_by {
            Installer::Chart => Webhook::Aws {
                default_aws_region: aws.default_aws_region.clone(),
                release: format!("{}-cf-{run}", aws.release),
            },
            Installer::Eks => Webhook::AwsOnEks { region: aws.default_aws_region.clone() },
        });
        let azure = webhooks.azure_workload_identity.map(|azure| Webhook::Azure {
            layout: match azure.layout {
                Layout::V1_5 => AzureLayout::V1_5,
                Layout::V1_6 => AzureLayout::V1_6,
            },
            tenant: tenant.unwrap_or_default().to_owned(),
        });
        for webhook in aws.into_iter().chain(azure) {
            match wanted.iter_mut().find(|(known, _)| *known == webhook) {
                Some((_, ids)) => ids.push(&cell.cell.id),
                None => wanted.push((webhook, vec![&cell.cell.id])),
            }
        }
    }
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let each = wanted.into_iter().map(|(webhook, ids)| {
        // As shipped, a webhook sees all namespaces.
        let namespace_selector = (is_shared || ids.len() < cells.len()).then(|| selector(run, &ids));
        let mut installation = WebhookInstallation { webhook, name: None, namespace_selector };
        let mut name = installation.configuration_name();
        if is_shared && !name.contains(run.as_str()) {
            name = format!("{name}-cf-{run}");
            installation.name = Some(name.clone());
        }
        let count = taken.entry(name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            // API servers call webhooks by name: a second one stands right behind the first.
            installation.name = Some(format!("{name}-{count}"));
        }
        installation
    });
    each.collect()
}

fn selector(run: &RunId, ids: &[&str]) -> Value {
    json!({
        "matchLabels": {RUN_LABEL: run.as_str()},
        "matchExpressions": [{"key": CELL_LABEL, "operator": "In", "values": ids}],
    })
}
