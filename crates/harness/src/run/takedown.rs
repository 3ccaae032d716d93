//! Taking back what a journal holds, in reverse order: what uses the rest goes first, what is not there any more is done, and what another made
//! is left alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use federation::{aws, azure};
use futures::StreamExt;
use kube::Client;
use trust::Verdict;

use super::federate::{AwsSide, AzureSide, Federation};
use super::patience::{self, Patience};
use super::{inventory, kube_objects, private_folder};
use crate::journal::{self, Entry, Journal, Undo};
use crate::naming::RunId;

/// Deletions under way at the same time.
const AT_ONCE: usize = 16;
/// How often what comes late is taken back.
const LATE: usize = 3;
/// What one thing has to go if nothing else is said.
const ONE_THING: Duration = Duration::from_secs(120);

/// Something that is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// `aws`, `azure` or `cluster`; empty where only the journal tells of it.
    pub(crate) place: &'static str,
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) why: String,
}

impl Leftover {
    /// What the journal tells of, and nobody could take back.
    pub(crate) fn entry(label: &str, why: impl Into<String>) -> Self {
        Self { place: "", kind: "journal entry".into(), id: label.to_owned(), why: why.into() }
    }
}

/// The verdict on a scenario that left something.
pub(crate) fn leaked(left: &[Leftover]) -> Option<Verdict> {
    let first = left.first()?;
    let reason = format!("{} left behind, first: {} {} ({})", left.len(), first.kind, first.id, first.why);
    Some(Verdict::Leaked { reason })
}

/// Whom a takedown can reach.
#[derive(Clone)]
pub(crate) struct Reach {
    /// By account.
    pub(crate) aws: BTreeMap<String, aws::Clients>,
    /// By subscription.
    pub(crate) azure: BTreeMap<String, azure::Clients>,
    pub(crate) cluster: Option<Client>,
    /// Why somebody cannot be reached.
    pub(crate) why_not: WhyNot,
    /// What one thing has to go.
    pub(crate) deletion: Duration,
}

impl Default for Reach {
    fn default() -> Self {
        let (aws, azure) = (BTreeMap::new(), BTreeMap::new());
        Self { aws, azure, cluster: None, why_not: WhyNot::default(), deletion: ONE_THING }
    }
}

/// Why there is no way to somebody, where there is none.
#[derive(Clone, Default)]
pub(crate) struct WhyNot {
    pub(crate) aws: String,
    pub(crate) azure: String,
    pub(crate) cluster: String,
}

impl Reach {
    /// Everybody whom a scenario can reach.
    pub(crate) fn of(federation: Option<&Federation>, cluster: &Client, deletion: Duration) -> Self {
        let aws = federation.and_then(|federation| federation.aws.as_ref()).map(AwsSide::accounts);
        let azure = federation.and_then(|federation| federation.azure.as_ref()).map(AzureSide::clients);
        Self {
            aws: aws.cloned().unwrap_or_default(),
            azure: azure.map(|clients| (clients.subscription().to_owned(), clients.clone())).into_iter().collect(),
            cluster: Some(cluster.clone()),
            deletion,
            ..Self::default()
        }
    }
}

impl Reach {
    /// Adds whom this one does not know.
    pub(crate) fn join(&mut self, other: &Self) {
        for (account, clients) in &other.aws {
            self.aws.entry(account.clone()).or_insert_with(|| clients.clone());
        }
        for (subscription, clients) in &other.azure {
            self.azure.entry(subscription.clone()).or_insert_with(|| clients.clone());
        }
    }
}

/// What came of a takedown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Things that were there and are gone.
    pub(crate) back: usize,
    /// Things that were not there, or not any more.
    pub(crate) absent: usize,
    /// Things that another made.
    pub(crate) others: usize,
    pub(crate) left: Vec<Leftover>,
    /// What the last look has shown.
    pub(crate) seen: Vec<Leftover>,
    /// Of these, some were still going when their time was up.
    pub(crate) timed_out: Vec<String>,
}

/// What became of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was there and is gone.
    Back,
    /// It was not there, or not any more.
    Absent,
    /// Another made it, and it was left alone.
    Others,
    /// It goes when what it is in goes.
    Inside,
}

