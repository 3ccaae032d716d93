//! What carries the program's marks in a cluster and in the clouds, in the order in which it must go: the cluster's objects first, since pods
//! use the rest. Must not know which runs live.

use std::fmt;

use federation::{Holding, Marks, aws, azure};
use kube::Client;
use serde_json::Value;

use crate::exit::{Exit, Stop};
use crate::journal::{KubernetesUndo, Undo};
use crate::run::LONGEST;
use crate::run::kube_objects::{self, EXPIRES, NAMESPACES, NODES, RUN_LABEL, TOOL, TOOL_LABEL, WEBHOOKS};
use crate::run::takedown::Reach;

/// What a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Aws(aws::ItemKind),
    Azure(azure::ItemKind),
    WebhookConfiguration,
    Namespace,
    Node,
    /// A run's private folder.
    Folder,
}

impl Kind {
    /// Runs share it, and each has a mark of its own on it.
    pub(super) fn is_shared(self) -> bool {
        self == Self::Aws(aws::ItemKind::OidcProvider)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws(kind) => write!(f, "{kind}"),
            Self::Azure(kind) => write!(f, "{kind}"),
            Self::WebhookConfiguration => f.write_str("webhook configuration"),
            Self::Namespace => f.write_str("namespace"),
            Self::Node => f.write_str("node"),
            Self::Folder => f.write_str("private folder"),
        }
    }
}

/// A thing that carries the marks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thing {
    /// `aws`, `azure`, `cluster` or `machine`.
    pub(super) place: &'static str,
    /// The account or subscription; none where there is no such thing.
    pub(super) account: Option<String>,
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) marks: Marks,
    /// What takes it away, one after the other.
    pub(super) undo: Vec<Undo>,
}

impl Thing {
    /// Whether it is the same, whatever is in it.
    pub(super) fn is(&self, other: &Self) -> bool {
        let key =
            |thing: &Self| (thing.place, thing.account.clone(), thing.kind, thing.id.clone(), thing.marks.run.clone());
        key(self) == key(other)
    }
}

/// Everything that can be reached.
///
/// # Errors
/// Exit 101 when somebody refuses to be looked at, or does not answer.
pub(super) async fn of(reach: &Reach) -> Result<Vec<Thing>, Stop> {
    let (cluster, on_aws, on_azure) =
        tokio::try_join!(in_cluster(reach.cluster.as_ref()), in_aws(reach), in_azure(reach))?;
    Ok([cluster, on_aws, on_azure].concat())
}

async fn in_aws(reach: &Reach) -> Result<Vec<Thing>, Stop> {
    let mut found = Vec::new();
    for (account, clients) in &reach.aws {
        let holdings = aws::holdings(clients).await.map_err(|error| unlisted(&format!("account {account}"), error))?;
        found.extend(things("aws", account, holdings, Kind::Aws, Undo::Aws));
    }
    Ok(found)
}

async fn in_azure(reach: &Reach) -> Result<Vec<Thing>, Stop> {
    let mut found = Vec::new();
    for (subscription, clients) in &reach.azure {
        let holdings =
            azure::holdings(clients).await.map_err(|error| unlisted(&format!("subscription {subscription}"), error))?;
        found.extend(things("azure", subscription, holdings, Kind::Azure, Undo::Azure));
    }
    Ok(found)
}

/// What is held in an account or a subscription.
fn things<K, U>(
    place: &'static str,
    account: &str,
    holdings: Vec<Holding<K, U>>,
    kind: fn(K) -> Kind,
    undo: fn(U) -> Undo,
) -> impl Iterator<Item = Thing> {
    holdings.into_iter().map(move |holding| Thing {
        place,
        account: Some(account.to_owned()),
        kind: kind(holding.kind),
        id: holding.id,
        marks: holding.marks,
        undo: holding.undo.into_iter().map(undo).collect(),
    })
}

/// Webhooks first, so that they hinder nothing; a node ends its pods, so it goes last.
async fn in_cluster(client: Option<&Client>) -> Result<Vec<Thing>, Stop> {
    let Some(client) = client else { return Ok(Vec::new()) };
    let kinds = [(Kind::WebhookConfiguration, WEBHOOKS), (Kind::Namespace, NAMESPACES), (Kind::Node, NODES)];
    let mut found = Vec::new();
    for (kind, path) in kinds {
        let selector = format!("{}%3D{TOOL}%2C{}", escaped(TOOL_LABEL), escaped(RUN_LABEL));
        let items = kube_objects::items(client, &format!("{path}?labelSelector={selector}"))
            .await
            .map_err(|error| unlisted(&format!("the cluster's {kind}s"), error))?;
        found.extend(items.iter().filter_map(|item| object(kind, path, item)));
    }
    Ok(found)
}

fn escaped(label: &str) -> String {
    label.replace('/', "%2F")
}

fn object(kind: Kind, path: &str, item: &Value) -> Option<Thing> {
    let metadata = &item["metadata"];
    let (name, run) = (metadata["name"].as_str()?, metadata["labels"][RUN_LABEL].as_str()?);
    let moment = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let created = moment(&metadata["creationTimestamp"]);
    // A node is registered without annotations.
    let otherwise = || created.and_then(|at| at.saturating_add(LONGEST).ok()).filter(|_| kind == Kind::Node);
    let marks =
        Marks { run: run.to_owned(), created, expires: moment(&metadata["annotations"][EXPIRES]).or_else(otherwise) };
    let undo = vec![Undo::Kubernetes(KubernetesUndo { path: format!("{path}/{name}") })];
    Some(Thing { place: "cluster", account: None, kind, id: name.to_owned(), marks, undo })
}

fn unlisted(what: &str, error: impl fmt::Display) -> Stop {
    Stop::new(Exit::Infrastructure, format!("{what} cannot be listed: {error}"))
}
