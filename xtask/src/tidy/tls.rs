//! One TLS provider, and one hyper: two make programs that panic over which is the default, and twice the build.

use super::finding::{Finding, Source, numbered};

/// Package, versions (by prefix), and what brings it in.
const UNWANTED: [(&str, &str, &str); 4] = [
    ("ring", "", "a crate's default TLS feature: take `aws_lc_rs` and `default-features = false`"),
    ("openssl-sys", "", "a `native-tls` or `openssl` feature: take `rustls`"),
    ("native-tls", "", "a `native-tls` feature: take `rustls`"),
    ("hyper", "0.14.", "an AWS crate's legacy `rustls` feature: take `default-https-client`"),
];

/// `dependencies`: name and version of all that is built into our programs, or used to build them, on this machine's target.
pub(crate) fn check(dependencies: &[(String, String)], lockfile: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (unwanted, versions, cause) in UNWANTED {
        let found = dependencies.iter().find(|(name, version)| name == unwanted && version.starts_with(versions));
        if let Some((name, version)) = found {
            findings.push(Source::new("Cargo.lock", "").finding(
                line_of(lockfile, name, version),
                "tls",
                format!("{name} {version} is built in; the one provider is aws-lc-rs"),
                format!("`cargo tree --workspace --edges normal,build --invert {name}@{version}` says who brings it; mostly it is {cause}"),
            ));
        }
    }
    findings
}

/// Where the package is locked; 1 when it is not.
fn line_of(lockfile: &str, name: &str, version: &str) -> usize {
    let name = format!("name = \"{name}\"");
    let version = format!("version = \"{version}\"");
    let lines = numbered(lockfile).zip(lockfile.lines().skip(1));
    lines
        .filter(|((_, line), next)| *line == name && *next == version)
        .map(|((number, _), _)| number)
        .next()
        .unwrap_or(1)
}

/// Reads the lines of `cargo tree --prefix none --format {p}`: `hyper v1.12.0 (*)`.
pub(crate) fn parse(tree: &str) -> Vec<(String, String)> {
    let mut packages: Vec<_> = tree
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.split_once(" v")?;
            Some((name.to_owned(), rest.split(' ').next()?.to_owned()))
        })
        .collect();
    packages.sort();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str =
        "[[package]]\nname = \"hyper\"\nversion = \"1.12.0\"\n\n[[package]]\nname = \"hyper\"\nversion = \"0.14.32\"\n";

    #[test]
    fn finds_second_providers() {
        let check_rule = |tree: &str, found: &str| {
            let findings: Vec<_> = check(&parse(tree), LOCK)
                .into_iter()
                .map(|finding| format!("{}: {}", finding.line, finding.what))
                .collect();
            assert_eq!(findings.join(";"), found, "{tree}");
        };
        check_rule("aws-lc-rs v1.16.0\nhyper v1.12.0\nhyper v1.12.0 (*)\n\nrustls v0.23.46", "");
        check_rule("hyper v0.14.32 (*)", "6: hyper 0.14.32 is built in; the one provider is aws-lc-rs");
        check_rule("ring v0.17.14", "1: ring 0.17.14 is built in; the one provider is aws-lc-rs");
        check_rule("rustls-native-certs v0.8.1\nstring v0.1.0", "");
    }

    #[test]
    fn reads_each_package_once_and_leaves_out_folders() {
        let tree = "trust v0.1.0 (/w/crates/trust)\nhttp v1.3.1\nhttp v1.3.1 (*)\n\n";
        let expected = [("http", "1.3.1"), ("trust", "0.1.0")];
        assert_eq!(parse(tree), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
}
