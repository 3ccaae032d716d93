//! Fills in a cell's texts: names, ARNs and policy documents, all known before anything exists.

use std::collections::BTreeMap;

use federation::template;
use scenario::{Access, Cell, Plan, Scenario};
use trust::{AccountId, Arn, IssuerUrl};

use crate::exit::{Exit, Stop};
use crate::naming::RunId;

/// Names of one cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Its namespace.
    pub namespace: String,
    /// Its service account.
    pub service_account: String,
    /// Its bucket.
    pub bucket: String,
    /// Its role.
    pub role: String,
    /// Its permission policy.
    pub policy: String,
    /// Its account.
    pub account: AccountId,
}

impl Names {
    /// The names of a cell. Cells that share an account share bucket and, unless the fault changes it, policy.
    pub fn new(run: &RunId, scenario: &Scenario, cell: &Cell, account: AccountId) -> Self {
        let shared = if cell.own_account { cell.id.as_str() } else { "shared" };
        let own_policy = cell.access.permission_policy != scenario.access.permission_policy;
        Self {
            namespace: run.name(&cell.id),
            service_account: scenario.pod.service_account.clone(),
            bucket: run.name(shared),
            role: run.name(&cell.id),
            policy: run.name(if own_policy { &cell.id } else { shared }),
            account,
        }
    }
}

/// A cell's texts, filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// URL and client ids of the provider, if there is one.
    pub provider: Option<(IssuerUrl, Vec<String>)>,
    /// The role's trust policy.
    pub trust_policy: String,
    /// The permission policy.
    pub permission_policy: String,
    /// The service account's annotations.
    pub annotations: BTreeMap<String, String>,
    /// ARN of the role.
    pub role_arn: String,
    /// ARN of the permission policy.
    pub policy_arn: String,
}

/// Fills in the texts of a cell.
///
/// # Errors
/// Exit 2: an unknown variable (file, line, nearest name), a policy that is no JSON, a provider URL that is no issuer.
pub fn render(scenario: &Scenario, cell: &Cell, names: &Names, issuer: &IssuerUrl) -> Result<Rendered, Stop> {
    let usage = |message: String| Stop::new(Exit::Usage, message);
    let role_arn = Arn::iam(&names.account, format!("role/{}", names.role)).to_string();
    let variables = BTreeMap::from([
        ("issuer", issuer.to_string()),
        ("issuer_path", issuer.without_scheme().to_owned()),
        ("issuer_slash_toggled", issuer.with_slash_toggled().to_string()),
        ("account", names.account.to_string()),
        ("namespace", names.namespace.clone()),
        ("service_account", names.service_account.clone()),
        ("bucket", names.bucket.clone()),
        ("role_arn", role_arn.clone()),
    ]);
    let file = cell.fault.as_ref().map_or_else(
        || scenario.folder.join("scenario.yaml").display().to_string(),
        |fault| format!("{} with fault {}", scenario.folder.join("scenario.yaml").display(), fault.id),
    );
    let text = |member: &str, text: &str| {
        // The line that the error names is the value's own, which is always 1.
        let name = format!("{file}: access.{member}");
        template::render(text, &name, &variables).map_err(|error| usage(error.to_string().replacen(":1: ", ": ", 1)))
    };
    let Access { provider, trust_policy, permission_policy, service_account, .. } = &cell.access;
    let provider = match provider {
        None => None,
        Some(provider) => {
            let url = text("provider.url", &provider.url)?;
            let url = url.parse().map_err(|error| usage(format!("{file}: access.provider.url: {error}")))?;
            let audiences =
                provider.audiences.iter().map(|one| text("provider.audiences", one)).collect::<Result<_, _>>()?;
            Some((url, audiences))
        }
    };
    let mut trust = BTreeMap::new();
    for (name, value) in trust_policy {
        trust.insert(name.as_str(), text(&format!("trustPolicy.{name}"), value)?);
    }
    let mut permission = BTreeMap::new();
    for (name, value) in permission_policy {
        permission.insert(name.as_str(), text(&format!("permissionPolicy.{name}"), &value.template_text())?);
    }
    let mut annotations = BTreeMap::new();
    for (name, value) in &service_account.annotations {
        annotations.insert(name.clone(), text(&format!("serviceAccount.annotations.{name}"), value)?);
    }
    Ok(Rendered {
        provider,
        trust_policy: document(&scenario.aws.trust_policy, &trust)?,
        permission_policy: document(&scenario.aws.permission_policy, &permission)?,
        annotations,
        policy_arn: Arn::iam(&names.account, format!("policy/{}", names.policy)).to_string(),
        role_arn,
    })
}

/// A policy document from its template; it must be JSON, so that a slip in the template is found before anything exists.
fn document(template: &scenario::file::Template, variables: &BTreeMap<&str, String>) -> Result<String, Stop> {
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

/// Renders every cell with stand-in names: what is wrong with the files is found before anything is created.
///
/// # Errors
/// As [`render`].
pub(super) fn try_out(plan: &Plan) -> Result<(), Stop> {
    let internal = |message: String| Stop::new(Exit::Internal, message);
    let issuer = "https://issuer.example/".parse().map_err(|error: trust::IssuerError| internal(error.to_string()))?;
    let run: RunId = "plan".parse().map_err(|error: crate::naming::BadRunId| internal(error.to_string()))?;
    let account: AccountId = "111122223333".parse().map_err(|error: trust::ArnError| internal(error.to_string()))?;
    for cell in &plan.cells {
        render(&plan.scenario, cell, &Names::new(&run, &plan.scenario, cell, account.clone()), &issuer)?;
    }
    Ok(())
}
