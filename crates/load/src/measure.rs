//! The measurement as a whole: what is measured, in which order, and what is printed of it.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use serde_json::{Value, json};
use trust::AccountId;

use crate::cli::Cli;
use crate::drive::{self, Until, Window};
use crate::figures::{self, Figures, Series, mib};
use crate::issuer::Issuer;
use crate::probe::{Probed, Refusable};
use crate::process::{self, Process};
use crate::serving::Order;
use crate::sign::{Credentials, Signer};
use crate::world::{self, ACCOUNT, Place, SESSION_SECONDS};

/// How long an issuer's keys are kept in the process that is measured.
const KEYS_KEPT: i64 = 3600;
/// Exchanges in a timed window with sessions live, for each of its seconds.
const WINDOW: u64 = 10_000;
/// With how many live sessions an exchange is timed, besides with all.
const STEPS: [u64; 2] = [1_000, 100_000];

/// Who is measured.
struct Measured {
    process: Process,
    place: Place,
    /// Sessions with which objects are read.
    sessions: Vec<Credentials>,
    /// Those made so far; gives each a number of its own.
    made: u64,
    exchanges: Series,
    reads: Series,
}

/// Measures, prints, and writes the file that was asked for.
pub(crate) fn run(cli: &Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let issuer = runtime.block_on(Issuer::start())?;
    let account: AccountId = ACCOUNT.parse().context("the account's number is none")?;
    let order = |kept| Order { root_pem: issuer.root_pem.clone(), account: account.clone(), keys_kept_seconds: kept };
    let simulator = Process::simulator(&order(KEYS_KEPT))?;
    let idle = simulator.resident();
    let tokens = issuer.tokens(cli.tokens as usize)?;
    let refusable = Refusable::of(&issuer)?;
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let mut figures = Figures::new(cores);
    println!(
        "simulated AWS in a process of its own on a plain endpoint: {cores} cores for it and its {} clients; {} \
         repetitions of {} s, after one that is not counted",
        cli.clients, cli.repetitions, cli.seconds
    );
    let built = if cfg!(debug_assertions) { "debug: the figures say nothing" } else { "release" };
    figures.line("build", &format!("build: {built}"), built);
    figures.line("cores", &format!("cores: {cores}"), cores);
    figures.take_text();

    let mut ours = Measured::new(simulator, &issuer, &tokens, cli)?;
    let mut moto = match process::python_with_moto(cli.python.as_deref(), &cli.root) {
        Ok(python) => Some(Measured::new(Process::moto(&python, &account)?, &issuer, &tokens, cli)?),
        Err(reason) => {
            println!("moto: skipped, {reason}");
            figures.line("motoSkipped", "", reason);
            figures.take_text();
            None
        }
    };
    alternate(cli, &mut ours, moto.as_mut(), &tokens, &refusable, &mut figures)?;
    let moto = moto.map(|moto| (moto.exchanges, moto.reads));
    tell_rates(&ours, moto.as_ref(), &mut figures);
    print!("{}", figures.take_text());

    let mut anew = Measured::new(Process::simulator(&order(0))?, &issuer, &tokens, cli)?;
    for _ in 0..=cli.repetitions {
        anew.exchange(cli, &tokens)?;
    }
    anew.exchanges.0.remove(0);
    figures.heading("with the issuer asked for its keys anew for every token");
    figures.series("exchangesKeysAnew", "verified exchanges", &anew.exchanges);
    print!("{}", figures.take_text());
    drop(anew);

    live_sessions(cli, &mut ours, &tokens, idle, &mut figures)?;
    print!("{}\n{}", figures.take_text(), figures.targets());
    if let Some(file) = &cli.json {
        let text = serde_json::to_string_pretty(&figures.json())? + "\n";
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

impl Measured {
    fn new(process: Process, issuer: &Issuer, tokens: &[String], cli: &Cli) -> Result<Measured> {
        let place = world::provision(&process, issuer)?;
        let session = |number: u64| drive::session(&place, &tokens[number as usize % tokens.len()], number);
        let sessions = (0..u64::from(cli.clients)).map(session).collect::<Result<Vec<_>>>()?;
        let made = sessions.len() as u64;
        let (exchanges, reads) = (Series::default(), Series::default());
        Ok(Measured { process, place, sessions, made, exchanges, reads })
    }

    fn exchange(&mut self, cli: &Cli, tokens: &[String]) -> Result<()> {
        let window = self.exchange_until(cli, tokens, Until::Passed(Duration::from_secs(cli.seconds)))?;
        self.exchanges.0.push(window);
        Ok(())
    }

    fn exchange_until(&mut self, cli: &Cli, tokens: &[String], until: Until) -> Result<Window> {
        let window = drive::exchanges(&self.process, &self.place, tokens, (cli.clients, until), self.made)?;
        self.made += window.operations;
        Ok(window)
    }

    fn read(&mut self, cli: &Cli) -> Result<()> {
        let until = Until::Passed(Duration::from_secs(cli.seconds));
        let window = drive::reads(&self.process, &self.place, &self.sessions, (cli.clients, until))?;
        self.reads.0.push(window);
        Ok(())
    }
}

/// Both in turn, so that what else the machine does falls on both; the first repetition warms up.
fn alternate(
    cli: &Cli,
    ours: &mut Measured,
    mut moto: Option<&mut Measured>,
    tokens: &[String],
    refusable: &Refusable,
    figures: &mut Figures,
) -> Result<()> {
    let mut refused = 0;
    for _ in 0..=cli.repetitions {
        ours.exchange(cli, tokens)?;
        if let Some(moto) = moto.as_mut() {
            moto.exchange(cli, tokens)?;
        }
        ours.read(cli)?;
        if let Some(moto) = moto.as_mut() {
            moto.read(cli)?;
        }
        refused += all_refused(refusable.try_all(&ours.place, &ours.sessions[0])?)?;
    }
    for measured in [Some(ours), moto.as_deref_mut()].into_iter().flatten() {
        measured.exchanges.0.remove(0);
        measured.reads.0.remove(0);
    }
    figures.heading("the same work, in turn");
    let text = format!("refused beside the repetitions, as they must be: {refused} of {refused} forged requests");
    figures.line("refused", &text, refused);
    if let Some(moto) = moto {
        let tried = refusable.try_all(&moto.place, &moto.sessions[0])?;
        let kept = tried.iter().filter(|probed| probed.is_refused()).count();
        figures.line("motoRefused", &format!("of one round of these moto refuses {kept} of {}", tried.len()), kept);
    }
    Ok(())
}

fn all_refused(probed: Vec<Probed>) -> Result<usize> {
    for one in &probed {
        ensure!(one.is_refused(), "{} was answered with {}, and must be with {}", one.title, one.found, one.expected);
    }
    Ok(probed.len())
}

fn tell_rates(ours: &Measured, moto: Option<&(Series, Series)>, figures: &mut Figures) {
    figures.series("exchanges", "verified exchanges", &ours.exchanges);
    if let Some((exchanges, _)) = moto {
        figures.series("motoExchanges", "moto, which verifies nothing", exchanges);
        figures.ratio("exchangesToMoto", "ratio", ours.exchanges.ratio(exchanges));
    }
    figures.series("reads", "verified reads of 1 KiB", &ours.reads);
    if let Some((_, reads)) = moto {
        figures.series("motoReads", "moto", reads);
        figures.ratio("readsToMoto", "ratio", ours.reads.ratio(reads));
    }
    let mut target = |found: f64, least: f64, what: &str| {
        figures.target(found >= least, &format!("at least {least} {what} a second: {found:.0}"));
    };
    target(ours.exchanges.per_second().median, figures::TARGET_EXCHANGES, "verified exchanges");
    target(ours.reads.per_second().median, figures::TARGET_READS, "verified reads of 1 KiB");
}

/// More and more sessions, all of them live; then an hour passes.
fn live_sessions(
    cli: &Cli,
    ours: &mut Measured,
    tokens: &[String],
    idle: Option<u64>,
    figures: &mut Figures,
) -> Result<()> {
    // What lived before has ended: the count begins at none.
    pass_an_hour(ours)?;
    let witness = |ours: &Measured, number: u64| drive::session(&ours.place, &tokens[0], number);
    let first = ours.made;
    let before = ours.process.resident();
    let mut witnesses = Vec::new();
    let mut times = Vec::new();
    figures.heading("with sessions live");
    for step in STEPS.into_iter().filter(|step| *step < cli.sessions).chain([cli.sessions]) {
        witnesses.push(witness(ours, ours.made)?);
        ours.made += 1;
        let missing = (first + step).saturating_sub(ours.made);
        ours.exchange_until(cli, tokens, Until::Done(missing))?;
        let from = ours.made - first;
        // Not so many that the number would mean nothing.
        let until = Until::Done(step.min(WINDOW * cli.seconds));
        let mut series = Series::default();
        for _ in 0..cli.repetitions {
            series.0.push(ours.exchange_until(cli, tokens, until)?);
        }
        let title = format!("exchanges with {from} to {} live", ours.made - first);
        figures.series(&format!("exchangesWith{step}Live"), &title, &series);
        print!("{}", figures.take_text());
        times.push(series.one());
    }
    let (live, full) = (ours.made - first, ours.process.resident());
    for (at, session) in witnesses.iter().enumerate() {
        let found = outcome_of_read(ours, session)?;
        ensure!(found == "200", "session {at} of those that live was answered with {found}");
    }
    pass_an_hour(ours)?;
    for session in &witnesses {
        let found = outcome_of_read(ours, session)?;
        ensure!(found == "400 ExpiredToken", "a session that has ended was answered with {found}");
    }
    ours.exchange_until(cli, tokens, Until::Done(STEPS[0]))?;
    tell_memory(live, (idle, before, full, ours.process.resident()), figures);
    let (few, all) = (times.first().copied().unwrap_or(f64::NAN), times.last().copied().unwrap_or(f64::NAN));
    figures.line(
        "flatness",
        &format!("an exchange with all live costs {:.2} times one with few", all / few),
        all / few,
    );
    let most = figures::TARGET_FLAT;
    let text =
        format!("an exchange with {live} sessions live costs at most {most} times one with few: {:.2}", all / few);
    figures.target(all / few <= most, &text);
    Ok(())
}

fn tell_memory(
    live: u64,
    (idle, before, full, after): (Option<u64>, Option<u64>, Option<u64>, Option<u64>),
    figures: &mut Figures,
) {
    let (Some(idle), Some(before), Some(full), Some(after)) = (idle, before, full, after) else {
        figures.line("memory", "memory: not measured, this system has no /proc", Value::Null);
        return;
    };
    let grown = full as f64 - before as f64;
    let each = grown / live as f64;
    figures.line(
        "memory",
        &format!(
            "resident memory: {:.1} MiB idle, {:.1} before the sessions, {:.1} with {live} live, {:.1} an hour later",
            mib(idle),
            mib(before),
            mib(full),
            mib(after)
        ),
        json!({"idle": idle, "beforeSessions": before, "withSessions": full, "afterExpiry": after, "live": live}),
    );
    figures.line(
        "bytesPerSession",
        &format!("a live session takes {each:.1} bytes: its token carries it, and nothing of it is stored"),
        each,
    );
    let most = mib(figures::TARGET_IDLE);
    let text = format!("idle below {most:.0} MiB: {:.1}", mib(idle));
    figures.target(idle <= figures::TARGET_IDLE, &text);
}

fn pass_an_hour(ours: &mut Measured) -> Result<()> {
    let seconds = SESSION_SECONDS + 1;
    ours.process.advance(seconds)?;
    ours.place.ahead += SignedDuration::from_secs(seconds);
    Ok(())
}

fn outcome_of_read(ours: &Measured, session: &Credentials) -> Result<String> {
    let mut connection = crate::connection::Connection::new(ours.place.addr);
    let request = ours.place.read(&mut Signer::new(session.clone(), "s3"), 0);
    Ok(connection.send(&request)?.outcome())
}
