//! Waiting until what was written to the clouds is seen everywhere: several tries in a row must come to the same, and only what a lag explains
//! is tried again. Where clouds show a write at once, nothing of this happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use federation::Consistency;
use report::{Event, Observed};
use scenario::Cloud;
use trust::{KeyRing, Verdict};

use super::federate::LiveCell;
use super::workload::{self, Observation, Stage};
use super::{Events, Settings, check, judging, millis};
use crate::exit::Stop;

/// The longest lag that Azure documents is ten minutes, for role assignments (Microsoft Learn, "Troubleshoot Azure RBAC").
const LONGEST_LAG: Duration = Duration::from_secs(12 * 60);
/// However small the factor, a machine may be busy.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(20);
/// A success that is followed by a refusal was the answer of one copy of many.
const IN_A_ROW: usize = 3;
/// Between two tries, at first and at most, where the factor is 1.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));

/// Refusals of an access that a lag between writes and readers explains, by cloud and code. Sources: AWS, IAM User Guide, "Changes that I make
/// are not always immediately visible"; Microsoft, "Important considerations for federated identity credentials" (70021, and what users
/// report in its place); Microsoft Learn, "Troubleshoot Azure RBAC" (403).
const LAG: [(Cloud, &str); 12] = [
    (Cloud::Aws, "AccessDenied"),
    (Cloud::Aws, "InvalidIdentityToken"),
    (Cloud::Aws, "InvalidAccessKeyId"),
    (Cloud::Aws, "NoSuchBucket"),
    (Cloud::Azure, "AADSTS70021"),
    (Cloud::Azure, "AADSTS70025"),
    (Cloud::Azure, "AADSTS700211"),
    (Cloud::Azure, "AADSTS700212"),
    (Cloud::Azure, "AADSTS700213"),
    (Cloud::Azure, "AADSTS700016"),
    (Cloud::Azure, "ForbiddenByRbac"),
    (Cloud::Azure, "AccessDenied"),
];

/// How long a run waits for its clouds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    deadline: Duration,
    pauses: (Duration, Duration),
}

impl Patience {
    /// None where every write is seen at once.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        let sandbox = settings.sandbox.as_ref().and_then(|pass| pass.propagation);
        settings.options.propagation.or(sandbox).map(Self::scaled)
    }

    /// With the delays of real clouds times a factor.
    pub(crate) fn scaled(factor: f64) -> Self {
        let scaled = |duration: Duration| duration.mul_f64(factor.max(0.0));
        let pauses =
            (scaled(PAUSES.0).max(Duration::from_millis(20)), scaled(PAUSES.1).max(Duration::from_millis(160)));
        Self { deadline: scaled(LONGEST_LAG).max(SHORTEST_PATIENCE), pauses }
    }

    /// The same for the calls by which things are created and taken down.
    pub(crate) fn consistency(patience: Option<Self>) -> Consistency {
        patience.map_or(Consistency::Immediate, |own| Consistency::Eventual { deadline: own.deadline })
    }
}

/// What a try came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    AsExpected,
    /// It is not, and a lag explains it.
    NotSeenYet,
    /// It is not, and waiting will not change it.
    Final,
}

/// Observes a cell; where writes are seen late, until it is as expected several times in a row, or cannot become so.
pub(crate) async fn observe(
    stage: &Stage<'_>,
    events: &Events,
    cell: &LiveCell,
    ring: Option<Arc<KeyRing>>,
) -> Result<Observation, Stop> {
    let started = Instant::now();
    let mut seen = workload::observe(stage, cell, ring).await?;
    let Some(patience) = Patience::of(stage.settings) else { return Ok(seen) };
    let (mut in_a_row, mut tries, mut pause) = (0, 1, patience.pauses.0);
    loop {
        let is_late = started.elapsed() >= patience.deadline;
        match standing(stage, cell, &seen) {
            Standing::AsExpected if seen.early.is_some() => return Ok(seen),
            Standing::AsExpected => in_a_row += 1,
            Standing::NotSeenYet if !is_late => in_a_row = 0,
            Standing::NotSeenYet | Standing::Final => return Ok(seen),
        }
        if in_a_row == IN_A_ROW {
            if tries > IN_A_ROW {
                let (id, waited) = (&cell.cell.id, millis(started.elapsed()));
                let text = format!("{id}: as expected {IN_A_ROW} times in a row after {waited} ms, at try {tries}");
                events.emit(Event::Note { scenario: Some(stage.scenario.name.clone()), text });
            }
            return Ok(seen);
        }
        tokio::time::sleep(pause).await;
        pause = if in_a_row > 0 { patience.pauses.0 } else { (pause * 2).min(patience.pauses.1) };
        seen = workload::observe_again(stage, cell, seen).await?;
        tries += 1;
    }
}

/// Looks again at what should be gone until nothing of it is shown, several times in a row.
///
/// # Errors
/// When a look fails.
pub(crate) async fn until_gone<T, F>(patience: Option<Patience>, look: impl Fn() -> F) -> Result<Vec<T>, Stop>
where
    F: Future<Output = Result<Vec<T>, Stop>>,
{
    let started = Instant::now();
    let mut found = look().await?;
    let Some(patience) = patience else { return Ok(found) };
    let (mut in_a_row, mut pause) = (0, patience.pauses.0);
    loop {
        in_a_row = if found.is_empty() { in_a_row + 1 } else { 0 };
        if in_a_row == IN_A_ROW || !found.is_empty() && started.elapsed() >= patience.deadline {
            return Ok(found);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(patience.pauses.1);
        found = look().await?;
    }
}

/// The worst of the clouds in which the pod reads.
fn standing(stage: &Stage<'_>, cell: &LiveCell, seen: &Observation) -> Standing {
    let each = cell.cell.judged(stage.scenario).into_iter().map(|cloud| {
        let expected = check::expected(stage.scenario, &cell.cell, cloud);
        let observed = judging::observed(stage, cell, seen, cloud);
        match check::verdict(&expected, &observed, None) {
            Verdict::Passed => Standing::AsExpected,
            _ if is_lag(cloud, &observed) => Standing::NotSeenYet,
            _ => Standing::Final,
        }
    });
    each.max_by_key(|one| match one {
        Standing::AsExpected => 0,
        Standing::NotSeenYet => 1,
        Standing::Final => 2,
    })
    .unwrap_or(Standing::Final)
}

fn is_lag(cloud: Cloud, observed: &Observed) -> bool {
    match observed {
        Observed::Refused(denial) => LAG.contains(&(cloud, denial.code.as_str())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use trust::{Denial, Link};

    use super::*;

    #[test]
    fn only_listed_refusals_are_explained_by_a_lag() {
        let check = |cloud: Cloud, code: &str, expected: bool| {
            let denial = Denial { link: Link::SubjectAccepted, code: code.into(), status: Some(403), message: None };
            assert_eq!(is_lag(cloud, &Observed::Refused(denial)), expected, "{cloud} {code}");
        };
        check(Cloud::Aws, "AccessDenied", true);
        check(Cloud::Azure, "AADSTS70025", true);
        check(Cloud::Aws, "ExpiredTokenException", false);
        check(Cloud::Azure, "AADSTS700024", false);
        check(Cloud::Aws, "AADSTS70025", false);
        assert!(!is_lag(Cloud::Aws, &Observed::NotInjected));
    }
}
