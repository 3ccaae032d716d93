//! What undoes a thing and where it is, known before it exists; and things for the tests of other modules.

use super::*;

pub(in crate::azure) fn group(name: &str) -> Desired {
    Desired::ResourceGroup { name: name.into() }
}
pub(in crate::azure) fn vault(name: &str) -> Desired {
    Desired::Vault { group: "g".into(), name: name.into(), access: VaultAccess::Rbac, network: VaultNetwork::Open }
}
pub(in crate::azure) fn secret(vault: &str, name: &str, value: &str) -> Desired {
    Desired::Secret {
        group: "g".into(),
        vault: vault.into(),
        name: name.into(),
        value: Secret::new(value),
        enabled: true,
    }
}
pub(in crate::azure) fn identity(name: &str) -> Desired {
    Desired::Identity { group: "g".into(), name: name.into() }
}
pub(in crate::azure) fn credential(identity: &str, name: &str, subject: &str, audiences: &[&str]) -> Desired {
    Desired::FederatedCredential {
        group: "g".into(),
        identity: identity.into(),
        name: name.into(),
        issuer: "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
            .parse()
            .expect("issuer must parse"),
        subject: Subject::new(subject),
        audiences: audiences.iter().map(|&audience| Audience::new(audience)).collect(),
    }
}
pub(in crate::azure) fn of(identity: &str) -> Principal {
    Principal::Identity { group: "g".into(), name: identity.into() }
}
pub(in crate::azure) fn role(vault: &str, principal: Principal) -> Desired {
    Desired::RoleAssignment { group: "g".into(), vault: vault.into(), role: VaultRole::SecretsUser, principal }
}
pub(in crate::azure) fn policy(vault: &str, principal: Principal) -> Desired {
    Desired::AccessPolicy { group: "g".into(), vault: vault.into(), principal, secrets: vec!["get".into()] }
}

pub(in crate::azure) fn account(name: &str) -> Desired {
    Desired::StorageAccount { group: "g".into(), name: name.into() }
}
pub(in crate::azure) fn container(account: &str, name: &str) -> Desired {
    Desired::Container { group: "g".into(), account: account.into(), name: name.into() }
}
pub(in crate::azure) fn writer(account: &str) -> Desired {
    let principal = Principal::Object { id: "p".into() };
    Desired::StorageRole { group: "g".into(), account: account.into(), principal }
}
pub(in crate::azure) fn blob(account: &str, container: &str, name: &str) -> Desired {
    Desired::Blob {
        account: account.into(),
        container: container.into(),
        name: name.into(),
        content_type: "application/json".into(),
        body: b"canary".to_vec(),
    }
}

#[test]
fn undo_survives_the_journal() {
    let mut lines = String::new();
    for desired in [
        group("g"),
        vault("v"),
        secret("v", "s", "canary"),
        identity("i"),
        credential("i", "f", "system:serviceaccount:demo:reader", &["api://AzureADTokenExchange"]),
        role("v", of("i")),
        policy("v", Principal::ClientIdOf { group: "g".into(), name: "i".into() }),
        account("a"),
        container("a", "c"),
        writer("a"),
        blob("a", "c", "openid/v1/jwks"),
    ] {
        let undo = desired.undo("sub", "westeurope");
        let line = serde_json::to_string(&undo).expect("undo must serialise");
        assert_eq!(serde_json::from_str::<Undo>(&line).expect("undo must parse"), undo);
        lines += &format!("{undo}\n{line}\n");
    }
    insta::assert_snapshot!(lines, @r#"
    delete resource group g in subscription sub
    {"delete":"resource-group","subscription":"sub","name":"g"}
    delete and purge vault v in subscription sub
    {"delete":"vault","subscription":"sub","location":"westeurope","group":"g","name":"v"}
    delete secret v/s in subscription sub
    {"delete":"secret","subscription":"sub","group":"g","vault":"v","name":"s"}
    delete identity i in subscription sub
    {"delete":"identity","subscription":"sub","group":"g","name":"i"}
    delete federated credential f of identity i in subscription sub
    {"delete":"federated-credential","subscription":"sub","group":"g","identity":"i","name":"f"}
    delete role assignment 10dad165-cf99-8e3e-bb44-49b4e22204b2 on vault v in subscription sub
    {"delete":"role-assignment","subscription":"sub","group":"g","vault":"v","name":"10dad165-cf99-8e3e-bb44-49b4e22204b2"}
    remove access policy of client id of identity i on vault v in subscription sub
    {"delete":"access-policy","subscription":"sub","group":"g","vault":"v","principal":{"kind":"client-id-of","group":"g","name":"i"},"secrets":["get"]}
    delete storage account a in subscription sub
    {"delete":"storage-account","subscription":"sub","group":"g","name":"a"}
    delete container a/c in subscription sub
    {"delete":"container","subscription":"sub","group":"g","account":"a","name":"c"}
    delete role assignment c3c9a8a8-e21b-86e5-8a50-1ebbdd0e4902 on storage account a in subscription sub
    {"delete":"storage-role","subscription":"sub","group":"g","account":"a","name":"c3c9a8a8-e21b-86e5-8a50-1ebbdd0e4902"}
    delete blob a/c/openid/v1/jwks in subscription sub
    {"delete":"blob","subscription":"sub","account":"a","container":"c","name":"openid/v1/jwks"}
    "#);
}

#[test]
fn ids_are_known_beforehand() {
    let check = |desired: Desired, expected: Option<&str>| assert_eq!(desired.id("s").as_deref(), expected);
    check(group("g"), Some("/subscriptions/s/resourceGroups/g"));
    check(vault("v"), Some("/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"));
    check(
        credential("i", "f", "s", &[]),
        Some(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i/federatedIdentityCredentials/f",
        ),
    );
    check(policy("v", of("i")), None);
    check(
        container("a", "c"),
        Some(
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a/blobServices/default/containers/c",
        ),
    );
    check(blob("a", "c", "b"), None);
    // The journal and the creation must speak of one and the same assignment.
    for (desired, scope) in [(role("v", of("i")), "/vaults/v"), (writer("a"), "/storageAccounts/a")] {
        let (Undo::RoleAssignment { name, .. } | Undo::StorageRole { name, .. }) = desired.undo("s", "westeurope")
        else {
            panic!("undo must be of a role");
        };
        let id = desired.id("s").expect("an assignment has an id");
        let end = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
        assert!(id.ends_with(&end), "{id}");
    }
}

#[test]
fn debug_shows_no_value() {
    assert_eq!(format!("{:?}", secret("v", "s", "canary")), "Desired(secret v/s)");
    assert_eq!(format!("{:?}", blob("a", "c", "b")), "Desired(blob a/c/b)");
}
