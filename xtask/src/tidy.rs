//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy checks.
//!
//! Each rule is a module that looks at text and gives findings, so that it can be tested with strings. Only [`tree`] touches the disk. A rule
//! must be able to fail: it comes with a test that breaks it.

mod filters;
mod finding;
mod header;
mod ignored;
mod imports;
mod leftovers;
mod length;
mod lints;
mod lockfile;
mod mask;
mod owners;
mod paths;
mod texts;
mod tls;
mod tree;

use std::process::ExitCode;

use anyhow::Result;

use finding::Finding;
use tree::Tree;

/// Prints the findings, in the order of the files.
///
/// # Errors
/// When git or cargo cannot tell what there is to check: that is no finding, and no pass.
pub(crate) fn run() -> Result<ExitCode> {
    let tree = Tree::read()?;
    let mut findings = check(&tree);
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            eprintln!("tidy: {} files, nothing found", tree.sources.len());
            Ok(ExitCode::SUCCESS)
        }
        count => {
            eprintln!("tidy: {count} finding{}", if count == 1 { "" } else { "s" });
            Ok(ExitCode::FAILURE)
        }
    }
}

fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let owners = owners::table(tree.text(owners::FILE));
    for source in &tree.sources {
        findings.extend(header::check(source));
        findings.extend(ignored::check(source));
        findings.extend(leftovers::check(source));
        findings.extend(owners::check(source, &owners));
        findings.extend(paths::check(source, &tree.root));
        findings.extend(lints::check(source));
    }
    findings.extend(length::check(&tree.sources, length::LONG));
    findings.extend(filters::check(&tree.sources));
    findings.extend(imports::check(&tree.crates, imports::DIRECTIONS));
    findings.extend(lockfile::check(&tree.tracked));
    findings.extend(texts::check(&tree.others));
    findings.extend(tls::check(&tree.dependencies, tree.text("Cargo.lock")));
    findings
}
