//! IAM's resources: what is stored, listed, refused and taken away.

use crate::world::{ROLE_ARN, World};

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}"#;
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/no.such/provider/"},"Action":"sts:AssumeRoleWithWebIdentity"}]}"#;
const THUMBPRINT: &str = "0123456789abcdef0123456789abcdef01234567";

async fn check(world: &World, action: &str, parameters: &[(&str, &str)], expected: &str) {
    let reply = world.iam(action, parameters).await;
    assert_eq!(reply.outcome(), expected, "{action} {parameters:?}");
}

#[tokio::test]
async fn providers_keep_their_slash_and_are_unique() {
    let world = World::bare().await;
    let url = "https://region.oic.prod-aks.azure.com/tenant/guid/";
    let create = [("Url", url), ("ClientIDList.member.1", "a"), ("ThumbprintList.member.1", THUMBPRINT)];
    let created = world.iam("CreateOpenIDConnectProvider", &create).await;
    let arn = "arn:aws:iam::111122223333:oidc-provider/region.oic.prod-aks.azure.com/tenant/guid/";
    assert_eq!(created.text("OpenIDConnectProviderArn").as_deref(), Some(arn));
    let named = ("OpenIDConnectProviderArn", arn);
    check(
        &world,
        "CreateOpenIDConnectProvider",
        &create,
        &format!("409 EntityAlreadyExists: Provider with url {url} already exists."),
    )
    .await;
    let bare = [("Url", url.trim_end_matches('/')), create[1], create[2]];
    check(&world, "CreateOpenIDConnectProvider", &bare, "200").await;

    for (action, id) in [("Add", "b"), ("Add", "b"), ("Remove", "a"), ("Remove", "none")] {
        let action = match action {
            "Add" => "AddClientIDToOpenIDConnectProvider",
            _ => "RemoveClientIDFromOpenIDConnectProvider",
        };
        check(&world, action, &[named, ("ClientID", id)], "200").await;
    }
    let shown = world.iam("GetOpenIDConnectProvider", &[named]).await;
    assert_eq!(shown.text("Url").as_deref(), Some("region.oic.prod-aks.azure.com/tenant/guid/"));
    assert!(shown.body.contains("<ClientIDList><member>b</member></ClientIDList>"), "{}", shown.body);

    let tag = [named, ("Tags.member.1.Key", "run"), ("Tags.member.1.Value", "7")];
    check(&world, "TagOpenIDConnectProvider", &tag, "200").await;
    let tags = world.iam("ListOpenIDConnectProviderTags", &[named]).await;
    assert!(tags.body.contains("<Key>run</Key><Value>7</Value>"), "{}", tags.body);
    check(&world, "UntagOpenIDConnectProvider", &[named, ("TagKeys.member.1", "run")], "200").await;
    let tags = world.iam("ListOpenIDConnectProviderTags", &[named]).await;
    assert!(!tags.body.contains("<Key>"), "{}", tags.body);

    let listed = world.iam("ListOpenIDConnectProviders", &[]).await;
    assert_eq!(listed.body.matches("<Arn>").count(), 2);
    check(&world, "DeleteOpenIDConnectProvider", &[named], "200").await;
    check(&world, "DeleteOpenIDConnectProvider", &[named], "200").await;
    check(
        &world,
        "GetOpenIDConnectProvider",
        &[named],
        &format!("404 NoSuchEntity: OpenIDConnect Provider not found for arn {arn}"),
    )
    .await;
}

#[tokio::test]
async fn providers_have_limits() {
    let world = World::bare().await;
    let url = ("Url", "https://issuer.example");
    let numbered = |list: &str, count: usize| -> Vec<String> {
        (1..=count).map(|number| format!("{list}.member.{number}")).collect()
    };
    let create = async |list: &str, count: usize, value: &dyn Fn(usize) -> String, expected: &str| {
        let names = numbered(list, count);
        let values: Vec<String> = (1..=count).map(value).collect();
        let mut parameters = vec![url, ("ThumbprintList.member.1", THUMBPRINT)];
        parameters.extend(names.iter().map(String::as_str).zip(values.iter().map(String::as_str)));
        check(&world, "CreateOpenIDConnectProvider", &parameters, expected).await;
    };
    create(
        "ClientIDList",
        101,
        &|number| number.to_string(),
        "409 LimitExceeded: Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100",
    )
    .await;
    let thumbprint = |_| THUMBPRINT.to_owned();
    create("ThumbprintList", 6, &thumbprint, "400 InvalidInput: Thumbprint list must contain fewer than 5 entries.")
        .await;
    let invalid = "400 ValidationError: Invalid Open ID Connect Provider URL";
    for bad in ["http://issuer.example", "issuer.example", "https://issuer.example?q=1"] {
        let parameters = [("Url", bad), ("ThumbprintList.member.1", THUMBPRINT)];
        check(&world, "CreateOpenIDConnectProvider", &parameters, invalid).await;
    }
    let short = world.iam("CreateOpenIDConnectProvider", &[url, ("ThumbprintList.member.1", "00")]).await;
    assert_eq!(short.text("Code").as_deref(), Some("ValidationError"));
    create("ClientIDList", 100, &|number| number.to_string(), "200").await;
}

