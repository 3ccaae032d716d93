//! Renewal: a pod that keeps reading while its token is renewed and the issuer's key is rotated. Exercised in a cluster whose
//! tokens last some seconds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use egress::{Exchange, Outcome as WireOutcome};
use report::{CheckRecord, Expected, Observed};
use scenario::{CONTROL, Cell, Cloud};
use trust::workload::{Line, Outcome, Stage as Reached};
use trust::{Chain, Verdict};

use super::check::{self, Told};
use super::diagnose::{self, dialect};
use super::evidence::Facts;
use super::federate::{Federation, LiveCell};
use super::workload::{self, Lasting, Seen, Stage};
use super::{artifacts, kube_objects};
use crate::exit::{Exit, Stop};

/// Id of the check.
const ID: &str = "renewal";
const TITLE: &str = "token renewed, signing key rotated";
/// Seconds between two reads: short beside the lifetime of a token.
const EVERY: &str = "0.2";

/// The checks of a scenario, one a cloud.
pub(crate) async fn checks(stage: &Stage<'_>, federation: &Federation) -> Result<Vec<CheckRecord>, Stop> {
    let control = federation.cells.iter().find(|cell| cell.cell.id == CONTROL);
    let Some(control) = control else { return Ok(Vec::new()) };
    let cell = Cell { id: ID.to_owned(), title: TITLE.to_owned(), ..control.cell.clone() };
    let records = if stage.places.cluster.rotates_keys() {
        let started = Instant::now();
        let played = play(stage, federation, control).await?;
        let of_cloud = |cloud| judge(stage, &cell, control, cloud, &played, started.elapsed());
        stage.scenario.clouds().into_iter().map(of_cloud).collect()
    } else {
        let reason = "this cluster's keys are not ours to rotate, and its tokens last for hours".to_owned();
        let skipped = |cloud| {
            let observed = Observed::Nothing { last_seen: None };
            let told =
                Told { expected: Expected::KeptReading, observed, chain: Chain::default(), duration: Duration::ZERO };
            check::record(stage.scenario, &cell, cloud, told, Verdict::Skipped { reason: reason.clone() })
        };
        stage.scenario.clouds().into_iter().map(skipped).collect()
    };
    Ok(records)
}

/// What was seen.
struct Played {
    admitted: serde_json::Value,
    /// The pod's own requests.
    requests: Vec<Exchange>,
    /// Its containers.
    seen: Vec<Seen>,
    /// What did not come before the deadline.
    missed: Option<&'static str>,
}

async fn play(stage: &Stage<'_>, federation: &Federation, control: &LiveCell) -> Result<Played, Stop> {
    let (cluster, log) = (&stage.places.cluster, stage.places.wire().log());
    let namespace = &control.names.namespace;
    let clouds = stage.scenario.clouds();
    // The control's own pod went before, under the same name on the wire.
    let before = log.of(namespace).last().map_or(0, |exchange| exchange.seq);
    let after = |seen: &[Exchange]| seen.iter().filter(|one| one.seq > before).cloned().collect::<Vec<_>>();
    let name = format!("{}-{ID}", stage.scenario.pod.name);
    let started = workload::start(stage, control, Some(&Lasting { name: &name, every: EVERY })).await?;
    let admitted = started.admitted(&control.names.namespace)?;

    let deadline = stage.settings.pod_timeout;
    let rotated = |error: cluster::ClusterError| Stop::caused(Exit::Infrastructure, error);
    let all = |seen: &[Exchange], enough: &dyn Fn(&Progress) -> bool| {
        let own = after(seen);
        clouds.iter().all(|&cloud| enough(&Progress::of(cloud, &own)))
    };
    let first = log.wait_for(namespace, deadline, |seen| all(seen, &|progress| progress.reads > 0)).await;
    let mut missed = first.is_err().then_some("a first read");
    if missed.is_none() {
        // The new key is known everywhere before anything is signed with it; the old one stays.
        cluster.publish_next_key().await.map_err(rotated)?;
        federation.publish_again(stage.places).await?;
        cluster.sign_with_next_key().await.map_err(rotated)?;
        let renewed = log.wait_for(namespace, deadline, |seen| all(seen, &Progress::is_through)).await;
        missed = renewed.is_err().then_some("a read with a renewed token of the new key");
    }
    let mut seen = Vec::new();
    for &cloud in &clouds {
        seen.push(workload::look(stage, namespace, &name, cloud, None).await?);
    }
    artifacts::logs(stage.settings, &cluster.title(), namespace, &name, stage.scenario, &seen);
    let requests = after(&log.of(namespace));
    let path = format!("{}/{namespace}/pods/{name}", kube_objects::NAMESPACES);
    kube_objects::delete(cluster.client(), &path).await.map_err(|error| kube_objects::refused(&name, &error))?;
    Ok(Played { admitted, requests, seen, missed })
}

