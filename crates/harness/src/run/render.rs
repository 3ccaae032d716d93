//! Fills in a cell's texts: names, ids and policy documents, all known before anything exists but an identity's ids.

mod aws;
mod azure;
mod texts;

use std::collections::BTreeMap;

use federation::azure::IdentityIds;
use scenario::access::Token;
use scenario::{Cell, Cloud, ClusterShape, Expectation, Plan, Scenario};
use trust::{AccountId, IssuerUrl};

use super::own_issuer::{self, OwnIssuer};
use crate::exit::{Exit, Stop};
use crate::naming::RunId;
use texts::Texts;

pub use aws::{AwsNames, RenderedAws};
pub(super) use azure::group;
pub use azure::{AzureNames, Credential, RenderedAzure};

/// Where a cell's things stand in the clouds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    /// The AWS account, where AWS is used.
    pub account: Option<AccountId>,
    /// Tenant and subscription, where Azure is used.
    pub subscription: Option<(String, String)>,
}

/// Names of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Its namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// On AWS.
    pub aws: Option<AwsNames>,
    /// On Azure.
    pub azure: Option<AzureNames>,
}

impl Names {
    /// The names of a cell. Cells share what the fault does not change.
    pub fn new(run: &RunId, scenario: &Scenario, cell: &Cell, grounds: &Grounds) -> Self {
        Self {
            namespace: run.name(&cell.id),
            service_account: scenario.pod.service_account.clone(),
            aws: grounds.account.clone().map(|account| AwsNames::new(run, scenario, cell, account)),
            azure: grounds.subscription.clone().map(|(tenant, id)| AzureNames::new(run, cell, tenant, id)),
        }
    }
}

/// A cell's texts, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// On AWS.
    pub aws: Option<RenderedAws>,
    /// On Azure.
    pub azure: Option<RenderedAzure>,
    /// The issuer that the run serves for it in place of the cluster's, if it does.
    pub issuer: Option<OwnIssuer>,
    /// What is to be done to its token.
    pub token: Token,
}

/// The texts that may hold an identity's ids: a service account's, and variables of containers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountTexts {
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Variables that the containers that read have beforehand.
    pub env: BTreeMap<String, String>,
}

/// Fills in the texts of a cell.
///
/// # Errors
/// Exit 2: an unknown variable (file, line, nearest name), a policy that is no JSON, a URL that is no issuer.
pub fn render(scenario: &Scenario, cell: &Cell, names: &Names, issuer: &IssuerUrl) -> Result<Rendered, Stop> {
    let own = own_issuer::url(cell, names).map_err(|error| Stop::new(Exit::Internal, error.to_string()))?;
    let texts = |cloud: Cloud| {
        let issuer = own.as_ref().filter(|_| cell.concerns(cloud)).unwrap_or(issuer);
        Texts::new(scenario, cell, names, issuer, None)
    };
    let aws = scenario.aws.as_ref().zip(cell.access.aws.as_ref()).zip(names.aws.as_ref());
    let aws = aws.map(|((resources, access), names)| aws::render(resources, access, names, &texts(Cloud::Aws)));
    let azure = cell.access.azure.as_ref().zip(names.azure.as_ref());
    let azure = azure.map(|(access, names)| azure::render(access, names, &texts(Cloud::Azure)));
    let texts = Texts::new(scenario, cell, names, own.as_ref().unwrap_or(issuer), None);
    let (aws, azure, token) = (aws.transpose()?, azure.transpose()?, token(&cell.access.token, &texts)?);
    let own = own.zip(cell.access.issuer.as_ref()).map(|(url, issuer)| {
        let discovery = texts.fill_members("issuer.discovery", &issuer.discovery)?;
        Ok(OwnIssuer { url, shape: scenario::access::Issuer { discovery, ..issuer.clone() } })
    });
    Ok(Rendered { aws, azure, issuer: own.transpose()?, token })
}

/// What is to be done to a token, with its texts filled in.
fn token(token: &Token, texts: &Texts) -> Result<Token, Stop> {
    let fill = |member: &str, text: &Option<String>| text.as_ref().map(|text| texts.fill(member, text)).transpose();
    Ok(Token {
        audience: fill("token.audience", &token.audience)?,
        text: fill("token.text", &token.text)?,
        claims: texts.fill_members("token.claims", &token.claims)?,
        header: texts.fill_members("token.header", &token.header)?,
        ..token.clone()
    })
}

