//! Buckets: names, regions, listings.

use super::*;

#[tokio::test]
async fn creates_a_bucket_where_endpoint_and_constraint_agree() {
    let world = World::new();
    let create = |host: &'static str, region: &str, name: &str, body: &str| {
        world.call("PUT", host, &format!("/{name}")).region(region).body(body).send()
    };
    let created = create(HOST, REGION, "one", &create_in(REGION)).await.expect(200);
    assert_eq!(created.header("location"), "/one");
    assert_eq!(create(HOST, REGION, "two", "").await.verdict(), "400 IllegalLocationConstraintException");
    assert_eq!(
        create(HOST, REGION, "two", &create_in("eu-west-1")).await.verdict(),
        "400 IllegalLocationConstraintException"
    );
    create("s3.amazonaws.com", "us-east-1", "two", "").await.expect(200);
    create("s3.amazonaws.com", "us-east-1", "three", &create_in("eu-west-1")).await.expect(200);
    create("127.0.0.1:9000", REGION, "four", &create_in(REGION)).await.expect(200);

    for (name, region) in [("one", REGION), ("two", "us-east-1"), ("three", "eu-west-1"), ("four", REGION)] {
        let head = world.call("HEAD", "s3.amazonaws.com", &format!("/{name}")).region(region).send().await;
        assert_eq!((head.status, head.header("x-amz-bucket-region")), (200, region), "{name}");
    }
}