fn judge(
    stage: &Stage<'_>,
    cell: &Cell,
    control: &LiveCell,
    cloud: Cloud,
    played: &Played,
    duration: Duration,
) -> CheckRecord {
    let facts =
        Facts::of(cloud, stage.scenario, control, &played.admitted, None, &played.requests, &stage.fetches(cloud));
    let expected = Expected::KeptReading;
    let wanted = stage.scenario.target(cloud).map(|(_, content)| diagnose::sha256(content));
    let progress = Progress::of(cloud, &played.requests);
    let log = played.seen.iter().find(|seen| seen.cloud == cloud);
    let lines: Vec<Line> = log.map(|seen| lines(&seen.log)).unwrap_or_default();
    let is_read =
        |line: &&Line| matches!(&line.outcome, Outcome::Read { sha256, .. } if Some(sha256) == wanted.as_ref());
    let bad = lines.iter().find(|line| !is_read(line)).cloned();
    let observed = match (log, bad) {
        (Some(log), Some(line)) => {
            let seen = Seen { cloud, end: log.end.clone(), log: log.log.clone(), line: Some(line) };
            diagnose::observed(cloud, &seen, &played.requests, &facts)
        }
        _ => {
            let (tokens, keys) = (progress.tokens.len(), progress.keys().len());
            Observed::KeptReading { reads: lines.len(), tokens, keys }
        }
    };
    let chain = diagnose::chain(cloud, &observed, &facts, &played.requests);
    let verdict = match played.missed {
        Some(missed) => Verdict::Failed { reason: format!("{missed} did not come before the deadline") },
        None => check::verdict(&expected, &observed, None),
    };
    check::record(stage.scenario, cell, cloud, Told { expected, observed, chain, duration }, verdict)
}

/// The lines of a log; the last one may be cut off.
fn lines(log: &str) -> Vec<Line> {
    log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// How far a pod has come with a cloud, as the wire saw it.
#[derive(Debug, Default)]
struct Progress {
    /// Answered reads.
    reads: usize,
    /// Answered reads after the newest key was first accepted.
    reads_with_newest: usize,
    /// Accepted tokens: key and time of issue.
    tokens: BTreeSet<(Option<String>, Option<i64>)>,
    /// When the first token expires, in seconds since 1970.
    first_expires: Option<i64>,
    /// When the last read was answered.
    last_read: Option<i64>,
}

impl Progress {
    fn of(cloud: Cloud, requests: &[Exchange]) -> Self {
        let mut progress = Self::default();
        let issuer = dialect::asked(cloud, Reached::Credentials).unwrap_or_default();
        for exchange in requests {
            if !matches!(exchange.outcome, WireOutcome::Answered { status: 200, .. }) {
                continue;
            }
            match &exchange.assertion {
                Some(assertion) if dialect::is_host(issuer, &exchange.host) => {
                    let keys = progress.keys().len();
                    progress.tokens.insert((assertion.kid.clone(), assertion.iat));
                    progress.first_expires = progress.first_expires.or(assertion.exp);
                    if progress.keys().len() > keys {
                        progress.reads_with_newest = 0;
                    }
                }
                None if dialect::is_host(dialect::reads(cloud), &exchange.host) => {
                    progress.reads += 1;
                    progress.reads_with_newest += 1;
                    progress.last_read = Some(exchange.at.as_second());
                }
                _ => {}
            }
        }
        progress
    }

    fn keys(&self) -> BTreeSet<&str> {
        self.tokens.iter().filter_map(|(kid, _)| kid.as_deref()).collect()
    }

    /// It has read with a renewed token that the new key signed, after its first token had expired.
    fn is_through(&self) -> bool {
        let outlived = self.first_expires.zip(self.last_read).is_some_and(|(expired, read)| read > expired);
        self.tokens.len() > 1 && self.keys().len() > 1 && self.reads_with_newest > 0 && outlived
    }
}

#[cfg(test)]
mod tests {
    use egress::Assertion;

    use super::*;

    fn exchange(second: i64, host: &str, status: u16, token: Option<(&str, i64)>) -> Exchange {
        Exchange {
            seq: 1,
            at: jiff::Timestamp::from_second(second).expect("second"),
            client: "c".into(),
            host: host.into(),
            method: "POST".into(),
            path: "/".into(),
            outcome: WireOutcome::Answered { status, error: None },
            micros: 1,
            assertion: token.map(|(kid, iat)| Assertion {
                kid: Some(kid.into()),
                alg: "RS256".into(),
                typ: None,
                azp: None,
                iss: None,
                sub: None,
                aud: Vec::new(),
                iat: Some(iat),
                exp: Some(iat + 3),
            }),
        }
    }

    #[test]
    fn is_through_only_after_a_read_with_a_token_of_the_new_key_when_the_first_has_expired() {
        const STS: &str = "sts.eu-central-1.amazonaws.com";
        const S3: &str = "b.s3.eu-central-1.amazonaws.com";
        let check = |requests: &[Exchange], expected: bool| {
            assert_eq!(Progress::of(Cloud::Aws, requests).is_through(), expected, "{requests:?}");
        };
        let mut requests = vec![exchange(1, STS, 200, Some(("old", 1))), exchange(1, S3, 200, None)];
        check(&requests, false);
        requests.extend([exchange(2, STS, 200, Some(("old", 2))), exchange(2, S3, 200, None)]);
        check(&requests, false);
        requests.extend([exchange(3, STS, 400, Some(("new", 3))), exchange(5, S3, 200, None)]);
        check(&requests, false);
        requests.push(exchange(4, STS, 200, Some(("new", 3))));
        check(&requests, false);
        requests.push(exchange(5, S3, 403, None));
        check(&requests, false);
        // The first token is good until 4.
        let early = [requests.clone(), vec![exchange(4, S3, 200, None)]].concat();
        check(&early, false);
        requests.push(exchange(5, S3, 200, None));
        check(&requests, true);
    }
}
