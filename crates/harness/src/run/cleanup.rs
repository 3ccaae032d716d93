//! Teardown in reverse order of the journal, and the inventory that proves it.

use std::time::Duration;

use federation::{aws, azure};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};

use super::federate::{AwsSide, Federation};
use super::kube_objects;
use crate::exit::Stop;
use crate::journal::{Entry, Journal, State, Undo};
use crate::naming::RunId;

/// Deletions under way at the same time.
const AT_ONCE: usize = 16;
/// A namespace has this long to go.
const NAMESPACE: Duration = Duration::from_secs(60);

/// Something that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) why: String,
}

/// Takes back everything that is open in the journal, in rounds whose members do not depend on each other: the cluster's
/// objects first of all, since pods use the rest; then both clouds at the same time.
pub(crate) async fn teardown(
    journal: &Journal,
    federation: Option<&Federation>,
    client: &Client,
    run: &RunId,
) -> Vec<Leftover> {
    let (mut kubernetes, mut on_aws, mut on_azure) = (Vec::new(), Vec::new(), Vec::new());
    for entry in journal.open_entries().into_iter().rev() {
        match entry.undo.clone() {
            Undo::Kubernetes(_) => kubernetes.push(entry),
            Undo::Aws(undo) => on_aws.push((undo, entry)),
            Undo::Azure(undo) => on_azure.push((undo, entry)),
        }
    }
    let plain = |rounds: Vec<Vec<Entry>>| Takedown { journal, federation, client, run, rounds };
    fn entries<U>(rounds: Vec<Vec<(U, Entry)>>) -> Vec<Vec<Entry>> {
        rounds.into_iter().map(|round| round.into_iter().map(|(_, entry)| entry).collect()).collect()
    }
    let mut left = plain(vec![kubernetes]).run().await;
    let on_aws = plain(entries(aws::undo_stages(on_aws, |(undo, _)| undo)));
    let on_azure = plain(entries(azure::undo_stages(on_azure, |(undo, _)| undo)));
    let (on_aws, on_azure) = tokio::join!(on_aws.run(), on_azure.run());
    left.extend(on_aws);
    left.extend(on_azure);
    left
}

/// Rounds of entries that are taken back one after the other.
struct Takedown<'a> {
    journal: &'a Journal,
    federation: Option<&'a Federation>,
    client: &'a Client,
    run: &'a RunId,
    rounds: Vec<Vec<Entry>>,
}

impl Takedown<'_> {
    async fn run(self) -> Vec<Leftover> {
        let Self { journal, federation, client, run, rounds } = self;
        let mut left = Vec::new();
        for round in rounds {
            let failed = futures::stream::iter(round)
                .map(|entry| async move {
                    let result = take_back(federation, client, &entry, run).await;
                    let result = result.and_then(|()| journal.undone(entry.number).map_err(|error| error.to_string()));
                    result.err().map(|why| Leftover { kind: "journal entry".into(), id: entry.label, why })
                })
                .buffer_unordered(AT_ONCE)
                .filter_map(|failed| async move { failed })
                .collect::<Vec<_>>();
            left.extend(failed.await);
        }
        left
    }
}

/// What is left, each once: what the inventory found, with the reason that its deletion gave, and what could not be
/// taken back and is not in the inventory.
pub(crate) fn merged(failed: Vec<Leftover>, mut found: Vec<Leftover>) -> Vec<Leftover> {
    let mut rest = Vec::new();
    for one in failed {
        // A label ends in the account, an id may be an ARN: the name is what both have.
        let name = |item: &Leftover| item.id.rsplit(['/', ' ']).next().unwrap_or_default().to_owned();
        match found.iter_mut().find(|item| one.id.split(' ').any(|word| word.ends_with(&name(item)))) {
            Some(item) => item.why = one.why,
            None => rest.push(one),
        }
    }
    found.extend(rest);
    found
}

