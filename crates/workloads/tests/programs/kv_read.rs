//! `kv-read` by the real host names, through a proxy that leads them to a server of a few lines.

mod place;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;
use transport::Authority;
use trust::SystemClock;
use trust::workload::{Line, Outcome, Stage};

use self::place::{Answers, GOOD, NO_MATCH, Place, TENANT, VAULT};
use crate::lasting::{Lasting, TokenFile};

/// The program in an environment of its own.
fn mk_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kv-read"));
    command.args(["--vault-url", &format!("https://{VAULT}"), "--secret", "test-file"]).args(arguments);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true).envs([
        ("AZURE_CLIENT_ID", "22222222-2222-2222-2222-222222222222"),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/"),
    ]);
    command
}

/// Runs it once with these variables besides; `{token}` in a value is the path of a token file.
async fn run(name: &str, environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let token = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kv-token-{}-{name}", std::process::id()));
    tokio::fs::write(&token, "canary-token").await.expect("token must be written");
    let mut command = mk_command(&[]);
    for (name, value) in environment {
        command.env(name, value.replace("{token}", &token.to_string_lossy()));
    }
    let output = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let output = output.expect("program must end").expect("program must start");
    tokio::fs::remove_file(&token).await.expect("token must be removed");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output must be text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs against a place with these answers; gives the exit code, the outcome and what was seen.
async fn outcome(name: &str, answers: Answers) -> (Option<i32>, Outcome, Vec<String>) {
    let place = Place::up(name, answers).await;
    let root = place.root.to_string_lossy().into_owned();
    let (code, out, err) = run(
        name,
        &[("HTTPS_PROXY", &place.proxy), ("SSL_CERT_FILE", &root), ("AZURE_FEDERATED_TOKEN_FILE", "{token}")],
    )
    .await;
    assert!(!out.contains("canary") && !err.contains("canary"), "a secret is shown: {out}{err}");
    assert_eq!(out.lines().count(), 1, "one line is printed: {out}");
    let line: Line = serde_json::from_str(&out).expect("the line must be JSON");
    assert_eq!(line.workload, "kv-read");
    (code, line.outcome, place.down().await)
}

fn denied(stage: Stage, service: &str, code: &str, status: u16, message: &str) -> Outcome {
    Outcome::Denied { stage, service: service.into(), code: code.into(), status: Some(status), message: message.into() }
}

#[tokio::test]
async fn answers_the_challenge_and_reads_by_the_real_names_through_proxy_and_root_of_the_environment() {
    let (code, outcome, seen) = outcome("read", GOOD).await;
    let expected = Outcome::Read {
        bucket: "cf-r1".into(),
        key: "test-file".into(),
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
        content_base64: "YWJj".into(),
    };
    assert_eq!((code, outcome), (Some(0), expected));
    assert_eq!(
        seen,
        [
            "CONNECT cf-r1.vault.azure.net:443",
            "GET cf-r1.vault.azure.net/secrets/test-file/",
            "CONNECT login.microsoftonline.com:443",
            "POST login.microsoftonline.com/11111111-1111-1111-1111-111111111111/oauth2/v2.0/token",
            "GET cf-r1.vault.azure.net/secrets/test-file/",
        ]
    );
}

#[tokio::test]
async fn a_refused_exchange_is_told_with_its_code_and_nothing_is_read() {
    let (code, outcome, seen) = outcome("exchange", Answers { entra: NO_MATCH, ..GOOD }).await;
    let expected = denied(
        Stage::Credentials,
        "entra",
        "AADSTS700213",
        401,
        "AADSTS700213: No matching federated identity record found. Trace ID: t",
    );
    assert_eq!((code, outcome), (Some(1), expected));
    assert_eq!(seen.iter().filter(|line| line.starts_with("GET")).count(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_refused_read_is_told_with_the_code_that_tells() {
    let check = async |name: &str, answer: (u16, &'static str), expected: Outcome| {
        let (code, outcome, _) = outcome(name, Answers { vault: answer, ..GOOD }).await;
        assert_eq!((code, outcome), (Some(1), expected));
    };
    let rbac = r#"{"error":{"code":"Forbidden","message":"Caller is not authorized to perform action on resource.\r\nCaller: appid=a","innererror":{"code":"ForbiddenByRbac"}}}"#;
    let words = "Caller is not authorized to perform action on resource.\r\nCaller: appid=a";
    check("rbac", (403, rbac), denied(Stage::Read, "keyvault", "ForbiddenByRbac", 403, words)).await;
    let missing = r#"{"error":{"code":"SecretNotFound","message":"A secret with (name/id) test-file was not found in this key vault."}}"#;
    let words = "A secret with (name/id) test-file was not found in this key vault.";
    check("missing", (404, missing), denied(Stage::Read, "keyvault", "SecretNotFound", 404, words)).await;
}

#[tokio::test]
async fn a_challenge_for_another_domain_gets_no_token() {
    let challenge =
        r#"Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.example.net""#;
    let (code, outcome, seen) = outcome("challenge", Answers { challenge, ..GOOD }).await;
    let Outcome::Failed { stage: Stage::Read, message } = outcome else { panic!("must fail: {outcome:?}") };
    assert!(message.contains("doesn't match the requested domain"), "{message}");
    assert_eq!((code, seen.iter().any(|line| line.contains("POST"))), (Some(1), false));
}

#[tokio::test]
async fn an_ailing_vault_is_asked_three_times_and_soon_given_up() {
    let started = Instant::now();
    let busy = (503, r#"{"error":{"code":"ServiceUnavailable","message":"later"}}"#);
    let (code, outcome, seen) = outcome("busy", Answers { vault: busy, ..GOOD }).await;
    let expected =
        Outcome::Failed { stage: Stage::Read, message: "keyvault answered 503 ServiceUnavailable: later".into() };
    assert_eq!((code, outcome), (Some(1), expected));
    // The first without a token.
    assert_eq!(seen.iter().filter(|line| line.starts_with("GET")).count(), 4, "{seen:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn trusts_only_the_roots_of_the_environment() {
    let place = Place::up("roots", GOOD).await;
    let other = Authority::generate("other", &SystemClock).expect("authority must generate");
    tokio::fs::write(&place.root, other.root_pem()).await.expect("root must be written");
    let root = place.root.to_string_lossy().into_owned();
    let (code, out, _) = run(
        "roots",
        &[("HTTPS_PROXY", &place.proxy), ("SSL_CERT_FILE", &root), ("AZURE_FEDERATED_TOKEN_FILE", "{token}")],
    )
    .await;
    assert_eq!(code, Some(1));
    assert!(out.contains(r#""outcome":"failed","stage":"read""#) && out.contains("certificate"), "{out}");
    assert!(place.down().await.iter().all(|line| line.starts_with("CONNECT")));
}

#[tokio::test]
async fn without_a_token_file_nobody_is_asked() {
    let check = async |name: &str, file: &[(&str, &str)], words: &str| {
        let place = Place::up(name, GOOD).await;
        let mut environment = vec![("HTTPS_PROXY", place.proxy.as_str())];
        environment.extend(file);
        let (code, out, _) = run(name, &environment).await;
        assert_eq!(code, Some(1));
        assert!(out.contains(r#""outcome":"failed","stage":"credentials""#) && out.contains(words), "{out}");
        assert!(place.down().await.is_empty());
    };
    check("nowhere", &[("AZURE_FEDERATED_TOKEN_FILE", "/nowhere/token")], "No such file").await;
    check("unset", &[], "no token file specified").await;
}

#[tokio::test]
async fn exit_status_tells_usage_from_refusal() {
    let run = async |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_kv-read"))
            .args(arguments)
            .env_clear()
            .output()
            .await
            .expect("program must start");
        (output.status.code(), output.stdout.is_empty(), output.stderr.is_empty())
    };
    assert_eq!(run(&["--help"]).await, (Some(0), false, true));
    assert_eq!(run(&["--secret", "s"]).await, (Some(2), true, false));
    let every = ["--vault-url", "https://cf-r1.vault.azure.net", "--secret", "s", "--every", "x"];
    assert_eq!(run(&every).await, (Some(2), true, false));
    assert_eq!(run(&["--vault-url", "http://cf-r1.vault.azure.net", "--secret", "s"]).await, (Some(1), false, false));
}

#[tokio::test]
async fn with_every_it_exchanges_the_token_of_the_moment_each_time_and_outlives_a_refusal() {
    let place = Place::up("every", GOOD).await;
    let token = TokenFile::new("kv", "canary-first").await;
    let mut command = mk_command(&["--every", "0.02"]);
    command.env("HTTPS_PROXY", &place.proxy).env("SSL_CERT_FILE", &place.root);
    command.env("AZURE_FEDERATED_TOKEN_FILE", token.path());
    let mut program = Lasting::start(command);
    let read = |outcome: &Outcome| matches!(outcome, Outcome::Read { bytes: 3, .. });
    program.until(read).await;
    program.until(read).await;
    token.renew("canary-refused").await;
    program.until(|outcome| matches!(outcome, Outcome::Denied { code, .. } if code == "AADSTS700213")).await;
    token.renew("canary-third").await;
    program.until(read).await;
    let told = program.told;
    assert_eq!(program.end("TERM").await, Some(143));
    token.remove().await;
    let exchanges = place.down().await.iter().filter(|line| line.starts_with("POST")).count();
    assert!(exchanges >= told, "{exchanges} exchanges for {told} reads");
}
