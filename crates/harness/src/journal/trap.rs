//! For tests: something happens to the process at a record of its journal, so that every moment of a run can be tried.

use std::str::FromStr;

use rustix::process::{Signal, getpid, kill_process};

/// What happens, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    what: What,
    pub(super) when: When,
    /// The line of the journal, from 1.
    pub(super) line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Signal(Signal),
    Panic,
}

/// When, seen from the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    /// Half of it is written.
    Torn,
    After,
    /// When a check is judged.
    Check,
}

/// Words that name no trap.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not of the form WHAT@WHEN:LINE, such as KILL@after:12 (KILL, INT, TERM, HUP, STOP, PANIC; before, torn, after), or PANIC@check"
)]
pub struct BadTrap(String);

impl FromStr for Trap {
    type Err = BadTrap;

    fn from_str(text: &str) -> Result<Self, BadTrap> {
        let read = || {
            let (what, place) = text.split_once('@')?;
            let (when, line) = if place == "check" { (place, "0") } else { place.split_once(':')? };
            let what = match what {
                "KILL" => What::Signal(Signal::KILL),
                "INT" => What::Signal(Signal::INT),
                "TERM" => What::Signal(Signal::TERM),
                "HUP" => What::Signal(Signal::HUP),
                "STOP" => What::Signal(Signal::STOP),
                "PANIC" => What::Panic,
                _ => return None,
            };
            let when = match when {
                "before" => When::Before,
                "torn" => When::Torn,
                "after" => When::After,
                "check" => When::Check,
                _ => return None,
            };
            Some(Self { what, when, line: line.parse().ok()? })
        };
        read().ok_or_else(|| BadTrap(text.to_owned()))
    }
}

impl Trap {
    /// Lets it happen, if it is to happen when a check is judged.
    pub(crate) fn at_check(self) {
        if self.when == When::Check {
            self.spring();
        }
    }

    /// Lets it happen. Returns where the process outlives it.
    #[allow(clippy::panic, reason = "that is what is asked for")]
    pub(super) fn spring(self) {
        match self.what {
            What::Signal(signal) => {
                // Only a process that may not signal itself would be refused.
                let _ = kill_process(getpid(), signal);
            }
            What::Panic => panic!("a trap for tests"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traps_are_read_and_nothing_else_is() {
        let trap: Trap = "KILL@after:12".parse().expect("must be read");
        assert_eq!((trap.what, trap.when, trap.line), (What::Signal(Signal::KILL), When::After, 12));
        for text in ["", "KILL", "KILL@after", "KILL@after:", "USR1@after:1", "KILL@during:1", "KILL@after:x"] {
            assert!(text.parse::<Trap>().is_err(), "{text}");
        }
    }
}