#[tokio::test]
async fn a_bucket_may_have_tags_from_the_beginning() {
    let world = World::new();
    let create = |key: &Key, name: &str, tags: &[(&str, &str)]| {
        let tags: String =
            tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")).collect();
        let end = format!("<Tags>{tags}</Tags></CreateBucketConfiguration>");
        let body = create_in(REGION).replace("</CreateBucketConfiguration>", &end);
        world.call("PUT", HOST, &format!("/{name}")).key(key).body(&body).send()
    };
    create(&world.admin, "one", &[("run", "42"), ("a", "b&amp;c")]).await.expect(200);
    let tags = world.get(HOST, "/one?tagging").await.expect(200);
    assert_eq!(tags.elements("Key"), ["run", "a"]);
    assert!(tags.body.contains("<Value>b&amp;c</Value>"), "{}", tags.body);

    create(&world.admin, "two", &[]).await.expect(200);
    assert_eq!(world.get(HOST, "/two?tagging").await.verdict(), "404 NoSuchTagSet");
    assert_eq!(create(&world.admin, "three", &[("run", "1"), ("run", "2")]).await.verdict(), "400 InvalidTag");
    assert_eq!(create(&world.admin, "three", &[("aws:run", "1")]).await.verdict(), "400 InvalidTag");
    assert_eq!(world.get(HOST, "/three?tagging").await.verdict(), "404 NoSuchBucket");

    let allowed = |actions: &str, condition: &str| {
        world.session(&format!(r#"{{"Effect":"Allow","Action":{actions},"Resource":"*"{condition}}}"#))
    };
    let untagged = allowed(r#""s3:CreateBucket""#, "");
    assert_eq!(create(&untagged, "three", &[("run", "42")]).await.verdict(), "403 AccessDenied");
    create(&untagged, "three", &[]).await.expect(200);
    let condition = r#","Condition":{"StringEquals":{"aws:RequestTag/run":"42"}}"#;
    let tagged = allowed(r#"["s3:CreateBucket","s3:TagResource"]"#, condition);
    assert_eq!(create(&tagged, "four", &[("run", "41")]).await.verdict(), "403 AccessDenied");
    create(&tagged, "four", &[("run", "42")]).await.expect(200);
}

#[tokio::test]
async fn tells_the_location() {
    let world = World::with_data().await;
    world.call("PUT", "s3.amazonaws.com", "/home").region("us-east-1").send().await.expect(200);
    let location = |name: &str, region: &str| {
        world.call("GET", "s3.amazonaws.com", &format!("/{name}?location")).region(region).send()
    };
    insta::assert_snapshot!(
        location("data", "us-east-1").await.expect(200).body,
        @r#"<?xml version="1.0" encoding="UTF-8"?><LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-central-1</LocationConstraint>"#
    );
    insta::assert_snapshot!(
        location("home", "us-east-1").await.expect(200).body,
        @r#"<?xml version="1.0" encoding="UTF-8"?><LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>"#
    );
}

#[tokio::test]
async fn refuses_a_taken_name() {
    let world = World::with_data().await;
    let stranger = admin_of(&world.state, OTHER_ACCOUNT);
    let create =
        |key: &Key, name: &str| world.call("PUT", HOST, &format!("/{name}")).key(key).body(&create_in(REGION)).send();
    let mine = create(&world.admin, "data").await;
    assert_eq!(mine.verdict(), "409 BucketAlreadyOwnedByYou");
    assert_eq!(mine.element("BucketName").as_deref(), Some("data"));
    assert_eq!(create(&stranger, "data").await.verdict(), "409 BucketAlreadyExists");
    assert_eq!(create(&stranger, "theirs").await.verdict(), "200");
}

#[tokio::test]
async fn refuses_more_buckets_than_an_account_may_have() {
    let world = World::new();
    let stranger = admin_of(&world.state, OTHER_ACCOUNT);
    let create =
        |key: &Key, name: String| world.call("PUT", HOST, &format!("/{name}")).key(key).body(&create_in(REGION)).send();
    for number in 0..10_000 {
        create(&world.admin, format!("bucket-{number}")).await.expect(200);
    }
    assert_eq!(create(&world.admin, "one-more".into()).await.verdict(), "400 TooManyBuckets");
    assert_eq!(create(&world.admin, "bucket-7".into()).await.verdict(), "409 BucketAlreadyOwnedByYou");
    assert_eq!(create(&stranger, "theirs".into()).await.verdict(), "200");
    world.call("DELETE", HOST, "/bucket-7").send().await.expect(204);
    assert_eq!(create(&world.admin, "one-more".into()).await.verdict(), "200");
}

#[tokio::test]
async fn creates_a_bucket_of_us_east_1_twice_as_before_2017() {
    let world = World::new();
    for _ in 0..2 {
        world.call("PUT", "s3.amazonaws.com", "/home").region("us-east-1").send().await.expect(200);
    }
}

#[tokio::test]
async fn the_right_to_create_knows_the_location() {
    let world = World::new();
    let create = |region: &str| {
        let key = world.session(&format!(
            r#"{{"Effect":"Allow","Action":"s3:CreateBucket","Resource":"arn:aws:s3:::new",
            "Condition":{{"StringEquals":{{"s3:LocationConstraint":"{region}"}}}}}}"#
        ));
        world.call("PUT", HOST, "/new").key(&key).body(&create_in(REGION)).send()
    };
    assert_eq!(create("eu-west-1").await.verdict(), "403 AccessDenied");
    assert_eq!(create(REGION).await.verdict(), "200");
}

#[tokio::test]
async fn deletes_an_empty_bucket_only() {
    let world = World::with_data().await;
    let delete = |target: &'static str| world.call("DELETE", HOST, target).send();
    assert_eq!(delete("/data").await.verdict(), "409 BucketNotEmpty");
    delete("/data/hello.txt").await.expect(204);
    delete("/data").await.expect(204);
    assert_eq!(delete("/data").await.verdict(), "404 NoSuchBucket");
}

#[tokio::test]
async fn lists_the_buckets_of_the_account() {
    let world = World::with_data().await;
    let stranger = admin_of(&world.state, OTHER_ACCOUNT);
    world.call("PUT", HOST, "/theirs").key(&stranger).body(&create_in(REGION)).send().await.expect(200);
    for name in ["/alpha", "/beta"] {
        world.put(HOST, name, &create_in(REGION)).await.expect(200);
    }
    let names = |answer: Answer| answer.expect(200).elements("Name");
    assert_eq!(names(world.get(HOST, "/").await), ["alpha", "beta", "data"]);
    assert_eq!(names(world.call("GET", HOST, "/").key(&stranger).send().await), ["theirs"]);
    let first = world.get(HOST, "/?max-buckets=2").await.expect(200);
    assert_eq!(first.elements("Name"), ["alpha", "beta"]);
    let token = first.element("ContinuationToken").expect("there must be more");
    let rest = world.call("GET", HOST, &format!("/?continuation-token={token}&max-buckets=2")).send().await;
    assert_eq!((rest.elements("Name"), rest.element("ContinuationToken")), (vec!["data".to_owned()], None));
}

#[tokio::test]
async fn lists_objects_in_pages() {
    let world = World::with_data().await;
    for key in ["a b", "logs/1", "logs/2", "z"] {
        let target = format!("/data/{}", key.replace(' ', "%20"));
        world.call("PUT", HOST, &target).body("x").send().await.expect(200);
    }
    let whole = world.get(HOST, "/data?list-type=2").await.expect(200);
    assert_eq!(whole.elements("Key"), ["a b", "hello.txt", "logs/1", "logs/2", "z"]);
    assert_eq!(whole.element("KeyCount").as_deref(), Some("5"));
    assert_eq!(whole.element("LastModified").as_deref(), Some("2026-05-04T10:00:00.000Z"));
    assert_eq!(whole.elements("Size"), ["1", "12", "1", "1", "1"]);

    let folded = world.get(HOST, "/data?delimiter=%2F&encoding-type=url&list-type=2").await.expect(200);
    assert_eq!(folded.elements("Key"), ["a%20b", "hello.txt", "z"]);
    assert!(folded.body.contains("<CommonPrefixes><Prefix>logs/</Prefix></CommonPrefixes>"), "{}", folded.body);

    let first = world.get(HOST, "/data?list-type=2&max-keys=2").await.expect(200);
    assert_eq!(first.element("IsTruncated").as_deref(), Some("true"));
    let token = first.element("NextContinuationToken").expect("there must be more");
    let target = format!("/data?continuation-token={token}&list-type=2&max-keys=3");
    let rest = world.call("GET", HOST, &target).send().await.expect(200);
    assert_eq!(rest.elements("Key"), ["logs/1", "logs/2", "z"]);
    assert_eq!(rest.element("IsTruncated").as_deref(), Some("false"));
    assert_eq!(world.get(HOST, "/data?continuation-token=%21&list-type=2").await.verdict(), "400 InvalidArgument");
}

#[tokio::test]
async fn lists_objects_by_marker() {
    let world = World::with_data().await;
    for key in ["/data/logs/1", "/data/z"] {
        world.put(HOST, key, "x").await.expect(200);
    }
    let first = world.get(HOST, "/data?delimiter=%2F&max-keys=2").await.expect(200);
    assert_eq!(first.elements("Key"), ["hello.txt"]);
    assert_eq!(first.element("NextMarker").as_deref(), Some("logs/"));
    let rest = world.get(HOST, "/data?delimiter=%2F&marker=logs%2F").await.expect(200);
    assert_eq!(rest.elements("Key"), ["z"]);
}
