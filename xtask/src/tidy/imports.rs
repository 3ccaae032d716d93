//! Who may import whom among our own crates.
//!
//! `trust` is the ground floor. The parts that play one side of a federation stand on it and do not see each other, so that they can only meet
//! as in the field: through an issuer's address, a key set and a token. Only `harness` sees everything. The programs that pods run are
//! started, never linked.

use super::finding::{Finding, Source, numbered};

/// What one crate may import, and what else its tests may.
#[derive(Debug)]
pub(crate) struct May {
    name: &'static str,
    import: &'static [&'static str],
    in_tests: &'static [&'static str],
}

const fn may(name: &'static str, import: &'static [&'static str], in_tests: &'static [&'static str]) -> May {
    May { name, import, in_tests }
}

pub(crate) const DIRECTIONS: &[May] = &[
    may("trust", &[], &[]),
    may("transport", &["trust"], &[]),
    may("egress", &["trust", "transport"], &[]),
    may("webhooks", &["trust", "transport"], &[]),
    may("kube-sim", &["trust", "transport"], &[]),
    may("kubelet", &["trust", "transport"], &["kube-sim"]),
    may("aws-sim", &["trust", "transport"], &[]),
    may("azure-sim", &["trust", "transport"], &[]),
    may("federation", &["trust", "transport"], &["aws-sim", "azure-sim"]),
    may("scenario", &["trust"], &[]),
    may("report", &["trust"], &[]),
    may("workloads", &["trust"], &["transport"]),
    may("cluster", &["trust", "transport", "kube-sim", "kubelet", "webhooks"], &[]),
    may("clouds", &["trust", "transport", "egress", "aws-sim", "azure-sim"], &[]),
    may(
        "harness",
        &[
            "trust",
            "transport",
            "egress",
            "webhooks",
            "kube-sim",
            "kubelet",
            "aws-sim",
            "azure-sim",
            "federation",
            "scenario",
            "report",
            "cluster",
            "clouds",
        ],
        &[],
    ),
    may("fuzz", &["trust", "webhooks", "scenario"], &[]),
    // Without an SDK among its dependencies, since it is built in release.
    may("load", &["trust", "transport", "aws-sim"], &[]),
    may("xtask", &[], &[]),
];

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Its Cargo.toml.
    pub(crate) manifest: Source,
    /// Those of our own that it imports.
    pub(crate) imports: Vec<Import>,
}

#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) name: String,
    /// Only its tests do.
    pub(crate) in_tests: bool,
}

const FIX: &str = "the list is xtask/src/tidy/imports.rs; to bend it is a decision for ARCHITECTURE.md";

pub(crate) fn check(crates: &[Crate], directions: &[May]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in crates {
        let Some(may) = directions.iter().find(|may| may.name == one.name) else {
            findings.push(one.manifest.finding(
                1,
                "imports",
                format!("`{}` has no line in the list of import directions", one.name),
                "add one to xtask/src/tidy/imports.rs",
            ));
            continue;
        };
        for import in &one.imports {
            let name = import.name.as_str();
            if may.import.contains(&name) || import.in_tests && may.in_tests.contains(&name) {
                continue;
            }
            let who = if import.in_tests { format!("tests of `{}`", one.name) } else { format!("`{}`", one.name) };
            findings.push(one.manifest.finding(
                line_of(import, &one.manifest.text),
                "imports",
                format!("{who} must not import `{name}`"),
                FIX,
            ));
        }
    }
    findings.extend(cycle(crates));
    findings
}

/// Cargo refuses cycles, but not those through tests.
fn cycle(crates: &[Crate]) -> Option<Finding> {
    crates.iter().find_map(|start| {
        let mut path = vec![start.name.as_str()];
        returns(crates, start, &mut path, &mut Vec::new()).then(|| {
            start.manifest.finding(
                1,
                "imports",
                format!("a cycle: {} -> {}", path.join(" -> "), start.name),
                "move what both need to the crate below, or the test to the crate above",
            )
        })
    })
}

