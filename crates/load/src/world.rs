//! What the clients meet: an account with a provider, a role that trusts one service account, a bucket with objects. And the
//! requests that they send there.

use anyhow::{Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use trust::{Clock, Secret, SystemClock};

use crate::connection::{Connection, Reply};
use crate::issuer::{AUDIENCE, Issuer, SUBJECT};
use crate::process::Process;
use crate::sign::{Credentials, FORM, Signer, Unsigned, form, unsigned_form};

pub(crate) const ACCOUNT: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/reader";
const BUCKET: &str = "load";
/// How many objects are read, in turn.
const OBJECTS: u64 = 64;
/// Bytes of each.
pub(crate) const SIZE: usize = 1024;
/// An object outside of what the role may read.
pub(crate) const CLOSED: &str = "/load/closed/0";
/// How long a session lives: as long as it does by default.
pub(crate) const SESSION_SECONDS: i64 = 3600;

/// Where requests go, and at which time they are signed.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) addr: std::net::SocketAddr,
    host: String,
    /// How far its clock was moved on.
    pub(crate) ahead: SignedDuration,
}

impl Place {
    pub(crate) fn new(addr: std::net::SocketAddr) -> Place {
        Place { addr, host: addr.to_string(), ahead: SignedDuration::ZERO }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        now.saturating_add(self.ahead).unwrap_or(now)
    }

    /// The exchange of a token for a session under this name.
    pub(crate) fn exchange(&self, token: &str, session: &str) -> Vec<u8> {
        let seconds = SESSION_SECONDS.to_string();
        let mut body = form(&[
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", ROLE),
            ("RoleSessionName", session),
            ("DurationSeconds", &seconds),
        ]);
        // Base64url and dots need no encoding.
        body += "&WebIdentityToken=";
        body += token;
        unsigned_form(&self.host, &body)
    }

    /// A read of one of the objects.
    pub(crate) fn read(&self, signer: &mut Signer, number: u64) -> Vec<u8> {
        self.read_path(signer, &path(number), number)
    }

    pub(crate) fn read_path(&self, signer: &mut Signer, path: &str, number: u64) -> Vec<u8> {
        let what = Unsigned { method: "GET", path, host: &self.host, content_type: None, body: b"", number };
        signer.request(&what, self.now())
    }
}

/// Creates what there must be.
pub(crate) fn provision(process: &Process, issuer: &Issuer) -> Result<Place> {
    let place = Place::new(process.addr);
    let mut connection = Connection::new(process.addr);
    let mut iam = Signer::new(process.admin.clone(), "iam");
    let mut number = 0;
    let mut call = |parameters: &[(&str, &str)]| {
        number += 1;
        let body = form(&[&[("Version", "2010-05-08")], parameters].concat());
        let body = body.as_bytes();
        let what = Unsigned { method: "POST", path: "/", host: &place.host, content_type: Some(FORM), body, number };
        good(&connection.send(&iam.request(&what, place.now()))?, parameters[0].1)
    };
    let thumbprint = "0".repeat(40);
    call(&[
        ("Action", "CreateOpenIDConnectProvider"),
        ("Url", &issuer.url),
        ("ClientIDList.member.1", AUDIENCE),
        ("ThumbprintList.member.1", &thumbprint),
    ])?;
    call(&[("Action", "CreateRole"), ("RoleName", "reader"), ("AssumeRolePolicyDocument", &trust_policy(issuer))])?;
    let permissions = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::{BUCKET}/open/*"),
        }],
    })
    .to_string();
    call(&[
        ("Action", "PutRolePolicy"),
        ("RoleName", "reader"),
        ("PolicyName", "read"),
        ("PolicyDocument", &permissions),
    ])?;
    let mut s3 = Signer::new(process.admin.clone(), "s3");
    let mut put = |path: &str, body: &[u8], number: u64| {
        let what = Unsigned { method: "PUT", path, host: &place.host, content_type: None, body, number };
        good(&connection.send(&s3.request(&what, place.now()))?, path)
    };
    put(&format!("/{BUCKET}"), b"", 0)?;
    for number in 0..OBJECTS {
        put(&path(number), &content(number), number)?;
    }
    put(CLOSED, b"closed", OBJECTS)?;
    Ok(place)
}

fn trust_policy(issuer: &Issuer) -> String {
    let host = issuer.host();
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {format!("{host}:aud"): AUDIENCE, format!("{host}:sub"): SUBJECT}},
        }],
    })
    .to_string()
}

fn good(reply: &Reply<'_>, what: &str) -> Result<()> {
    ensure!(reply.status == 200, "{what} was answered with {}", reply.outcome());
    Ok(())
}

fn path(number: u64) -> String {
    format!("/{BUCKET}/open/{}", number % OBJECTS)
}

/// What must come back of a read.
pub(crate) fn content(number: u64) -> [u8; SIZE] {
    let seed = (number % OBJECTS) as u8;
    std::array::from_fn(|at| (at as u8).wrapping_mul(31).wrapping_add(seed))
}

/// The credentials in the answer to an exchange.
pub(crate) fn credentials(reply: &Reply<'_>) -> Result<Credentials> {
    let found = (reply.element("AccessKeyId"), reply.element("SecretAccessKey"), reply.element("SessionToken"));
    let (Some(access_key_id), Some(secret), Some(token)) = found else {
        bail!("an exchange was answered with {}", reply.outcome());
    };
    Ok(Credentials { access_key_id, secret: Secret::new(secret), session_token: Some(Secret::new(token)) })
}
