//! The places of a run that is dead: what ended with its process, what is still there, and how it is reached.

use std::collections::BTreeSet;
use std::io;

use cluster::Kubeconfig;
use federation::{Consistency, Wire, aws, azure};
use trust::AccountId;

use super::Whereabouts;
use crate::environment::{AwsKeys, Environment};
use crate::exit::{Exit, Stop};
use crate::journal::{self, ClusterPlace, Entry, Journal, Past, Undo};
use crate::run::patience::Patience;
use crate::run::private_folder;
use crate::run::takedown::Reach;
use crate::sandbox::pass::Pass;

/// Whatever no call of ours depends on: every undo names its own.
const ANY_REGION: &str = "us-east-1";
const ANY_LOCATION: &str = "westeurope";

/// What is left of a run's places.
pub(crate) struct Found {
    pub(crate) reach: Reach,
    pub(crate) patience: Option<Patience>,
    /// Whether something ended with its place.
    ended: Box<dyn Fn(&Undo) -> bool>,
}

impl Found {
    /// What is open of a scenario, once all that ended with its place is written down as gone; and how much that was.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(crate) fn still_open(&self, journal: &Journal) -> io::Result<(Vec<Entry>, usize)> {
        let (with_it, open): (Vec<Entry>, Vec<Entry>) =
            journal.open_entries().into_iter().partition(|entry| (self.ended)(&entry.undo));
        with_it.iter().try_for_each(|entry| journal.undone(entry.number))?;
        Ok((open, with_it.len()))
    }
}

/// Finds them. Whom it cannot reach it says so of, in the reach.
pub(crate) async fn find(past: &Past, whereabouts: &Whereabouts, environment: &Environment) -> Found {
    let place = past.start.place.clone();
    let mut found = Found { reach: Reach::default(), patience: None, ended: Box::new(move |undo| place.ends(undo)) };
    match &past.start.place.cluster {
        ClusterPlace::Embedded => {}
        ClusterPlace::Kubeconfig { file, context } => {
            let file =
                whereabouts.kubeconfig.as_ref().map_or_else(|| file.clone(), |own| environment.working_dir.join(own));
            let context = whereabouts.context.clone().or_else(|| context.clone());
            match Kubeconfig::new(file, context).client().await {
                Ok(client) => found.reach.cluster = Some(client),
                Err(error) => found.reach.why_not.cluster = format!("{error}; pass --kubeconfig"),
            }
        }
        ClusterPlace::Sandbox { file, keeps_state } => {
            let is_here = past.start.host == journal::host();
            let is_dead = file.parent().is_none_or(|folder| !private_folder::is_held(folder));
            if whereabouts.sandbox.is_none() && is_here && is_dead && !keeps_state {
                found.ended = Box::new(|undo| !matches!(undo, Undo::Folder(_)));
                return found;
            }
            let named = whereabouts.sandbox.clone().unwrap_or_else(|| file.display().to_string());
            if let Err(stop) = sandbox(past, &named, environment, &mut found).await {
                let why = format!("{}; pass --sandbox", stop.message);
                found.reach.why_not.aws.clone_from(&why);
                found.reach.why_not.azure.clone_from(&why);
                found.reach.why_not.cluster = why;
            }
        }
    }
    if let Some(url) = &past.start.place.aws_endpoint
        && let Err(stop) = endpoint(past, url, environment, &mut found.reach)
    {
        found.reach.why_not.aws = stop.message;
    }
    found
}

/// The accounts and subscriptions that journals name.
pub(crate) fn accounts_of<'a>(pasts: impl IntoIterator<Item = &'a Past>) -> (BTreeSet<AccountId>, BTreeSet<String>) {
    let (mut accounts, mut subscriptions) = (BTreeSet::new(), BTreeSet::new());
    for entry in pasts.into_iter().flat_map(|past| past.book.entries()) {
        match &entry.undo {
            Undo::Aws(undo) => drop(accounts.insert(undo.account().clone())),
            Undo::Azure(undo) => drop(subscriptions.insert(undo.subscription().to_owned())),
            Undo::Kubernetes(_) | Undo::Folder(_) => {}
        }
    }
    (accounts, subscriptions)
}

