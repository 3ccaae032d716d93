//! Clients at work: each a thread with a connection, which sends its next request once the last is answered.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::connection::Connection;
use crate::process::{self, Process};
use crate::sign::{Credentials, Signer};
use crate::world::{self, Place};

/// When it is enough.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Passed(Duration),
    Done(u64),
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) operations: u64,
    pub(crate) elapsed: Duration,
    /// Of each operation, as its client saw it; in order of size.
    pub(crate) micros: Vec<u32>,
    /// That the process took for it on all cores.
    pub(crate) cpu: Option<Duration>,
    /// That its clients took.
    pub(crate) client_cpu: Option<Duration>,
}

impl Window {
    pub(crate) fn per_second(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds that this share of the operations did not pass.
    pub(crate) fn micros_at(&self, share: f64) -> u32 {
        let last = self.micros.len().saturating_sub(1);
        self.micros.get((last as f64 * share) as usize).copied().unwrap_or_default()
    }

    /// Percent of so many cores that the two had; what is missing, others had, or nobody.
    pub(crate) fn percent_of(&self, cores: usize) -> Option<f64> {
        let taken = self.cpu? + self.client_cpu?;
        Some(100.0 * taken.as_secs_f64() / self.elapsed.as_secs_f64() / cores.max(1) as f64)
    }

    /// Microseconds of some time for one operation.
    pub(crate) fn share(&self, time: Option<Duration>) -> Option<f64> {
        Some(time?.as_secs_f64() * 1e6 / self.operations.max(1) as f64)
    }
}

/// Has the clients do `work`, each with a state of its own; the work is told the operation's number.
fn drive<S>(
    process: &Process,
    clients: u16,
    until: Until,
    first: u64,
    state: impl Fn(u64) -> S + Sync,
    work: impl Fn(&mut Connection, &mut S, u64) -> Result<()> + Sync,
) -> Result<Window> {
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let limit = match until {
        Until::Passed(_) => u64::MAX,
        Until::Done(count) => count,
    };
    let before = (process.cpu(), process::own_cpu());
    let started = Instant::now();
    let client = |number: u64| -> Result<Vec<u32>> {
        let mut connection = Connection::new(process.addr);
        let mut state = state(number);
        let mut micros = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            if matches!(until, Until::Passed(time) if started.elapsed() >= time) {
                break;
            }
            let operation = next.fetch_add(1, Ordering::Relaxed);
            if operation >= limit {
                break;
            }
            let began = Instant::now();
            work(&mut connection, &mut state, first + operation)
                .inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
            micros.push(u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX));
        }
        Ok(micros)
    };
    let client = &client;
    let done: Result<Vec<Vec<u32>>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..u64::from(clients)).map(|number| scope.spawn(move || client(number))).collect();
        let ended = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow!("a client failed"))?);
        ended.collect()
    });
    let (elapsed, own) = (started.elapsed(), process::own_cpu());
    let mut micros = done?.concat();
    micros.sort_unstable();
    let taken = |after: Option<Duration>, before: Option<Duration>| Some(after?.saturating_sub(before?));
    let (cpu, client_cpu) = (taken(process.cpu(), before.0), taken(own, before.1));
    Ok(Window { operations: micros.len() as u64, elapsed, micros, cpu, client_cpu })
}

/// Exchanges of tokens for sessions; operation `first` is the first, and gives its session its number.
pub(crate) fn exchanges(
    process: &Process,
    place: &Place,
    tokens: &[String],
    (clients, until): (u16, Until),
    first: u64,
) -> Result<Window> {
    ensure!(!tokens.is_empty(), "there are no tokens");
    drive(
        process,
        clients,
        until,
        first,
        |_| (),
        |connection, (), number| {
            let session = format!("load-{number}");
            let token = &tokens[(number % tokens.len() as u64) as usize];
            let reply = connection.send(&place.exchange(token, &session))?;
            ensure!(reply.status == 200, "an exchange was answered with {}", reply.outcome());
            // The session is named after its number, and its key is a temporary one.
            let text = std::str::from_utf8(reply.body).context("an exchange was answered with no text")?;
            let is_its_own = text.contains(&format!("/{session}</Arn>")) && text.contains("<AccessKeyId>ASIA");
            ensure!(is_its_own, "an exchange gave another session");
            Ok(())
        },
    )
}

/// One exchange, for its credentials.
pub(crate) fn session(place: &Place, token: &str, number: u64) -> Result<Credentials> {
    let mut connection = Connection::new(place.addr);
    let reply = connection.send(&place.exchange(token, &format!("load-{number}")))?;
    world::credentials(&reply).context("no session")
}

/// Reads with the credentials of these sessions, a client with one of them.
pub(crate) fn reads(
    process: &Process,
    place: &Place,
    sessions: &[Credentials],
    (clients, until): (u16, Until),
) -> Result<Window> {
    ensure!(!sessions.is_empty(), "there are no sessions");
    let signer = |client: u64| Signer::new(sessions[client as usize % sessions.len()].clone(), "s3");
    drive(process, clients, until, 0, signer, |connection, signer, number| {
        let request = place.read(signer, number);
        let reply = connection.send(&request)?;
        ensure!(reply.status == 200, "a read was answered with {}", reply.outcome());
        ensure!(reply.body == world::content(number), "a read gave other bytes");
        Ok(())
    })
}
