//! The loop: an input, a change, a look at what the target says. Must not know any target.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::mutate::mutate;
use crate::random::Random;
use crate::shrink::shrink;
use crate::target::{Broken, Target};
use crate::watch::Watched;

/// Inputs kept in memory for further changes.
const POOL: usize = 4096;

/// What a hunt came to.
#[derive(Debug)]
pub struct Report {
    /// Inputs that the target read.
    pub executions: u64,
    /// Different things that it saw in them.
    pub shapes: usize,
    /// The input that ended the hunt.
    pub catch: Option<Catch>,
}

/// An input on which a target fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catch {
    /// As small as it was made.
    pub input: Vec<u8>,
    /// The panic's message, or the promise that was broken.
    pub what: String,
}

/// One target, what it has seen so far, and what its hunt goes on from.
struct Hunt<'a> {
    target: &'a Target,
    watched: &'a Watched,
    pool: Vec<Vec<u8>>,
    shapes: HashSet<String>,
    executions: u64,
}

/// Reads all `seeds`, then changes them for as long as told. `before` is shown each input first. Ends at the first catch.
///
/// # Errors
/// What `before` fails with.
pub fn hunt(
    target: &Target,
    seeds: Vec<Vec<u8>>,
    random: &mut Random,
    lasts: Duration,
    watched: &Watched,
    mut before: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Report> {
    let mut hunt = Hunt { target, watched, pool: Vec::new(), shapes: HashSet::new(), executions: 0 };
    let until = Instant::now() + lasts;
    let mut waiting = seeds.into_iter();
    let catch = loop {
        let input = match waiting.next() {
            Some(seed) => seed,
            None if Instant::now() >= until => break None,
            None => {
                let pick = |random: &mut Random| hunt.pool.get(random.below(hunt.pool.len()));
                let (one, other) = (pick(random), pick(random));
                let empty = Vec::new();
                mutate(one.unwrap_or(&empty), other.unwrap_or(&empty), target.language, random)
            }
        };
        before(&input)?;
        if let Err(what) = hunt.look(&input, random) {
            let input = shrink(&input, |smaller| hunt.run(smaller).is_err());
            break Some(Catch { input, what });
        }
    };
    watched.close();
    Ok(Report { executions: hunt.executions, shapes: hunt.shapes.len(), catch })
}

impl Hunt<'_> {
    /// Runs an input, and keeps it when the target says something new.
    fn look(&mut self, input: &[u8], random: &mut Random) -> Result<(), String> {
        self.executions += 1;
        let seen = self.run(input)?;
        if self.shapes.insert(shape(&seen)) {
            if self.pool.len() < POOL {
                self.pool.push(input.to_vec());
            } else {
                let at = random.below(POOL);
                self.pool[at] = input.to_vec();
            }
        }
        Ok(())
    }

    /// What the target sees, or what it fails with.
    fn run(&self, input: &[u8]) -> Result<String, String> {
        self.watched.begin(input);
        let ran = catch_unwind(AssertUnwindSafe(|| self.target.run(input)));
        self.watched.end();
        match ran {
            Ok(Ok(seen)) => Ok(seen),
            Ok(Err(Broken(promise))) => Err(promise),
            Err(panic) => Err(format!("panic: {}", message(panic.as_ref()))),
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("(no message)")
}

/// What was seen without what is quoted of the input: numbers, and texts in quotes. At most 200 characters.
fn shape(seen: &str) -> String {
    let mut shape = String::new();
    let mut quote = None;
    let mut chars = seen.chars();
    while let Some(char) = chars.next() {
        match quote {
            Some(_) if char == '\\' => drop(chars.next()),
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if "`\"'".contains(char) => {
                quote = Some(char);
                shape.push(char);
            }
            None if char.is_ascii_digit() => {
                if !shape.ends_with('0') {
                    shape.push('0');
                }
            }
            None => shape.push(char),
        }
        if shape.len() >= 200 {
            break;
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Language;

    /// Fails on `needle`, and says how much of it was there.
    fn planted(needle: &'static str, fail: fn() -> Result<String, Broken>) -> Target {
        Target::new("planted", Language::Json, move |input| {
            let text = String::from_utf8_lossy(input);
            if text.contains(needle) {
                return fail();
            }
            let found = (0..needle.len()).rev().find(|length| text.contains(&needle[..*length]));
            Ok("x".repeat(found.unwrap_or_default()))
        })
    }

    fn hunted(target: &Target, seed: u64) -> Report {
        let (seeds, lasts) = (vec![b"{}".to_vec()], Duration::from_secs(30));
        hunt(target, seeds, &mut Random::new(seed), lasts, &Watched::default(), |_| Ok(())).expect("must not fail")
    }

    #[test]
    fn finds_a_planted_panic_and_makes_it_small() {
        let target = planted("[null", || panic!("planted"));
        let catch = hunted(&target, 3).catch.expect("must be found");
        assert_eq!(catch, Catch { input: b"[null".to_vec(), what: "panic: planted".to_owned() });
    }

    #[test]
    fn finds_a_promise_that_is_broken_in_the_same_way_for_the_same_seed() {
        let target = planted("true,", || Err(Broken("no true here".to_owned())));
        let (first, second) = (hunted(&target, 5), hunted(&target, 5));
        assert_eq!(first.catch.as_ref().map(|catch| catch.what.as_str()), Some("no true here"));
        assert_eq!((first.executions, first.catch), (second.executions, second.catch));
    }

    #[test]
    fn a_hunt_without_a_catch_ends_in_time_after_every_seed() {
        let target = Target::new("quiet", Language::Yaml, |_| Ok("nothing".to_owned()));
        let seeds = vec![b"a".to_vec(), b"b".to_vec()];
        let report = hunt(&target, seeds, &mut Random::new(1), Duration::ZERO, &Watched::default(), |_| Ok(()))
            .expect("must not fail");
        assert_eq!((report.executions, report.shapes, report.catch), (2, 1, None));
    }

    #[test]
    fn what_is_quoted_of_the_input_makes_no_new_shape() {
        let check = |one: &str, other: &str, same: bool| assert_eq!(shape(one) == shape(other), same, "{one} {other}");
        check("unknown field `a`, expected `b`", "unknown field `zz`, expected `b`", true);
        check(r#"string "a\"b", expected"#, r#"string "c", expected"#, true);
        check("at line 1 column 17", "at line 23 column 4", true);
        check("unknown field `a`", "missing field `a`", false);
    }
}
