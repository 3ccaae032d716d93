//! What the binary takes from its surroundings, read once. The only place that names environment variables.

use std::collections::BTreeMap;
use std::path::PathBuf;

use trust::Secret;

use crate::journal::Trap;

/// Folder of the workload programs; set by `cargo xtask`.
pub const BIN_DIR: &str = "CROSSFED_BIN_DIR";
/// Root of the repository; set by `cargo xtask`, so that commands work from any folder below it.
pub const ROOT: &str = "CROSSFED_ROOT";

/// What the program's own crates trace on standard error: `error`, `warn`, `info`, `debug` or `trace`; nothing when unset.
pub const LOG: &str = "CROSSFED_LOG";

/// For tests of this house: what happens to the process at which line of its journal.
pub const TRAP: &str = "CROSSFED_TRAP";

/// The surroundings of one invocation.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The command line, as it is to be repeated.
    pub command: Vec<String>,
    /// Folder that holds `s3-reader`.
    pub programs: PathBuf,
    /// Folder in which `scenarios/` is looked for when none is named.
    pub root: PathBuf,
    /// Where relative paths start.
    pub working_dir: PathBuf,
    /// Folders of `PATH`, in which programs that stand for well-known images are looked for.
    pub search_path: Vec<PathBuf>,
    /// `CI` is set.
    pub ci: bool,
    /// `NO_COLOR` is set, or `TERM=dumb`.
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set.
    pub force_color: bool,
    /// Standard output is a terminal.
    pub terminal: bool,
    /// The locale is UTF-8.
    pub unicode: bool,
    /// Columns of the terminal.
    pub columns: Option<usize>,
    /// Keys for `--aws-endpoint`: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
    pub aws_keys: Option<AwsKeys>,
    /// Level of tracing.
    pub log: Option<String>,
    /// What happens at a line of the journal; unreadable words are none.
    pub trap: Option<Trap>,
    /// Time of the process's start.
    pub started: std::time::Instant,
}

/// Keys of an account.
#[derive(Debug, Clone)]
pub struct AwsKeys {
    /// Its id.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: Secret,
    /// For temporary keys.
    pub session_token: Option<Secret>,
}

impl Environment {
    /// The program that a shell would start under this name.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.search_path.iter().map(|folder| self.working_dir.join(folder).join(name)).find(|file| file.is_file())
    }

    /// Reads what `variables` says.
    pub fn new(
        command: Vec<String>,
        variables: &BTreeMap<String, String>,
        program: PathBuf,
        working_dir: PathBuf,
        started: std::time::Instant,
    ) -> Self {
        let text = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        let beside = || program.parent().map(PathBuf::from).unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| text(name));
        let aws_keys = text("AWS_ACCESS_KEY_ID").zip(text("AWS_SECRET_ACCESS_KEY")).map(|(id, secret)| AwsKeys {
            access_key_id: id.clone(),
            secret_access_key: Secret::new(secret),
            session_token: text("AWS_SESSION_TOKEN").map(Secret::new),
        });
        Self {
            command,
            // Absolute, since pods have working directories of their own.
            programs: text(BIN_DIR).map_or_else(beside, |folder| working_dir.join(folder)),
            root: text(ROOT).map_or_else(|| working_dir.clone(), |folder| working_dir.join(folder)),
            working_dir,
            search_path: text("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default(),
            ci: text("CI").is_some(),
            no_color: text("NO_COLOR").is_some() || text("TERM").is_some_and(|term| term == "dumb"),
            force_color: text("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            terminal: false,
            // A terminal without a locale is nearly always a UTF-8 one today; C and POSIX say that they are not.
            unicode: locale.is_none_or(|locale| locale.to_ascii_lowercase().contains("utf")),
            columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
            aws_keys,
            log: text(LOG).cloned(),
            trap: text(TRAP).and_then(|text| text.parse().ok()),
            started,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_variables_count_as_unset() {
        let check = |pairs: &[(&str, &str)]| {
            let variables = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Environment::new(vec![], &variables, "/p/crossfed".into(), "/w".into(), std::time::Instant::now())
        };
        let bare = check(&[("CI", ""), ("NO_COLOR", ""), ("AWS_ACCESS_KEY_ID", "a")]);
        assert!(!bare.ci && !bare.no_color && bare.aws_keys.is_none() && bare.unicode);
        assert_eq!((bare.programs, bare.root), ("/p".into(), "/w".into()));
        let set = check(&[
            ("CI", "1"),
            ("TERM", "dumb"),
            ("LANG", "C"),
            (BIN_DIR, "/b"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
        ]);
        assert!(set.ci && set.no_color && !set.unicode && set.aws_keys.is_some());
        assert_eq!(set.programs, PathBuf::from("/b"));
    }
}
