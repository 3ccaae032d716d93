//! Looks for secrets in everything that a run leaves: shapes of secrets, and values that a test knows.

use std::path::{Path, PathBuf};

use crate::run::Ended;

/// All texts of a run: what it printed and every file in its folder.
pub(crate) fn texts(ended: &Ended) -> Vec<(PathBuf, String)> {
    let mut texts = vec![("stdout".into(), ended.stdout.clone()), ("stderr".into(), ended.stderr.clone())];
    read(&ended.artifacts, &mut texts);
    texts
}

/// Fails if any text of a run has the shape of a secret, or holds one of these.
#[track_caller]
pub(crate) fn assert_none(ended: &Ended, known: &[&str]) {
    let texts = texts(ended);
    for wanted in ["events.jsonl", "journal.jsonl", "requests.jsonl", "report.json"] {
        assert!(texts.iter().any(|(name, _)| name.ends_with(wanted)), "{wanted} must be among what is looked at");
    }
    for (name, text) in texts {
        // Whoever asks for a trace sees which key signed a request: an id is no secret, but it has no place in what a run leaves.
        let found = shape(&text).filter(|found| *found != KEY_ID || name != Path::new("stderr"));
        if let Some(found) = found {
            panic!("{} holds {found}", name.display());
        }
        if let Some(at) = known.iter().position(|secret| text.contains(secret)) {
            panic!("{} holds secret {at}", name.display());
        }
    }
}

fn read(folder: &Path, texts: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder of artifacts must be read") {
        let path = entry.expect("an entry must be read").path();
        if path.is_dir() {
            read(&path, texts);
        } else {
            let bytes = std::fs::read(&path).expect("an artifact must be read");
            texts.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
}

const KEY_ID: &str = "the id of an access key";

/// What a text holds that no text may hold.
fn shape(text: &str) -> Option<&'static str> {
    let in_jwt = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_jwt = |word: &str| {
        let parts: Vec<&str> = word.split('.').collect();
        word.starts_with("eyJ") && parts.len() == 3 && parts[1].starts_with("eyJ") && parts[2].len() >= 20
    };
    let is_key_id = |word: &str| (word.starts_with("ASIA") || word.starts_with("AKIA")) && word.len() == 20;
    let has_password = |word: &str| {
        word.split_once("://").is_some_and(|(_, rest)| {
            rest.split('/').next().is_some_and(|host| host.contains('@') && !host.contains("redacted"))
        })
    };
    if text.contains("-----BEGIN") || text.contains("LS0tLS1CRUdJTi") {
        Some("something in PEM")
    } else if text.split(|c| !in_jwt(c)).any(is_jwt) {
        Some("a signed token")
    } else if text.split(|c: char| !c.is_ascii_alphanumeric()).any(is_key_id) {
        Some(KEY_ID)
    } else if text.split(|c: char| c.is_whitespace() || c == '"').any(has_password) {
        Some("a password in a URL")
    } else {
        None
    }
}

#[test]
fn what_must_not_be_there_would_be_found() {
    let check = |text: &str, expected: Option<&str>| assert_eq!(shape(text), expected, "{text}");
    check("-----BEGIN PRIVATE KEY-----", Some("something in PEM"));
    check("client-key-data: LS0tLS1CRUdJTiBQUklW", Some("something in PEM"));
    check(r#"{"token":"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"}"#, Some("a signed token"));
    check("eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.<redacted>", None);
    check("Credential=ASIAQWERTYUIOPASDFGH/2026", Some(KEY_ID));
    check("HTTPS_PROXY=http://pod:0123456789abcdef@127.0.0.1:1", Some("a password in a URL"));
    check("https://github.com/a/b@v1", None);
}
