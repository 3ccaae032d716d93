//! What a sweep finds in an account that several runs and a stranger use, and what it takes away.

use federation::aws::{Clients, Desired, Holding, Tags, create, holdings, stages, undo};

use super::object;
use super::place::{ACCOUNT, Place, seen};
use super::strangers::Stranger;

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;
const TRUST: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}"#;

fn wanted(run: &str) -> Vec<Desired> {
    let (name, arn) = (format!("cf-{run}-x"), format!("arn:aws:iam::{ACCOUNT}:policy/cf-{run}-x"));
    let of_bucket = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::{name}/*"}}]}}"#
    );
    vec![
        Desired::Bucket { name: name.clone() },
        object(&name, "a"),
        object(&name, "b/c d"),
        // It forbids its own objects' deletion.
        Desired::BucketPolicy { bucket: name.clone(), document: of_bucket },
        Desired::OidcProvider {
            url: "https://h.example/t/g/".parse().expect("issuer must parse"),
            client_ids: vec!["sts.amazonaws.com".into(), run.into()],
            thumbprints: vec!["a9993e364706816aba3e25717850c26c9cd0d89d".parse().expect("thumbprint must parse")],
        },
        Desired::Policy { name: name.clone(), document: POLICY.into() },
        Desired::Role {
            name: name.clone(),
            trust_policy: TRUST.into(),
            max_session_seconds: None,
            boundary: Some(arn.clone()),
        },
        Desired::Attachment { role: name.clone(), policy_arn: arn },
        Desired::InlinePolicy { role: name, name: "own".into(), document: POLICY.into() },
    ]
}

async fn make(clients: &Clients, run: &str, desired: Vec<Desired>) {
    let tags = Tags::new(run, "2026-11-23T12:00:00Z", "2026-11-23T18:00:00Z");
    for one in stages(desired).concat() {
        create(clients, &one, &tags).await.expect("creation must succeed");
    }
}

async fn found(clients: &Clients, run: &str) -> Vec<Holding> {
    let all = holdings(clients).await.expect("holdings must be found");
    all.into_iter().filter(|holding| holding.marks.run == run).collect()
}

async fn sweep(clients: &Clients, run: &str) {
    for holding in found(clients, run).await {
        for entry in &holding.undo {
            undo(clients, entry).await.expect("undo must succeed");
        }
    }
    assert_eq!(found(clients, run).await, []);
}

/// Things whose names look like a run's.
async fn strangers(place: &Place) {
    let stranger = Stranger::at(place);
    stranger.make_provider("https://theirs.example").await;
    let role = stranger.iam.create_role().role_name("cf-r-1-theirs").assume_role_policy_document(TRUST);
    role.send().await.expect("a stranger must make a role");
    let policy = stranger.iam.create_policy().policy_name("cf-r-1-theirs").policy_document(POLICY);
    let claim = aws_sdk_iam::types::Tag::builder().key("crossfed:run").value("r-1").build().expect("tag must be built");
    policy.tags(claim).send().await.expect("a stranger must make a policy");
    stranger.s3.create_bucket().bucket("cf-r-1-theirs").send().await.expect("a stranger must make a bucket");
}

#[tokio::test]
async fn a_sweep_of_one_run_leaves_everything_else_as_it_is() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    strangers(&place).await;
    let theirs = (seen(&clients).await, place.sim.inventory());
    make(&clients, "r-2", wanted("r-2")).await;
    let before = (seen(&clients).await, place.sim.inventory());

    let far = place.clients(ACCOUNT, "us-east-1");
    make(&clients, "r-1", wanted("r-1")).await;
    make(&far, "r-1", vec![Desired::PublicBucket { name: "cf-r-1-y".into() }, object("cf-r-1-y", "keys")]).await;
    let shown = found(&clients, "r-1").await.into_iter().map(|Holding { kind, id, marks, undo }| {
        let until = marks.expires.map(|at| at.to_string()).unwrap_or_default();
        let steps: Vec<String> = undo.iter().map(|one| format!("  {one}\n")).collect();
        format!("{kind} {id} until {until}\n{}", steps.concat())
    });
    insta::assert_snapshot!(shown.collect::<String>(), @r"
    bucket cf-r-1-x until 2026-11-23T18:00:00Z
      delete policy of bucket cf-r-1-x in account 123456789012
      delete object cf-r-1-x/a in account 123456789012
      delete object cf-r-1-x/b/c d in account 123456789012
      delete bucket cf-r-1-x in account 123456789012
    bucket cf-r-1-y until 2026-11-23T18:00:00Z
      delete policy of bucket cf-r-1-y in account 123456789012
      delete object cf-r-1-y/keys in account 123456789012
      delete bucket cf-r-1-y in account 123456789012
    role arn:aws:iam::123456789012:role/cf-r-1-x until 2026-11-23T18:00:00Z
      detach policy arn:aws:iam::123456789012:policy/cf-r-1-x on role cf-r-1-x in account 123456789012
      delete inline policy own of role cf-r-1-x in account 123456789012
      delete role cf-r-1-x in account 123456789012
    policy arn:aws:iam::123456789012:policy/cf-r-1-x until 2026-11-23T18:00:00Z
      delete policy arn:aws:iam::123456789012:policy/cf-r-1-x in account 123456789012
    OIDC provider arn:aws:iam::123456789012:oidc-provider/h.example/t/g/ until 2026-11-23T18:00:00Z
      delete OIDC provider arn:aws:iam::123456789012:oidc-provider/h.example/t/g/ in account 123456789012
    ");
    sweep(&clients, "r-1").await;
    assert_eq!((seen(&clients).await, place.sim.inventory()), before);
    sweep(&clients, "r-2").await;
    assert_eq!((seen(&clients).await, place.sim.inventory()), theirs);
    place.server.stop().await;
}

#[tokio::test]
async fn a_provider_that_nobody_is_on_is_found() {
    let place = Place::up().await;
    let clients = place.clients(ACCOUNT, "eu-central-1");
    let stranger = Stranger::at(&place);
    stranger.make_provider("https://h.example").await;
    assert_eq!(found(&clients, "").await, []);
    let tool = aws_sdk_iam::types::Tag::builder().key("tool").value("crossfed").build().expect("tag must be built");
    let arn = format!("arn:aws:iam::{ACCOUNT}:oidc-provider/h.example");
    let tagged = stranger.iam.tag_open_id_connect_provider().open_id_connect_provider_arn(arn).tags(tool);
    tagged.send().await.expect("the tag must be taken");
    assert_eq!(found(&clients, "").await.len(), 1);
    sweep(&clients, "").await;
    assert!(seen(&clients).await.is_empty());
    place.server.stop().await;
}
