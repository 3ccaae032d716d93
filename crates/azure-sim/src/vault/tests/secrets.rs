//! Values, versions, attributes and lists.

use super::*;

#[tokio::test]
async fn gives_back_what_was_put() {
    let world = World::new();
    let written = json!({
        "value": "swordfish", "contentType": "text/plain", "tags": {"team": "blue"},
        "attributes": {"enabled": true, "nbf": 1777888800, "exp": 1809424800},
    });
    let put = world.put("Db-Password", written).await.expect(200);
    let get = world.get("/secrets/Db-Password").await.expect(200);
    assert_eq!(get.json, put.json);
    insta::assert_snapshot!(steady(&get.json), @r#"
    {
      "value": "swordfish",
      "contentType": "text/plain",
      "id": "https://team-kv.vault.azure.net/secrets/Db-Password/<version>",
      "attributes": {
        "enabled": true,
        "nbf": 1777888800,
        "exp": 1809424800,
        "created": 1777888800,
        "updated": 1777888800,
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90
      },
      "tags": {
        "team": "blue"
      }
    }
    "#);
}

#[tokio::test]
async fn what_was_not_given_is_not_shown() {
    let world = World::new();
    let put = world.put("db", json!({"value": "v"})).await.expect(200);
    insta::assert_snapshot!(steady(&put.json), @r#"
    {
      "value": "v",
      "id": "https://team-kv.vault.azure.net/secrets/db/<version>",
      "attributes": {
        "enabled": true,
        "created": 1777888800,
        "updated": 1777888800,
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90
      }
    }
    "#);
}

#[tokio::test]
async fn every_put_makes_a_version_and_the_newest_is_read() {
    let world = World::new();
    let first = world.put("db", json!({"value": "one"})).await.expect(200);
    let second = world.put("DB", json!({"value": "two"})).await.expect(200);
    assert_ne!(first.id_tail(), second.id_tail());
    let check = async |path: &str, expected: &str| {
        let seen = world.get(path).await.expect(200);
        assert_eq!(seen.json["value"], expected, "{path}");
    };
    check("/secrets/db", "two").await;
    check("/secrets/db/", "two").await;
    check("/secrets/Db", "two").await;
    check(&format!("/secrets/db/{}", first.id_tail()), "one").await;
    check(&format!("/secrets/db/{}", second.id_tail()), "two").await;

    let mut listed = world.get("/secrets/db/versions").await.expect(200).listed();
    listed.sort();
    let mut both = [first.id_tail(), second.id_tail()];
    both.sort();
    assert_eq!(listed, both);
    // One secret, in the case in which it was first written.
    assert_eq!(world.get("/secrets").await.expect(200).listed(), ["db"]);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new();
    world.put("db", json!({"value": "v"})).await.expect(200);
    world.get("/secrets/db").await.expect(200);
    let version = "0".repeat(32);
    for (method, path) in [
        ("GET", "/secrets/other".to_owned()),
        ("GET", format!("/secrets/db/{version}")),
        ("GET", "/secrets/other/versions".to_owned()),
        ("PATCH", "/secrets/other".to_owned()),
        ("PATCH", format!("/secrets/db/{version}")),
        ("DELETE", "/secrets/other".to_owned()),
    ] {
        let call = world.call(method, &path).body(&json!({}));
        assert_eq!(call.send().await.verdict(), "404 SecretNotFound", "{method} {path}");
    }
    let missing = world.get(&format!("/secrets/db/{version}")).await;
    insta::assert_snapshot!(missing.text, @r#"{"error":{"code":"SecretNotFound","message":"A secret with (name/id) db/00000000000000000000000000000000 was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"}}"#);
}

#[tokio::test]
async fn a_disabled_version_cannot_be_read() {
    let world = World::new();
    let first = world.put("db", json!({"value": "one"})).await.expect(200);
    let disabled = json!({"value": "two", "attributes": {"enabled": false}});
    world.put("db", disabled).await.expect(200);
    let refused = world.get("/secrets/db").await;
    insta::assert_snapshot!(refused.text, @r#"{"error":{"code":"Forbidden","message":"Operation get is not allowed on a disabled secret.","innererror":{"code":"SecretDisabled"}}}"#);
    assert_eq!(refused.status, 403);
    // It hides no other version, and no metadata.
    let path = format!("/secrets/db/{}", first.id_tail());
    world.get(&path).await.expect(200);
    assert_eq!(world.get("/secrets").await.expect(200).listed(), ["db"]);

    let enable = json!({"attributes": {"enabled": true}});
    let call = world.call("PATCH", "/secrets/db").body(&enable);
    call.send().await.expect(200);
    assert_eq!(world.get("/secrets/db").await.json["value"], "two");
}

#[tokio::test]
async fn dates_do_not_keep_a_value_from_being_read() {
    let world = World::new();
    let now = world.clock.now().as_second();
    for attributes in [json!({"exp": now - 60}), json!({"nbf": now + 60})] {
        let body = json!({"value": "v", "attributes": attributes});
        world.put("db", body).await.expect(200);
        world.get("/secrets/db").await.expect(200);
    }
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let world = World::new();
    let written = json!({
        "value": "v", "contentType": "text/plain", "tags": {"a": "1", "b": "2"},
        "attributes": {"exp": 1809424800},
    });
    let put = world.put("db", written).await.expect(200);
    world.wait(5);
    let change = json!({"tags": {"c": "3"}, "attributes": {"nbf": 1777888800}});
    let path = format!("/secrets/db/{}", put.id_tail());
    let patched = world.call("PATCH", &path).body(&change).send().await.expect(200);
    assert_eq!(patched.json["value"], Value::Null);
    assert_eq!(patched.json["id"], put.json["id"]);
    insta::assert_snapshot!(steady(&world.get("/secrets/db").await.json), @r#"
    {
      "value": "v",
      "contentType": "text/plain",
      "id": "https://team-kv.vault.azure.net/secrets/db/<version>",
      "attributes": {
        "enabled": true,
        "nbf": 1777888800,
        "exp": 1809424800,
        "created": 1777888800,
        "updated": 1777888805,
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": 90
      },
      "tags": {
        "c": "3"
      }
    }
    "#);
}

#[tokio::test]
async fn rejects_a_secret_over_25_kilobytes() {
    let world = World::new();
    let put = |length: usize| world.put("db", json!({"value": "a".repeat(length)}));
    assert_eq!(put(25 * 1024).await.verdict(), "200");
    assert_eq!(put(25 * 1024 + 1).await.verdict(), "400 BadParameter");
    assert_eq!(put(1 << 20).await.verdict(), "400 BadParameter");
    // What was refused is no version.
    let versions = world.get("/secrets/db/versions").await.expect(200);
    assert_eq!(versions.listed().len(), 1);
}

#[tokio::test]
async fn rejects_bad_names_and_bodies() {
    let world = World::new();
    let good = json!({"value": "v"});
    assert_eq!(world.put("my-secret", good.clone()).await.verdict(), "200");
    let named = world.put("my_secret", good).await;
    insta::assert_snapshot!(named.text, @r#"{"error":{"code":"BadParameter","message":"The request URI contains an invalid name: my_secret"}}"#);
    assert_eq!(world.put("db", json!({})).await.verdict(), "400 BadParameter");
    assert_eq!(world.put("db", json!([])).await.verdict(), "400 BadParameter");
    let empty = world.call("PUT", "/secrets/db").send().await;
    assert_eq!(empty.verdict(), "400 BadParameter");
}

#[tokio::test]
async fn lists_show_no_values_and_come_in_pages() {
    let world = World::new();
    for number in 0..27 {
        let name = format!("db-{number:02}");
        let body = json!({"value": "canary", "tags": {"n": number.to_string()}});
        world.put(&name, body).await.expect(200);
    }
    let first = world.get("/secrets").await.expect(200);
    assert!(!first.text.contains("canary"));
    assert_eq!(first.listed().len(), 25);
    assert_eq!(
        first.json["value"][3],
        json!({
            "id": "https://team-kv.vault.azure.net/secrets/db-03",
            "attributes": {
                "enabled": true, "created": 1777888800, "updated": 1777888800,
                "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
            },
            "tags": {"n": "3"},
        })
    );
    let next = first.next().expect("a second page must be linked");
    let second = world.call("GET", "").target(next).send().await.expect(200);
    assert_eq!(second.listed(), ["db-25", "db-26"]);
    assert_eq!(second.json["nextLink"], Value::Null);
}

#[tokio::test]
async fn pages_are_as_long_as_asked_for() {
    let world = World::new();
    for name in ["a", "b", "c", "d"] {
        world.put(name, json!({"value": "v"})).await.expect(200);
    }
    let mut target = Some("/secrets?api-version=7.4&maxresults=2".to_owned());
    let mut pages = Vec::new();
    while let Some(here) = target {
        let page = world.call("GET", "").target(&here).send().await.expect(200);
        pages.push(page.listed());
        target = page.next().map(str::to_owned);
        assert!(pages.len() <= 2, "pages must come to an end: {pages:?}");
    }
    assert_eq!(pages, [["a", "b"], ["c", "d"]]);
}

#[tokio::test]
async fn vaults_share_no_secrets() {
    let world = World::new();
    world.put("db", json!({"value": "v"})).await.expect(200);
    world.open(world.vault("Other-KV"));
    world.assign(ADMINISTRATOR, &vault_id("Other-KV"));
    let call = world.call("GET", "/secrets/db");
    assert_eq!(call.clone().send().await.verdict(), "200");
    let other = call.at("other-kv.vault.azure.net").send().await;
    assert_eq!(other.verdict(), "404 SecretNotFound");
    // A new vault under the old name starts empty.
    world.open(world.vault("Team-KV"));
    assert_eq!(world.get("/secrets/db").await.verdict(), "404 SecretNotFound");
}