async fn sandbox(past: &Past, named: &str, environment: &Environment, found: &mut Found) -> Result<(), Stop> {
    let pass = Pass::of(named, &environment.working_dir).await?;
    found.patience = pass.propagation.map(Patience::scaled);
    let (accounts, subscriptions) = accounts_of([past]);
    found.reach = in_sandbox(&pass, &accounts, &subscriptions, found.patience).await?;
    Ok(())
}

/// These accounts and subscriptions of a sandbox, and its cluster.
pub(crate) async fn in_sandbox(
    pass: &Pass,
    accounts: &BTreeSet<AccountId>,
    subscriptions: &BTreeSet<String>,
    patience: Option<Patience>,
) -> Result<Reach, Stop> {
    let consistency = Patience::consistency(patience);
    let wire = Wire { proxy_url: Some(pass.proxy.clone()), root_pem: pass.root_pem.clone() };
    let internal = |error: anyhow::Error| Stop::new(Exit::Internal, format!("{error:#}"));
    let mut reach = Reach { cluster: Some(pass.cluster().await?), ..Reach::default() };
    if !accounts.is_empty() {
        let http = aws::HttpStack::new(Some(&wire)).map_err(|error| internal(error.into()))?;
        for id in accounts {
            let account = pass.account(id.as_str()).await?;
            let access = aws::Access {
                account: id.clone(),
                region: ANY_REGION.to_owned(),
                access_key_id: account.access_key_id,
                secret_access_key: account.secret_access_key,
                session_token: account.session_token,
                endpoint: None,
                consistency,
            };
            reach.aws.insert(id.to_string(), aws::Clients::new(&access, &http));
        }
    }
    if !subscriptions.is_empty() {
        let http = azure::HttpStack::new(Some(&wire)).map_err(|error| internal(error.into()))?;
        for id in subscriptions {
            let owner = pass.subscription(id).await?;
            let access = azure::Access {
                tenant: owner.tenant,
                subscription: owner.id,
                location: ANY_LOCATION.to_owned(),
                credential: azure::Credential::ClientSecret {
                    client_id: owner.client_id,
                    client_secret: owner.client_secret,
                },
                consistency,
            };
            let clients = azure::Clients::new(&access, &http).map_err(|error| internal(error.into()))?;
            reach.azure.insert(id.clone(), clients);
        }
    }
    Ok(reach)
}

/// The accounts of a run at an endpoint.
fn endpoint(past: &Past, url: &str, environment: &Environment, reach: &mut Reach) -> Result<(), Stop> {
    let http = aws::HttpStack::new(None).map_err(|error| Stop::caused(Exit::Internal, error))?;
    for account in accounts_of([past]).0 {
        let access = endpoint_access(url, account.clone(), environment)?;
        reach.aws.insert(account.to_string(), aws::Clients::new(&access, &http));
    }
    Ok(())
}

/// An account of an endpoint, with the keys of the environment.
///
/// # Errors
/// Exit 96 where there are none.
pub(crate) fn endpoint_access(url: &str, account: AccountId, environment: &Environment) -> Result<aws::Access, Stop> {
    let keys = endpoint_keys(url, environment)?;
    Ok(aws::Access {
        account,
        region: ANY_REGION.to_owned(),
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: keys.secret_access_key.clone(),
        session_token: keys.session_token.clone(),
        endpoint: Some(url.to_owned()),
        consistency: Consistency::Immediate,
    })
}

/// The keys of the environment, for an endpoint.
///
/// # Errors
/// Exit 96 where there are none.
pub(crate) fn endpoint_keys<'a>(url: &str, environment: &'a Environment) -> Result<&'a AwsKeys, Stop> {
    environment.aws_keys.as_ref().ok_or_else(|| {
        Stop::new(Exit::Preflight, format!("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for {url} are not set"))
    })
}
