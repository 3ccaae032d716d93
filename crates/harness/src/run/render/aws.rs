//! AWS's names and texts of a cell.

use std::collections::BTreeMap;

use federation::template;
use scenario::access::{AwsAccess, Step};
use scenario::file::Template;
use scenario::{AwsResources, Cell, Scenario};
use serde_json::Value;
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
    /// The policy that bounds its role, where one does.
    pub boundary: String,
    /// Its account.
    pub account: AccountId,
}

impl AwsNames {
    /// Cells that share an account share bucket and, unless the fault changes it, policy.
    pub(super) fn new(run: &RunId, scenario: &Scenario, cell: &Cell, account: AccountId) -> Self {
        let shared = if cell.own_account { cell.id.as_str() } else { "shared" };
        let policy = |access: &scenario::Access| {
            access.aws.as_ref().map(|aws| (aws.permission_policy.clone(), aws.permission_policy_patch.clone()))
        };
        // The policy names the bucket.
        let own_policy = cell.own_bucket || policy(&cell.access) != policy(&scenario.access);
        Self {
            bucket: run.name(if cell.own_bucket { &cell.id } else { shared }),
            role: run.name(&cell.id),
            policy: run.name(if own_policy { &cell.id } else { shared }),
            boundary: run.name(&format!("{}-boundary", cell.id)),
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
    /// The policy in the role itself, if there is one.
    pub inline_policy: Option<String>,
    /// ARN and document of the policy that bounds the role, if one does.
    pub boundary: Option<(String, String)>,
    /// The bucket's own policy, if there is one.
    pub bucket_policy: Option<String>,
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
    let own = |member: &str, document: &Option<Value>| {
        let filled = document.as_ref().map(|document| texts.fill_document(&format!("aws.{member}"), document));
        filled.transpose().map(|filled| filled.map(|document| document.to_string()))
    };
    let arn = |policy: &str| Arn::iam(&names.account, format!("policy/{policy}")).to_string();
    let (trust_policy, permission_policy) =
        (document(&resources.trust_policy, &trust)?, document(&resources.permission_policy, &permission)?);
    Ok(RenderedAws {
        provider,
        trust_policy: patched(texts, "aws.trustPolicyPatch", trust_policy, &access.trust_policy_patch)?,
        permission_policy: patched(
            texts,
            "aws.permissionPolicyPatch",
            permission_policy,
            &access.permission_policy_patch,
        )?,
        policy_arn: arn(&names.policy),
        inline_policy: own("inlinePolicy", &access.inline_policy)?,
        boundary: own("permissionsBoundary", &access.permissions_boundary)?
            .map(|document| (arn(&names.boundary), document)),
        bucket_policy: own("bucketPolicy", &access.bucket_policy)?,
    })
}

/// A document with the steps of a patch applied; without any it stays as the template has it.
fn patched(texts: &Texts, member: &str, document: String, steps: &[Step]) -> Result<String, Stop> {
    if steps.is_empty() {
        return Ok(document);
    }
    let mut value: Value = serde_json::from_str(&document).map_err(|error| Stop::caused(Exit::Internal, error))?;
    texts.patch(member, &mut value, steps)?;
    serde_json::to_string_pretty(&value).map_err(|error| Stop::caused(Exit::Internal, error))
}

/// A policy document from its template; it must be JSON, so that a slip in the template is found before anything exists.
fn document(template: &Template, variables: &BTreeMap<&str, String>) -> Result<String, Stop> {
    let file = template.file.display().to_string();
    let text = template::render(&template.text, &file, variables)
        .map_err(|error| Stop::new(Exit::Usage, error.to_string()))?;
    match serde_json::from_str::<Value>(&text) {
        Ok(_) => Ok(text),
        Err(error) => {
            let message =
                format!("{file}:{}:{}: the filled-in policy is no JSON: {error}", error.line(), error.column());
            Err(Stop::new(Exit::Usage, message))
        }
    }
}
