//! Builds the programs of the workspace and says where they are.
//!
//! A build that finds all up to date says nothing. One that takes longer says so once, and shows cargo's own progress to a person at a terminal.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo;

/// How long a build may be silent.
const PATIENCE: Duration = Duration::from_millis(1500);

/// The programs of one build, by name.
#[derive(Debug)]
pub(crate) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Builds all programs of the workspace but this one, which runs, and the fuzzer and the load, which no run needs.
    ///
    /// # Errors
    /// When cargo fails. Its own words are on stderr by then.
    pub(crate) fn build() -> Result<Programs> {
        Programs::build_these(&[
            "--workspace",
            "--exclude",
            "xtask",
            "--exclude",
            "fuzz",
            "--exclude",
            "load",
            "--bins",
        ])
    }

    /// Builds the fuzzer alone, from the same dependencies.
    ///
    /// # Errors
    /// As [`Programs::build`].
    pub(crate) fn build_fuzzer() -> Result<Programs> {
        Programs::build_these(&["--workspace", "--exclude", "xtask", "--bin", "crossfed-fuzz"])
    }

    /// Builds the load on the simulated clouds, in release. It alone is built so, and by itself: the one exception to `--workspace`. Nothing else is
    /// built in this profile that could share its dependencies, and the whole workspace would be a quarter of an hour of cloud SDKs.
    ///
    /// # Errors
    /// As [`Programs::build`].
    pub(crate) fn build_load() -> Result<Programs> {
        Programs::build_these(&["--release", "--package", "load"])
    }

    fn build_these(which: &[&str]) -> Result<Programs> {
        let mut command = cargo::cargo();
        command
            .arg("build")
            .args(which)
            .arg("--message-format=json-render-diagnostics")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let terminal = stderr().is_terminal();
        if terminal {
            show_progress(&mut command);
        } else {
            command.arg("--quiet"); // errors only
        }
        let mut child = command.spawn().context("cannot start cargo")?;

        let mut messages = child.stdout.take().context("cargo has no stdout")?;
        let messages = thread::spawn(move || {
            let mut text = String::new();
            messages.read_to_string(&mut text).map(|_| text)
        });
        let mut errors = child.stderr.take().context("cargo has no stderr")?;
        let (sender, chunks) = channel();
        thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = errors.read(&mut chunk) {
                if sender.send(chunk[..length].to_vec()).is_err() {
                    break;
                }
            }
        });

        let held = listen(&chunks, terminal);
        let status = child.wait().context("cannot wait for cargo")?;
        if !status.success() {
            stderr().write_all(&held)?;
            bail!("the programs do not build");
        }
        let Ok(messages) = messages.join() else {
            bail!("reading cargo's messages failed");
        };
        Programs::from_messages(&messages.context("cannot read cargo's messages")?)
    }

    /// From the lines that `cargo build --message-format=json` writes to stdout.
    fn from_messages(text: &str) -> Result<Programs> {
        let mut programs = BTreeMap::new();
        for line in text.lines() {
            let message: Value =
                serde_json::from_str(line).with_context(|| format!("cargo's message is not JSON: {line}"))?;
            if message["reason"] != "compiler-artifact" {
                continue;
            }
            let target = &message["target"];
            let is_program = target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
            if let (true, Some(name), Some(path)) =
                (is_program, target["name"].as_str(), message["executable"].as_str())
            {
                programs.insert(name.to_owned(), PathBuf::from(path));
            }
        }
        Ok(Programs(programs))
    }

    /// Where the program is, and the folder of all.
    ///
    /// # Errors
    /// When no crate of the workspace has a program of this name.
    pub(crate) fn find(&self, name: &str) -> Result<(&Path, &Path)> {
        let Some(path) = self.0.get(name) else {
            let known: Vec<_> = self.0.keys().map(String::as_str).collect();
            bail!("no crate of the workspace has a program `{name}`; it has: [{}]", known.join(", "));
        };
        let folder = path.parent().with_context(|| format!("{} has no folder", path.display()))?;
        Ok((path, folder))
    }
}

/// Cargo draws no bar into a pipe unless told to, and then must be told how wide.
fn show_progress(command: &mut Command) {
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "80");
    if std::env::var_os("NO_COLOR").is_none() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
        command.env("CARGO_TERM_COLOR", "always");
    }
}

/// Takes what cargo writes to stderr until it ends. Gives back what was not shown.
fn listen(chunks: &Receiver<Vec<u8>>, terminal: bool) -> Vec<u8> {
    let start = Instant::now();
    let mut held = Vec::new();
    loop {
        match chunks.recv_timeout(PATIENCE.saturating_sub(start.elapsed())) {
            Ok(chunk) => held.extend(chunk),
            Err(RecvTimeoutError::Disconnected) => return held,
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    eprintln!("building (first time: some minutes)…");
    for chunk in chunks {
        held.extend(chunk);
        if terminal && stderr().write_all(&held).is_ok() {
            held.clear();
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"harness"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["custom-build"],"name":"build-script-build"},"executable":null}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"crossfed"},"executable":"/t/debug/crossfed"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"s3-reader"},"executable":"/t/debug/s3-reader"}
{"reason":"compiler-artifact","target":{"kind":["example"],"name":"demo"},"executable":"/t/debug/examples/demo"}
{"reason":"build-finished","success":true}
"#;

    #[test]
    fn finds_the_programs_in_what_cargo_says() {
        let programs = Programs::from_messages(MESSAGES).expect("the messages must be read");
        let (path, folder) = programs.find("crossfed").expect("crossfed must be there");
        assert_eq!(path, Path::new("/t/debug/crossfed"));
        assert_eq!(folder, Path::new("/t/debug"));
    }

    #[test]
    fn names_the_programs_there_are_when_one_is_missing() {
        let programs = Programs::from_messages(MESSAGES).expect("the messages must be read");
        let check = |name: &str| {
            let error = programs.find(name).expect_err("must not be found");
            assert!(error.to_string().contains("[crossfed, s3-reader]"), "{error}");
        };
        check("demo");
        check("kv-read");
    }

    #[test]
    fn rejects_output_that_is_not_cargos() {
        assert!(Programs::from_messages("Compiling…").is_err());
    }

    #[test]
    fn a_quick_build_is_silent_and_its_words_are_kept() {
        let (sender, chunks) = channel();
        sender.send(b"error: ".to_vec()).expect("must be sent");
        sender.send(b"no".to_vec()).expect("must be sent");
        drop(sender);
        assert_eq!(listen(&chunks, true), b"error: no");
    }
}
