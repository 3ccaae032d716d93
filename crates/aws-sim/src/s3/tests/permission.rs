//! What a caller may do: actions, resources, condition keys, and who learns that a key is missing.

use super::*;

const OBJECTS: &str = r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}"#;
const LIST: &str = r#"{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data"}"#;

#[tokio::test]
async fn reads_need_get_object_on_the_object() {
    let world = World::with_data().await;
    let read = |statement: &str| {
        let key = world.session(statement);
        world.call("GET", HOST, "/data/hello.txt").key(&key).send()
    };
    assert_eq!(read(OBJECTS).await.body, "hello, world");
    let bucket_only = OBJECTS.replace("data/*", "data");
    let answer = read(&bucket_only).await;
    assert_eq!(answer.verdict(), "403 AccessDenied");
    assert_eq!(
        answer.message(),
        "User: arn:aws:sts::111122223333:assumed-role/reader/pod is not authorized to perform: s3:GetObject on resource: \
         \"arn:aws:s3:::data/hello.txt\" because no identity-based policy allows the s3:GetObject action"
    );
    assert_eq!(read(LIST).await.verdict(), "403 AccessDenied");
    assert_eq!(read(&OBJECTS.replace("data/", "other/")).await.verdict(), "403 AccessDenied");
}

#[tokio::test]
async fn only_who_may_list_learns_that_a_key_is_missing() {
    let world = World::with_data().await;
    let read = |statement: String| {
        let key = world.session(&statement);
        world.call("GET", HOST, "/data/missing").key(&key).send()
    };
    let answer = read(format!("{OBJECTS},{LIST}")).await;
    assert_eq!(answer.verdict(), "404 NoSuchKey");
    assert_eq!(answer.element("Key").as_deref(), Some("missing"));
    assert_eq!(read(OBJECTS.to_owned()).await.verdict(), "403 AccessDenied");
    assert_eq!(read(LIST.to_owned()).await.verdict(), "403 AccessDenied");
}

#[tokio::test]
async fn a_head_is_refused_by_status_alone() {
    let world = World::with_data().await;
    let head = |statement: String, target: &'static str| {
        let key = world.session(&statement);
        world.call("HEAD", HOST, target).key(&key).send()
    };
    let both = format!("{OBJECTS},{LIST}");
    let found = head(both.clone(), "/data/hello.txt").await;
    assert_eq!((found.status, found.header("content-length"), found.body.as_str()), (200, "12", ""));
    for (statement, target, status) in [
        (both, "/data/missing", 404),
        (OBJECTS.to_owned(), "/data/missing", 403),
        (LIST.to_owned(), "/data/hello.txt", 403),
    ] {
        let answer = head(statement, target).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""));
        assert_eq!(answer.header("x-amz-request-id").len(), 16);
    }
}

#[tokio::test]
async fn listing_needs_list_bucket_on_the_bucket() {
    let world = World::with_data().await;
    let list = |statement: &str, target: &'static str| {
        let key = world.session(statement);
        world.call("GET", HOST, target).key(&key).send()
    };
    assert_eq!(list(LIST, "/data?list-type=2").await.verdict(), "200");
    assert_eq!(list(&LIST.replace(":::data", ":::data/*"), "/data?list-type=2").await.verdict(), "403 AccessDenied");
    assert_eq!(list(OBJECTS, "/data?list-type=2").await.verdict(), "403 AccessDenied");

    let scoped = LIST.replace("\"Resource\"", r#""Condition":{"StringEquals":{"s3:prefix":"team/"}},"Resource""#);
    assert_eq!(list(&scoped, "/data?list-type=2&prefix=team%2F").await.verdict(), "200");
    assert_eq!(list(&scoped, "/data?list-type=2&prefix=other%2F").await.verdict(), "403 AccessDenied");
    assert_eq!(list(&scoped, "/data?list-type=2").await.verdict(), "403 AccessDenied");
    assert_eq!(list(&scoped, "/data?prefix=team%2F").await.verdict(), "200");
}

