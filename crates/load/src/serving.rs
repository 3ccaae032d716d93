//! The process that is measured: the simulated AWS on a plain endpoint, and nothing else. Its first line of input says what it
//! stands on; each further one moves its clock on by so many seconds. It ends with its input.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sim::{AwsSim, AwsSimConfig, AwsSimOptions};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use transport::{Client, Roots, Server};
use trust::{AccountId, Clock, Secret, SystemClock};

/// What the process is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Of the issuers' certificates.
    pub(crate) root_pem: String,
    pub(crate) account: AccountId,
    /// How long an issuer's keys are good for further tokens.
    pub(crate) keys_kept_seconds: i64,
}

/// What it tells once it listens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) addr: std::net::SocketAddr,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
}

/// The machine's clock, moved on.
#[derive(Debug, Default)]
struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now();
        now.saturating_add(SignedDuration::from_secs(self.0.load(Ordering::Relaxed))).unwrap_or(now)
    }
}

pub(crate) fn run() -> Result<()> {
    let mut lines = std::io::stdin().lock().lines();
    let order = lines.next().context("no order came")??;
    let order: Order = serde_json::from_str(&order).context("the order is not understood")?;
    let clock = Arc::new(Moved::default());
    let runtime = tokio::runtime::Runtime::new()?;
    let (server, ready) = runtime.block_on(serve(order, clock.clone()))?;
    tell(&serde_json::to_string(&ready)?)?;
    for line in lines {
        let seconds: i64 = line?.parse().context("no number of seconds")?;
        clock.0.fetch_add(seconds, Ordering::Relaxed);
        tell("moved")?;
    }
    runtime.block_on(server.stop());
    Ok(())
}

async fn serve(order: Order, clock: Arc<Moved>) -> Result<(Server, Ready)> {
    let issuers = Client::new(Roots::pem(&order.root_pem)?, Duration::from_secs(5));
    let options = AwsSimOptions {
        issuer_keys_kept: SignedDuration::from_secs(order.keys_kept_seconds),
        ..AwsSimOptions::default()
    };
    let sim = AwsSim::with_options(AwsSimConfig { clock, issuers }, &options);
    let admin = sim.create_account(order.account);
    let listener = TcpListener::bind("127.0.0.1:0").await.context("loopback cannot be listened on")?;
    let server = Server::plain(listener, sim.router())?;
    let ready =
        Ready { addr: server.addr(), access_key_id: admin.access_key_id, secret_access_key: admin.secret_access_key };
    Ok((server, ready))
}

fn tell(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
