//! `list`: what is in the scenarios folder.
#![allow(clippy::print_stdout, reason = "printing is what this verb is for")]

use std::fmt::Write as _;

use scenario::{Catalogue, Fault, Selection};
use serde_json::{Value, json};

use crate::Environment;
use crate::cli::{List, Output};
use crate::exit::{Exit, Stop};
use crate::run;

/// Prints scenarios and faults.
///
/// # Errors
/// Exit 2 when a file is wrong or a selection names what there is not, 4 when there is nothing.
pub fn list(environment: &Environment, options: &List) -> Result<Exit, Stop> {
    let catalogue = run::catalogue(environment, &options.location)?;
    let listing = listing(&catalogue, options.faults.faults.as_ref())?;
    match options.output {
        Output::Json => println!("{listing:#}"),
        Output::Table => print!("{}", table(&listing)),
    }
    let empty = |kind: &str| listing[kind].as_array().is_some_and(Vec::is_empty);
    let nothing = empty("scenarios") || (options.faults.faults.is_some() && empty("faults"));
    Ok(if nothing { Exit::NothingSelected } else { Exit::Passed })
}

fn listing(catalogue: &Catalogue, selection: Option<&Selection>) -> Result<Value, Stop> {
    let usage = |error: scenario::CatalogueError| Stop::new(Exit::Usage, error.to_string());
    let mut scenarios = Vec::new();
    let mut named = Vec::new();
    for name in catalogue.scenarios() {
        let scenario = catalogue.scenario(&name).map_err(usage)?;
        scenarios.push(json!({"name": name, "title": scenario.title, "refusals": scenario.refusals}));
        named.extend(scenario.refusals);
    }
    let faults = match selection {
        None => catalogue.all_faults().map_err(usage)?,
        Some(selection) => selection.in_catalogue(catalogue, &named).map_err(usage)?,
    };
    let faults: Vec<Value> = faults.iter().map(entry).collect();
    Ok(json!({"scenarios": scenarios, "faults": faults}))
}

fn entry(fault: &Fault) -> Value {
    json!({"id": fault.id, "title": fault.title, "about": fault.about, "needs": fault.needs, "tags": fault.tags,
        "expect": fault.expect, "link": fault.expect.link(), "transient": fault.transient, "places": fault.places,
        "clouds": fault.clouds, "byHand": fault.by_hand, "source": fault.source, "confidence": fault.confidence})
}

fn table(listing: &Value) -> String {
    let mut out = String::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let _ = writeln!(out, "scenarios");
    for row in listing["scenarios"].as_array().into_iter().flatten() {
        let _ = writeln!(out, "  {:<34} {}", text(&row["name"]), text(&row["title"]));
    }
    let _ = writeln!(out, "faults");
    for row in listing["faults"].as_array().into_iter().flatten() {
        let about = row["about"].as_str().unwrap_or("cluster");
        let link = row["link"].as_str().unwrap_or("-");
        let tags = row["tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(",");
        let line = format!("  {:<34} {about:<7} {link:<19} {:<37} {tags}", text(&row["id"]), text(&row["title"]));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}