#[tokio::test]
async fn each_operation_needs_its_own_action() {
    let world = World::with_data().await;
    let policy =
        r#"{"Statement":{"Effect":"Deny","Principal":"*","Action":"s3:DeleteBucket","Resource":"arn:aws:s3:::data"}}"#;
    world.put(HOST, "/data?policy", policy).await.expect(204);
    world
        .put(HOST, "/data?tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>")
        .await
        .expect(200);
    let block = "<PublicAccessBlockConfiguration/>";
    let owner =
        "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";
    let tags = "<Tagging><TagSet/></Tagging>";
    for (method, target, body, action, resource) in [
        ("HEAD", "/data", "", "s3:ListBucket", "data"),
        ("GET", "/data?location", "", "s3:GetBucketLocation", "data"),
        ("GET", "/data?policy", "", "s3:GetBucketPolicy", "data"),
        ("PUT", "/data?policy", policy, "s3:PutBucketPolicy", "data"),
        ("GET", "/data?tagging", "", "s3:GetBucketTagging", "data"),
        ("PUT", "/data?tagging", tags, "s3:PutBucketTagging", "data"),
        ("DELETE", "/data?tagging", "", "s3:PutBucketTagging", "data"),
        ("GET", "/data?publicAccessBlock", "", "s3:GetBucketPublicAccessBlock", "data"),
        ("PUT", "/data?publicAccessBlock", block, "s3:PutBucketPublicAccessBlock", "data"),
        ("DELETE", "/data?publicAccessBlock", "", "s3:PutBucketPublicAccessBlock", "data"),
        ("GET", "/data?ownershipControls", "", "s3:GetBucketOwnershipControls", "data"),
        ("PUT", "/data?ownershipControls", owner, "s3:PutBucketOwnershipControls", "data"),
        ("DELETE", "/data?ownershipControls", "", "s3:PutBucketOwnershipControls", "data"),
        ("DELETE", "/data?policy", "", "s3:DeleteBucketPolicy", "data"),
        ("PUT", "/data/new", "new", "s3:PutObject", "data/new"),
        ("DELETE", "/data/new", "", "s3:DeleteObject", "data/new"),
        ("DELETE", "/data/hello.txt", "", "s3:DeleteObject", "data/hello.txt"),
        ("DELETE", "/data", "", "s3:DeleteBucket", "data"),
    ] {
        let statement = |effect: &str, action: &str| {
            format!(r#"{{"Effect":"{effect}","Action":"{action}","Resource":"arn:aws:s3:::{resource}"}}"#)
        };
        let everything_else =
            format!(r#"{},{{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#, statement("Deny", action));
        let key = world.session(&everything_else);
        let refused = world.call(method, HOST, target).body(body).key(&key).send().await;
        assert_eq!(refused.status, 403, "{method} {target} without {action}");
        let key = world.session(&statement("Allow", action));
        let served = world.call(method, HOST, target).body(body).key(&key).send().await;
        assert!((200..300).contains(&served.status), "{method} {target} with {action}: {}", served.body);
    }
}

#[tokio::test]
async fn bucket_policies_are_evaluated() {
    let world = World::with_data().await;
    let key = world.session(OBJECTS);
    let policy = |principal: &str, action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":{principal},"Action":"{action}",
            "Resource":"arn:aws:s3:::data/*"}}]}}"#
        )
    };
    world.put(HOST, "/data?policy", &policy("\"*\"", "s3:PutObject")).await.expect(204);
    world.call("GET", HOST, "/data/hello.txt").key(&key).send().await.expect(200);
    world.put(HOST, "/data?policy", &policy("\"*\"", "s3:GetObject")).await.expect(204);
    let answer = world.call("GET", HOST, "/data/hello.txt").key(&key).send().await;
    assert_eq!(answer.verdict(), "403 AccessDenied");
    assert!(answer.message().ends_with("with an explicit deny in a resource-based policy"), "{}", answer.message());
}

#[tokio::test]
async fn another_account_needs_the_bucket_policy_too() {
    let world = World::with_data().await;
    let stranger = admin_of(&world.state, OTHER_ACCOUNT);
    let read = || world.call("GET", HOST, "/data/hello.txt").key(&stranger).send();
    let answer = read().await;
    assert_eq!((answer.verdict().as_str(), answer.message().as_str()), ("403 AccessDenied", "Access Denied"));
    let policy = format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{OTHER_ACCOUNT}"}},"Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::data/*"}}}}"#
    );
    world.put(HOST, "/data?policy", &policy).await.expect(204);
    assert_eq!(read().await.verdict(), "200");
}

#[tokio::test]
async fn compares_the_expected_owner() {
    let world = World::with_data().await;
    let read =
        |owner: &str| world.call("GET", HOST, "/data/hello.txt").header("x-amz-expected-bucket-owner", owner).send();
    assert_eq!(read(ACCOUNT).await.verdict(), "200");
    assert_eq!(read(OTHER_ACCOUNT).await.verdict(), "403 AccessDenied");
}

#[tokio::test]
async fn knows_the_address_of_the_peer() {
    let world = World::with_data().await;
    let key = world.session(
        &OBJECTS.replace("\"Resource\"", r#""Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}},"Resource""#),
    );
    let read = |address: &str| {
        let (mut request, _) = world.call("GET", HOST, "/data/hello.txt").key(&key).signed();
        request.extensions_mut().insert(transport::PeerAddr(address.parse().expect("address must parse")));
        world.deliver(request)
    };
    assert_eq!(read("127.0.0.1:1").await.verdict(), "200");
    assert_eq!(read("10.0.0.1:1").await.verdict(), "403 AccessDenied");
}

#[tokio::test]
async fn refuses_what_it_does_not_have() {
    let world = World::with_data().await;
    assert_eq!(world.get(HOST, "/data?cors").await.verdict(), "501 NotImplemented");
    assert_eq!(world.get(HOST, "/nothing/k").await.verdict(), "404 NoSuchBucket");
    assert_eq!(world.get(HOST, "/nothing?list-type=2").await.element("BucketName").as_deref(), Some("nothing"));
    assert_eq!(world.get(HOST, "/No_Bucket/k").await.verdict(), "400 InvalidBucketName");
}
