//! `plan` and `list`: what would be done, for people.
#![allow(clippy::print_stdout, reason = "printing is what these verbs are for")]

use std::fmt::Write as _;

use scenario::access::{AzureAccess, Installer, Webhooks};
use scenario::{Catalogue, Cloud, Expectation, Plan};
use serde_json::{Value, json};

use crate::Environment;
use crate::cli::{List, Output, Where};
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
pub fn print(environment: &Environment, location: &Where, names: &[String]) -> Result<Exit, Stop> {
    let plans = run::load(environment, location, names)?;
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
        for cloud in scenario.clouds() {
            let expected = match cell.expectation(cloud) {
                Expectation::Read => match cloud {
                    Cloud::Aws => "the object is read".to_owned(),
                    Cloud::Azure => "the secret is read".to_owned(),
                },
                Expectation::NotInjected => "the webhook leaves the pod alone".to_owned(),
                Expectation::Refused { link, code, status } => {
                    format!("refused with {code} {status} at link {} {}", link.number(), link.title())
                }
            };
            let whose = if scenario.clouds().len() > 1 { format!("{}: ", cloud.title()) } else { String::new() };
            line(format!("  expected     {whose}{expected}"));
        }
        if let Some(fault) = &cell.fault {
            line(format!("  change       {}", fault.change));
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
                Some((issuer, subject, audience)) => format!("{subject} of {issuer} for {audience}"),
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

/// Prints scenarios and faults.
///
/// # Errors
/// Exit 2 when a file is wrong, 4 when there is nothing.
pub fn list(environment: &Environment, options: &List) -> Result<Exit, Stop> {
    let catalogue = run::catalogue(environment, &options.location)?;
    let listing = listing(&catalogue)?;
    match options.output {
        Output::Json => println!("{listing:#}"),
        Output::Table => print!("{}", table(&listing)),
    }
    Ok(if listing["scenarios"].as_array().is_some_and(Vec::is_empty) { Exit::NothingSelected } else { Exit::Passed })
}

fn listing(catalogue: &Catalogue) -> Result<Value, Stop> {
    let usage = |error: scenario::CatalogueError| Stop::new(Exit::Usage, error.to_string());
    let mut scenarios = Vec::new();
    for name in catalogue.scenarios() {
        let scenario = catalogue.scenario(&name).map_err(usage)?;
        scenarios.push(json!({"name": name, "title": scenario.title, "refusals": scenario.refusals}));
    }
    let mut faults = Vec::new();
    for id in catalogue.faults() {
        let fault = catalogue.fault(&id).map_err(usage)?;
        faults.push(json!({"id": id, "title": fault.title, "expect": fault.expect, "transient": fault.transient,
            "source": fault.source, "confidence": fault.confidence}));
    }
    Ok(json!({"scenarios": scenarios, "faults": faults}))
}

fn table(listing: &Value) -> String {
    let mut out = String::new();
    for (title, key) in [("scenarios", "name"), ("faults", "id")] {
        let _ = writeln!(out, "{title}");
        for row in listing[title].as_array().into_iter().flatten() {
            let _ = writeln!(
                out,
                "  {:<34} {}",
                row[key].as_str().unwrap_or_default(),
                row["title"].as_str().unwrap_or_default()
            );
        }
    }
    out
}
