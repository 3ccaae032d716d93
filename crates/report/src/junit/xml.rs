//! Writes the XML of a JUnit file. It must not know what a case stands for.

use std::fmt::Write as _;

use crate::text::{escape_attribute as attribute, escape_text as content};

#[derive(Debug)]
pub(super) struct Case {
    pub(super) class: String,
    pub(super) name: String,
    pub(super) duration_ms: u64,
    pub(super) came_to: CameTo,
}

#[derive(Debug)]
pub(super) enum CameTo {
    Passed,
    Failure(Fault),
    Error(Fault),
    /// Passed after a retry.
    Flaky(Fault),
    Skipped(String),
}

#[derive(Debug)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// A document with one suite.
pub(super) fn document(
    suite: &str,
    properties: &[(&str, String)],
    timestamp: Option<String>,
    cases: &[Case],
) -> String {
    let counted = |is: fn(&CameTo) -> bool| cases.iter().filter(|case| is(&case.came_to)).count();
    let counts = format!(
        r#"tests="{}" failures="{}" errors="{}" skipped="{}" time="{}""#,
        cases.len(),
        counted(|came_to| matches!(came_to, CameTo::Failure(_))),
        counted(|came_to| matches!(came_to, CameTo::Error(_))),
        counted(|came_to| matches!(came_to, CameTo::Skipped(_))),
        seconds(cases.iter().map(|case| case.duration_ms).sum()),
    );
    let stamp = timestamp.map(|at| format!(r#" timestamp="{}""#, attribute(&at))).unwrap_or_default();
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"crossfed\" {counts}>\n");
    push(&mut out, format_args!("  <testsuite name=\"{}\" {counts}{stamp}>\n", attribute(suite)));
    if !properties.is_empty() {
        out.push_str("    <properties>\n");
        for (name, value) in properties {
            push(&mut out, format_args!("      <property name=\"{name}\" value=\"{}\"/>\n", attribute(value)));
        }
        out.push_str("    </properties>\n");
    }
    for case in cases {
        push_case(&mut out, case);
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn push_case(out: &mut String, case: &Case) {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        attribute(&case.class),
        attribute(&case.name),
        seconds(case.duration_ms)
    );
    let inner = match &case.came_to {
        CameTo::Passed => return push(out, format_args!("{head}/>\n")),
        CameTo::Failure(fault) => fault_element("failure", fault),
        CameTo::Error(fault) => fault_element("error", fault),
        CameTo::Flaky(fault) => fault_element("flakyFailure", fault),
        CameTo::Skipped(reason) => format!("<skipped message=\"{}\"/>", attribute(reason)),
    };
    push(out, format_args!("{head}>\n      {inner}\n    </testcase>\n"));
}

fn fault_element(element: &str, fault: &Fault) -> String {
    let Fault { message, kind, text } = fault;
    let (message, text) = (attribute(message), content(text));
    format!("<{element} message=\"{message}\" type=\"{kind}\">{text}</{element}>")
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a `String` does not fail.
    let _ = out.write_fmt(text);
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}
