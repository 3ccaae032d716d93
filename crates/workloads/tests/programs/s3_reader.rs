//! `s3-reader` against a server of a few lines.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use trust::workload::{Line, Outcome, Stage};

use crate::lasting::{Lasting, TokenFile};

const STS: &str = r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn><AssumedRoleId>AROAX:s</AssumedRoleId></AssumedRoleUser>
<Credentials><SessionToken>canary-session</SessionToken><SecretAccessKey>canary-secret</SecretAccessKey><Expiration>2099-01-01T00:00:00Z</Expiration><AccessKeyId>ASIAEXAMPLE</AccessKeyId></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"#;

const WRONG_AUDIENCE: (u16, &str) = (
    400,
    "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>Incorrect token audience</Message></Error></ErrorResponse>",
);

/// What the server says to a token exchange and to a read. A token that says so itself is refused.
struct Answers {
    sts: (u16, &'static str),
    s3: (u16, &'static str),
}

/// A server that notes the first line of each request.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
        let url = format!("http://{}", listener.local_addr().expect("listener must have an address"));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answers, notes) = (Arc::new(answers), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, answers.clone(), notes.clone()));
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("notes must be whole").clone()
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Answers>, notes: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    // The client closes, or it does not come back: then the end of the test ends this task.
    while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if body.len() < length.and_then(|length| length.parse().ok()).unwrap_or(0) {
            continue;
        }
        let first = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
        notes.lock().expect("notes must be whole").push(first.to_owned());
        let (status, content) = match first {
            "POST /" if body.contains("WebIdentityToken=canary-refused") => WRONG_AUDIENCE,
            "POST /" => answers.sts,
            _ => answers.s3,
        };
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{content}", content.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        request.clear();
    }
}

/// The program in an environment of its own.
fn mk_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-reader"));
    command.args(["--bucket", "b", "--key", "k.txt"]).args(arguments);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true).envs([
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/r"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_MAX_ATTEMPTS", "1"),
        ("HOME", env!("CARGO_TARGET_TMPDIR")),
    ]);
    command
}

/// Runs it once with these variables besides; `{token}` in a value is the path of a token file.
async fn run(environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let token = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
        "token-{}-{:p}",
        std::process::id(),
        environment
    ));
    tokio::fs::write(&token, "canary-token").await.expect("token must be written");
    let mut command = mk_command(&[]);
    for (name, value) in environment {
        command.env(name, value.replace("{token}", &token.to_string_lossy()));
    }
    let output = tokio::time::timeout(std::time::Duration::from_secs(30), command.output()).await;
    let output = output.expect("program must end").expect("program must start");
    tokio::fs::remove_file(&token).await.expect("token must be removed");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output must be text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Runs against a server with these answers; gives the exit code, the outcome and what the server saw.
async fn outcome(answers: Answers) -> (Option<i32>, Outcome, Vec<String>) {
    let server = Server::start(answers).await;
    let (code, out, err) = run(&[("AWS_ENDPOINT_URL", &server.url), ("AWS_WEB_IDENTITY_TOKEN_FILE", "{token}")]).await;
    assert!(!out.contains("canary") && !err.contains("canary"), "a secret is shown: {out}{err}");
    assert_eq!(out.lines().count(), 1, "one line is printed: {out}");
    let line: Line = serde_json::from_str(&out).expect("the line must be JSON");
    assert_eq!(line.workload, "s3-reader");
    (code, line.outcome, server.seen())
}

#[tokio::test]
async fn reads_with_one_token_exchange() {
    let (code, outcome, seen) = outcome(Answers { sts: (200, STS), s3: (200, "abc") }).await;
    let expected = Outcome::Read {
        bucket: "b".into(),
        key: "k.txt".into(),
        bytes: 3,
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".into(),
        content_base64: "YWJj".into(),
    };
    assert_eq!((code, outcome), (Some(0), expected));
    assert_eq!(seen, ["POST /", "GET /b/k.txt?x-id=GetObject"]);
}

