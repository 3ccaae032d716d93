//! The field's own clients, for the tests that drive them: virtual environments in `target/`, made when their list changes.
//!
//! A test finds them by a variable, and is skipped with its reason where that is not set. What cannot be installed (no Python, no network) is
//! told here and stops nothing.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cargo;

/// An environment: what is installed, and the variable by which tests find a program of it.
struct Clients {
    list: &'static str,
    variable: &'static str,
    program: &'static str,
    /// Large, and of use to few: installed where CI is set.
    for_ci: bool,
}

const ALL: [Clients; 2] = [
    Clients { list: "python", variable: "CROSSFED_PYTHON", program: "python", for_ci: false },
    Clients { list: "az", variable: "CROSSFED_AZ", program: "az", for_ci: true },
];

/// Makes what is missing and gives the variables for the tests. One that is set already is left to who set it; programs that the machine has
/// are found before ours.
pub(crate) fn variables() -> Vec<(&'static str, OsString)> {
    let mut variables = Vec::new();
    let mut path: Vec<PathBuf> = env::var_os("PATH").iter().flat_map(env::split_paths).collect();
    for clients in ALL {
        if env::var_os(clients.variable).is_some() {
            continue;
        }
        if clients.for_ci && env::var_os("CI").is_none() {
            eprintln!("test: no {}: made where CI is set; {} may name one", clients.list, clients.variable);
            continue;
        }
        match clients.ready(&cargo::root().join("target/clients"), "python3") {
            Ok(program) => {
                path.extend(program.parent().map(Path::to_owned));
                variables.push((clients.variable, program.into_os_string()));
            }
            Err(error) => eprintln!("test: no {} clients, what drives them is skipped: {error:#}", clients.list),
        }
    }
    variables.extend(env::join_paths(path).ok().map(|path| ("PATH", path)));
    variables
}

impl Clients {
    /// The program, in an environment that holds what the list says.
    fn ready(&self, folder: &Path, python: &str) -> Result<PathBuf> {
        let list = cargo::root().join("fixtures/clients").join(self.list).with_extension("txt");
        let wanted = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        let folder = folder.join(self.list);
        let program = folder.join("bin").join(self.program);
        // Written when all is in it.
        let stamp = folder.join("installed.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(program);
        }
        eprintln!("test: installing {} into {}", list.display(), folder.display());
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1", "--requirement"];
        run(Command::new(folder.join("bin/python")).args(pip).arg(&list))?;
        fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))?;
        Ok(program)
    }
}

/// Runs to the end; of what it said when it failed, the last line is the reason.
fn run(command: &mut Command) -> Result<()> {
    let name = Path::new(command.get_program()).file_name().map(OsStr::to_owned).unwrap_or_default();
    let output = command.output().with_context(|| format!("cannot start {}", name.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it did not say why").to_owned();
    anyhow::ensure!(output.status.success(), "{} failed ({}): {reason}", name.display(), output.status);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_installed_is_told_with_its_reason() {
        let folder = env::temp_dir().join(format!("crossfed-clients-{}", std::process::id()));
        let clients = &ALL[0];
        let error = clients.ready(&folder, "no-such-python").expect_err("must fail");
        assert_eq!(error.to_string(), "cannot start no-such-python");
        let error = clients.ready(&folder, "false").expect_err("must fail");
        assert_eq!(error.to_string(), "false failed (exit status: 1): it did not say why");
        assert!(!folder.join(clients.list).join("installed.txt").exists());
    }
}