/// Who hears what became of each thing that leaves nothing behind.
pub(crate) type Told<'a> = &'a (dyn Fn(&Entry, Fate) + Sync);

/// Takes back what is open in the journal of a scenario, in rounds whose members do not depend on each other: the cluster's
/// objects first of all, since pods use the rest; then both clouds at the same time. `told` hears of each thing that is gone.
pub(crate) async fn takedown(journal: &Journal, open: Vec<Entry>, reach: &Reach, told: Told<'_>) -> Taken {
    let (mut kubernetes, mut on_aws, mut on_azure, mut folders) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for entry in open.into_iter().rev() {
        match entry.undo.clone() {
            Undo::Kubernetes(_) => kubernetes.push(entry),
            Undo::Aws(undo) => on_aws.push((undo, entry)),
            Undo::Azure(undo) => on_azure.push((undo, entry)),
            Undo::Folder(_) => folders.push(entry),
        }
    }
    fn entries<U>(rounds: Vec<Vec<(U, Entry)>>) -> Vec<Vec<Entry>> {
        rounds.into_iter().map(|round| round.into_iter().map(|(_, entry)| entry).collect()).collect()
    }
    let taken = Mutex::new(Taken::default());
    let inside = Mutex::new(Vec::new());
    let takedown = Takedown { journal, reach, run: journal.run(), told, taken: &taken, inside: &inside };
    takedown.rounds(kube_objects::undo_rounds(kubernetes)).await;
    let on_aws = takedown.rounds(entries(aws::undo_stages(on_aws, |(undo, _)| undo)));
    let on_azure = takedown.rounds(entries(azure::undo_stages(on_azure, |(undo, _)| undo)));
    tokio::join!(on_aws, on_azure);
    // What was in something is gone with it by now, or stays with it.
    let went_along = std::mem::take(&mut *inside.lock().unwrap_or_else(PoisonError::into_inner));
    takedown.rounds(vec![went_along]).await;
    takedown.rounds(vec![folders]).await;
    taken.into_inner().unwrap_or_default()
}

/// Rounds of entries that are taken back one after the other.
struct Takedown<'a> {
    journal: &'a Journal,
    reach: &'a Reach,
    run: String,
    told: Told<'a>,
    taken: &'a Mutex<Taken>,
    /// What goes with what it is in.
    inside: &'a Mutex<Vec<Entry>>,
}

impl Takedown<'_> {
    async fn rounds(&self, rounds: Vec<Vec<Entry>>) {
        for round in rounds {
            futures::stream::iter(round).for_each_concurrent(AT_ONCE, |entry| self.one(entry)).await;
        }
    }

    async fn one(&self, entry: Entry) {
        let fate = take_back(self.reach, &entry.undo, &self.run, entry.is_made()).await;
        if let Ok(Fate::Inside) = &fate {
            self.inside.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
            return;
        }
        if let Ok(fate) = &fate {
            // It is gone whether that is written or not: who reads the journal will find nothing there.
            if let Err(error) = self.journal.undone(entry.number) {
                tracing::warn!(%error, label = entry.label, "the journal was not written");
            }
            (self.told)(&entry, *fate);
        }
        let Ok(mut taken) = self.taken.lock() else { return };
        match fate {
            Ok(Fate::Back) => taken.back += 1,
            Ok(Fate::Absent) => taken.absent += 1,
            Ok(Fate::Others) => taken.others += 1,
            Ok(Fate::Inside) => {}
            Err(Stays { why, is_late }) => {
                taken.timed_out.extend(is_late.then(|| entry.label.clone()));
                taken.left.push(Leftover::entry(&entry.label, why));
            }
        }
    }
}

/// Why a thing was not taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stays {
    pub(crate) why: String,
    /// It was still going when its time was up.
    pub(crate) is_late: bool,
}

