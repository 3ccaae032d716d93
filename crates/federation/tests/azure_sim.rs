//! The same against the simulated Azure, which checks tokens, roles and the order of things.

#![expect(clippy::expect_used, reason = "a test that cannot go on should say what it missed")]

#[path = "azure/again.rs"]
mod again;
#[path = "azure/holdings.rs"]
mod holdings;
#[path = "common/notes.rs"]
mod notes;
#[path = "azure/proxy.rs"]
mod proxy;

use std::sync::Arc;
use std::time::Duration;

use azure_sim::{AzureSim, AzureSimConfig};
use federation::azure::{
    Access, Clients, Consistency, Credential, Desired, HttpStack, Kind, Principal, Scope, Tags, Undone, VaultAccess,
    VaultNetwork, VaultRole, Wire, create, inventory, preflight, publish, stages, undo, undo_stages, undo_unconfirmed,
};
use futures::future::join_all;
use transport::{Authority, Client, Roots, Server};
use trust::{Audience, Secret, Subject, SystemClock};

const GROUP: &str = "crossfed-r-1";
const VAULT: &str = "cf-r-1";
const ACCOUNT: &str = "cfr1";
const BLOBS: &str = "cfr1.blob.core.windows.net";

struct Place {
    server: Server,
    clients: Clients,
    access: Access,
    /// The provisioning principal's object id.
    owner: String,
    wire: Wire,
}

impl Place {
    async fn up() -> Self {
        let authority = Authority::generate("azure", &SystemClock).expect("authority must generate");
        let roots = Roots::of(&authority).expect("root must be taken");
        let sim = AzureSim::new(AzureSimConfig {
            clock: Arc::new(SystemClock),
            issuers: Client::new(roots, Duration::from_secs(5)),
            token_key: azure_sim::token_key().expect("key must be on its way"),
            credential_write: Duration::from_millis(10),
        });
        let id = |text: &str| text.parse().expect("id must parse");
        let admin = sim.create_subscription(
            id("11111111-1111-4111-8111-111111111111"),
            id("33333333-3333-4333-8333-333333333333"),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
        let identity = authority
            .server_identity(&["management.azure.com", "login.microsoftonline.com", BLOBS])
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
        Self { server, clients, access, owner: admin.object_id.to_string(), wire }
    }

    /// Clients that have made nothing yet.
    fn clients(&self) -> Clients {
        let http = HttpStack::new(Some(&self.wire)).expect("wire must be taken");
        Clients::new(&self.access, &http).expect("access must be taken")
    }

    /// A client of no SDK.
    fn http(&self) -> reqwest::Client {
        let proxy = self.wire.proxy_url.as_ref().expect("the wire has a proxy").expose();
        let roots = reqwest::Certificate::from_pem_bundle(self.wire.root_pem.as_bytes()).expect("root must be read");
        let builder = reqwest::Client::builder().proxy(reqwest::Proxy::all(proxy).expect("proxy must be taken"));
        builder.tls_certs_only(roots).build().expect("client must be built")
    }

    /// The provisioning principal's token for Resource Manager.
    async fn access_token(&self) -> String {
        let Credential::ClientSecret { client_id, client_secret } = &self.access.credential else {
            panic!("the principal has a secret")
        };
        let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", self.access.tenant);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret.expose()),
            ("scope", "https://management.azure.com/.default"),
        ];
        let form = form.map(|(name, value)| format!("{name}={value}")).join("&");
        let request = self.http().post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer = request.send().await.expect("an answer must come").text().await.expect("text must come");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("an answer must be JSON");
        answer["access_token"].as_str().expect("a token must be issued").to_owned()
    }