/// Whether the first of `path` is reached again from `at`; the way is then in `path`.
fn returns<'a>(crates: &'a [Crate], at: &'a Crate, path: &mut Vec<&'a str>, seen: &mut Vec<&'a str>) -> bool {
    for import in &at.imports {
        if import.name == path[0] {
            return true;
        }
        let Some(next) = crates.iter().find(|one| one.name == import.name) else {
            continue;
        };
        if seen.contains(&next.name.as_str()) {
            continue;
        }
        seen.push(&next.name);
        path.push(&next.name);
        if returns(crates, next, path, seen) {
            return true;
        }
        path.pop();
    }
    false
}

/// Where the manifest names the import; 1 when it does so in a way not known here.
fn line_of(import: &Import, manifest: &str) -> usize {
    let mut in_tests = false;
    numbered(manifest)
        .find(|(_, line)| {
            let line = line.trim();
            if line.starts_with('[') {
                in_tests = line.contains("dev-dependencies");
            }
            let key = line
                .trim_start_matches("[dev-dependencies.")
                .trim_start_matches("[dependencies.")
                .split(['.', '=', ' ', ']'])
                .next();
            in_tests == import.in_tests && key == Some(&import.name)
        })
        .map_or(1, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &[May] = &[
        may("low", &[], &[]),
        may("left", &["low"], &["right"]),
        may("right", &["low"], &["left"]),
        may("top", &["low", "left"], &[]),
    ];

    /// `deps` as in a manifest: `low` in `[dependencies]`, `+right` in `[dev-dependencies]`.
    fn mk_crate(name: &str, deps: &[&str]) -> Crate {
        let mut manifest = format!("[package]\nname = \"{name}\"\n[dependencies]\n");
        let (tests, normal): (Vec<&str>, Vec<&str>) = deps.iter().partition(|dep| dep.starts_with('+'));
        for dep in normal {
            manifest += &format!("{dep}.workspace = true\n");
        }
        manifest += "[dev-dependencies]\n";
        for dep in tests {
            manifest += &format!("{} = {{ path = \"..\" }}\n", &dep[1..]);
        }
        let import =
            |dep: &&str| Import { name: dep.trim_start_matches('+').to_owned(), in_tests: dep.starts_with('+') };
        Crate {
            name: name.to_owned(),
            manifest: Source::new(format!("crates/{name}/Cargo.toml"), manifest),
            imports: deps.iter().map(import).collect(),
        }
    }

    fn check_rule(crates: &[(&str, &[&str])], found: &[&str]) {
        let crates: Vec<_> = crates.iter().map(|(name, deps)| mk_crate(name, deps)).collect();
        let findings: Vec<_> = check(&crates, LIST)
            .into_iter()
            .map(|finding| format!("{}:{}: {}", finding.path, finding.line, finding.what))
            .collect();
        assert_eq!(findings, found);
    }

    #[test]
    fn imports_follow_the_list() {
        check_rule(&[("low", &[]), ("left", &["low"]), ("top", &["left", "low"])], &[]);
        check_rule(
            &[("low", &[]), ("top", &["low", "right"])],
            &["crates/top/Cargo.toml:5: `top` must not import `right`"],
        );
        check_rule(&[("mid", &[])], &["crates/mid/Cargo.toml:1: `mid` has no line in the list of import directions"]);
    }

    #[test]
    fn tests_may_import_what_is_listed_for_them_only() {
        check_rule(&[("left", &["low", "+right"])], &[]);
        check_rule(&[("left", &["low", "right"])], &["crates/left/Cargo.toml:5: `left` must not import `right`"]);
        check_rule(&[("low", &["+top"])], &["crates/low/Cargo.toml:5: tests of `low` must not import `top`"]);
    }

    #[test]
    fn finds_cycles_through_tests() {
        check_rule(
            &[("left", &["low", "+right"]), ("right", &["low", "+left"]), ("low", &[])],
            &["crates/left/Cargo.toml:1: a cycle: left -> right -> left"],
        );
    }

    #[test]
    fn the_list_itself_goes_one_way() {
        for (at, one) in DIRECTIONS.iter().enumerate() {
            for import in one.import.iter().chain(one.in_tests) {
                let place = DIRECTIONS.iter().position(|may| may.name == *import);
                assert!(
                    place.is_some_and(|place| place < at),
                    "`{}` may import `{import}`, which must stand above it in the list",
                    one.name
                );
            }
        }
    }
}