async fn take_back(federation: Option<&Federation>, client: &Client, entry: &Entry, run: &RunId) -> Result<(), String> {
    let confirmed = entry.state == State::Done;
    match &entry.undo {
        Undo::Kubernetes(undo) => {
            kube_objects::delete(client, &undo.path).await.map_err(|error| error.to_string())?;
            gone(client, &undo.path).await
        }
        Undo::Aws(undo) => {
            let side = federation.and_then(|federation| federation.aws.as_ref()).ok_or("no keys for its account")?;
            let clients = side.clients(undo.account().as_str()).map_err(|stop| stop.message)?;
            let undone = match confirmed {
                true => aws::undo(clients, undo).await,
                false => aws::undo_unconfirmed(clients, undo, run.as_str()).await,
            };
            undone.map(drop).map_err(|error| error.to_string())
        }
        Undo::Azure(undo) => {
            let side = federation.and_then(|federation| federation.azure.as_ref());
            let clients = side.ok_or("no credential for its subscription")?.clients();
            let undone = match confirmed {
                true => azure::undo(clients, undo).await,
                false => azure::undo_unconfirmed(clients, undo, run.as_str()).await,
            };
            undone.map(drop).map_err(|error| error.to_string())
        }
    }
}

/// Waits until a namespace, whose deletion takes time, is gone; everything else goes at once.
async fn gone(client: &Client, path: &str) -> Result<(), String> {
    let Some(name) = path.strip_prefix(kube_objects::NAMESPACES).and_then(|rest| rest.strip_prefix('/')) else {
        return Ok(());
    };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let Some(namespace) = namespaces.get_opt(name).await.map_err(|error| error.to_string())? else {
        return Ok(());
    };
    let uid = namespace.uid().unwrap_or_default();
    let deleted = await_condition(namespaces, name, conditions::is_deleted(&uid));
    match tokio::time::timeout(NAMESPACE, deleted).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("still there after {} s", NAMESPACE.as_secs())),
    }
}

/// What of the run is still in the accounts and in the cluster.
pub(crate) async fn inventory(
    federation: Option<&Federation>,
    client: &Client,
    run: &RunId,
) -> Result<Vec<Leftover>, Stop> {
    let infra = |message: String| Stop::new(crate::Exit::Infrastructure, message);
    let left = |kind: &str, id: String| Leftover { kind: kind.to_owned(), id, why: "still there".to_owned() };
    let prefix = run.name("");
    let aws_side = federation.and_then(|federation| federation.aws.as_ref());
    let on_aws = futures::stream::iter(aws_side.into_iter().flat_map(AwsSide::accounts))
        .map(|clients| {
            let (run, prefix) = (run.to_string(), prefix.clone());
            let providers = aws_side.map(|side| side.providers(clients)).unwrap_or_default();
            async move {
                let scope = aws::Scope::Run { run, prefix, providers };
                let items = aws::inventory(clients, &scope).await.map_err(|error| infra(error.to_string()))?;
                let account = clients.account();
                Ok(items
                    .into_iter()
                    .map(|item| left(&format!("{} in account {account}", item.kind), item.id))
                    .collect::<Vec<_>>())
            }
        })
        .buffer_unordered(AT_ONCE)
        .try_concat();
    let on_azure = async {
        let Some(side) = federation.and_then(|federation| federation.azure.as_ref()) else { return Ok(Vec::new()) };
        let scope = azure::Scope::Run(run.to_string());
        let items = azure::inventory(side.clients(), &scope).await.map_err(|error| infra(error.to_string()))?;
        let subscription = side.clients().subscription();
        let named = |item: azure::Item| left(&format!("{} in subscription {subscription}", item.kind), item.id);
        Ok(items.into_iter().map(named).collect::<Vec<_>>())
    };
    let cluster = async {
        let mut found = Vec::new();
        for (kind, path) in kube_objects::collections(run) {
            let names = kube_objects::names(client, &path)
                .await
                .map_err(|error| infra(format!("{kind}s cannot be listed: {error}")))?;
            found.extend(names.into_iter().map(|name| left(kind, name)));
        }
        Ok(found)
    };
    let (mut all, on_azure, cluster) = tokio::try_join!(on_aws, on_azure, cluster)?;
    all.extend(on_azure);
    all.extend(cluster);
    Ok(all)
}
