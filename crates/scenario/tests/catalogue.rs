//! The catalogue as it lies in the repository. Knows the folder, and no fault by its id.

#![expect(clippy::expect_used, reason = "a catalogue that cannot be read is told by its first mistake")]

use std::collections::BTreeSet;
use std::path::Path;

use scenario::{Catalogue, Cloud, Expectation, Fault, Scenario, plan};

/// The most characters that a title may have.
const TITLE: usize = 40;

fn catalogue() -> Catalogue {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    Catalogue::open(&folder).expect("the repository must have scenarios")
}

fn faults() -> Vec<Fault> {
    catalogue().all_faults().expect("every file must be readable, and every id unique")
}

fn scenarios() -> Vec<Scenario> {
    let catalogue = catalogue();
    let scenario = |name: &String| catalogue.scenario(name).expect("every scenario must be readable");
    catalogue.scenarios().iter().map(scenario).collect()
}

/// What the faults of which `wrong` says something have wrong.
#[track_caller]
fn check(wrong: impl Fn(&Fault) -> Option<String>) {
    let complaints: Vec<String> =
        faults().iter().filter_map(|fault| Some(format!("{}: {}", fault.id, wrong(fault)?))).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn has_as_many_faults_as_the_facts_that_it_was_made_from() {
    let faults = faults();
    let count = |about: Option<Cloud>| faults.iter().filter(|fault| fault.about == about).count();
    let (aws, azure, all) = (count(Some(Cloud::Aws)), count(Some(Cloud::Azure)), faults.len());
    assert!(aws >= 44, "{aws} towards AWS");
    assert!(azure >= 50, "{azure} towards Azure");
    assert!(all >= 110, "{all} in all");
}

#[test]
fn each_cloud_has_accepted_cases_beside_the_refused() {
    let faults = faults();
    for cloud in [Cloud::Aws, Cloud::Azure] {
        let of_cloud = || faults.iter().filter(|fault| fault.about == Some(cloud));
        assert!(of_cloud().any(|fault| fault.expect == Expectation::Read), "{cloud}");
        assert!(of_cloud().any(|fault| fault.expect != Expectation::Read), "{cloud}");
    }
}

#[test]
fn every_expectation_has_a_public_source() {
    check(|fault| {
        let (url, _) = fault.source.split_once(' ').unwrap_or((&fault.source, ""));
        let host = url.strip_prefix("https://").and_then(|rest| rest.split('/').next());
        (!host.is_some_and(|host| host.contains('.'))).then(|| format!("`{url}` is no https URL"))
    });
}

#[test]
fn no_two_faults_change_the_same() {
    let mut seen = BTreeSet::new();
    for fault in faults() {
        let change = match &fault.by_hand {
            Some(words) => words.clone(),
            None => format!("{} {}", fault.within, fault.change),
        };
        assert!(seen.insert((fault.about.map(Cloud::slug), change)), "{}", fault.id);
    }
}

#[test]
fn titles_are_short() {
    check(|fault| {
        let length = fault.title.chars().count();
        (length > TITLE).then(|| format!("`{}` has {length} characters, more than {TITLE}", fault.title))
    });
}

#[test]
fn every_fault_fits_a_scenario_and_is_a_cell_of_each_that_it_fits() {
    let scenarios = scenarios();
    check(|fault| {
        let fitting: Vec<&Scenario> =
            scenarios.iter().filter(|scenario| fault.fits(scenario) && fault.changes(scenario)).collect();
        if fitting.is_empty() {
            return Some("no scenario is built so that it can be tried".to_owned());
        }
        fitting.iter().find_map(|scenario| plan::cell(scenario, fault.clone()).err().map(|error| error.to_string()))
    });
}
