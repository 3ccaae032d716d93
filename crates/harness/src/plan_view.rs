//! `plan` and `list`: what would be done, for people.
#![allow(clippy::print_stdout, reason = "printing is what these verbs are for")]

use std::fmt::Write as _;

use scenario::{Catalogue, Expectation, Plan, Webhook};
use serde_json::{Value, json};

use crate::Environment;
use crate::cli::{List, Output, Where};
use crate::exit::{Exit, Stop};
use crate::naming::RunId;
use crate::run::{self, Names, render};

/// Names in a plan stand for those of a run.
const STAND_IN_RUN: &str = "run-id";
const STAND_IN_ACCOUNT: &str = "111122223333";
const STAND_IN_OWN_ACCOUNT: &str = "444455556666";

/// Prints the plan of a scenario.
///
/// # Errors
/// Exit 2 when the scenario or a file of it is wrong.
pub fn print(environment: &Environment, location: &Where, name: &str) -> Result<Exit, Stop> {
    print!("{}", text(&run::load(environment, location, name)?)?);
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
    let region = &scenario.cluster.region;
    let issuer = match scenario.cluster.flavor {
        scenario::Flavor::Aks => cluster::issuer::aks(region, "TENANT", "CLUSTER"),
        scenario::Flavor::Eks => cluster::issuer::eks(region, "ID"),
    };
    let issuer = issuer.map_err(|error| Stop::new(Exit::Usage, format!("cluster.region: {error}")))?;
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!("{}: {}", scenario.name, scenario.title));
    line(format!("\ncluster    {}-shaped, issuer {issuer}", scenario.cluster.flavor));
    for webhook in &scenario.webhooks {
        let Webhook::AwsPodIdentity { default_aws_region } = webhook;
        line(format!("webhook    aws-pod-identity, chart profile, default region {default_aws_region}"));
    }
    line(format!(
        "bucket     in {}, object {} ({} bytes)",
        scenario.aws.region,
        scenario.aws.object_key,
        scenario.aws.object.len()
    ));
    for cell in &plan.cells {
        let account = if cell.own_account { STAND_IN_OWN_ACCOUNT } else { STAND_IN_ACCOUNT };
        let account = account.parse().map_err(|error: trust::ArnError| internal(&error))?;
        let names = Names::new(&run, scenario, cell, account);
        let rendered = render(scenario, cell, &names, &issuer)?;
        line(format!("\n[{}] {}", cell.id, cell.title));
        let expected = match cell.fault.as_ref().map(|fault| &fault.expect) {
            None => "the object is read".to_owned(),
            Some(Expectation::NotInjected) => "the webhook leaves the pod alone".to_owned(),
            Some(Expectation::Refused { link, code, status }) => {
                format!("refused with {code} {status} at link {} {}", link.number(), link.title())
            }
        };
        line(format!("  expected     {expected}"));
        if let Some(fault) = &cell.fault {
            line(format!("  change       {}", fault.change));
            line(format!("  source       {}", fault.source));
        }
        line(format!("  account      {}", if cell.own_account { "its own" } else { "shared" }));
        line(format!("  namespace    {}", names.namespace));
        line(format!("  role         {}", rendered.role_arn));
        let provider =
            rendered.provider.map_or_else(|| "none".to_owned(), |(url, ids)| format!("{url} for {}", ids.join(", ")));
        line(format!("  provider     {provider}"));
        if cell.fault.is_none() {
            line(format!("\n  trust policy\n{}", indented(&rendered.trust_policy)));
            line(format!("\n  permission policy\n{}", indented(&rendered.permission_policy)));
        }
    }
    let mut overlay = json!({"spec": {"containers": [{"name": scenario.pod.container}]}});
    run::wire_overlay(&mut overlay);
    line(format!(
        "\nadded to {} where clouds are not real\n{}",
        scenario.pod.file.display(),
        indented(&yaml(&overlay)?)
    ));
    Ok(out)
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
                "  {:<26} {}",
                row[key].as_str().unwrap_or_default(),
                row["title"].as_str().unwrap_or_default()
            );
        }
    }
    out
}
