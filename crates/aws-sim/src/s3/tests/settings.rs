//! Settings of a bucket: tags, policy, Block Public Access, ownership.

use super::*;

#[tokio::test]
async fn keeps_tags() {
    let world = World::with_data().await;
    let put = |tags: &[(&str, &str)]| {
        let tags: String =
            tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")).collect();
        world.call("PUT", HOST, "/data?tagging").body(&format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")).send()
    };
    let get = || world.get(HOST, "/data?tagging");
    assert_eq!(get().await.verdict(), "404 NoSuchTagSet");
    put(&[("run", "42"), ("a", "b")]).await.expect(200);
    assert_eq!(get().await.expect(200).elements("Key"), ["run", "a"]);
    assert_eq!(put(&[("run", "1"), ("run", "2")]).await.verdict(), "400 InvalidTag");
    assert_eq!(put(&[("aws:run", "1")]).await.verdict(), "400 InvalidTag");
    assert_eq!(get().await.elements("Value"), ["42", "b"]);
    world.call("DELETE", HOST, "/data?tagging").send().await.expect(204);
    assert_eq!(get().await.verdict(), "404 NoSuchTagSet");
}

fn policy(effect: &str, principal: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Principal":{principal},"Action":"s3:GetObject","Resource":"{resource}"}}]}}"#
    )
}

#[tokio::test]
async fn keeps_the_policy_as_it_was_put() {
    let world = World::with_data().await;
    let text = policy("Deny", "\"*\"", "arn:aws:s3:::data/*");
    let get = || world.get(HOST, "/data?policy");
    assert_eq!(get().await.verdict(), "404 NoSuchBucketPolicy");
    world.put(HOST, "/data?policy", &text).await.expect(204);
    assert_eq!(get().await.expect(200).body, text);
    world.call("DELETE", HOST, "/data?policy").send().await.expect(204);
    assert_eq!(get().await.verdict(), "404 NoSuchBucketPolicy");
}

#[tokio::test]
async fn refuses_a_policy_that_is_malformed_or_about_another_bucket() {
    let world = World::with_data().await;
    let put = |text: String| world.call("PUT", HOST, "/data?policy").body(&text).send();
    assert_eq!(put("{".to_owned()).await.verdict(), "400 MalformedPolicy");
    assert_eq!(put(policy("Perhaps", "\"*\"", "arn:aws:s3:::data/*")).await.verdict(), "400 MalformedPolicy");
    let elsewhere = put(policy("Deny", "\"*\"", "arn:aws:s3:::other/*")).await;
    assert_eq!(elsewhere.verdict(), "400 MalformedPolicy");
    assert_eq!(elsewhere.message(), "Policy has invalid resource");
    assert_eq!(put(policy("Deny", "\"*\"", "arn:aws:s3:::data/*")).await.verdict(), "204");
}

#[tokio::test]
async fn takes_a_policy_of_20_kb_and_no_byte_more() {
    let world = World::with_data().await;
    let put = |length: usize| {
        let text = policy("Deny", "\"*\"", "arn:aws:s3:::data/*");
        world.call("PUT", HOST, "/data?policy").body(&format!("{text:length$}")).send()
    };
    assert_eq!(put(20 * 1024).await.verdict(), "204");
    assert_eq!(put(20 * 1024 + 1).await.verdict(), "400 PolicyTooLarge");
}

#[tokio::test]
async fn blocks_a_public_policy_unless_told_otherwise() {
    let world = World::with_data().await;
    let public = policy("Allow", "\"*\"", "arn:aws:s3:::data/*");
    let put = || world.call("PUT", HOST, "/data?policy").body(&public).send();
    let refused = put().await;
    assert_eq!(refused.verdict(), "403 AccessDenied");
    assert!(refused.message().contains("BlockPublicPolicy"), "{}", refused.message());

    let block = |policy: bool, restrict: bool| {
        let body = format!(
            "<PublicAccessBlockConfiguration><BlockPublicPolicy>{policy}</BlockPublicPolicy>\
             <RestrictPublicBuckets>{restrict}</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
        );
        world.call("PUT", HOST, "/data?publicAccessBlock").body(&body).send()
    };
    block(false, true).await.expect(200);
    put().await.expect(204);

    let stranger = admin_of(&world.state, OTHER_ACCOUNT);
    let read = || world.call("GET", HOST, "/data/hello.txt").key(&stranger).send();
    assert_eq!(read().await.verdict(), "403 AccessDenied");
    block(false, false).await.expect(200);
    assert_eq!(read().await.verdict(), "200");
}

#[tokio::test]
async fn starts_with_all_public_access_blocked() {
    let world = World::with_data().await;
    let get = || world.get(HOST, "/data?publicAccessBlock");
    let block = get().await.expect(200);
    assert_eq!(block.body.matches(">true<").count(), 4, "{}", block.body);
    world.call("DELETE", HOST, "/data?publicAccessBlock").send().await.expect(204);
    assert_eq!(get().await.verdict(), "404 NoSuchPublicAccessBlockConfiguration");
}

#[tokio::test]
async fn starts_with_the_owner_enforced() {
    let world = World::with_data().await;
    let get = || world.get(HOST, "/data?ownershipControls");
    assert_eq!(get().await.expect(200).element("ObjectOwnership").as_deref(), Some("BucketOwnerEnforced"));
    let put = |ownership: &str| {
        let body = format!(
            "<OwnershipControls><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>"
        );
        world.call("PUT", HOST, "/data?ownershipControls").body(&body).send()
    };
    assert_eq!(put("ObjectWriter").await.verdict(), "501 NotImplemented");
    assert_eq!(put("Nobody").await.verdict(), "400 MalformedXML");
    put("BucketOwnerEnforced").await.expect(200);
    world.call("DELETE", HOST, "/data?ownershipControls").send().await.expect(204);
    assert_eq!(get().await.verdict(), "404 OwnershipControlsNotFoundError");
}
