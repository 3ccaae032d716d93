//! What the tests stand on: a simulated account behind TLS, a ledger in memory, and what is in the account.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sim::{AwsSim, AwsSimConfig, AwsSimOptions, Propagation};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use federation::aws::{Access, Clients, Consistency, HttpStack, Scope, Tags, Wire, inventory};
use tokio::sync::Notify;
use transport::{Authority, Client, Roots, Server};
use trust::{AccountId, Secret, SystemClock};

pub(crate) const ACCOUNT: &str = "123456789012";

/// A simulated account and the way to it.
pub(crate) struct Place {
    pub(crate) sim: AwsSim,
    pub(crate) server: Server,
    pub(crate) http: HttpStack,
    pub(crate) root_pem: String,
    /// Signs nothing.
    pub(crate) public: Client,
}

impl Place {
    pub(crate) async fn up() -> Self {
        Self::behind(|router| router).await
    }

    /// With something between the clients and the simulator.
    pub(crate) async fn behind(between: impl FnOnce(Router) -> Router) -> Self {
        Self::with(AwsSimOptions::default(), between).await
    }

    /// IAM shows writes late.
    pub(crate) async fn lagging(propagation: Propagation) -> Self {
        let options = AwsSimOptions { propagation: Some(propagation), ..AwsSimOptions::default() };
        Self::with(options, |router| router).await
    }

    async fn with(options: AwsSimOptions, between: impl FnOnce(Router) -> Router) -> Self {
        let authority = Authority::generate("aws", &SystemClock).expect("authority must generate");
        let client = || Client::new(Roots::of(&authority).expect("root must be taken"), Duration::from_secs(5));
        let config = AwsSimConfig { clock: Arc::new(SystemClock), issuers: client() };
        let sim = AwsSim::with_options(config, &options);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback must bind");
        let identity = authority.server_identity(&["127.0.0.1"]).expect("identity must be issued");
        let server = Server::tls(listener, identity, between(sim.router())).expect("server must start");
        let wire = Wire { proxy_url: None, root_pem: authority.root_pem().to_owned() };
        let http = HttpStack::new(Some(&wire)).expect("wire must be taken");
        Self { sim, server, http, root_pem: wire.root_pem, public: client() }
    }

    pub(crate) fn clients(&self, account: &str, region: &str) -> Clients {
        let account: AccountId = account.parse().expect("account must parse");
        let admin = self.sim.create_account(account.clone());
        self.clients_with(account, region, admin.access_key_id, admin.secret_access_key)
    }

    pub(crate) fn clients_with(
        &self,
        account: AccountId,
        region: &str,
        access_key_id: String,
        secret_access_key: Secret,
    ) -> Clients {
        let access = Access {
            account,
            region: region.to_owned(),
            access_key_id,
            secret_access_key,
            session_token: None,
            endpoint: Some(format!("https://{}", self.server.addr())),
            consistency: Consistency::Immediate,
        };
        Clients::new(&access, &self.http)
    }

    /// Clients of `ACCOUNT` that wait so long for others.
    pub(crate) fn clients_waiting(&self, deadline: Duration) -> Clients {
        let account: AccountId = ACCOUNT.parse().expect("account must parse");
        let admin = self.sim.create_account(account.clone());
        let access = Access {
            account,
            region: "eu-central-1".to_owned(),
            access_key_id: admin.access_key_id,
            secret_access_key: admin.secret_access_key,
            session_token: None,
            endpoint: Some(format!("https://{}", self.server.addr())),
            consistency: Consistency::Eventual { deadline },
        };
        Clients::new(&access, &self.http)
    }
}

pub(crate) fn tags() -> Tags {
    Tags::new("r-1", "2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z")
}

pub(crate) async fn seen(clients: &Clients) -> Vec<String> {
    let items = inventory(clients, &Scope::Account).await.expect("inventory must be taken");
    items.into_iter().map(|item| format!("{} {}", item.kind, item.id)).collect()
}

/// Does every write, and loses the answer to every other one of a key.
pub(crate) fn losing_answers(router: Router) -> Router {
    let next_is_lost = Arc::new(Mutex::new(HashMap::<String, bool>::new()));
    router.layer(from_fn(move |request: Request, next: Next| {
        let writes = request.method() != "GET" && request.method() != "HEAD";
        let authorization =
            request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let key = authorization.split('/').next().unwrap_or_default().to_owned();
        let lost = writes && {
            let mut next_is_lost = next_is_lost.lock().expect("nobody panics with it");
            let is_lost = next_is_lost.entry(key).or_insert(true);
            std::mem::replace(is_lost, !*is_lost)
        };
        async move {
            let answer = next.run(request).await;
            if lost { StatusCode::INTERNAL_SERVER_ERROR.into_response() } else { answer }
        }
    }))
}

/// Refuses every write of one setting of a bucket, such as `tagging`, in S3's words.
pub(crate) fn refusing(setting: &'static str) -> impl FnOnce(Router) -> Router {
    refusing_while(setting, Arc::new(AtomicBool::new(true)))
}

/// The same, as long as `refuse` says so.
pub(crate) fn refusing_while(setting: &'static str, refuse: Arc<AtomicBool>) -> impl FnOnce(Router) -> Router {
    move |router| {
        router.layer(from_fn(move |request: Request, next: Next| {
            let query = request.uri().query().unwrap_or_default();
            let is_setting = request.method() == "PUT" && query.split(['&', '=']).next() == Some(setting);
            let refused = is_setting && refuse.load(Ordering::SeqCst);
            let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
            async move { if refused { (StatusCode::FORBIDDEN, denied).into_response() } else { next.run(request).await } }
        }))
    }
}

/// Does not let a call through while it is told not to: the caller waits for ever.
pub(crate) fn stalling(
    action: &'static str,
    stall: Arc<AtomicBool>,
    stalled: Arc<Notify>,
) -> impl FnOnce(Router) -> Router {
    move |router| {
        router.layer(from_fn(move |request: Request, next: Next| {
            let (stall, stalled) = (stall.clone(), stalled.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.expect("a request must be read");
                let form = String::from_utf8_lossy(&body);
                if form.starts_with(&format!("Action={action}&")) && stall.load(Ordering::SeqCst) {
                    stalled.notify_one();
                    std::future::pending::<()>().await;
                }
                next.run(Request::from_parts(parts, body.into())).await
            }
        }))
    }
}
