//! AWS's names and texts of a cell.

use std::collections::BTreeMap;

use federation::template;
use scenario::access::AwsAccess;
use scenario::file::Template;
use scenario::{AwsResources, Cell, Scenario};
use trust::{AccountId, Arn, IssuerUrl};

use super::Texts;
use crate::exit::{Exit, Stop};
use crate::naming::RunId;

/// Names of one cell on AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsNames {
    /// Its bucket.
    pub bucket: String,
    /// Its role.
    pub role: String,
    /// Its permission policy.
    pub policy: String,
    /// Its account.
    pub account: AccountId,
}

impl AwsNames {
    /// Cells that share an account share bucket and, unless the fault changes it, policy.
    pub(super) fn new(run: &RunId, scenario: &Scenario, cell: &Cell, account: AccountId) -> Self {
        let shared = if cell.own_account { cell.id.as_str() } else { "shared" };
        let policy = |access: &scenario::Access| access.aws.as_ref().map(|aws| aws.permission_policy.clone());
        let own_policy = policy(&cell.access) != policy(&scenario.access);
        Self {
            bucket: run.name(shared),
            role: run.name(&cell.id),
            policy: run.name(if own_policy { &cell.id } else { shared }),
            account,
        }
    }

    /// ARN of the role.
    pub fn role_arn(&self) -> String {
        Arn::iam(&self.account, format!("role/{}", self.role)).to_string()
    }
}

/// A cell's texts on AWS, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedAws {
    /// URL and client ids of the provider, if there is one.
    pub provider: Option<(IssuerUrl, Vec<String>)>,
    /// The role's trust policy.
    pub trust_policy: String,
    /// The permission policy.
    pub permission_policy: String,
    /// ARN of the permission policy.
    pub policy_arn: String,
}

pub(super) fn render(
    resources: &AwsResources,
    access: &AwsAccess,
    names: &AwsNames,
    texts: &Texts,
) -> Result<RenderedAws, Stop> {
    let provider = match &access.provider {
        None => None,
        Some(provider) => {
            let audience = |one: &String| texts.fill("aws.provider.audiences", one);
            let audiences = provider.audiences.iter().map(audience).collect::<Result<_, _>>()?;
            Some((texts.parse("aws.provider.url", &provider.url)?, audiences))
        }
    };
    let mut trust = BTreeMap::new();
    for (name, value) in &access.trust_policy {
        trust.insert(name.as_str(), texts.fill(&format!("aws.trustPolicy.{name}"), value)?);
    }
    let mut permission = BTreeMap::new();
    for (name, value) in &access.permission_policy {
        let value = value.template_text();
        permission.insert(name.as_str(), texts.fill(&format!("aws.permissionPolicy.{name}"), &value)?);
    }
    Ok(RenderedAws {
        provider,
        trust_policy: document(&resources.trust_policy, &trust)?,
        permission_policy: document(&resources.permission_policy, &permission)?,
        policy_arn: Arn::iam(&names.account, format!("policy/{}", names.policy)).to_string(),
    })
}

/// A policy document from its template; it must be JSON, so that a slip in the template is found before anything exists.
fn document(template: &Template, variables: &BTreeMap<&str, String>) -> Result<String, Stop> {
    let file = template.file.display().to_string();
    let text = template::render(&template.text, &file, variables)
        .map_err(|error| Stop::new(Exit::Usage, error.to_string()))?;
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(_) => Ok(text),
        Err(error) => {
            let message =
                format!("{file}:{}:{}: the filled-in policy is no JSON: {error}", error.line(), error.column());
            Err(Stop::new(Exit::Usage, message))
        }
    }
}
