//! How other programs are started: cargo itself, from the root of the workspace, and with a clean environment.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// The cargo that started us, to be run in the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    forget_own_package(&mut command);
    command
}

/// Takes out the variables by which `cargo run` describes *this* package. Build scripts that watch one of them would run again, and the
/// programs of the workspace must not see what a direct start would not show them.
pub(crate) fn forget_own_package(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if describes_package(&name) {
            command.env_remove(name);
        }
    }
}

fn describes_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Runs to the end with our own input and output.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let program = command.get_program().to_owned();
    command.status().with_context(|| format!("cannot start {}", program.display()))
}

/// Runs to the end and gives what was written to stdout. What goes to stderr is shown only when it fails.
///
/// # Errors
/// When it cannot be started, ends with another code than 0, or writes something else than UTF-8.
pub(crate) fn stdout(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        bail!("{} failed ({})\n{}", words(command), output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} wrote something else than UTF-8", words(command)))
}

/// The code with which we end when a program ended so: its own, or 128 and the signal's number, as in a shell.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal: Option<i32> = None;
    let code = status.code().or(signal.map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// A command as a person types it: the program without its folder.
pub(crate) fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(command.get_program());
    let mut words = vec![program.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| quoted(&arg.to_string_lossy())));
    words.join(" ")
}

/// Quotes what a shell would take apart.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_pasted_into_a_shell() {
        let mut command = Command::new("/opt/rust/bin/cargo");
        command.args(["nextest", "run", "-E", "test(a b)", "it's", ""]);
        assert_eq!(words(&command), r"cargo nextest run -E 'test(a b)' 'it'\''s' ''");
    }

    #[test]
    fn forgets_the_package_but_not_the_settings_of_cargo() {
        let check = |name: &str| describes_package(OsStr::new(name));
        assert!(check("CARGO_PKG_NAME"));
        assert!(check("CARGO_MANIFEST_DIR"));
        assert!(!check("CARGO_HOME"));
        assert!(!check("CARGO_TARGET_DIR"));
    }

    #[cfg(unix)]
    #[test]
    fn ends_with_the_code_of_the_program_it_ran() {
        let check = |script: &str, code: u8| {
            let status = status(Command::new("sh").args(["-c", script])).expect("sh must start");
            assert_eq!(exit_code(status), ExitCode::from(code), "{script}");
        };
        check("exit 0", 0);
        check("exit 102", 102);
        check("kill -TERM $$", 143);
    }

    #[cfg(unix)]
    #[test]
    fn failed_command_shows_its_stderr() {
        let mut command = Command::new("sh");
        let error =
            stdout(command.args(["-c", "echo said >&2; exit 3"])).expect_err("a code other than 0 must be an error");
        assert!(error.to_string().contains("said"), "{error}");
        assert!(error.to_string().contains('3'), "{error}");
    }
}
