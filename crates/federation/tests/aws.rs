//! The whole of it against the simulated AWS over TLS: create, look, create again, take away, look again.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say what it missed")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sim::{AwsSim, AwsSimConfig};
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use federation::aws::{
    Access, ApplyError, Clients, Consistency, Desired, HttpStack, Kind, Scope, Tags, Undo, Undone, Wire, create,
    create_journaled, inventory, stages, undo, undo_unconfirmed,
};
use federation::{Ledger, LedgerError};
use futures::future::join_all;
use transport::{Authority, Client, Roots, Server};
use trust::{AccountId, Secret, SystemClock};

const ACCOUNT: &str = "123456789012";

/// A simulated account and the way to it.
struct Place {
    sim: AwsSim,
    server: Server,
    http: HttpStack,
}

impl Place {
    async fn up() -> Self {
        Self::behind(|router| router).await
    }

    /// With something between the clients and the simulator.
    async fn behind(between: impl FnOnce(Router) -> Router) -> Self {
        let authority = Authority::generate("aws", &SystemClock).expect("authority must generate");
        let roots = Roots::of(&authority).expect("root must be taken");
        let sim = AwsSim::new(AwsSimConfig {
            clock: Arc::new(SystemClock),
            issuers: Client::new(roots, Duration::from_secs(5)),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
        let identity = authority.server_identity(&["127.0.0.1"]).expect("identity must be issued");
        let server = Server::tls(listener, identity, between(sim.router())).expect("server must start");
        let wire = Wire { proxy_url: None, root_pem: authority.root_pem().to_owned() };
        Self { sim, server, http: HttpStack::new(Some(&wire)).expect("wire must be taken") }
    }

    fn clients(&self, account: &str, region: &str) -> Clients {
        let account: AccountId = account.parse().expect("account must parse");
        let admin = self.sim.create_account(account.clone());
        self.clients_with(account, region, admin.access_key_id, admin.secret_access_key)
    }

    fn clients_with(
        &self,
        account: AccountId,
        region: &str,
        access_key_id: String,
        secret_access_key: Secret,
    ) -> Clients {
        let access = Access {
            account,
            region: region.to_owned(),
            access_key_id,
            secret_access_key,
            session_token: None,
            endpoint: Some(format!("https://{}", self.server.addr())),
            consistency: Consistency::Immediate,
        };
        Clients::new(&access, &self.http)
    }
}

/// A ledger in memory: the undo of each entry, and how it ended.
#[derive(Default)]
struct Notes(Mutex<Vec<(Undo, &'static str)>>);

impl Notes {
    fn close(&self, entry: u64, end: &'static str) -> Result<(), LedgerError> {
        let mut notes = self.0.lock().map_err(|_| LedgerError::new("poisoned"))?;
        let index = usize::try_from(entry).map_err(LedgerError::new)?;
        notes[index].1 = end;
        Ok(())
    }

    fn entries(&self) -> Vec<(Undo, &'static str)> {
        self.0.lock().expect("notes must be whole").clone()
    }
}

impl Ledger<Undo> for Notes {
    fn intend(&self, _: &str, undo: &Undo) -> Result<u64, LedgerError> {
        let mut notes = self.0.lock().map_err(|_| LedgerError::new("poisoned"))?;
        notes.push((undo.clone(), "open"));
        Ok(notes.len() as u64 - 1)
    }
    fn done(&self, entry: u64) -> Result<(), LedgerError> {
        self.close(entry, "done")
    }
    fn failed(&self, entry: u64, _: &str) -> Result<(), LedgerError> {
        self.close(entry, "failed")
    }
}

fn tags() -> Tags {
    Tags::new("r-1", "2099-01-01T00:00:00Z")
}

fn wanted() -> Vec<Desired> {
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::crossfed-r-1/*"}]}"#;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/h.example/t/g/"},
        "Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"h.example/t/g/:sub":"system:serviceaccount:demo:reader"}}}]}"#;
    vec![
        Desired::Attachment {
            role: "crossfed-r-1".into(),
            policy_arn: format!("arn:aws:iam::{ACCOUNT}:policy/crossfed-r-1-read"),
        },
        Desired::Object { bucket: "crossfed-r-1".into(), key: "dir/test file.txt".into(), body: b"hello".to_vec() },
        Desired::Bucket { name: "crossfed-r-1".into() },
        Desired::OidcProvider {
            url: "https://h.example/t/g/".parse().expect("issuer must parse"),
            client_ids: vec!["sts.amazonaws.com".into()],
            thumbprints: vec!["a9993e364706816aba3e25717850c26c9cd0d89d".parse().expect("thumbprint must parse")],
        },
        Desired::Policy { name: "crossfed-r-1-read".into(), document: policy.into() },
        Desired::Role { name: "crossfed-r-1".into(), trust_policy: trust.into(), max_session_seconds: Some(3600) },
    ]
}

/// Creates everything, round by round, each round at once.
async fn apply(clients: &Clients, notes: &Notes) -> Vec<Result<u64, ApplyError>> {
    let mut results = Vec::new();
    for round in stages(wanted()) {
        let tags = tags();
        results.extend(join_all(round.iter().map(|one| create_journaled(clients, one, &tags, notes))).await);
    }
    results
}

async fn seen(clients: &Clients) -> Vec<String> {
    let items = inventory(clients, &Scope::Account).await.expect("inventory must be taken");
    items.into_iter().map(|item| format!("{} {}", item.kind, item.id)).collect()
}

#[tokio::test]
async fn what_was_created_is_seen_and_taking_it_away_leaves_the_account_as_it_was() {
    let place = Place::up().await;
    for region in ["eu-central-1", "us-east-1"] {
        let clients = place.clients(ACCOUNT, region);
        let notes = Notes::default();
        let before = seen(&clients).await;
        for result in apply(&clients, &notes).await {
            result.expect("creation must succeed");
        }
        let after = seen(&clients).await;
        let new: Vec<_> = after.iter().filter(|item| !before.contains(item)).cloned().collect();
        insta::allow_duplicates! {
            insta::assert_snapshot!(new.join("\n"), @r"
            OIDC provider arn:aws:iam::123456789012:oidc-provider/h.example/t/g/
            role arn:aws:iam::123456789012:role/crossfed-r-1
            policy arn:aws:iam::123456789012:policy/crossfed-r-1-read
            attachment crossfed-r-1 arn:aws:iam::123456789012:policy/crossfed-r-1-read
            bucket crossfed-r-1
            object crossfed-r-1/dir/test file.txt
            ");
        }
        assert!(notes.entries().iter().all(|(_, end)| *end == "done"));

        for (entry, _) in notes.entries().iter().rev() {
            assert_eq!(undo(&clients, entry).await.expect("undo must succeed"), Undone::Deleted, "{entry}");
        }
        assert_eq!(seen(&clients).await, before);
        for (entry, _) in notes.entries().iter().rev() {
            let again = undo(&clients, entry).await.expect("a second undo must succeed");
            // IAM documents DeleteOpenIDConnectProvider as idempotent: it does not tell.
            if !matches!(entry, Undo::OidcProvider { .. }) {
                assert_eq!(again, Undone::AlreadyGone, "{entry}");
            }
        }
    }
    place.server.stop().await;
}

#[tokio::test]
async fn what_is_there_is_neither_adopted_nor_deleted() {
    let place = Place::up().await;
    for region in ["eu-central-1", "us-east-1"] {
        let clients = place.clients(ACCOUNT, region);
        let first = Notes::default();
        assert!(apply(&clients, &first).await.iter().all(Result::is_ok));
        let before = seen(&clients).await;

        for one in wanted().iter().filter(|one| !matches!(one, Desired::Attachment { .. })) {
            let second = Notes::default();
            match create_journaled(&clients, one, &tags(), &second).await {
                Err(ApplyError::Provision(error)) => {
                    assert_eq!((error.kind, error.retryable), (Kind::Exists, false), "{error}");
                    assert!(error.to_string().contains("not this run's"), "{error}");
                }
                other => panic!("{one:?} must be refused, gave {other:?}"),
            }
            assert_eq!(second.entries()[0].1, "failed", "nothing is left to undo");
        }
        assert_eq!(seen(&clients).await, before);
        for (entry, _) in first.entries().iter().rev() {
            undo(&clients, entry).await.expect("undo must succeed");
        }
    }
    place.server.stop().await;
}

#[tokio::test]
async fn an_open_entry_is_undone_only_for_the_run_that_made_the_thing() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let notes = Notes::default();
    assert!(apply(&clients, &notes).await.iter().all(Result::is_ok));
    let before = seen(&clients).await;

    for (entry, _) in notes.entries().iter().rev() {
        let other = undo_unconfirmed(&clients, entry, "r-2").await.expect("owner must be read");
        assert_eq!(other, Undone::NotOurs, "{entry}");
    }
    assert_eq!(seen(&clients).await, before);
    for (entry, _) in notes.entries().iter().rev() {
        let ours = undo_unconfirmed(&clients, entry, "r-1").await.expect("undo must succeed");
        assert_eq!(ours, Undone::Deleted, "{entry}");
    }
    for (entry, _) in notes.entries().iter().rev() {
        let gone = undo_unconfirmed(&clients, entry, "r-1").await.expect("undo must succeed");
        assert_eq!(gone, Undone::AlreadyGone, "{entry}");
    }
    place.server.stop().await;
}

/// Does every write, and loses the answer to every other one.
fn losing_answers(router: Router) -> Router {
    let lose = Arc::new(AtomicBool::new(false));
    router.layer(from_fn(move |request: Request, next: Next| {
        let writes = request.method() != "GET" && request.method() != "HEAD";
        let lost = writes && !lose.fetch_xor(true, Ordering::SeqCst);
        async move {
            let answer = next.run(request).await;
            if lost { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { answer }
        }
    }))
}

#[tokio::test]
async fn what_a_lost_answer_created_is_known_again_and_another_run_s_is_not_taken() {
    let place = Place::behind(losing_answers).await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let lone = |one: &Desired| !matches!(one, Desired::Attachment { .. } | Desired::Object { .. });
    for one in wanted().iter().filter(|one| lone(one)) {
        create(&clients, one, &tags()).await.expect("the second attempt must find the first one's work");
        let other = Tags::new("r-2", "2099-01-01T00:00:00Z");
        let error = create(&clients, one, &other).await.expect_err("another run must be refused");
        assert_eq!((error.kind, error.maybe_done), (Kind::Exists, false), "{error}");
        let entry = one.undo(clients.account(), clients.region());
        undo_unconfirmed(&clients, &entry, "r-1").await.expect("undo must succeed");
    }
    assert_eq!(seen(&clients).await, Vec::<String>::new());
    place.server.stop().await;
}

#[tokio::test]
async fn a_bucket_that_holds_something_is_not_deleted() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let bucket = Desired::Bucket { name: "crossfed-full".into() };
    let object = Desired::Object { bucket: "crossfed-full".into(), key: "k".into(), body: Vec::new() };
    let undo_of = |one: &Desired| one.undo(clients.account(), clients.region());
    create(&clients, &bucket, &tags()).await.expect("bucket must be created");
    create(&clients, &object, &tags()).await.expect("object must be created");
    let error = undo(&clients, &undo_of(&bucket)).await.expect_err("a full bucket must be refused");
    assert_eq!((error.code.as_deref(), error.kind), (Some("BucketNotEmpty"), Kind::Invalid));
    assert!(seen(&clients).await.contains(&"object crossfed-full/k".to_owned()));
    undo(&clients, &undo_of(&object)).await.expect("object must be deleted");
    assert_eq!(undo(&clients, &undo_of(&bucket)).await, Ok(Undone::Deleted));
    place.server.stop().await;
}

#[tokio::test]
async fn a_bucket_is_deleted_from_another_region_s_clients() {
    let place = Place::up().await;
    let (near, far) = (place.clients(ACCOUNT, "eu-central-1"), place.clients(ACCOUNT, "eu-west-1"));
    let bucket = Desired::Bucket { name: "crossfed-far".into() };
    create(&far, &bucket, &tags()).await.expect("bucket must be created");
    assert_eq!(undo(&near, &bucket.undo(far.account(), far.region())).await, Ok(Undone::Deleted));
    place.server.stop().await;
}

#[tokio::test]
async fn clients_of_another_account_are_refused() {
    let place = Place::up().await;
    let (ours, other) = (place.clients(ACCOUNT, "eu-central-1"), place.clients("210987654321", "eu-central-1"));
    let bucket = Desired::Bucket { name: "crossfed-mine".into() };
    create(&ours, &bucket, &tags()).await.expect("bucket must be created");
    let entry = bucket.undo(ours.account(), ours.region());
    assert_eq!(undo(&other, &entry).await.expect_err("must be refused").kind, Kind::Bug);
    let taken = create(&other, &bucket, &tags()).await.expect_err("the name is taken");
    assert_eq!((taken.kind, taken.maybe_done), (Kind::Exists, false));
    assert_eq!(undo(&ours, &entry).await, Ok(Undone::Deleted));
    place.server.stop().await;
}

#[tokio::test]
async fn refusals_say_who_must_act() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let stranger = place.clients_with(
        clients.account().clone(),
        "eu-central-1",
        "AKIANOBODYKNOWSTHIS1".into(),
        Secret::new("canary"),
    );
    let role = |trust: &str| Desired::Role {
        name: "crossfed-x".into(),
        trust_policy: trust.into(),
        max_session_seconds: None,
    };
    let broken = create(&clients, &role("{"), &tags()).await.expect_err("must be refused");
    assert_eq!(
        (broken.kind, broken.code.as_deref(), broken.maybe_done),
        (Kind::Invalid, Some("MalformedPolicyDocument"), false)
    );
    let denied = create(&stranger, &role("{}"), &tags()).await.expect_err("must be refused");
    assert_eq!((denied.kind, denied.status, denied.maybe_done), (Kind::Denied, Some(403), false));
    assert!(!format!("{denied} {denied:?}").contains("canary"));
    let orphan = Desired::Object { bucket: "crossfed-nowhere".into(), key: "k".into(), body: Vec::new() };
    let missing = create(&clients, &orphan, &tags()).await.expect_err("must be refused");
    assert_eq!((missing.kind, missing.code.as_deref()), (Kind::Invalid, Some("NoSuchBucket")));
    place.server.stop().await;
    let lost = create(&clients, &role("{}"), &tags()).await.expect_err("nobody answers");
    assert_eq!((lost.kind, lost.retryable, lost.maybe_done), (Kind::Unavailable, true, true));
}
