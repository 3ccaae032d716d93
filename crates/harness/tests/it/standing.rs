//! A `sandbox` in a process of its own: cluster and clouds that outlive whatever runs in them, and what stands there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use harness::journal::{Line, Undo};
use kube::Client;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use transport::{Proxy, Roots};
use trust::Secret;

use crate::places::COLLECTIONS;
use crate::run::Ended;
use crate::sandbox::Sandbox;

/// Time for the sandbox to be ready, and for each look.
const DEADLINE: Duration = Duration::from_secs(30);

/// A sandbox that stands, and a folder for whatever is started in it.
pub(crate) struct Standing {
    pub(crate) sandbox: Sandbox,
    process: Process,
    /// Its file.
    pub(crate) file: PathBuf,
    /// What its file says.
    pub(crate) pass: Value,
    desk: transport::Client,
    cluster: Client,
}

/// Killed, it cannot take its folder along.
struct Process {
    child: Child,
    folder: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        let Some(id) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) else { return };
        let _ = kill_process(id, Signal::KILL);
        let _ = waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Standing {
    pub(crate) async fn up(flags: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_crossfed"));
        let programs = PathBuf::from(env!("CARGO_BIN_EXE_crossfed")).with_file_name("");
        command.arg("sandbox").args(flags).current_dir(sandbox.path("")).env_clear().env("CROSSFED_BIN_DIR", programs);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("crossfed must start");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is a pipe")).lines();
        let said = async {
            loop {
                let line = lines.next_line().await.expect("must be read").expect("it must say where it is");
                if let Some(env) = line.strip_prefix("# In another terminal: . ") {
                    return PathBuf::from(env).with_file_name("sandbox.json");
                }
            }
        };
        let file = tokio::time::timeout(DEADLINE, said).await.expect("it must be ready in time");
        let pass: Value = serde_json::from_slice(&std::fs::read(&file).expect("its file")).expect("its file is JSON");
        let text = |name: &str| pass[name].as_str().unwrap_or_else(|| panic!("it has no {name}")).to_owned();
        let url = text("proxy");
        let (credentials, addr) = url.trim_start_matches("http://").split_once('@').expect("user and address");
        let (user, password) = credentials.split_once(':').expect("user and password");
        let addr: SocketAddr = addr.trim_end_matches('/').parse().expect("an address");
        let proxy = Proxy { addr, user: user.to_owned(), password: Secret::new(password) };
        let desk = transport::Client::new(Roots::pem(&text("root_pem")).expect("its root"), DEADLINE).through(proxy);
        let cluster = cluster::Kubeconfig::client_of(&text("kubeconfig")).await.expect("its kubeconfig");
        let folder = file.parent().expect("its file lies in its folder").to_owned();
        Self { sandbox, process: Process { child: process, folder }, file, pass, desk, cluster }
    }

    /// `crossfed` with these words, which then include this sandbox.
    pub(crate) fn crossfed(&self, words: &[&str]) -> crate::run::Invocation {
        let file = self.file.display().to_string();
        self.sandbox.crossfed(&[words, &["--sandbox", &file]].concat())
    }

    /// Takes down what a run has left.
    pub(crate) async fn cleanup(&self, run: &str) -> Ended {
        self.sandbox.crossfed(&["cleanup", run]).run().await
    }

    /// Everything that stands in both clouds and in the cluster, a line each, in order.
    pub(crate) async fn inventory(&self) -> Vec<String> {
        let answer = self.desk.get("https://sandbox.crossfed.internal/inventory").await.expect("it must answer");
        let clouds: Value = serde_json::from_slice(&answer.body).expect("an inventory is JSON");
        let lines = |cloud: &str| clouds[cloud].as_array().cloned().unwrap_or_default();
        let of_clouds = ["aws", "azure"].into_iter().flat_map(lines);
        let mut all: Vec<String> = of_clouds.map(|line| line.as_str().unwrap_or_default().to_owned()).collect();
        for path in COLLECTIONS {
            let request = http::Request::get(path).body(Vec::new()).expect("a request");
            let list: Value = self.cluster.request(request).await.expect("the API server must answer");
            let items = list["items"].as_array().cloned().unwrap_or_default();
            all.extend(items.iter().map(|item| {
                let name = |field: &str| item["metadata"][field].as_str().unwrap_or_default().to_owned();
                format!("{path} {}/{}", name("namespace"), name("name"))
            }));
        }
        all.sort();
        all
    }

    /// A signal to the sandbox itself.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.process.child.id().expect("it must still run");
        let id = Pid::from_raw(id.cast_signed()).expect("a process id is positive");
        kill_process(id, signal).expect("the signal must be sent");
    }

    /// Asks its API server for something; a patch is a merge patch.
    pub(crate) async fn kube(&self, method: http::Method, path: &str, body: &Value) -> Value {
        let kind = if method == http::Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let request = http::Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, kind);
        let body = serde_json::to_vec(body).expect("JSON");
        self.cluster.request(request.body(body).expect("a request")).await.expect("the API server must answer")
    }

    /// Its kubeconfig, in a file.
    pub(crate) fn kubeconfig(&self) -> String {
        self.sandbox.write("kubeconfig", self.pass["kubeconfig"].as_str().expect("its kubeconfig"));
        self.sandbox.path("kubeconfig").display().to_string()
    }

    /// Ends the sandbox, as Ctrl-C does. The folder stays.
    pub(crate) async fn end(mut self) -> Sandbox {
        self.signal(Signal::INT);
        tokio::time::timeout(DEADLINE, self.process.child.wait())
            .await
            .expect("it must end in time")
            .expect("it must end");
        self.sandbox
    }

    /// The private folders of a run that are there.
    pub(crate) fn private_folders(&self, run: &str) -> Vec<PathBuf> {
        let journal = self.sandbox.read(&format!("_artifacts/{run}/journal.jsonl"));
        let lines = journal.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let folders = lines.filter_map(|line| match line {
            Line::Intended { undo: Undo::Folder(folder), .. } => Some(folder.path),
            _ => None,
        });
        folders.filter(|folder| folder.exists()).collect()
    }
}
