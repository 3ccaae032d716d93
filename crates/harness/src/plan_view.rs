//! `plan`: what would be done, for people.
#![allow(clippy::print_stdout, reason = "printing is what this verb is for")]

use scenario::access::{AzureAccess, Installer, Webhooks};
use scenario::{Cloud, Expectation, Plan};
use serde_json::{Value, json};

use crate::Environment;
use crate::cli::{Faults, Where};
use crate::exit::{Exit, Stop};
use crate::naming::RunId;
use crate::run;
use crate::run::render::{self, Names};

/// Names in a plan stand for those of a run.
const STAND_IN_RUN: &str = "run-id";

/// Prints the plans of scenarios.
///
/// # Errors
/// Exit 2 when a scenario or a file of it is wrong.
pub fn print(environment: &Environment, location: &Where, names: &[String], faults: &Faults) -> Result<Exit, Stop> {
    let plans = run::load(environment, location, names, &faults.selection())?;
    let texts = plans.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    print!("{}", texts.join("\n"));
    Ok(Exit::Passed)
}

/// The plan of a scenario as text.
///
/// # Errors
/// Exit 2 when a text of it cannot be filled in.
pub fn text(plan: &Plan) -> Result<String, Stop> {
    let scenario = &plan.scenario;
    let internal = |error: &dyn std::fmt::Display| Stop::new(Exit::Internal, error.to_string());
    let run: RunId = STAND_IN_RUN.parse().map_err(|error: crate::naming::BadRunId| internal(&error))?;
    let issuer = render::issuer(scenario, &run, &|word| word.to_owned())?;
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("{}: {}", scenario.name, scenario.title));
    line(format!("\ncluster    {}-shaped, issuer {issuer}", scenario.cluster.flavor()));
    for text in installed(&scenario.access.webhooks) {
        line(format!("webhook    {text}"));
    }
    if let Some(aws) = &scenario.aws {
        line(format!("bucket     in {}, object {} ({} bytes)", aws.region, aws.object_key, aws.object.len()));
    }
    if let Some(azure) = &scenario.azure {
        line(format!("vault      in {}, secret {} ({} bytes)", azure.location, azure.secret_name, azure.secret.len()));
    }
    for cell in &plan.cells {
        let names =
            Names::new(&run, scenario, cell, &render::stand_in_grounds(scenario, usize::from(cell.own_account))?);
        let rendered = render::render(scenario, cell, &names, &issuer)?;
        line(format!("\n[{}] {}", cell.id, cell.title));
        for cloud in cell.judged(scenario) {
            let expected = expected(cell.expectation(cloud), cloud);
            let whose = if scenario.clouds().len() > 1 { format!("{}: ", cloud.title()) } else { String::new() };
            line(format!("  expected     {whose}{expected}"));
        }
        if let Some(fault) = &cell.fault {
            match &fault.by_hand {
                Some(what) => line(format!("  by hand      {what}")),
                None => line(format!("  change       {}", fault.change)),
            }
            line(format!("  source       {}", fault.source));
        }
        if cell.access.webhooks != scenario.access.webhooks {
            for text in installed(&cell.access.webhooks) {
                line(format!("  webhook      {text}"));
            }
        }
        line(format!("  namespace    {}", names.namespace));
        if let (Some(names), Some(rendered)) = (&names.aws, &rendered.aws) {
            line(format!("  account      {}", if cell.own_account { "its own" } else { "shared" }));
            line(format!("  role         {}", names.role_arn()));
            let provider = rendered.provider.as_ref();
            let provider =
                provider.map_or_else(|| "none".to_owned(), |(url, ids)| format!("{url} for {}", ids.join(", ")));
            line(format!("  provider     {provider}"));
            let documents = [
                ("inline       ", &rendered.inline_policy),
                ("boundary     ", &rendered.boundary.as_ref().map(|(_, document)| document.clone())),
                ("bucket policy", &rendered.bucket_policy),
            ];
            for (what, document) in documents {
                if let Some(document) = document {
                    line(format!("  {what} {document}"));
                }
            }
            if cell.fault.is_none() {
                line(format!("\n  trust policy\n{}", indented(&rendered.trust_policy)));
                line(format!("\n  permission policy\n{}", indented(&rendered.permission_policy)));
            }
        }
        if let (Some(names), Some(rendered), Some(access)) = (&names.azure, &rendered.azure, &cell.access.azure) {
            line(format!("  vault        {} ({})", names.vault, access.vault.permission_model));
            line(format!("  identity     {} in resource group {}", names.identity, names.group));
            let credential = match &rendered.credential {
                None => "none".to_owned(),
                Some(render::Credential { issuer, subject, audiences, .. }) => {
                    let audiences: Vec<String> = audiences.iter().map(ToString::to_string).collect();
                    format!("{subject} of {issuer} for {}", audiences.join(", "))
                }
            };
            line(format!("  credential   {credential}"));
            line(format!("  permission   {}", permission(access)?));
        }
    }
    let containers: Vec<Value> = scenario.pod.containers.iter().map(|name| json!({"name": name})).collect();
    let mut overlay = json!({"spec": {"containers": containers}});
    run::wire_overlay(&mut overlay);
    line(format!(
        "\nadded to {} where clouds are not real\n{}",
        scenario.pod.file.display(),
        indented(&yaml(&overlay)?)
    ));
    Ok(out)
}

