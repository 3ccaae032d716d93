//! What a sweep finds in a subscription that several runs and a stranger use, and what it takes away.

use federation::azure::{
    Clients, Desired, Holding, Principal, Tags, VaultAccess, VaultNetwork, VaultRole, create, holdings, stages, undo,
};
use reqwest::Method;
use serde_json::{Value, json};
use trust::{Audience, Secret, Subject};

use super::{Place, seen};

fn wanted(run: &str) -> Vec<Desired> {
    let (group, vault, account) = (format!("cf-{run}"), format!("cf-{run}-v"), format!("cf{run}"));
    let reader = || Principal::Identity { group: format!("cf-{run}"), name: "reader".into() };
    let credential = |name: &str| Desired::FederatedCredential {
        group: format!("cf-{run}"),
        identity: "reader".into(),
        name: name.into(),
        issuer: "https://h.example".parse().expect("issuer must parse"),
        subject: Subject::service_account("demo", name),
        audiences: vec![Audience::new(Audience::AZURE_TOKEN_EXCHANGE)],
    };
    let (access, network) = (VaultAccess::Rbac, VaultNetwork::Open);
    let name = "test-file".to_owned();
    vec![
        Desired::ResourceGroup { name: group.clone() },
        Desired::Vault { group: group.clone(), name: vault.clone(), access, network },
        Desired::Secret { group: group.clone(), vault: vault.clone(), name, value: Secret::new("x"), enabled: true },
        Desired::Identity { group: group.clone(), name: "reader".into() },
        credential("one"),
        credential("two"),
        Desired::RoleAssignment { group: group.clone(), vault, role: VaultRole::SecretsUser, principal: reader() },
        Desired::StorageAccount { group: group.clone(), name: account.clone() },
        Desired::Container { group: group.clone(), account: account.clone(), name: "oidc".into() },
        Desired::StorageRole { group, account, principal: reader() },
    ]
}

async fn make(clients: &Clients, run: &str) {
    let tags = Tags::new(run, "2026-11-23T12:00:00Z", "2026-11-23T18:00:00Z");
    for one in stages(wanted(run)).concat() {
        create(clients, &one, &tags).await.expect("creation must succeed");
    }
}

/// A request of somebody who tags nothing as crossfed does.
async fn send(place: &Place, method: Method, path: &str, body: Value) {
    let token = place.access_token().await;
    let url = format!("https://management.azure.com/subscriptions/{}/{path}", place.access.subscription);
    let answer = place.http().request(method, url).bearer_auth(token).json(&body).send().await;
    let answer = answer.expect("an answer must come");
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.expect("text must come"));
}

async fn strangers(place: &Place) {
    let claim = json!({"location": "westeurope", "tags": {"crossfed:run": "r1"}});
    send(place, Method::PUT, "resourceGroups/cf-r1-theirs?api-version=2021-04-01", claim.clone()).await;
    let identity = "resourceGroups/cf-r1-theirs/providers/Microsoft.ManagedIdentity/userAssignedIdentities/theirs";
    send(place, Method::PUT, &format!("{identity}?api-version=2024-11-30"), claim).await;
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

#[tokio::test]
async fn a_sweep_of_one_run_leaves_everything_else_as_it_is() {
    let place = Place::up().await;
    let clients = &place.clients;
    strangers(&place).await;
    let theirs = seen(clients).await;
    make(clients, "r2").await;
    let before = seen(clients).await;
    make(clients, "r1").await;
    let shown = found(clients, "r1").await.into_iter().map(|Holding { kind, id, marks, undo }| {
        let until = marks.expires.map(|at| at.to_string()).unwrap_or_default();
        let steps: Vec<String> = undo.iter().map(|one| format!("  {one}\n")).collect();
        format!("{kind} {id} until {until}\n{}", steps.concat())
    });
    insta::assert_snapshot!(shown.collect::<String>(), @r"
    vault cf-r1-v until 2026-11-23T18:00:00Z
      delete role assignment bead59c3-d5e0-8578-a3f6-57d400c23940 on vault cf-r1-v in subscription 33333333-3333-4333-8333-333333333333
      delete and purge vault cf-r1-v in subscription 33333333-3333-4333-8333-333333333333
    storage account cfr1 until 2026-11-23T18:00:00Z
      delete role assignment f4e05e60-5344-8c21-8e0b-9e3413daa1a3 on storage account cfr1 in subscription 33333333-3333-4333-8333-333333333333
      delete storage account cfr1 in subscription 33333333-3333-4333-8333-333333333333
    identity reader until 2026-11-23T18:00:00Z
      delete federated credential one of identity reader in subscription 33333333-3333-4333-8333-333333333333
      delete federated credential two of identity reader in subscription 33333333-3333-4333-8333-333333333333
      delete identity reader in subscription 33333333-3333-4333-8333-333333333333
    resource group cf-r1 until 2026-11-23T18:00:00Z
      delete resource group cf-r1 in subscription 33333333-3333-4333-8333-333333333333
    ");
    sweep(clients, "r1").await;
    assert_eq!(seen(clients).await, before);
    sweep(clients, "r2").await;
    assert_eq!(seen(clients).await, theirs);
    place.server.stop().await;
}

#[tokio::test]
async fn a_vault_that_was_deleted_and_not_purged_is_found() {
    let place = Place::up().await;
    let clients = &place.clients;
    make(clients, "r1").await;
    let vault = "resourceGroups/cf-r1/providers/Microsoft.KeyVault/vaults/cf-r1-v?api-version=2026-02-01";
    send(&place, Method::DELETE, vault, Value::Null).await;
    let kinds: Vec<String> = found(clients, "r1").await.iter().map(|one| format!("{} {}", one.kind, one.id)).collect();
    assert_eq!(kinds, ["deleted vault cf-r1-v", "storage account cfr1", "identity reader", "resource group cf-r1"]);
    sweep(clients, "r1").await;
    assert!(seen(clients).await.is_empty());
    place.server.stop().await;
}
