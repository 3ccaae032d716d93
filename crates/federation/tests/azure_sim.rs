//! The same against the simulated Azure, which checks tokens, roles and the order of things.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say what it missed")]

#[path = "azure/proxy.rs"]
mod proxy;

use std::sync::Arc;
use std::time::Duration;

use azure_sim::{AzureSim, AzureSimConfig};
use federation::azure::{
    Access, Clients, Consistency, Credential, Desired, HttpStack, Kind, Principal, Scope, Tags, Undone, VaultAccess,
    VaultNetwork, VaultRole, Wire, create, inventory, preflight, stages, undo, undo_stages, undo_unconfirmed,
};
use futures::future::join_all;
use transport::{Authority, Client, Roots, Server};
use trust::{Audience, Secret, Subject, SystemClock};

const GROUP: &str = "crossfed-r-1";
const VAULT: &str = "cf-r-1";

struct Place {
    server: Server,
    clients: Clients,
}

impl Place {
    async fn up() -> Self {
        let authority = Authority::generate("azure", &SystemClock).expect("authority must generate");
        let roots = Roots::of(&authority).expect("root must be taken");
        let sim = AzureSim::new(AzureSimConfig {
            clock: Arc::new(SystemClock),
            issuers: Client::new(roots, Duration::from_secs(5)),
            token_key: azure_sim::token_key().expect("key must be on its way"),
        });
        let id = |text: &str| text.parse().expect("id must parse");
        let admin = sim.create_subscription(
            id("11111111-1111-4111-8111-111111111111"),
            id("33333333-3333-4333-8333-333333333333"),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
        let identity = authority
            .server_identity(&["management.azure.com", "login.microsoftonline.com"])
            .expect("identity must be issued");
        let server = Server::tls(listener, identity, sim.router()).expect("server must start");
        let wire = Wire {
            proxy_url: Some(Secret::new(proxy::proxy(server.addr()).await)),
            root_pem: authority.root_pem().to_owned(),
        };
        let access = Access {
            tenant: admin.tenant.to_string(),
            subscription: admin.subscription.to_string(),
            location: "westeurope".into(),
            credential: Credential::ClientSecret {
                client_id: admin.client_id.to_string(),
                client_secret: admin.client_secret.clone(),
            },
            consistency: Consistency::Immediate,
        };
        let http = HttpStack::new(Some(&wire)).expect("wire must be taken");
        let clients = Clients::new(&access, &http).expect("access must be taken");
        Self { server, clients }
    }
}

fn wanted(access: VaultAccess) -> Vec<Desired> {
    let reader = || Principal::Identity { group: GROUP.into(), name: "reader".into() };
    let credential = |name: &str| Desired::FederatedCredential {
        group: GROUP.into(),
        identity: "reader".into(),
        name: name.into(),
        issuer: "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
            .parse()
            .expect("issuer must parse"),
        subject: Subject::service_account("demo", name),
        audiences: vec![Audience::new(Audience::AZURE_TOKEN_EXCHANGE)],
    };
    let permission = match access {
        VaultAccess::Rbac => Desired::RoleAssignment {
            group: GROUP.into(),
            vault: VAULT.into(),
            role: VaultRole::SecretsUser,
            principal: reader(),
        },
        VaultAccess::AccessPolicy => Desired::AccessPolicy {
            group: GROUP.into(),
            vault: VAULT.into(),
            principal: reader(),
            secrets: vec!["get".into()],
        },
    };
    vec![
        permission,
        Desired::Secret {
            group: GROUP.into(),
            vault: VAULT.into(),
            name: "test-file".into(),
            value: Secret::new("hello"),
            enabled: true,
        },
        credential("reader-1"),
        credential("reader-2"),
        Desired::Identity { group: GROUP.into(), name: "reader".into() },
        Desired::Vault { group: GROUP.into(), name: VAULT.into(), access, network: VaultNetwork::Open },
        Desired::ResourceGroup { name: GROUP.into() },
    ]
}

async fn seen(clients: &Clients) -> Vec<String> {
    let items = inventory(clients, &Scope::Subscription).await.expect("inventory must be taken");
    items.into_iter().map(|item| format!("{} {}", item.kind, item.id)).collect()
}

#[tokio::test]
async fn everything_comes_is_not_adopted_and_goes() {
    for access in [VaultAccess::Rbac, VaultAccess::AccessPolicy] {
        let Place { server, clients } = Place::up().await;
        let tags = Tags::new("r-1", "2099-01-01T00:00:00Z");
        preflight(&clients, &wanted(access)).await.expect("nothing must be in the way");
        for round in stages(wanted(access)) {
            for result in join_all(round.iter().map(|one| create(&clients, one, &tags))).await {
                result.expect("creation must succeed");
            }
        }
        let ids = clients.identity(GROUP, "reader").await.expect("identity must be known");
        let permission = match access {
            VaultAccess::Rbac => {
                format!("role assignment {VAULT} {} {}", VaultRole::SecretsUser.id(), ids.principal_id)
            }
            VaultAccess::AccessPolicy => format!("access policy {VAULT} {}", ids.principal_id),
        };
        let all = [
            "resource group crossfed-r-1",
            "vault cf-r-1",
            "secret cf-r-1/test-file",
            "identity reader",
            "federated credential reader/reader-1",
            "federated credential reader/reader-2",
            &permission,
        ];
        assert_eq!(seen(&clients).await, all);

        for one in wanted(access) {
            let error = create(&clients, &one, &tags).await.expect_err("must be refused");
            assert_eq!((error.kind, error.maybe_done), (Kind::Exists, false), "{error}");
        }
        let taken = preflight(&clients, &wanted(access)).await.expect_err("the vault's name is taken");
        assert_eq!(taken.kind, Kind::Exists, "{taken}");

        let entries: Vec<_> =
            wanted(access).iter().map(|one| one.undo(clients.subscription(), clients.location())).collect();
        for entry in &entries {
            let end = undo_unconfirmed(&clients, entry, "r-2").await;
            assert_eq!(end.expect("owner must be read"), Undone::NotOurs, "{entry}");
        }
        assert_eq!(seen(&clients).await, all);
        for round in undo_stages(entries.clone(), |entry| entry) {
            for result in join_all(round.iter().map(|entry| undo(&clients, entry))).await {
                let end = result.expect("undo must succeed");
                assert!(matches!(end, Undone::Deleted | Undone::WithVault));
            }
        }
        assert!(seen(&clients).await.is_empty());
        for entry in &entries {
            let end = undo(&clients, entry).await.expect("a second undo must succeed");
            assert_eq!(end, Undone::AlreadyGone, "{entry}");
        }
        preflight(&clients, &wanted(access)).await.expect("the name must be free again");
        server.stop().await;
    }
}

#[tokio::test]
async fn what_a_fault_needs_can_be_made_and_taken_away_by_another_task() {
    let Place { server, clients } = Place::up().await;
    let client_id = Principal::ClientIdOf { group: GROUP.into(), name: "reader".into() };
    let vault = |name: &str, network: VaultNetwork| Desired::Vault {
        group: GROUP.into(),
        name: name.into(),
        access: VaultAccess::AccessPolicy,
        network,
    };
    let wanted = vec![
        Desired::ResourceGroup { name: GROUP.into() },
        Desired::Identity { group: GROUP.into(), name: "reader".into() },
        vault("cf-firewall", VaultNetwork::Firewall),
        vault("cf-private", VaultNetwork::Private),
        Desired::Secret {
            group: GROUP.into(),
            vault: "cf-firewall".into(),
            name: "disabled".into(),
            value: Secret::new("hello"),
            enabled: false,
        },
        Desired::AccessPolicy {
            group: GROUP.into(),
            vault: "cf-private".into(),
            principal: client_id,
            secrets: vec!["get".into(), "list".into()],
        },
    ];
    let others = clients.clone();
    let apart = tokio::spawn(async move {
        let tags = Tags::new("r-1", "2099-01-01T00:00:00Z");
        let mut undos = Vec::new();
        for one in stages(wanted).concat() {
            create(&others, &one, &tags).await.expect("creation must succeed");
            undos.push(one.undo(others.subscription(), others.location()));
        }
        for entry in undo_stages(undos, |entry| entry).concat() {
            undo_unconfirmed(&others, &entry, "r-1").await.expect("undo must succeed");
        }
    });
    apart.await.expect("the task must end well");
    assert!(seen(&clients).await.is_empty());
    server.stop().await;
}