/// Takes one thing back, in the time that it has. `is_confirmed` says that it is known to be the run's; of any other it is asked first.
///
/// # Errors
/// When it stays, with the reason.
pub(crate) async fn take_back(reach: &Reach, undo: &Undo, run: &str, is_confirmed: bool) -> Result<Fate, Stays> {
    let taking = tokio::time::timeout(reach.deletion, take(reach, undo, run, is_confirmed));
    match taking.await {
        Ok(fate) => fate.map_err(|why| Stays { why, is_late: false }),
        Err(_) => Err(Stays { why: format!("still going after {} s", reach.deletion.as_secs()), is_late: true }),
    }
}

async fn take(reach: &Reach, undo: &Undo, run: &str, is_confirmed: bool) -> Result<Fate, String> {
    let why_not = &reach.why_not;
    match undo {
        Undo::Kubernetes(undo) => {
            let client = reach.cluster.as_ref().ok_or_else(|| why_not.cluster.clone())?;
            match kube_objects::take_back(client, &undo.path, run).await? {
                kube_objects::Fate::Deleted => Ok(Fate::Back),
                kube_objects::Fate::Absent => Ok(Fate::Absent),
                kube_objects::Fate::Others => Ok(Fate::Others),
            }
        }
        Undo::Aws(undo) => {
            let clients = reach.aws.get(undo.account().as_str()).ok_or_else(|| why_not.aws.clone())?;
            let undone = match is_confirmed {
                true => aws::undo(clients, undo).await,
                false => aws::undo_unconfirmed(clients, undo, run).await,
            };
            undone.map_err(|error| error.to_string()).map(|undone| match undone {
                aws::Undone::Deleted => Fate::Back,
                aws::Undone::AlreadyGone => Fate::Absent,
                // A provider that other runs are on stays with them.
                aws::Undone::NotOurs | aws::Undone::Left => Fate::Others,
            })
        }
        Undo::Azure(undo) => {
            let clients = reach.azure.get(undo.subscription()).ok_or_else(|| why_not.azure.clone())?;
            let undone = match is_confirmed {
                true => azure::undo(clients, undo).await,
                false => azure::undo_unconfirmed(clients, undo, run).await,
            };
            undone.map_err(|error| error.to_string()).map(|undone| match undone {
                azure::Undone::Deleted => Fate::Back,
                azure::Undone::WithVault => Fate::Inside,
                azure::Undone::AlreadyGone => Fate::Absent,
                azure::Undone::NotOurs => Fate::Others,
            })
        }
        Undo::Folder(undo) if undo.host != journal::host() => Err(format!("it lies on the machine {}", undo.host)),
        Undo::Folder(undo) => match private_folder::remove(&undo.path) {
            Ok(true) => Ok(Fate::Back),
            Ok(false) => Ok(Fate::Absent),
            Err(error) => Err(error.to_string()),
        },
    }
}

/// Takes back what is open of a scenario, and looks whether it is gone. What is seen after all, since a request of a killed run or a write
/// that spreads slowly came late, is taken back again.
pub(crate) async fn to_the_last(
    journal: &Journal,
    open: Vec<Entry>,
    reach: &Reach,
    patience: Option<Patience>,
    told: Told<'_>,
) -> Taken {
    let doubtful: Vec<Entry> = open.iter().filter(|entry| !entry.is_made()).cloned().collect();
    // Else a later process would take for standing what is gone already, should this one be killed.
    if let Err(error) = journal.goes_down() {
        tracing::warn!(%error, "the journal was not written");
    }
    let mut taken = takedown(journal, open, reach, told).await;
    let (run, providers) = (journal.run(), inventory::providers(&journal.book(), journal.scenario()));
    let Ok(run) = run.parse::<RunId>() else { return taken };
    for _ in 0..LATE {
        match patience::until_gone(patience, || inventory::of_run(reach, &run, &providers)).await {
            Ok(found) if found.is_empty() || doubtful.is_empty() => {
                taken.seen.clone_from(&found);
                taken.left = merged(taken.left, found);
                return taken;
            }
            Ok(found) => {
                let again = takedown(journal, doubtful.clone(), reach, told).await;
                taken.back += again.back;
                taken.seen.clone_from(&found);
                taken.left = merged(again.left, found);
            }
            Err(stop) => {
                let (kind, id) = ("inventory".into(), "not taken".into());
                taken.left.push(Leftover { place: "", kind, id, why: stop.message });
                return taken;
            }
        }
    }
    taken
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