/// Fills in the texts of a cell that may hold its identity's ids.
///
/// # Errors
/// Exit 2: an unknown variable.
pub fn service_account(
    scenario: &Scenario,
    cell: &Cell,
    names: &Names,
    issuer: &IssuerUrl,
    identity: Option<&IdentityIds>,
) -> Result<AccountTexts, Stop> {
    let own = own_issuer::url(cell, names).map_err(|error| Stop::new(Exit::Internal, error.to_string()))?;
    let texts = Texts::new(scenario, cell, names, own.as_ref().unwrap_or(issuer), identity);
    let account = &cell.access.service_account;
    let all = |member: &str, map: &BTreeMap<String, String>| {
        let filled =
            |(name, value): (&String, &String)| Ok((name.clone(), texts.fill(&format!("{member}.{name}"), value)?));
        map.iter().map(filled).collect::<Result<_, Stop>>()
    };
    Ok(AccountTexts {
        annotations: all("serviceAccount.annotations", &account.annotations)?,
        labels: all("serviceAccount.labels", &account.labels)?,
        env: all("env", &cell.access.env)?,
    })
}

/// The issuer that a cluster of this shape has, where it is known beforehand: `id` gives what the cloud would choose.
///
/// # Errors
/// Exit 2 when the region cannot stand in a host name.
pub fn issuer(scenario: &Scenario, run: &RunId, id: &dyn Fn(&str) -> String) -> Result<IssuerUrl, Stop> {
    use cluster::issuer::{aks, blob_container, eks, s3_bucket};
    let home = super::issuer_site::home(scenario, run);
    let issuer = match (&scenario.cluster, home) {
        (ClusterShape::Aks { region }, _) => aks(region, &id("TENANT"), &id("CLUSTER")),
        (ClusterShape::Eks { region }, _) => eks(region, &id("ID").replace('-', "")),
        (ClusterShape::SelfManaged { .. }, Some(super::issuer_site::Home::Bucket { name, region })) => {
            s3_bucket(&name, &region)
        }
        (ClusterShape::SelfManaged { .. }, Some(super::issuer_site::Home::Container { account, name, .. })) => {
            blob_container(&account, &name)
        }
        (ClusterShape::SelfManaged { .. }, None) => {
            return Err(Stop::new(Exit::Internal, "a self-managed cluster without a place for its issuer"));
        }
    };
    issuer.map_err(|error| Stop::new(Exit::Usage, format!("cluster: {error}")))
}

/// Ids that stand for those that a cloud will choose.
pub fn stand_in_identity() -> IdentityIds {
    let id = |digit: &str| format!("{0}-{1}-{1}-{1}-{2}", digit.repeat(8), digit.repeat(4), digit.repeat(12));
    IdentityIds { client_id: id("c"), principal_id: id("a"), tenant_id: id("1") }
}

/// Grounds that stand for those that the clouds will lend; `number` tells accounts apart.
///
/// # Errors
/// Never, unless the texts in here are wrong.
pub fn stand_in_grounds(scenario: &Scenario, number: usize) -> Result<Grounds, Stop> {
    let internal = |error: trust::ArnError| Stop::new(Exit::Internal, error.to_string());
    let account = ["111122223333", "444455556666"][number.min(1)].parse().map_err(internal)?;
    let ids = stand_in_identity();
    Ok(Grounds {
        account: scenario.aws.as_ref().map(|_| account),
        subscription: scenario.azure.as_ref().map(|_| (ids.tenant_id.clone(), ids.tenant_id.replace('1', "5"))),
    })
}

/// Renders every cell with stand-in names: what is wrong with the files is found before anything is created.
///
/// # Errors
/// As [`render`].
pub(super) fn try_out(plan: &Plan) -> Result<(), Stop> {
    let internal = |message: String| Stop::new(Exit::Internal, message);
    let run: RunId = "plan".parse().map_err(|error: crate::naming::BadRunId| internal(error.to_string()))?;
    let scenario = &plan.scenario;
    let issuer = issuer(scenario, &run, &|_| "0".repeat(32))?;
    for cell in &plan.cells {
        let names = Names::new(&run, scenario, cell, &stand_in_grounds(scenario, usize::from(cell.own_account))?);
        let rendered = render(scenario, cell, &names, &issuer)?;
        // What Azure is to refuse must come before Azure.
        let refused = cell.fault.as_ref().is_some_and(|fault| matches!(fault.expect, Expectation::NotCreated { .. }));
        if let (Some(azure), Some(named), false) = (&rendered.azure, &names.azure, refused) {
            super::federate::check_azure(scenario, cell, named, azure)?;
        }
        service_account(scenario, cell, &names, &issuer, Some(&stand_in_identity()))?;
    }
    Ok(())
}
