//! `explain`: the chain of an access from what a person has at hand, claim by claim, with no cluster and no cloud.
//!
//! Everything but [`issuer::discover`] is pure: [`Material`] in, [`Access`] out. It must not know runs, scenarios or simulators.
#![allow(clippy::print_stdout, reason = "printing is what this verb is for")]

mod audience;
mod azure;
mod credential;
mod files;
mod flags;
pub mod issuer;
mod links;
mod manifest;
mod material;
mod near;
mod permission;
mod pod;
mod recorded;
mod roots;
#[cfg(test)]
mod tests;
mod token;
mod trust_policy;

use std::io::Read;

use report::{Progress, Remark, Style};
use scenario::Cloud;
use serde::Serialize;
use serde_json::Value;
use trust::{Clock, Link};

use crate::cli::Output;
use crate::environment::Environment;
use crate::exit::{Exit, Stop};

pub use files::Files;
pub(crate) use files::shell_word;
pub use flags::{AFTER_HELP, Flags};
pub use links::{Access, Hint, Unchecked};
pub use material::Material;
pub(crate) use near::{Miss, miss};
pub(crate) use permission::mended as mended_permission;
pub(crate) use trust_policy::mended as mended_trust;

/// The shape of what `--output json` prints.
const SCHEMA: &str = "crossfed.dev/explain/v1";

/// What is known of all accesses that the material is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    schema: &'static str,
    /// Whether a link of any of them is broken.
    pub broken: bool,
    /// One a cloud; one for either cloud where nothing says which.
    pub accesses: Vec<Access>,
}

/// Explains every access that the material is about.
pub fn chain(material: &Material) -> Explained {
    let clouds: Vec<Option<Cloud>> = material.clouds().into_iter().map(Some).collect();
    let clouds = if clouds.is_empty() { vec![None] } else { clouds };
    let accesses: Vec<Access> = clouds.into_iter().map(|cloud| access(material, cloud)).collect();
    let broken = accesses.iter().any(|access| access.chain.broken().is_some());
    Explained { schema: SCHEMA, broken, accesses }
}

fn access(material: &Material, cloud: Option<Cloud>) -> Access {
    let mut links = links::Links::default();
    if let Some(cloud) = cloud {
        pod::explain(material, cloud, &mut links);
    }
    token::explain(material, cloud, &mut links);
    issuer::explain(material, cloud, &mut links);
    match cloud {
        Some(Cloud::Aws) => {
            trust_policy::explain(material, &mut links);
            permission::aws(material, &mut links);
        }
        Some(Cloud::Azure) => {
            azure::explain(material, &mut links);
            permission::azure(material, &mut links);
        }
        None => {}
    }
    links.finish(cloud, missing)
}

/// What a link needs of which nothing was given.
fn missing(link: Link) -> String {
    match link {
        Link::OptedIn => "needs --service-account and --pod",
        Link::Injected => "needs --pod",
        Link::TokenProjected => "needs --token, or --pod as admitted",
        Link::IssuerDiscoverable => "needs --issuer URL",
        Link::KeyPublished => "needs --token with --jwks or --issuer",
        Link::IssuerTrusted | Link::AudienceAccepted | Link::SubjectAccepted => {
            "needs --trust-policy or --federated-credential"
        }
        Link::CredentialIssued => "no cloud is asked",
        Link::Permitted => "needs --policy, or --role-assignment with --identity",
        Link::Read => "nothing is read",
    }
    .to_owned()
}

/// Explains what the flags name and prints it.
///
/// # Errors
/// Exit 2 for a file that is wrong, 4 when nothing is named, 96 when the system has no certificates and --issuer needs them.
pub async fn run(
    flags: &Flags,
    environment: &Environment,
    clock: &dyn Clock,
    stdin: &mut (dyn Read + Send),
) -> Result<Exit, Stop> {
    let style = Style {
        color: !flags.no_color && !environment.no_color && (environment.force_color || environment.terminal),
        width: environment.columns.unwrap_or(100),
        progress: Progress::None,
        ascii: !environment.unicode,
        chains: false,
    };
    if let Some(run) = &flags.run {
        let (text, exit) = recorded::explain(run, flags, &environment.working_dir, style)?;
        print!("{}", trust::redact(&text));
        return Ok(exit);
    }
    let material = {
        let mut files = Files { folder: &environment.working_dir, stdin: Some(stdin) };
        Material::read(flags, &mut files, clock.now())?
    };
    let discovery = match &flags.issuer {
        Some(url) => Some(issuer::discover(url, roots::read(flags.ca_file.as_deref())?).await),
        None => None,
    };
    let explained = chain(&material.with_discovery(discovery));
    match flags.output {
        Output::Json => {
            let mut value = serde_json::to_value(&explained).map_err(|error| Stop::caused(Exit::Internal, error))?;
            clean(&mut value);
            println!("{value:#}");
        }
        Output::Table => print!("{}", text(&explained, style)),
    }
    Ok(if explained.broken { Exit::CheckFailed } else { Exit::Passed })
}

/// As the terminal shows it.
pub fn text(explained: &Explained, style: Style) -> String {
    let blocks: Vec<String> = explained.accesses.iter().map(|access| block(access, style)).collect();
    blocks.join("\n")
}

fn block(access: &Access, style: Style) -> String {
    let mut remarks = Vec::new();
    for hint in &access.hints {
        remarks.push(("hint", format!("{} {}: {}", hint.link.number(), hint.link.title(), hint.what), false));
        if let Some(fix) = &hint.fix {
            remarks.push(("fix", fix.clone(), true));
        }
    }
    // What stands beside a link already is not said twice.
    let beside = |unchecked: &&Unchecked| {
        let evidence = &access.chain.links[unchecked.link.number() - 1];
        evidence.note.as_ref() != Some(&unchecked.why)
    };
    for unchecked in access.unchecked.iter().filter(beside) {
        let (number, title) = (unchecked.link.number(), unchecked.link.title());
        remarks.push(("unchecked", format!("{number} {title}: {}", unchecked.why), false));
    }
    let remarks: Vec<Remark<'_>> =
        remarks.iter().map(|(label, text, is_command)| Remark { label, text, is_command: *is_command }).collect();
    report::explained(style, &access.title, &access.chain, &remarks)
}

/// Takes secrets out of every text of a document.
fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = trust::redact(text).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(members) => members.values_mut().for_each(clean),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
