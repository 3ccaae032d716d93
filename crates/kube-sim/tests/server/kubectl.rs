//! The real `kubectl`, as people call it. Where there is none, these tests say so and check nothing.
#![allow(clippy::print_stdout, reason = "a test that is skipped says why")]

mod changing;
mod many;
mod reading;
mod running;

use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::node;
use crate::support::Cluster;

/// A cluster with a node, and `kubectl` set up for it.
struct Kubectl {
    cluster: Cluster,
    home: PathBuf,
}

impl Kubectl {
    /// Nothing when there is no `kubectl`.
    async fn start() -> Option<Self> {
        let mut found = Command::new("kubectl");
        found.args(["version", "--client"]).stdout(Stdio::null()).stderr(Stdio::null());
        if !found.status().await.is_ok_and(|status| status.success()) {
            println!("skipped: there is no kubectl on the PATH");
            return None;
        }
        let cluster = Cluster::start().await;
        let port = cluster.log_endpoint("hello from the node\n").await;
        node::start(&cluster, port).await;
        let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(uuid::Uuid::new_v4().to_string());
        std::fs::create_dir_all(&home).expect("must be made");
        std::fs::write(home.join("config"), cluster.server.kubeconfig()).expect("must be written");
        Some(Self { cluster, home })
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new("kubectl");
        command.args(split(words)).env("KUBECONFIG", self.home.join("config")).env("HOME", &self.home);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    /// What it prints; it must succeed.
    async fn run(&self, words: &str) -> String {
        let output = self.command(words).output().await.expect("must run");
        read(words, output)
    }

    /// What it prints on failing.
    async fn refused(&self, words: &str) -> String {
        let output = self.command(words).output().await.expect("must run");
        assert!(!output.status.success(), "{words}: {output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    /// With a text as its input.
    async fn feed(&self, words: &str, input: &str) -> String {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().expect("must run");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(input.as_bytes()).await.expect("must be written");
        drop(pipe);
        read(words, child.wait_with_output().await.expect("must end"))
    }

    fn begin(&self, words: &str) -> Child {
        self.command(words).spawn().expect("must run")
    }

    async fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.run(words).await).expect("must be JSON")
    }

    async fn stop(self) {
        std::fs::remove_dir_all(&self.home).expect("must be removed");
        self.cluster.stop().await;
    }
}

/// Words of a command line; quotes hold those with blanks together.
fn split(words: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut is_quoted = false;
    for letter in words.chars() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => all.push(String::new()),
            other => all.last_mut().expect("never empty").push(other),
        }
    }
    all
}

fn read(words: &str, output: Output) -> String {
    assert!(output.status.success(), "kubectl {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("must be text")
}
