//! Deleting what was listed, in its order. Each thing is asked for its marks once more before it goes.

use futures::StreamExt;

use super::Left;
use super::judge::Judged;
use super::listing::Thing;
use crate::run::takedown::{self, Fate, Reach};

/// Deletions of one kind that are under way at the same time.
const AT_ONCE: usize = 8;

/// Deletes; things of one kind beside each other, one kind after the other. Gives what was refused, and why.
pub(super) async fn remove(things: &[Judged], reach: &Reach, told: &dyn Fn(&str)) -> Vec<Left> {
    let mut refused = Vec::new();
    let same = |one: &Judged, next: &Judged| {
        (one.thing.kind, &one.thing.account) == (next.thing.kind, &next.thing.account) && !one.thing.kind.is_shared()
    };
    for kind in things.chunk_by(same) {
        let mut ended = futures::stream::iter(kind)
            .map(|judged| async move { (&judged.thing, one(&judged.thing, reach).await) })
            .buffered(AT_ONCE);
        while let Some((thing, outcome)) = ended.next().await {
            let name = format!("{} {}", thing.kind, thing.id);
            match outcome {
                Ok(Fate::Back | Fate::Inside) => told(&format!("  gone   {name}\n")),
                Ok(Fate::Absent) => told(&format!("  gone   {name}: it was not there any more\n")),
                Ok(Fate::Others) => {
                    told(&format!("  stays  {name}: others use it; run {} is off it\n", thing.marks.run))
                }
                Err(why) => {
                    told(&format!("  left   {name}: {}\n", trust::redact(&why)));
                    refused.push(Left { thing: thing.clone(), why });
                }
            }
        }
    }
    refused
}

/// All that belongs to it, and last the thing itself.
async fn one(thing: &Thing, reach: &Reach) -> Result<Fate, String> {
    let mut last = Fate::Absent;
    for undo in &thing.undo {
        last = takedown::take_back(reach, undo, &thing.marks.run, false).await.map_err(|stays| stays.why)?;
    }
    Ok(last)
}

/// Of what was to go, what the second look has shown.
pub(super) fn still_there(wanted: &[Judged], there: &[Judged], refused: &[Left]) -> Vec<Left> {
    let stands = |judged: &&Judged| there.iter().any(|other| other.thing.is(&judged.thing));
    let left = |judged: &Judged| {
        let why = refused.iter().find(|left| left.thing.is(&judged.thing)).map(|left| left.why.clone());
        Left { thing: judged.thing.clone(), why: why.unwrap_or_else(|| "still there".to_owned()) }
    };
    wanted.iter().filter(stands).map(left).collect()
}