#[tokio::test]
async fn a_refused_exchange_is_told_with_its_code_and_nothing_is_read() {
    let (code, outcome, seen) = outcome(Answers { sts: WRONG_AUDIENCE, s3: (200, "abc") }).await;
    let expected = Outcome::Denied {
        stage: Stage::Credentials,
        service: "sts".into(),
        code: "InvalidIdentityToken".into(),
        status: Some(400),
        message: "Incorrect token audience".into(),
    };
    assert_eq!((code, outcome, seen.as_slice()), (Some(1), expected, ["POST /".to_owned()].as_slice()));
}

#[tokio::test]
async fn a_refused_read_is_told_with_its_code() {
    let refusal = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let (code, outcome, _) = outcome(Answers { sts: (200, STS), s3: (403, refusal) }).await;
    let expected = Outcome::Denied {
        stage: Stage::Read,
        service: "s3".into(),
        code: "AccessDenied".into(),
        status: Some(403),
        message: "Access Denied".into(),
    };
    assert_eq!((code, outcome), (Some(1), expected));
}

#[tokio::test]
async fn without_a_token_file_nobody_is_asked() {
    let server = Server::start(Answers { sts: (200, STS), s3: (200, "abc") }).await;
    let (code, out, _) =
        run(&[("AWS_ENDPOINT_URL", &server.url), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token")]).await;
    assert_eq!(code, Some(1));
    assert!(out.contains(r#""outcome":"failed","stage":"credentials""#) && out.contains("No such file"), "{out}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn goes_through_the_proxy_of_the_environment_by_the_real_names() {
    // The server stands for a proxy that lets nothing through.
    let proxy = Server::start(Answers { sts: (403, ""), s3: (403, "") }).await;
    let (code, out, _) = run(&[("HTTPS_PROXY", &proxy.url), ("AWS_WEB_IDENTITY_TOKEN_FILE", "{token}")]).await;
    assert_eq!(code, Some(1));
    assert!(out.contains(r#""outcome":"failed","stage":"credentials""#), "{out}");
    assert_eq!(proxy.seen(), ["CONNECT sts.eu-central-1.amazonaws.com:443"]);
}

#[tokio::test]
async fn exit_status_tells_usage_from_refusal() {
    let run = async |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3-reader"));
        let output = command.args(arguments).env_clear().output().await.expect("program must start");
        (output.status.code(), output.stdout.is_empty(), output.stderr.is_empty())
    };
    assert_eq!(run(&["--help"]).await, (Some(0), false, true));
    assert_eq!(run(&["--bucket", "b"]).await, (Some(2), true, false));
    assert_eq!(run(&["--bucket", "b", "--key", "k", "--every", "0"]).await, (Some(2), true, false));
}

#[tokio::test]
async fn with_every_it_exchanges_the_token_of_the_moment_each_time_and_outlives_a_refusal() {
    let server = Server::start(Answers { sts: (200, STS), s3: (200, "abc") }).await;
    let token = TokenFile::new("s3", "canary-first").await;
    let mut command = mk_command(&["--every", "0.02"]);
    command.env("AWS_ENDPOINT_URL", &server.url).env("AWS_WEB_IDENTITY_TOKEN_FILE", token.path());
    let mut program = Lasting::start(command);
    let read = |outcome: &Outcome| matches!(outcome, Outcome::Read { bytes: 3, .. });
    program.until(read).await;
    program.until(read).await;
    token.renew("canary-refused").await;
    program.until(|outcome| matches!(outcome, Outcome::Denied { code, .. } if code == "InvalidIdentityToken")).await;
    token.renew("canary-third").await;
    program.until(read).await;
    let exchanges = server.seen().iter().filter(|line| line.starts_with("POST")).count();
    assert!(exchanges >= program.told, "{exchanges} exchanges for {} reads", program.told);
    assert_eq!(program.end("TERM").await, Some(143));
    token.remove().await;
}

#[tokio::test]
async fn with_every_what_fails_for_want_of_settings_is_told_again_too() {
    let mut command = mk_command(&["--every", "0.02"]);
    command.env_remove("AWS_REGION");
    let mut program = Lasting::start(command);
    for _ in 0..2 {
        program.until(|outcome| matches!(outcome, Outcome::Failed { stage: Stage::Configuration, .. })).await;
    }
    assert_eq!((program.told, program.end("INT").await), (2, Some(130)));
}
