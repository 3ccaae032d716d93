//! Where a sweep looks, and how it gets there.

use std::collections::BTreeSet;
use std::path::Path;

use cluster::Kubeconfig;
use federation::aws;
use trust::AccountId;

use super::flags::Flags;
use crate::cleanup::{accounts_of, endpoint_access, endpoint_keys, in_sandbox};
use crate::environment::Environment;
use crate::exit::{Exit, Stop};
use crate::journal::{ClusterPlace, Past};
use crate::run::patience::Patience;
use crate::run::takedown::Reach;
use crate::sandbox::pass::Pass;

/// Where it looks.
pub(super) enum Whither {
    /// At this machine alone.
    Machine,
    /// Into what can be reached.
    Places { reach: Box<Reach>, patience: Option<Patience>, pass: Option<Box<Pass>>, names: Vec<String> },
}

impl Whither {
    /// Reads the flags, and asks who is there.
    ///
    /// # Errors
    /// Exit 2 or 96, with what to do.
    pub(super) async fn of(flags: &Flags, environment: &Environment, pasts: &[Past]) -> Result<Self, Stop> {
        if let Some(named) = &flags.sandbox {
            let pass = Pass::of(named, &environment.working_dir).await?;
            let patience = pass.propagation.map(Patience::scaled);
            let (mut accounts, mut subscriptions) = known(pasts, &pass);
            accounts.insert(pass.aws.id.clone());
            subscriptions.insert(pass.azure.id.clone());
            let reach = in_sandbox(&pass, &accounts, &subscriptions, patience).await?;
            let names = vec![format!("the sandbox of {}", pass.file.display())];
            return Ok(Self::Places { reach: Box::new(reach), patience, pass: Some(Box::new(pass)), names });
        }
        let (mut reach, mut names) = (Reach::default(), Vec::new());
        if let Some(file) = &flags.kubeconfig {
            let file = environment.working_dir.join(file);
            names.push(format!("the cluster of {}", file.display()));
            let client = Kubeconfig::new(file, flags.context.clone()).client().await;
            reach.cluster = Some(client.map_err(|error| Stop::caused(Exit::Usage, error))?);
        }
        if let Some(url) = &flags.aws_endpoint {
            let account = account_of(url, environment).await?;
            names.push(format!("account {account} at {url}"));
            let http = aws::HttpStack::new(None).map_err(|error| Stop::caused(Exit::Internal, error))?;
            let access = endpoint_access(url, account.clone(), environment)?;
            reach.aws.insert(account.to_string(), aws::Clients::new(&access, &http));
        }
        if names.is_empty() {
            return Ok(Self::Machine);
        }
        Ok(Self::Places { reach: Box::new(reach), patience: None, pass: None, names })
    }

    /// What is told before the look.
    pub(super) fn title(&self, artifacts: &Path) -> String {
        let artifacts = artifacts.display();
        match self {
            Self::Machine => format!(
                "looks at this machine alone; --sandbox, --kubeconfig and --aws-endpoint look elsewhere. Runs of {artifacts} are known\n"
            ),
            Self::Places { names, .. } => {
                format!("looks into {}. Runs of {artifacts} are known\n", names.join(" and "))
            }
        }
    }

    pub(super) fn reach(&self) -> Reach {
        match self {
            Self::Machine => Reach::default(),
            Self::Places { reach, .. } => (**reach).clone(),
        }
    }

    pub(super) fn patience(&self) -> Option<Patience> {
        match self {
            Self::Machine => None,
            Self::Places { patience, .. } => *patience,
        }
    }

    pub(super) fn pass(&self) -> Option<&Pass> {
        match self {
            Self::Places { pass: Some(pass), .. } => Some(pass),
            _ => None,
        }
    }
}

/// The accounts and subscriptions of this sandbox that journals name. Others are not asked for: it would open them.
fn known(pasts: &[Past], pass: &Pass) -> (BTreeSet<AccountId>, BTreeSet<String>) {
    let is_here = |place: &ClusterPlace| match place {
        // One that keeps its state may lie in another folder since.
        ClusterPlace::Sandbox { file, keeps_state } => *file == pass.file || (*keeps_state && pass.keeps_state),
        ClusterPlace::Embedded | ClusterPlace::Kubeconfig { .. } => false,
    };
    accounts_of(pasts.iter().filter(|past| is_here(&past.start.place.cluster)))
}

/// Whose the environment's keys are, as the endpoint's STS says.
async fn account_of(url: &str, environment: &Environment) -> Result<AccountId, Stop> {
    let keys = endpoint_keys(url, environment)?;
    let http = aws::HttpStack::new(None).map_err(|error| Stop::caused(Exit::Internal, error))?;
    let (secret, token) = (&keys.secret_access_key, keys.session_token.as_ref());
    let account = aws::caller_account(&keys.access_key_id, secret, token, Some(url), &http).await;
    account.map_err(|error| {
        Stop::new(Exit::Infrastructure, format!("the endpoint does not say whose keys these are: {error}"))
    })
}
