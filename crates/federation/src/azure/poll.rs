//! Waiting for what Azure goes on with after it has answered. Every wait has a deadline.

use std::time::Duration;

use tokio::time::Instant;

use super::access::Clients;
use super::call::{Reply, Request, call};
use super::error::ProvisionError;
use super::{Consistency, Kind};

/// A group takes minutes to go, a vault seconds to come and to be purged.
const DEADLINE: Duration = Duration::from_secs(20 * 60);
/// Where writes are seen at once, so is their end.
const DEADLINE_IMMEDIATE: Duration = Duration::from_secs(30);

/// The pauses of one wait.
struct Pace {
    until: Instant,
    next: Duration,
    most: Duration,
    /// Whether what the service says about pauses counts.
    heeds: bool,
}

impl Pace {
    fn of(clients: &Clients) -> Self {
        match clients.consistency() {
            Consistency::Immediate => Self {
                until: Instant::now() + DEADLINE_IMMEDIATE,
                next: Duration::from_millis(2),
                most: Duration::from_millis(250),
                heeds: false,
            },
            Consistency::Eventual { .. } => Self {
                until: Instant::now() + DEADLINE,
                next: Duration::from_secs(1),
                most: Duration::from_secs(10),
                heeds: true,
            },
        }
    }

    /// Sleeps; false when the time is up.
    async fn pause(&mut self, told: Option<Duration>) -> bool {
        let pause = told.filter(|_| self.heeds).unwrap_or(self.next);
        if Instant::now() + pause > self.until {
            return false;
        }
        self.next = (self.next * 2).min(self.most);
        tokio::time::sleep(pause).await;
        true
    }
}

fn too_long(operation: &'static str, resource: &str, seen: &str) -> ProvisionError {
    let told = ProvisionError::new(
        Kind::Unavailable,
        operation,
        resource,
        format!("it goes on for too long; last seen: {seen}"),
    );
    ProvisionError { retryable: true, maybe_done: true, ..told }
}

/// Waits for a deletion that was answered with `accepted`: by the link that it gave, else until `look` finds nothing.
pub(super) async fn until_gone(clients: &Clients, accepted: Reply, look: Request<'_>) -> Result<(), ProvisionError> {
    let (operation, resource) = (look.operation, look.resource);
    let mut link = accepted.watch.as_deref().and_then(|link| Request::follow(operation, resource, link));
    let mut told = accepted.retry_after;
    let mut pace = Pace::of(clients);
    let mut seen = format!("status {}", accepted.status);
    while pace.pause(told).await {
        match call(clients, link.clone().unwrap_or_else(|| look.clone())).await {
            // The link's own answer of success; what is looked for answers so as long as it is there.
            Ok(reply) if link.is_some() && reply.status != 202 => return Ok(()),
            Ok(reply) => {
                seen = reply
                    .property("provisioningState")
                    .map_or_else(|| format!("status {}", reply.status), str::to_owned);
                told = reply.retry_after;
            }
            Err(error) if error.is_absent() && link.is_none() => return Ok(()),
            // Links are forgotten after a while; what they spoke of is not.
            Err(error) if error.is_absent() => link = None,
            Err(error) => {
                return Err(ProvisionError { maybe_done: true, ..error });
            }
        }
    }
    Err(too_long(operation, resource, &seen))
}

/// Waits until what was created is ready. Gives its last answer. Some creations are accepted first, and have a link that
/// tells when they are done.
pub(super) async fn until_ready(clients: &Clients, created: Reply, look: Request<'_>) -> Result<Reply, ProvisionError> {
    let mut reply = created;
    let mut pace = Pace::of(clients);
    let mut link = None;
    loop {
        let told = reply.watch.as_deref().and_then(|to| Request::follow(look.operation, look.resource, to));
        let is_accepted = reply.status == 202;
        link = told.or(link).filter(|_| is_accepted);
        let usual = if is_accepted { "Accepted" } else { "Succeeded" };
        let state = reply.property("provisioningState").unwrap_or(usual);
        match state {
            "Succeeded" if !is_accepted => return Ok(reply),
            "Failed" | "Canceled" => {
                let told = ProvisionError::new(
                    Kind::Invalid,
                    look.operation,
                    look.resource,
                    format!("its provisioning ended as {state}"),
                );
                return Err(ProvisionError { maybe_done: true, ..told });
            }
            _ => {}
        }
        if !pace.pause(reply.retry_after).await {
            return Err(too_long(look.operation, look.resource, state));
        }
        let next = link.clone().unwrap_or_else(|| look.clone());
        reply = call(clients, next).await.map_err(|error| ProvisionError { maybe_done: true, ..error })?;
    }
}
