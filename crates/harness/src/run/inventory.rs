//! What of a run stands, asked of whoever has it: before it, nothing may; after it, nothing must.

use std::collections::BTreeSet;

use federation::{aws, azure};
use futures::{StreamExt, TryStreamExt};
use kube::Client;

use super::takedown::{Leftover, Reach};
use super::{Settings, artifacts, kube_objects, places};
use crate::exit::{Exit, Stop};
use crate::journal::{Book, Undo};
use crate::naming::RunId;

/// Listings under way at the same time.
const AT_ONCE: usize = 16;

/// What stands in the clouds and the cluster under the name of a run. `providers` are the ARNs of OIDC providers that its journal names.
pub(crate) async fn of_run(reach: &Reach, run: &RunId, providers: &BTreeSet<String>) -> Result<Vec<Leftover>, Stop> {
    let infra = |message: String| Stop::new(Exit::Infrastructure, message);
    let left = |place, kind: String, id: String| Leftover { place, kind, id, why: "still there".to_owned() };
    let on_aws = futures::stream::iter(reach.aws.values())
        .map(|clients| async move {
            let account = clients.account();
            let here = providers.iter().filter(|arn| arn.contains(account.as_str())).cloned().collect();
            let scope = aws::Scope::Run { run: run.to_string(), prefix: run.name(""), providers: here };
            let items = aws::inventory(clients, &scope).await.map_err(|error| infra(error.to_string()))?;
            Ok(items
                .into_iter()
                .map(|item| left("aws", format!("{} in account {account}", item.kind), item.id))
                .collect::<Vec<_>>())
        })
        .buffer_unordered(AT_ONCE)
        .try_concat();
    let on_azure = futures::stream::iter(reach.azure.values())
        .map(|clients| async move {
            let scope = azure::Scope::Run(run.to_string());
            let items = azure::inventory(clients, &scope).await.map_err(|error| infra(error.to_string()))?;
            let subscription = clients.subscription();
            let named =
                |item: azure::Item| left("azure", format!("{} in subscription {subscription}", item.kind), item.id);
            Ok(items.into_iter().map(named).collect::<Vec<_>>())
        })
        .buffer_unordered(AT_ONCE)
        .try_concat();
    let cluster = async {
        match &reach.cluster {
            Some(client) => in_cluster(client, run).await,
            None => Ok(Vec::new()),
        }
    };
    let (mut all, on_azure, cluster) = tokio::try_join!(on_aws, on_azure, cluster)?;
    all.extend(on_azure);
    all.extend(cluster);
    all.sort_by(|one, other| (&one.kind, &one.id).cmp(&(&other.kind, &other.id)));
    Ok(all)
}

async fn in_cluster(client: &Client, run: &RunId) -> Result<Vec<Leftover>, Stop> {
    let mut found = Vec::new();
    for (kind, path) in kube_objects::collections(run) {
        let names = kube_objects::names(client, &path)
            .await
            .map_err(|error| Stop::new(Exit::Infrastructure, format!("{kind}s cannot be listed: {error}")))?;
        let left = |id| Leftover { place: "cluster", kind: kind.to_owned(), id, why: "still there".to_owned() };
        found.extend(names.into_iter().map(left));
    }
    Ok(found)
}

/// Keeps what was seen among the run's artifacts, for each cloud. A cloud that is this process's own is looked at as a whole elsewhere.
pub(crate) fn keep(settings: &Settings, name: &str, seen: &[Leftover]) {
    if places::is_ephemeral(settings) {
        return;
    }
    let name = settings.part.as_ref().map_or_else(|| name.to_owned(), |scenario| format!("{name}-{scenario}"));
    for cloud in ["aws", "azure", "cluster"] {
        let lines: Vec<_> =
            seen.iter().filter(|one| one.place == cloud).map(|one| format!("{} {}", one.kind, one.id)).collect();
        artifacts::inventory(settings, cloud, &name, &serde_json::json!(lines));
    }
}

/// The OIDC providers that a scenario of a journal created or used together with other runs.
pub(crate) fn providers(book: &Book, scenario: &str) -> BTreeSet<String> {
    let ours = book.entries().filter(|entry| entry.scenario == scenario);
    ours.filter_map(|entry| match &entry.undo {
        Undo::Aws(aws::Undo::OidcProvider { arn, .. }) => Some(arn.clone()),
        _ => None,
    })
    .collect()
}
