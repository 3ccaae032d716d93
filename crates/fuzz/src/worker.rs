//! The process that hunts one target, beside a thread that looks at the clock.

use std::panic::set_hook;
use std::path::Path;
use std::process::exit;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use fuzz::watch::{Latest, PATIENCE, Watched};
use fuzz::{Random, Target, corpus, hunt};

use super::TOLD;

/// True when something was caught, and told of.
pub(super) fn run(target: &Target, root: &Path, seed: u64, seconds: u64, latest: &Path) -> Result<bool> {
    let folder = corpus::folder(root, target.name);
    let seeds = corpus::read(&folder)?.into_iter().map(|(_, input)| input).collect();
    let mut latest = Latest::open(latest)?;
    let watched = Watched::default();
    let watcher = {
        let (watched, folder, name) = (watched.clone(), folder.clone(), target.name);
        thread::spawn(move || {
            if let Some(input) = watched.await_late(PATIENCE) {
                match corpus::keep(&folder, &input) {
                    Ok(path) => println!("{name}: TOO SLOW, more than {PATIENCE:?}; kept as {}", path.display()),
                    Err(error) => eprintln!("error: {error:#}"),
                }
                // The thread that reads the input cannot be ended otherwise.
                exit(i32::from(TOLD));
            }
        })
    };
    // A panic is caught and told with its input; making that smaller would repeat it a thousand times.
    set_hook(Box::new(|_| {}));
    let start = Instant::now();
    let lasts = Duration::from_secs(seconds);
    let report = hunt(target, seeds, &mut Random::new(seed), lasts, &watched, |input| latest.put(input));
    watched.close();
    let report = report?;
    if watcher.join().is_err() {
        eprintln!("error: the thread that looks at the clock failed");
    }
    let took = start.elapsed().as_secs_f64();
    println!("{}: {} executions in {took:.1} s, {} shapes", target.name, report.executions, report.shapes);
    let Some(catch) = report.catch else {
        return Ok(false);
    };
    let path = corpus::keep(&folder, &catch.input)?;
    println!("{}: CAUGHT {}; kept as {}", target.name, catch.what, path.display());
    Ok(true)
}
