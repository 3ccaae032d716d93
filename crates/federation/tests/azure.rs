//! The whole of it over TLS and a proxy, by the real names: create, look, create again, take away, look again.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say what it missed")]

#[path = "azure/fake.rs"]
mod fake;
#[path = "common/notes.rs"]
mod notes;
#[path = "azure/proxy.rs"]
mod proxy;
#[path = "azure/site.rs"]
mod site;

use fake::{Place, SUBSCRIPTION};
use federation::Known;
use federation::azure::{
    ApplyError, Clients, Desired, IdentityIds, Journaled, Kind, Principal, Scope, Tags, Undo, Undone, VaultAccess,
    VaultNetwork, VaultRole, create, create_journaled, inventory, preflight, stages, undo, undo_stages,
    undo_unconfirmed,
};
use futures::future::join_all;
use notes::Notes;
use serde_json::json;
use trust::{Audience, Secret, Subject};

fn tags() -> Tags {
    Tags::new("r-1", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
}

fn group() -> String {
    "crossfed-r-1".into()
}

fn reader() -> Principal {
    Principal::Identity { group: group(), name: "reader".into() }
}

fn vault(access: VaultAccess) -> Desired {
    Desired::Vault { group: group(), name: "cf-r-1".into(), access, network: VaultNetwork::Open }
}

fn credential(name: &str, account: &str) -> Desired {
    Desired::FederatedCredential {
        group: group(),
        identity: "reader".into(),
        name: name.into(),
        issuer: "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
            .parse()
            .expect("issuer must parse"),
        subject: Subject::service_account("demo", account),
        audiences: vec![Audience::new(Audience::AZURE_TOKEN_EXCHANGE)],
    }
}

fn role() -> Desired {
    Desired::RoleAssignment {
        group: group(),
        vault: "cf-r-1".into(),
        role: VaultRole::SecretsUser,
        principal: reader(),
    }
}

fn wanted(access: VaultAccess) -> Vec<Desired> {
    let permission = match access {
        VaultAccess::Rbac => role(),
        VaultAccess::AccessPolicy => Desired::AccessPolicy {
            group: group(),
            vault: "cf-r-1".into(),
            principal: reader(),
            secrets: vec!["get".into()],
        },
    };
    vec![
        permission,
        Desired::Secret {
            group: group(),
            vault: "cf-r-1".into(),
            name: "test-file".into(),
            value: Secret::new("canary-value"),
            enabled: true,
        },
        credential("reader-1", "reader"),
        credential("reader-2", "other"),
        Desired::Identity { group: group(), name: "reader".into() },
        vault(access),
        Desired::ResourceGroup { name: group() },
    ]
}

/// Creates everything, round by round, each round at once.
async fn apply(clients: &Clients, notes: &Notes<Undo>, access: VaultAccess) -> Vec<Result<Journaled, ApplyError>> {
    let mut results = Vec::new();
    for round in stages(wanted(access)) {
        let tags = tags();
        results.extend(join_all(round.iter().map(|one| create_journaled(clients, one, &tags, notes))).await);
    }
    results
}

async fn take_back(clients: &Clients, notes: &Notes<Undo>) -> Vec<(Undo, Undone)> {
    let mut results = Vec::new();
    let entries = notes.entries().into_iter().map(|(entry, _)| entry).collect();
    for round in undo_stages(entries, |entry| entry) {
        let ends = join_all(round.iter().map(|entry| undo(clients, entry))).await;
        results.extend(round.into_iter().zip(ends.into_iter().map(|end| end.expect("undo must succeed"))));
    }
    results
}

async fn seen(clients: &Clients, scope: Scope) -> Vec<String> {
    let items = inventory(clients, &scope).await.expect("inventory must be taken");
    items.into_iter().map(|item| format!("{} {}", item.kind, item.id)).collect()
}

#[tokio::test]
async fn what_was_created_is_seen_and_taking_it_away_leaves_the_subscription_as_it_was() {
    for (access, permission) in [
        (VaultAccess::Rbac, "role assignment cf-r-1 4633458b-17de-408a-b874-0445c86b69e6 principal-of-reader"),
        (VaultAccess::AccessPolicy, "access policy cf-r-1 principal-of-reader"),
    ] {
        let place = Place::up().await;
        let clients = place.clients();
        let notes = Notes::default();
        preflight(&clients, &wanted(access)).await.expect("nothing must be in the way");
        let created: Vec<_> = apply(&clients, &notes, access)
            .await
            .into_iter()
            .map(|result| result.expect("creation must succeed"))
            .collect();
        let ids = IdentityIds {
            client_id: "client-of-reader".into(),
            principal_id: "principal-of-reader".into(),
            tenant_id: fake::TENANT.into(),
        };
        assert_eq!(created.into_iter().filter_map(|created| created.identity).collect::<Vec<_>>(), [ids]);
        assert!(notes.entries().iter().all(|(_, end)| *end == "done"));
        let all = [
            "resource group crossfed-r-1",
            "vault cf-r-1",
            "secret cf-r-1/test-file",
            "identity reader",
            "federated credential reader/reader-1",
            "federated credential reader/reader-2",
            permission,
        ];
        assert_eq!(seen(&clients, Scope::Subscription).await, all);
        assert_eq!(seen(&clients, Scope::Run("r-1".into())).await, all);
        assert!(seen(&clients, Scope::Run("r-2".into())).await.is_empty());

        for (entry, end) in take_back(&clients, &notes).await {
            let expected = if matches!(entry, Undo::Secret { .. }) { Undone::WithVault } else { Undone::Deleted };
            assert_eq!(end, expected, "{entry}");
        }
        assert!(seen(&clients, Scope::Subscription).await.is_empty());
        assert!(take_back(&clients, &notes).await.iter().all(|(_, end)| *end == Undone::AlreadyGone));
        place.down().await;
    }
}

#[tokio::test]
async fn what_is_there_is_neither_adopted_nor_changed() {
    for access in [VaultAccess::Rbac, VaultAccess::AccessPolicy] {
        let place = Place::up().await;
        let clients = place.clients();
        assert!(apply(&clients, &Notes::default(), access).await.iter().all(Result::is_ok));
        let (writes, second) = (place.writes(), Notes::default());
        for result in apply(&clients, &second, access).await {
            let Err(ApplyError::Provision(error)) = result else { panic!("must be refused: {result:?}") };
            assert_eq!((error.kind, error.maybe_done), (Kind::Exists, false), "{error}");
        }
        assert!(second.entries().iter().all(|(_, end)| *end == "failed"));
        assert_eq!(place.writes(), writes);
        place.down().await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_no_refusal() {
    let place = Place::up().await;
    let clients = place.clients();
    for one in
        stages(wanted(VaultAccess::Rbac)).concat().iter().filter(|one| !matches!(one, Desired::RoleAssignment { .. }))
    {
        create(&clients, one, &tags()).await.expect("creation must succeed");
    }
    let id = role().id(SUBSCRIPTION).expect("an assignment has an id").to_ascii_lowercase();
    place.state().lose = Some(id.clone());
    create(&clients, &role(), &tags()).await.expect("what is there is ours");
    let puts = place.state().seen.iter().filter(|line| **line == format!("PUT {id}")).count();
    assert_eq!(puts, 2);
    place.down().await;
}

#[tokio::test]
async fn only_what_the_run_made_is_taken_back_unconfirmed() {
    let place = Place::up().await;
    let clients = place.clients();
    let notes = Notes::default();
    assert!(apply(&clients, &notes, VaultAccess::Rbac).await.iter().all(Result::is_ok));
    let entries: Vec<Undo> = notes.entries().into_iter().map(|(entry, _)| entry).collect();
    let rounds = undo_stages(entries, |entry| entry).concat();
    let writes = place.writes();
    for entry in &rounds {
        assert_eq!(
            undo_unconfirmed(&clients, entry, "r-2").await.expect("owner must be read"),
            Undone::NotOurs,
            "{entry}"
        );
    }
    assert_eq!(place.writes(), writes);
    for entry in &rounds {
        let end = undo_unconfirmed(&clients, entry, "r-1").await.expect("undo must succeed");
        assert!(matches!(end, Undone::Deleted | Undone::WithVault), "{entry}: {end:?}");
    }
    for entry in &rounds {
        assert_eq!(
            undo_unconfirmed(&clients, entry, "r-1").await.expect("owner must be read"),
            Undone::AlreadyGone,
            "{entry}"
        );
    }
    assert!(place.state().there.is_empty() && place.state().deleted.is_empty());
    place.down().await;
}

#[tokio::test]
async fn a_vault_that_was_deleted_and_not_purged_is_purged_if_it_is_ours() {
    let place = Place::up().await;
    let clients = place.clients();
    let entry = vault(VaultAccess::Rbac).undo(SUBSCRIPTION, "westeurope");
    let deleted =
        |id: &str, run: &str| json!({"name": "cf-r-1", "properties": {"vaultId": id, "tags": {"crossfed:run": run}}});
    let id = vault(VaultAccess::Rbac).id(SUBSCRIPTION).expect("a vault has an id");
    place.state().deleted.insert(
        "cf-r-1".into(),
        deleted("/subscriptions/s/resourceGroups/other/providers/Microsoft.KeyVault/vaults/cf-r-1", "r-2"),
    );
    assert_eq!(undo(&clients, &entry).await.expect("must be left alone"), Undone::AlreadyGone);
    assert_eq!(undo_unconfirmed(&clients, &entry, "r-1").await.expect("must be left alone"), Undone::NotOurs);
    assert_eq!(seen(&clients, Scope::Subscription).await, ["deleted vault cf-r-1"]);
    place.state().deleted.insert("cf-r-1".into(), deleted(&id.to_ascii_uppercase(), "r-1"));
    assert_eq!(undo_unconfirmed(&clients, &entry, "r-1").await.expect("must be purged"), Undone::Deleted);
    assert!(place.state().deleted.is_empty());
    place.down().await;
}

#[tokio::test]
async fn a_vault_that_was_deleted_is_made_anew_by_the_run_that_may_have_made_it() {
    let place = Place::up().await;
    let clients = place.clients();
    create(&clients, &Desired::ResourceGroup { name: group() }, &tags()).await.expect("creation must succeed");
    let wanted = vault(VaultAccess::Rbac);
    let properties = json!({"vaultId": wanted.id(SUBSCRIPTION), "tags": {"crossfed:run": "r-1"}});
    place.state().deleted.insert("cf-r-1".into(), json!({"name": "cf-r-1", "properties": properties}));
    for (known, run, end) in [(Known::New, "r-1", "failed"), (Known::MayStand, "r-2", "failed")] {
        let notes = Notes::after(known);
        let tags = Tags::new(run, "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
        create_journaled(&clients, &wanted, &tags, &notes).await.expect_err("must be refused");
        assert_eq!((notes.ends(), place.state().deleted.len()), (vec![end], 1), "{known:?} {run}");
    }
    let notes = Notes::after(Known::MayStand);
    create_journaled(&clients, &wanted, &tags(), &notes).await.expect("must be made anew");
    assert_eq!(notes.ends(), ["done"]);
    assert_eq!(seen(&clients, Scope::Subscription).await, ["resource group crossfed-r-1", "vault cf-r-1"]);
    place.down().await;
}

#[tokio::test]
async fn a_group_with_something_of_another_is_left_standing() {
    let place = Place::up().await;
    let clients = place.clients();
    let desired = Desired::ResourceGroup { name: group() };
    create(&clients, &desired, &tags()).await.expect("creation must succeed");
    let foreign = format!(
        "/subscriptions/{SUBSCRIPTION}/resourcegroups/crossfed-r-1/providers/microsoft.storage/storageaccounts/theirs"
    );
    place.state().there.insert(foreign.clone(), json!({"id": foreign}));
    let error = undo(&clients, &desired.undo(SUBSCRIPTION, "westeurope")).await.expect_err("must be refused");
    assert_eq!(
        error.to_string(),
        format!(
            "DeleteResourceGroup of resource group crossfed-r-1 failed: NotEmpty: it holds 1 resources, such as {foreign}; remove what was put into the group from outside of the run, then clean up again"
        )
    );
    assert_eq!(place.state().there.len(), 2);
    place.down().await;
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_secret_that_is_too_long_are_told_before_anything_is_created() {
    let place = Place::up().await;
    let clients = place.clients();
    place.state().deleted.insert("cf-r-1".into(), json!({}));
    let error = preflight(&clients, &wanted(VaultAccess::Rbac)).await.expect_err("must be refused");
    assert_eq!(
        (error.kind, error.operation, error.code.as_deref()),
        (Kind::Exists, "CheckVaultName", Some("AlreadyExists"))
    );
    assert!(error.to_string().ends_with("purge it, or use another run id"), "{error}");
    let long = Desired::Secret {
        group: group(),
        vault: "v".into(),
        name: "s".into(),
        value: Secret::new("canary".repeat(5000)),
        enabled: true,
    };
    let error = preflight(&clients, &[long]).await.expect_err("must be refused").to_string();
    assert_eq!(
        error,
        "Validate of secret v/s failed: its value has 30000 bytes, and Key Vault takes 25600 at most; correct the request"
    );
    assert_eq!(place.writes(), 0);
    // Asked all the same, Azure says so too, and nothing is left open.
    create(&clients, &Desired::ResourceGroup { name: group() }, &tags()).await.expect("creation must succeed");
    let error = create(&clients, &vault(VaultAccess::Rbac), &tags()).await.expect_err("must be refused");
    assert_eq!((error.kind, error.maybe_done), (Kind::Exists, false));
    place.down().await;
}

#[tokio::test]
async fn a_wrong_secret_is_told_with_the_code_of_entra_and_not_shown() {
    let place = Place::up().await;
    let clients = place.clients_with("canary-wrong");
    let error =
        create(&clients, &Desired::ResourceGroup { name: group() }, &tags()).await.expect_err("must be refused");
    assert_eq!(
        (error.kind, error.code.as_deref(), error.status, error.maybe_done),
        (Kind::Denied, Some("AADSTS7000215"), Some(401), false)
    );
    assert!(!format!("{error:?}{error}").contains("canary"), "{error:?}");
    assert!(place.state().seen.is_empty());
    place.down().await;
}
