//! The flags, and their bounds.

use std::path::PathBuf;

use clap::Parser;

const AFTER_HELP: &str = "\
The simulator runs in a process of its own, the clients as threads of this one; both share the machine's cores. Each client \
sends its next request over the same connection once the last is answered. Tokens are signed before the clock starts and \
verified in every exchange; each read has a signature of its own. Every answer is checked, and what must be refused is tried \
beside each repetition. moto, where a Python can import it, is measured in turn with the same requests.

Exit codes: 0 measured, whatever the figures; 1 an answer was wrong, or nothing could be measured; 2 usage.";

/// Measures the simulated AWS under load: exchanges and reads a second, memory, and both with many live sessions.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench clouds", bin_name = "cargo xtask bench clouds", max_term_width = 100, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// How long each repetition lasts
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) seconds: u64,
    /// Counted repetitions; one more before them is not counted
    #[arg(long, short = 'n', value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) repetitions: u16,
    /// Clients at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) clients: u16,
    /// How many sessions live at the end
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    pub(crate) sessions: u64,
    /// Distinct tokens; when all were sent, the first is sent again
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) tokens: u32,
    /// Write all figures into this file, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// A Python that can import moto.server [default: that of target/clients]
    #[arg(long, value_name = "PROGRAM", env = "CROSSFED_PYTHON")]
    pub(crate) python: Option<PathBuf>,
    /// The workspace
    #[arg(long, env = "CROSSFED_ROOT", default_value = ".", value_name = "DIR", hide = true)]
    pub(crate) root: PathBuf,
    /// Be the process that is measured, and take orders on standard input
    #[arg(long, hide = true)]
    pub(crate) serve: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_have_bounds() {
        let check = |words: &[&str], is_good: bool| {
            let words = std::iter::once("bench").chain(words.iter().copied());
            assert_eq!(Cli::try_parse_from(words).is_ok(), is_good);
        };
        check(&[], true);
        check(&["--seconds", "1", "--clients", "1", "--sessions", "1000", "-n", "1"], true);
        check(&["--seconds", "0"], false);
        check(&["--seconds", "soon"], false);
        check(&["--clients", "0"], false);
        check(&["--sessions", "999"], false);
        check(&["--tokens", "0"], false);
        check(&["moto"], false);
    }
}
