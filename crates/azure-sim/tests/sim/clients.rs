//! The field's own clients against the simulator: azure-identity, azure-keyvault-secrets and azure-mgmt-* for Python, and `az`.
//! `CROSSFED_PYTHON` names a Python that can import them, `CROSSFED_AZ` the command line; without one its tests say that
//! they are skipped.

#![allow(clippy::print_stdout, reason = "a test that is skipped says why")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use azure_sim::AzureSimOptions;
use serde_json::json;
use tokio::process::Command;

use crate::doors::Doors;
use crate::world::{AUDIENCE, SUBJECT, World};

/// The program, or `None` with the reason printed.
fn program(variable: &str, what: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    if named.is_none() {
        println!("skipped: {variable} names no {what}");
    }
    named
}

/// Runs a script of this folder to its end, against a world of its own.
async fn run(python: &Path, script: &str, more: &[(&str, String)]) {
    let options = AzureSimOptions { retry_after: 1, ..AzureSimOptions::default() };
    let world = World::with_options(Duration::from_secs(5), &options).await;
    let doors = Doors::open(&world.sim, &world.authority).await;
    let other = world.sim.create_subscription(uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let home = tempfile::tempdir().expect("a folder must be made");
    let tokens = [
        ("TOKEN_FILE", json!({})),
        ("STRANGER_TOKEN_FILE", json!({"sub": "system:serviceaccount:shop:stranger"})),
        ("OTHER_AUDIENCE_TOKEN_FILE", json!({"aud": "sts.amazonaws.com"})),
    ];
    let mut canaries = vec![world.admin.client_secret.expose().to_owned(), world.bearer.clone()];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = Command::new(python);
    command.arg(path).env_clear().current_dir(home.path()).stdin(Stdio::null()).kill_on_drop(true);
    for (name, claims) in tokens {
        let file = home.path().join(name);
        let token = world.assertion(claims);
        std::fs::write(&file, &token).expect("a token must be written");
        command.env(name, file);
        canaries.push(token);
    }
    command.envs([
        ("HOME", home.path().display().to_string()),
        ("HTTPS_PROXY", format!("http://{}", doors.proxy)),
        ("NO_PROXY", "localhost".to_owned()),
        ("REQUESTS_CA_BUNDLE", doors.root.display().to_string()),
        ("AZURE_TENANT_ID", world.admin.tenant.to_string()),
        ("AZURE_CLIENT_ID", world.admin.client_id.to_string()),
        ("AZURE_CLIENT_SECRET", world.admin.client_secret.expose().to_owned()),
        ("AZURE_SUBSCRIPTION_ID", world.admin.subscription.to_string()),
        ("ADMIN_OBJECT_ID", world.admin.object_id.to_string()),
        ("OTHER_TENANT_ID", other.tenant.to_string()),
        ("OTHER_SUBSCRIPTION_ID", other.subscription.to_string()),
        ("ISSUER", world.issuer.url.clone()),
        ("SUBJECT", SUBJECT.to_owned()),
        ("AUDIENCE", AUDIENCE.to_owned()),
        // It would lie beside the scripts.
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("LOCAL_AUTHORITY", doors.endpoints.authority()),
        ("LOCAL_MANAGER", doors.endpoints.manager()),
        ("LOCAL_VAULT", doors.endpoints.vault("NAME")),
    ]);
    command.envs(more.iter().cloned());
    let output = tokio::time::timeout(Duration::from_secs(100), command.output()).await;
    let output = output.expect("the script must end in time").expect("the interpreter must start");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    println!("{}", text(&output.stdout));

    // A secret must not come into the log by any way.
    let log = serde_json::to_string(&world.sim.requests_after(0)).expect("the log must serialise");
    assert!(log.contains("\"operation\":\"Token\"") && log.contains("\"operation\":\"GetSecret\""), "{log}");
    canaries.push("canary".to_owned());
    for canary in canaries {
        assert!(!log.contains(&canary));
    }
}

#[tokio::test]
async fn the_sdk_provisions_and_reads() {
    let Some(python) = program("CROSSFED_PYTHON", "Python that can import azure-identity and its like") else { return };
    run(&python, "sdk.py", &[]).await;
}

/// `az` is a Python program of its own, and so is the script that calls it.
async fn run_az(cloud: &str, more: &[(&str, String)]) {
    let Some(az) = program("CROSSFED_AZ", "Azure command line") else { return };
    let python = az.with_file_name("python");
    let python = if python.exists() { python } else { PathBuf::from("python3") };
    let path = std::env::var_os("PATH").unwrap_or_default().to_string_lossy().into_owned();
    let usual = [("AZ", az.display().to_string()), ("CLOUD", cloud.to_owned()), ("PATH", path)];
    run(&python, "cli.py", &[&usual[..], more].concat()).await;
}

#[tokio::test]
async fn the_command_line_provisions_and_reads() {
    run_az("AzureCloud", &[]).await;
}

#[tokio::test]
async fn the_command_line_goes_by_a_registered_cloud() {
    // Not every system's resolver knows the names under `localhost`.
    let patch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/resolver");
    let more = [("PYTHONPATH", patch.display().to_string()), ("NO_PROXY", "localhost,.localhost".to_owned())];
    run_az("Simulated", &more).await;
}
