//! `bench sandbox`: from the start of the process to the first token that its API server signed, which is the first answer that needs the
//! issuer's key; and what it holds in memory then. It must not know what the sandbox is made of: it asks as any user does.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::{ms, row};
use crate::Environment;
use crate::cli::Bench;
use crate::environment::{BIN_DIR, ROOT};
use crate::exit::{Exit, Stop};

/// From process start; a kube-apiserver with etcd takes 3 s.
const TARGET_READY_MS: f64 = 300.0;
const TARGET_IDLE_MIB: f64 = 50.0;
/// A sandbox that is not up by then is broken.
const DEADLINE: Duration = Duration::from_secs(30);
const TOKEN: &str = "/api/v1/namespaces/default/serviceaccounts/default/token";

struct Sample {
    /// It has said what it is.
    told: Duration,
    /// It has signed a token.
    ready: Duration,
    idle_mib: f64,
}

pub(super) async fn run(options: &Bench, environment: &Environment) -> Result<Exit, Stop> {
    let mut samples = Vec::new();
    // The first warms caches and is not counted.
    for at in 0..=options.runs {
        let sample = once(environment).await.map_err(|error| Stop::new(Exit::Internal, format!("{error:#}")))?;
        if at > 0 {
            samples.push(sample);
        }
    }
    println!("sandbox: {} starts\n", samples.len());
    println!("{:<48} {:>9} {:>9} {:>9}", "", "min", "median", "max");
    row(&samples, "process start to its lines for a shell", "ms", &|sample| ms(sample.told));
    let ready = row(&samples, "process start to a token signed by its issuer", "ms", &|sample| ms(sample.ready));
    let idle = row(&samples, "memory when idle", "MiB", &|sample| sample.idle_mib);
    println!();
    super::target(ready <= TARGET_READY_MS, format!("ready within {TARGET_READY_MS} ms: {ready:.0}"));
    super::target(idle <= TARGET_IDLE_MIB, format!("idle below {TARGET_IDLE_MIB} MiB: {idle:.0}"));
    Ok(Exit::Passed)
}

async fn once(environment: &Environment) -> anyhow::Result<Sample> {
    let started = Instant::now();
    let mut child = Command::new(std::env::current_exe()?)
        .args(["sandbox", "--flavor", "eks"])
        .env(BIN_DIR, &environment.programs)
        .env(ROOT, &environment.root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let measured = tokio::time::timeout(DEADLINE, measure(&mut child, started)).await;
    if let Some(id) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        kill_process(id, Signal::INT)?;
    }
    child.wait().await?;
    measured?
}

async fn measure(child: &mut Child, started: Instant) -> anyhow::Result<Sample> {
    let id = child.id().unwrap_or_default();
    let out = child.stdout.take().ok_or_else(|| anyhow::anyhow!("its output is no pipe"))?;
    let mut lines = BufReader::new(out).lines();
    let mut kubeconfig = None;
    while let Some(line) = lines.next_line().await? {
        kubeconfig = line.strip_prefix("export KUBECONFIG=").map(PathBuf::from).or(kubeconfig);
        if line.ends_with("Ctrl-C ends it.") {
            break;
        }
    }
    let told = started.elapsed();
    let kubeconfig = kubeconfig.ok_or_else(|| anyhow::anyhow!("it named no kubeconfig"))?;
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    let client = Client::try_from(config)?;
    let body = serde_json::to_vec(&json!({"spec": {"audiences": ["sts.amazonaws.com"]}}))?;
    let request = http::Request::post(TOKEN).header(http::header::CONTENT_TYPE, "application/json").body(body)?;
    let answer: Value = client.request(request).await?;
    anyhow::ensure!(answer["status"]["token"].is_string(), "it gave no token");
    let ready = started.elapsed();
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    let kib: f64 = kib.ok_or_else(|| anyhow::anyhow!("the system does not tell its memory"))?;
    Ok(Sample { told, ready, idle_mib: kib / 1024.0 })
}