#[tokio::test]
async fn roles_are_checked_stored_and_unique_regardless_of_case() {
    let world = World::bare().await;
    let create =
        |name: &'static str, document: &'static str| [("RoleName", name), ("AssumeRolePolicyDocument", document)];
    // The provider need not exist, the shape of its ARN is what counts.
    check(&world, "CreateRole", &create("Reader", TRUST), "200").await;
    check(
        &world,
        "CreateRole",
        &create("reader", TRUST),
        "409 EntityAlreadyExists: Role with name reader already exists.",
    )
    .await;
    check(&world, "CreateRole", &create("x", "{"), "400 MalformedPolicyDocument: This policy contains invalid Json")
        .await;
    let resource = TRUST.replace("\"Action\"", "\"Resource\":\"*\",\"Action\"");
    let parameters = [("RoleName", "x"), ("AssumeRolePolicyDocument", resource.as_str())];
    check(&world, "CreateRole", &parameters, "400 MalformedPolicyDocument: Has prohibited field Resource").await;
    let stranger = TRUST.replace(
        "Federated\":\"arn:aws:iam::111122223333:oidc-provider/no.such/provider/",
        "AWS\":\"arn:aws:iam::111122223333:role/ghost",
    );
    let parameters = [("RoleName", "x"), ("AssumeRolePolicyDocument", stranger.as_str())];
    check(
        &world,
        "CreateRole",
        &parameters,
        "400 MalformedPolicyDocument: Invalid principal in policy: \"AWS\":\"arn:aws:iam::111122223333:role/ghost\"",
    )
    .await;
    let known = stranger.replace("ghost", "Reader");
    let parameters = [("RoleName", "x"), ("AssumeRolePolicyDocument", known.as_str()), ("Path", "/team/")];
    check(&world, "CreateRole", &parameters, "200").await;
    let long = TRUST.replace("no.such", &"a".repeat(2048));
    let parameters = [("RoleName", "y"), ("AssumeRolePolicyDocument", long.as_str())];
    check(&world, "CreateRole", &parameters, "409 LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048").await;
    let unicode = world.iam("CreateRole", &create("z", "{\"\u{2019}\"}")).await;
    assert_eq!(unicode.text("Code").as_deref(), Some("ValidationError"));
    check(&world, "CreateRole", &[create("a b", TRUST)[0], create("", TRUST)[1]], r"400 ValidationError: 1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]+").await;

    let shown = world.iam("GetRole", &[("RoleName", "READER")]).await;
    assert_eq!(shown.text("RoleName").as_deref(), Some("Reader"));
    assert!(shown.text("AssumeRolePolicyDocument").is_some_and(|text| text.starts_with("%7B%22Version%22%3A")));
    let shown = world.iam("GetRole", &[("RoleName", "x")]).await;
    assert_eq!(shown.text("Arn").as_deref(), Some("arn:aws:iam::111122223333:role/team/x"));
    check(&world, "GetRole", &[("RoleName", "y")], "404 NoSuchEntity: The role with name y cannot be found.").await;
    let listed = world.iam("ListRoles", &[("PathPrefix", "/team/")]).await;
    assert!(listed.body.contains("role/team/x") && !listed.body.contains("Reader<"), "{}", listed.body);
}