    /// What anybody reads at an address: status, content type and text.
    async fn read(&self, url: &str) -> (u16, String, String) {
        let answer = self.http().get(url).send().await.expect("an answer must come");
        let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let (status, kind) = (answer.status().as_u16(), kind.to_owned());
        (status, kind, answer.text().await.expect("text must come"))
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
        let Place { server, clients, .. } = Place::up().await;
        let tags = Tags::new("r-1", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
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
    let Place { server, clients, .. } = Place::up().await;
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
        let tags = Tags::new("r-1", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z");
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

fn site(owner: &str) -> Vec<Desired> {
    let blob = |name: &str, body: &str| Desired::Blob {
        account: ACCOUNT.into(),
        container: "oidc".into(),
        name: name.into(),
        content_type: "application/json".into(),
        body: body.into(),
    };
    let principal = Principal::Object { id: owner.to_owned() };
    vec![
        blob(".well-known/openid-configuration", "{}"),
        blob("openid/v1/jwks", "[]"),
        Desired::StorageRole { group: GROUP.into(), account: ACCOUNT.into(), principal },
        Desired::Container { group: GROUP.into(), account: ACCOUNT.into(), name: "oidc".into() },
        Desired::StorageAccount { group: GROUP.into(), name: ACCOUNT.into() },
        Desired::ResourceGroup { name: GROUP.into() },
    ]
}

#[tokio::test]
async fn an_issuer_is_published_published_again_and_taken_away() {
    let place = Place::up().await;
    let (clients, tags) = (&place.clients, Tags::new("r-1", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z"));
    let owner = clients.own_object_id().await.expect("the token must say who we are");
    assert_eq!(owner, place.owner);
    let wanted = site(&owner);
    preflight(clients, &wanted).await.expect("nothing must be in the way");
    for round in stages(wanted.clone()) {
        for result in join_all(round.iter().map(|one| create(clients, one, &tags))).await {
            result.expect("creation must succeed");
        }
    }
    let role = format!("storage role assignment {ACCOUNT} ba92f5b4-2d11-453d-a403-e96b0029c9fe {owner}");
    let all = ["resource group crossfed-r-1", "storage account cfr1", "container cfr1/oidc", &role];
    assert_eq!(seen(clients).await, all);
    let json = |text: &str| (200, "application/json".to_owned(), text.to_owned());
    assert_eq!(place.read(&format!("https://{BLOBS}/oidc/.well-known/openid-configuration")).await, json("{}"));
    let keys = format!("https://{BLOBS}/oidc/openid/v1/jwks");
    assert_eq!(place.read(&keys).await, json("[]"));
    publish(clients, ACCOUNT, "oidc", "openid/v1/jwks", "application/json", b"[1]").await.expect("must be overwritten");
    assert_eq!(place.read(&keys).await, json("[1]"));

    for one in &wanted {
        let error = create(clients, one, &tags).await.expect_err("must be refused");
        assert_eq!((error.kind, error.maybe_done), (Kind::Exists, false), "{error}");
    }
    let taken = preflight(clients, &wanted).await.expect_err("the account's name is taken");
    assert_eq!((taken.kind, taken.operation), (Kind::Exists, "CheckStorageName"));
    let entries: Vec<_> = wanted.iter().map(|one| one.undo(clients.subscription(), clients.location())).collect();
    for entry in &entries {
        let end = undo_unconfirmed(clients, entry, "r-2").await;
        assert_eq!(end.expect("owner must be read"), Undone::NotOurs, "{entry}");
    }
    for round in undo_stages(entries.clone(), |entry| entry) {
        for result in join_all(round.iter().map(|entry| undo(clients, entry))).await {
            assert!(matches!(result.expect("undo must succeed"), Undone::Deleted | Undone::WithVault));
        }
    }
    assert!(seen(clients).await.is_empty());
    for entry in &entries {
        assert_eq!(undo(clients, entry).await.expect("a second undo must succeed"), Undone::AlreadyGone, "{entry}");
    }
    preflight(clients, &wanted).await.expect("the name must be free again");
    place.server.stop().await;
}

#[tokio::test]
async fn an_owner_without_the_role_is_told_what_is_missing() {
    let place = Place::up().await;
    let (clients, tags) = (&place.clients, Tags::new("r-1", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z"));
    let wanted = stages(site(&place.owner)).concat();
    for one in wanted.iter().filter(|one| !matches!(one, Desired::StorageRole { .. } | Desired::Blob { .. })) {
        create(clients, one, &tags).await.expect("creation must succeed");
    }
    let write = || publish(clients, ACCOUNT, "oidc", "openid/v1/jwks", "application/json", b"[]");
    let error = write().await.expect_err("must be refused");
    assert_eq!(
        error.to_string(),
        "PublishBlob of blob cfr1/oidc/openid/v1/jwks failed: AuthorizationPermissionMismatch (403): This request is not authorized to perform this operation using this permission; writing blobs needs the role Storage Blob Data Contributor, which Owner does not contain"
    );
    assert_eq!((error.kind, error.maybe_done), (Kind::Denied, false));
    let role = wanted.iter().find(|one| matches!(one, Desired::StorageRole { .. })).expect("a role is wanted");
    create(clients, role, &tags).await.expect("creation must succeed");
    write().await.expect("must be written");
    place.server.stop().await;
}
