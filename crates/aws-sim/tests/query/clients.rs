//! The field's own clients against the simulator's plain endpoint: boto3, and the `aws` command line where it stands beside
//! it. `CROSSFED_PYTHON` names a Python that can import boto3; without it these tests say that they are skipped.

#![allow(clippy::print_stdout, reason = "a test that is skipped says why")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::world::{ACCOUNT, OTHER_ACCOUNT, SUBJECT, World};

/// The interpreter, or `None` with the reason printed.
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("CROSSFED_PYTHON").map(PathBuf::from);
    if named.is_none() {
        println!("skipped: CROSSFED_PYTHON names no Python that can import boto3");
    }
    named
}

/// Runs a script of this folder to its end, against a world of its own that serves plain HTTP.
async fn run(script: &str) {
    let Some(python) = python() else { return };
    let world = World::new().await;
    // The simulator's clock stands still: ahead of what the clients write, or `sync` would find all files changed.
    world.wait(60);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must be free");
    let endpoint = format!("http://{}", listener.local_addr().expect("listener must have an address"));
    let server = tokio::spawn(axum::serve(listener, world.sim.router()).into_future());

    let file = |claims| {
        let file = tempfile::NamedTempFile::new().expect("a file must be made");
        std::fs::write(file.path(), world.token(claims)).expect("a token must be written");
        file
    };
    let (token, stranger) = (file(json!({})), file(json!({"sub": "system:serviceaccount:shop:stranger"})));
    let home = tempfile::tempdir().expect("a folder must be made");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = Command::new(&python);
    command.arg(path).env_clear().current_dir(home.path()).stdin(Stdio::null()).kill_on_drop(true);
    let pairs = [
        ("HOME", home.path().display().to_string()),
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_DEFAULT_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", world.admin.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", world.admin.secret.expose().to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_PAGER", String::new()),
        ("OTHER_ACCESS_KEY_ID", world.other_admin.access_key_id.clone()),
        ("OTHER_SECRET_ACCESS_KEY", world.other_admin.secret.expose().to_owned()),
        ("ACCOUNT", ACCOUNT.to_owned()),
        ("OTHER_ACCOUNT", OTHER_ACCOUNT.to_owned()),
        ("ISSUER", world.issuer.url.clone()),
        ("THUMBPRINT", world.issuer.thumbprint.clone()),
        ("SUBJECT", SUBJECT.to_owned()),
        ("TOKEN_FILE", token.path().display().to_string()),
        ("STRANGER_TOKEN_FILE", stranger.path().display().to_string()),
    ];
    command.envs(pairs);
    let output = tokio::time::timeout(Duration::from_secs(50), command.output()).await;
    let output = output.expect("the script must end in time").expect("the interpreter must start");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    println!("{}", text(&output.stdout));
    server.abort();

    // A secret must not come into the log by any way.
    let log = serde_json::to_string(&world.sim.requests_after(0)).expect("the log must serialise");
    assert!(log.contains("\"operation\":\"AssumeRoleWithWebIdentity\""), "{log}");
    for secret in [world.admin.secret.expose(), world.token(json!({})).as_str(), "X-Amz-Signature", "AWS4-HMAC"] {
        assert!(!log.contains(secret));
    }
}

#[tokio::test]
async fn boto3_provisions_and_reads() {
    run("boto.py").await;
}

#[tokio::test]
async fn the_command_line_provisions_and_reads() {
    run("cli.py").await;
}