#[tokio::test]
async fn roles_go_only_when_nothing_hangs_on_them() {
    let world = World::new().await;
    let (role, named) = (("RoleName", "reader"), ("PolicyName", "read"));
    let created = world.iam("CreatePolicy", &[named, ("PolicyDocument", POLICY)]).await;
    let arn = "arn:aws:iam::111122223333:policy/read";
    assert_eq!(created.text("Arn").as_deref(), Some(arn));
    let policy = ("PolicyArn", arn);
    check(&world, "AttachRolePolicy", &[role, policy], "200").await;
    check(&world, "AttachRolePolicy", &[role, policy], "200").await;
    check(&world, "PutRolePolicy", &[role, ("PolicyName", "inline"), ("PolicyDocument", POLICY)], "200").await;
    let attached = world.iam("ListAttachedRolePolicies", &[role]).await;
    assert_eq!(attached.text("PolicyArn").as_deref(), Some(arn));
    let inline = world.iam("ListRolePolicies", &[role]).await;
    assert_eq!(inline.text("member").as_deref(), Some("inline"));
    let shown = world.iam("GetRolePolicy", &[role, ("PolicyName", "inline")]).await;
    assert!(shown.text("PolicyDocument").is_some_and(|text| text.contains("s3%3AGetObject")));

    check(&world, "DeletePolicy", &[policy], "409 DeleteConflict: Cannot delete a policy attached to entities.").await;
    check(&world, "DeleteRole", &[role], "409 DeleteConflict: Cannot delete entity, must detach all policies first.")
        .await;
    check(&world, "DetachRolePolicy", &[role, policy], "200").await;
    check(&world, "DetachRolePolicy", &[role, policy], &format!("404 NoSuchEntity: Policy {arn} was not found.")).await;
    check(&world, "DeleteRole", &[role], "409 DeleteConflict: Cannot delete entity, must delete policies first.").await;
    check(&world, "DeleteRolePolicy", &[role, ("PolicyName", "inline")], "200").await;
    check(&world, "DeleteRole", &[role], "200").await;
    check(&world, "DeleteRole", &[role], "404 NoSuchEntity: The role with name reader cannot be found.").await;
    check(&world, "DeletePolicy", &[policy], "200").await;
    check(
        &world,
        "AttachRolePolicy",
        &[("RoleName", "reader"), policy],
        &format!("404 NoSuchEntity: Policy {arn} does not exist or is not attachable."),
    )
    .await;
}

#[tokio::test]
async fn policies_are_checked_and_shown_as_written() {
    let world = World::bare().await;
    let create = [
        ("PolicyName", "read"),
        ("PolicyDocument", POLICY),
        ("Tags.member.1.Key", "run"),
        ("Tags.member.1.Value", "7"),
    ];
    check(&world, "CreatePolicy", &create, "200").await;
    check(
        &world,
        "CreatePolicy",
        &create,
        "409 EntityAlreadyExists: A policy called read already exists. Duplicate names are not allowed.",
    )
    .await;
    check(
        &world,
        "CreatePolicy",
        &[("PolicyName", "x"), ("PolicyDocument", "{}")],
        "400 MalformedPolicyDocument: Syntax errors in policy.",
    )
    .await;
    let long = POLICY.replace("/*", &format!("/{}", "a".repeat(6144)));
    check(
        &world,
        "CreatePolicy",
        &[("PolicyName", "x"), ("PolicyDocument", &long)],
        "409 LimitExceeded: Cannot exceed quota for PolicySize: 6144",
    )
    .await;
    let named = ("PolicyArn", "arn:aws:iam::111122223333:policy/read");
    let version = world.iam("GetPolicyVersion", &[named, ("VersionId", "v1")]).await;
    assert!(version.text("Document").is_some_and(|text| text.contains("arn%3Aaws%3As3%3A%3A%3Ab%2F%2A")));
    check(&world, "GetPolicyVersion", &[named, ("VersionId", "v2")], "404 NoSuchEntity: Policy arn:aws:iam::111122223333:policy/read version v2 does not exist or is not attachable.").await;
    let shown = world.iam("GetPolicy", &[named]).await;
    assert_eq!(shown.text("DefaultVersionId").as_deref(), Some("v1"));
    assert!(shown.body.contains("<Key>run</Key><Value>7</Value>"), "{}", shown.body);
    let local = world.iam("ListPolicies", &[("Scope", "Local")]).await;
    assert_eq!(local.body.matches("<PolicyName>").count(), 1);
    let all = world.iam("ListPolicies", &[("MaxItems", "2")]).await;
    assert_eq!(all.body.matches("<PolicyName>").count(), 2);
    let marker = all.text("Marker").expect("more must follow");
    let rest = world.iam("ListPolicies", &[("Marker", &marker)]).await;
    assert_eq!(rest.text("IsTruncated").as_deref(), Some("false"));
    assert_eq!(rest.body.matches("<PolicyName>").count(), 2);
}

#[tokio::test]
async fn role_tags_come_and_go() {
    let world = World::new().await;
    let role = ("RoleName", "reader");
    let tag = [role, ("Tags.member.1.Key", "run"), ("Tags.member.1.Value", "7")];
    check(&world, "TagRole", &tag, "200").await;
    let shown = world.iam("GetRole", &[role]).await;
    assert_eq!(shown.text("Arn").as_deref(), Some(ROLE_ARN));
    assert!(shown.body.contains("<Tags><member><Key>run</Key><Value>7</Value></member></Tags>"), "{}", shown.body);
    check(&world, "UntagRole", &[role, ("TagKeys.member.1", "run")], "200").await;
    let tags = world.iam("ListRoleTags", &[role]).await;
    assert_eq!(tags.text("IsTruncated").as_deref(), Some("false"));
    assert!(!tags.body.contains("<Key>"), "{}", tags.body);
}