/// What must be seen, in words.
fn expected(expectation: &Expectation, cloud: Cloud) -> String {
    let at = |link: &trust::Link| format!("link {} {}", link.number(), link.title());
    match expectation {
        Expectation::Read => match cloud {
            Cloud::Aws => "the object is read".to_owned(),
            Cloud::Azure => "the secret is read".to_owned(),
        },
        Expectation::NotInjected => "the webhook leaves the pod alone".to_owned(),
        Expectation::Refused { link, code, status } => {
            format!("refused with {} {status} at {}", code.all().join(" or "), at(link))
        }
        Expectation::Rejected { status, message } => {
            format!("the pod is not admitted: {status}, `{message}` in the message")
        }
        Expectation::NotCreated { code, status } => {
            let code = code.as_ref().map(|code| code.all().join(" or ")).unwrap_or_default();
            format!("{} refuses to create it: {code} {status}", cloud.title()).replace("  ", " ")
        }
        Expectation::Failed { link, contains } => format!("the workload gives up at {}: `{contains}`", at(link)),
    }
}

fn installed(webhooks: &Webhooks) -> Vec<String> {
    let aws = webhooks.aws_pod_identity.as_ref().map(|aws| match aws.installed_by {
        Installer::Chart => {
            format!("aws-pod-identity, Helm release {}, default region {}", aws.release, aws.default_aws_region)
        }
        Installer::Eks => format!("aws-pod-identity, by EKS, region {}", aws.default_aws_region),
    });
    let azure = webhooks.azure_workload_identity.map(|azure| format!("azure-workload-identity {}", azure.layout));
    aws.into_iter().chain(azure).collect()
}

/// What the identity is given, in the words of the file.
fn permission(access: &AzureAccess) -> Result<String, Stop> {
    let word = |value: Value| value.as_str().map(str::to_owned).unwrap_or_else(|| value.to_string());
    let json = |value: serde_json::Result<Value>| value.map_err(|error| Stop::caused(Exit::Internal, error));
    let mut parts = Vec::new();
    if let Some(assignment) = &access.role_assignment {
        let (role, to) =
            (json(serde_json::to_value(assignment.role))?, json(serde_json::to_value(assignment.principal))?);
        parts.push(format!("role {} for its {}", word(role), word(to)));
    }
    if let Some(policy) = &access.access_policy {
        let to = json(serde_json::to_value(policy.principal))?;
        parts.push(format!("access policy {} for its {}", policy.secrets.join(", "), word(to)));
    }
    Ok(if parts.is_empty() { "none".to_owned() } else { parts.join("; ") })
}

fn yaml(value: &Value) -> Result<String, Stop> {
    serde_saphyr::to_string(value).map_err(|error| Stop::new(Exit::Internal, error.to_string()))
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
