//! What a session may do: identity policies, boundary, session policies, and the sentence of a refusal.

use serde_json::json;

use crate::signing::Credentials;
use crate::world::{OTHER_ACCOUNT, World};

const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetRole","Resource":"arn:aws:iam::111122223333:role/reader"}]}"#;
const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}"#;
const OTHER: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListRoles","Resource":"*"}]}"#;

fn refusal(because: &str) -> String {
    format!(
        "403 AccessDenied: User: arn:aws:sts::111122223333:assumed-role/reader/pod is not authorized to perform: iam:GetRole on resource: arn:aws:iam::111122223333:role/reader {because}"
    )
}

async fn session(world: &World, policies: &[(&str, &str)]) -> Credentials {
    let reply = world.exchange(&world.token(json!({})), policies).await;
    assert_eq!(reply.outcome(), "200");
    reply.credentials()
}

async fn get_role(world: &World, session: &Credentials) -> String {
    world.iam_as(session, "GetRole", &[("RoleName", "reader")]).await.outcome()
}

async fn put(world: &World, name: &str, document: &str) {
    let parameters = [("RoleName", "reader"), ("PolicyName", name), ("PolicyDocument", document)];
    assert_eq!(world.iam("PutRolePolicy", &parameters).await.outcome(), "200");
}

#[tokio::test]
async fn a_session_may_do_what_its_role_may() {
    let world = World::new().await;
    let pod = session(&world, &[]).await;
    let nothing = refusal("because no identity-based policy allows the iam:GetRole action");
    assert_eq!(get_role(&world, &pod).await, nothing);
    put(&world, "allow", ALLOW).await;
    assert_eq!(get_role(&world, &pod).await, "200");
    put(&world, "deny", DENY).await;
    assert_eq!(get_role(&world, &pod).await, refusal("with an explicit deny in an identity-based policy"));
}

#[tokio::test]
async fn session_policies_narrow() {
    let world = World::new().await;
    put(&world, "allow", ALLOW).await;
    let kept = session(&world, &[("Policy", ALLOW)]).await;
    assert_eq!(get_role(&world, &kept).await, "200");
    let narrowed = session(&world, &[("Policy", OTHER)]).await;
    let expected = refusal("because no session policy allows the iam:GetRole action");
    assert_eq!(get_role(&world, &narrowed).await, expected);
    let managed = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let narrowed = session(&world, &[("PolicyArns.member.1.arn", managed)]).await;
    assert_eq!(get_role(&world, &narrowed).await, expected);
    let malformed = world.exchange(&world.token(json!({})), &[("Policy", "{}")]).await;
    assert_eq!(malformed.text("Code").as_deref(), Some("MalformedPolicyDocument"));
}

#[tokio::test]
async fn the_boundary_narrows_and_the_tokens_claims_stay_with_the_session() {
    let world = World::new().await;
    let host = world.issuer.host();
    let conditional = |subject: &str| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "iam:GetRole", "Resource": "*",
            "Condition": {"StringEquals": {format!("{host}:sub"): subject}},
        }]})
        .to_string()
    };
    let bounded = |name: &'static str, boundary: &'static str| {
        let (world, trust) = (&world, world.trust_policy());
        async move {
            let policy = [("PolicyName", name), ("PolicyDocument", boundary)];
            let created = world.iam("CreatePolicy", &policy).await;
            let arn = created.text("Arn").expect("policy must have an ARN");
            let parameters = [("RoleName", name), ("AssumeRolePolicyDocument", &trust), ("PermissionsBoundary", &arn)];
            assert_eq!(world.iam("CreateRole", &parameters).await.outcome(), "200");
            let role_arn = format!("arn:aws:iam::111122223333:role/{name}");
            let attach = [("RoleName", name), ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")];
            assert_eq!(world.iam("AttachRolePolicy", &attach).await.outcome(), "200");
            session(world, &[("RoleArn", &role_arn)]).await
        }
    };
    let free = bounded("free", ALLOW).await;
    assert_eq!(get_role(&world, &free).await, "200");
    let bound = bounded("bound", OTHER).await;
    let refused = get_role(&world, &bound).await;
    assert!(refused.ends_with("because no permissions boundary allows the iam:GetRole action"), "{refused}");

    let pod = session(&world, &[]).await;
    put(&world, "conditional", &conditional("system:serviceaccount:shop:other")).await;
    assert_ne!(get_role(&world, &pod).await, "200");
    put(&world, "conditional", &conditional(crate::world::SUBJECT)).await;
    assert_eq!(get_role(&world, &pod).await, "200");
}

#[tokio::test]
async fn a_role_made_anew_does_not_revive_its_sessions() {
    let world = World::new().await;
    put(&world, "allow", ALLOW).await;
    let pod = session(&world, &[]).await;
    assert_eq!(get_role(&world, &pod).await, "200");
    let inline = [("RoleName", "reader"), ("PolicyName", "allow")];
    assert_eq!(world.iam("DeleteRolePolicy", &inline).await.outcome(), "200");
    assert_eq!(world.iam("DeleteRole", &[("RoleName", "reader")]).await.outcome(), "200");
    let trust = world.trust_policy();
    let again = [("RoleName", "reader"), ("AssumeRolePolicyDocument", trust.as_str())];
    assert_eq!(world.iam("CreateRole", &again).await.outcome(), "200");
    put(&world, "allow", ALLOW).await;
    assert_ne!(get_role(&world, &pod).await, "200");
    let fresh = session(&world, &[]).await;
    assert_eq!(get_role(&world, &fresh).await, "200");
}

#[tokio::test]
async fn accounts_do_not_see_each_other() {
    let world = World::new().await;
    let elsewhere = world.iam_as(&world.other_admin, "GetRole", &[("RoleName", "reader")]).await;
    assert_eq!(elsewhere.text("Code").as_deref(), Some("NoSuchEntity"));
    let here = world.iam("GetRole", &[("RoleName", "reader")]).await;
    assert_eq!(here.outcome(), "200");
    assert!(!here.body.contains(OTHER_ACCOUNT));
}

#[tokio::test]
async fn signatures_must_be_for_this_service_region_and_time() {
    let world = World::new().await;
    let body = || crate::world::form(&[("Action", "ListRoles"), ("Version", "2010-05-08")]);
    let now = trust::Clock::now(&*world.clock);
    let check = async |scope: (&str, &str), skew: i64, code: Option<&str>| {
        let at = now + jiff::SignedDuration::from_secs(skew);
        let reply = world.signed(&world.admin, "iam.amazonaws.com", scope, body(), at).await;
        assert_eq!(reply.text("Code").as_deref(), code, "{scope:?} {skew} {}", reply.body);
    };
    check(("iam", "us-east-1"), 0, None).await;
    check(("iam", "us-east-1"), 899, None).await;
    check(("sts", "us-east-1"), 0, Some("SignatureDoesNotMatch")).await;
    check(("iam", "eu-central-1"), 0, Some("SignatureDoesNotMatch")).await;
    check(("iam", "us-east-1"), -960, Some("SignatureDoesNotMatch")).await;
    let mut forged = world.admin.clone();
    forged.secret = trust::Secret::new("wrong");
    let reply = world.iam_as(&forged, "ListRoles", &[]).await;
    assert_eq!((reply.status, reply.text("Code").as_deref()), (403, Some("SignatureDoesNotMatch")));
    let unsigned = world.send("iam.amazonaws.com", vec![("host", "iam.amazonaws.com".to_owned())], body()).await;
    assert_eq!((unsigned.status, unsigned.text("Code").as_deref()), (403, Some("MissingAuthenticationToken")));
}
