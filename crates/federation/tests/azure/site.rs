//! An issuer's static site in a storage account: what is asked of Azure, and what its answers come to.

use std::collections::BTreeMap;

use federation::azure::{
    Clients, Desired, Kind, Principal, Undone, create, preflight, publish, stages, undo, undo_stages, undo_unconfirmed,
};

use super::fake::{BLOBS, Place, SUBSCRIPTION};
use super::{group, tags};

const ACCOUNT: &str = "cfr1";
const JSON: &str = "application/json";

fn account() -> Desired {
    Desired::StorageAccount { group: group(), name: ACCOUNT.into() }
}

fn blob(name: &str, body: &str) -> Desired {
    Desired::Blob {
        account: ACCOUNT.into(),
        container: "oidc".into(),
        name: name.into(),
        content_type: JSON.into(),
        body: body.into(),
    }
}

fn site() -> Vec<Desired> {
    let principal = Principal::Object { id: "principal-of-owner".into() };
    vec![
        blob(".well-known/openid-configuration", "{}"),
        blob("openid/v1/jwks", "[]"),
        Desired::StorageRole { group: group(), account: ACCOUNT.into(), principal },
        Desired::Container { group: group(), account: ACCOUNT.into(), name: "oidc".into() },
        account(),
        Desired::ResourceGroup { name: group() },
    ]
}

async fn build(clients: &Clients) {
    for one in stages(site()).concat() {
        create(clients, &one, &tags()).await.expect("creation must succeed");
    }
}

#[tokio::test]
async fn an_account_is_waited_for_and_blobs_are_written_with_a_token_for_storage() {
    let place = Place::up().await;
    let clients = place.clients();
    preflight(&clients, &site()).await.expect("nothing must be in the way");
    build(&clients).await;
    let polls = place.state().seen.iter().filter(|line| line.ends_with("/operations/cfr1")).count();
    assert_eq!(polls, 3);
    let path = "/oidc/.well-known/openid-configuration";
    let all = [(path, "application/json {}"), ("/oidc/openid/v1/jwks", "application/json []")];
    let all: BTreeMap<String, String> = all.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    assert_eq!(place.state().blobs, all);
    let id = account().id(SUBSCRIPTION).expect("an account has an id").to_ascii_lowercase();
    let made = place.state().there[&id].clone();
    let role = place.state().there.iter().find(|(id, _)| id.contains("roleassignments")).map(|(_, role)| role.clone());
    assert_eq!((&made["kind"], &made["sku"]["name"]), (&"StorageV2".into(), &"Standard_LRS".into()));
    let properties = &made["properties"];
    assert_eq!(
        (&properties["allowBlobPublicAccess"], &properties["minimumTlsVersion"]),
        (&true.into(), &"TLS1_2".into())
    );
    let role = role.expect("a role must be given");
    assert_eq!(role["properties"]["principalId"], "principal-of-owner");
    assert!(role["properties"]["principalType"].is_null(), "it may be a person");
    place.down().await;
}

#[tokio::test]
async fn what_is_published_again_is_overwritten_and_what_is_created_again_is_not() {
    let place = Place::up().await;
    let clients = place.clients();
    build(&clients).await;
    let error = create(&clients, &blob("openid/v1/jwks", "[1]"), &tags()).await.expect_err("must be refused");
    assert_eq!((error.kind, error.code.as_deref(), error.maybe_done), (Kind::Exists, Some("BlobAlreadyExists"), false));
    assert_eq!(place.state().blobs["/oidc/openid/v1/jwks"], "application/json []");
    publish(&clients, ACCOUNT, "oidc", "openid/v1/jwks", JSON, b"[1]").await.expect("must be overwritten");
    assert_eq!(place.state().blobs["/oidc/openid/v1/jwks"], "application/json [1]");
    let count = place.state().seen.len();
    for (account, container, name) in [("a.example/", "oidc", "x"), (ACCOUNT, "o/c", "x"), (ACCOUNT, "oidc", "../x")] {
        let error = publish(&clients, account, container, name, JSON, b"").await.expect_err("must be refused");
        assert_eq!(error.kind, Kind::Invalid, "{error}");
    }
    assert_eq!(place.state().seen.len(), count, "nothing is sent to where a name may lead");
    place.down().await;
}

#[tokio::test]
async fn a_lost_answer_to_a_blob_is_no_refusal() {
    let place = Place::up().await;
    let clients = place.clients();
    place.state().lose = Some("/openid/v1/jwks".into());
    build(&clients).await;
    let line = format!("PUT {BLOBS}/oidc/openid/v1/jwks");
    assert_eq!(place.state().seen.iter().filter(|seen| **seen == line).count(), 2);
    assert!(place.state().lose.is_none());
    place.down().await;
}

#[tokio::test]
async fn a_site_goes_with_its_account_and_only_if_it_is_ours() {
    let place = Place::up().await;
    let clients = place.clients();
    build(&clients).await;
    let entries: Vec<_> = site().iter().map(|one| one.undo(SUBSCRIPTION, "westeurope")).collect();
    let rounds = undo_stages(entries, |entry| entry).concat();
    let writes = place.writes();
    for entry in &rounds {
        let end = undo_unconfirmed(&clients, entry, "r-2").await.expect("owner must be read");
        assert_eq!(end, Undone::NotOurs, "{entry}");
    }
    assert_eq!(place.writes(), writes);
    let mut ends = Vec::new();
    for entry in &rounds {
        ends.push(undo_unconfirmed(&clients, entry, "r-1").await.expect("undo must succeed"));
    }
    use Undone::{Deleted, WithVault};
    assert_eq!(ends, [WithVault, WithVault, Deleted, Deleted, Deleted, Deleted]);
    assert!(place.state().there.is_empty());
    for entry in &rounds {
        let end = undo(&clients, entry).await.expect("a second undo must succeed");
        assert_eq!(end, Undone::AlreadyGone, "{entry}");
    }
    place.down().await;
}

#[tokio::test]
async fn a_blob_in_an_account_of_others_is_not_left_silently() {
    let place = Place::up().await;
    let clients = place.clients();
    build(&clients).await;
    let id = account().id(SUBSCRIPTION).expect("an account has an id").to_ascii_lowercase();
    place.state().there.get_mut(&id).expect("the account must be there")["tags"] = serde_json::json!({});
    let entry = blob("openid/v1/jwks", "[]").undo(SUBSCRIPTION, "westeurope");
    let error = undo(&clients, &entry).await.expect_err("must be told");
    assert_eq!(
        error.to_string(),
        "DeleteBlob of blob cfr1/oidc/openid/v1/jwks failed: its storage account stays, since it is not of a run; delete it by hand"
    );
    place.down().await;
}

#[tokio::test]
async fn a_storage_name_that_is_taken_is_told_before_anything_is_created() {
    let place = Place::up().await;
    let clients = place.clients();
    build(&clients).await;
    let writes = place.writes();
    let error = preflight(&clients, &site()).await.expect_err("must be refused");
    assert_eq!(
        error.to_string(),
        "CheckStorageName of storage account cfr1 failed: AlreadyExists: The name is already in use; names of storage accounts are global: use another run id"
    );
    assert_eq!((error.kind, place.writes()), (Kind::Exists, writes));
    let error = clients.own_object_id().await.expect_err("the token is none that names anybody");
    assert_eq!((error.operation, error.maybe_done), ("GetToken", false));
    place.down().await;
}
