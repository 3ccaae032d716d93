//! The figures: gathered, held against the targets, printed and written as JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::drive::Window;

/// Exchanges and reads a second that a release build must reach on two cores, clients included.
pub(crate) const TARGET_EXCHANGES: f64 = 8_000.0;
pub(crate) const TARGET_READS: f64 = 12_000.0;
/// An exchange with all sessions live may cost this many times what it costs with few.
pub(crate) const TARGET_FLAT: f64 = 1.25;
/// A sandbox that idles may take this much memory; this is one of its parts.
pub(crate) const TARGET_IDLE: u64 = 50 << 20;

/// Repetitions of one measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series(pub(crate) Vec<Window>);

impl Series {
    fn of(&self, figure: impl Fn(&Window) -> f64) -> Spread {
        Spread::of(self.0.iter().map(figure).collect())
    }

    pub(crate) fn per_second(&self) -> Spread {
        self.of(Window::per_second)
    }

    fn micros(&self, share: f64) -> Spread {
        self.of(|window| f64::from(window.micros_at(share)))
    }

    fn each(&self, figure: impl Fn(&Window) -> Option<f64>) -> Option<Spread> {
        self.0.iter().map(figure).collect::<Option<Vec<f64>>>().map(Spread::of)
    }

    /// What one operation costs: what the process computes for it, which no neighbour on the machine changes much; where the system does not tell that,
    /// the time that passes.
    pub(crate) fn one(&self) -> f64 {
        let computed = self.each(|window| window.share(window.cpu));
        computed.map_or_else(|| 1.0 / self.per_second().median, |computed| computed.median)
    }

    /// How many times the other's rate this is, repetition by repetition.
    pub(crate) fn ratio(&self, other: &Series) -> Spread {
        Spread::of(self.0.iter().zip(&other.0).map(|(own, other)| own.per_second() / other.per_second()).collect())
    }
}

/// The smallest, the middle and the largest of some figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) min: f64,
    pub(crate) median: f64,
    pub(crate) max: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Spread {
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Spread { min: at(0), median: at(values.len() / 2), max: at(values.len().saturating_sub(1)) }
    }

    fn json(self) -> Value {
        json!({"min": self.min, "median": self.median, "max": self.max})
    }
}

/// The text for a person and the same for a program, as far as they have come.
#[derive(Debug)]
pub(crate) struct Figures {
    cores: usize,
    text: String,
    targets: String,
    json: Map<String, Value>,
}

impl Figures {
    /// None yet, from a machine with so many cores.
    pub(crate) fn new(cores: usize) -> Figures {
        Figures { cores, text: String::new(), targets: String::new(), json: Map::new() }
    }

    pub(crate) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.text, "\n{text:<46} {:>10} {:>10} {:>10}", "min", "median", "max");
    }

    pub(crate) fn series(&mut self, id: &str, title: &str, series: &Series) {
        let mut figures = Map::new();
        let mut row = |name: &str, title: &str, spread: Spread, unit: &str| {
            let _ = writeln!(
                self.text,
                "  {title:<44} {:>10.0} {:>10.0} {:>10.0} {unit}",
                spread.min, spread.median, spread.max
            );
            figures.insert(name.to_owned(), spread.json());
        };
        row("perSecond", title, series.per_second(), "/s");
        row("p50Micros", "  half of them within", series.micros(0.5), "µs");
        row("p99Micros", "  99 in 100 within", series.micros(0.99), "µs");
        let of_machine = series.each(|window| window.percent_of(self.cores));
        let optional = [
            ("cpuMicros", "  the process computes", series.each(|window| window.share(window.cpu)), "µs"),
            ("clientCpuMicros", "  its client computes", series.each(|window| window.share(window.client_cpu)), "µs"),
            ("percentOfMachine", "  of all cores the two had", of_machine, "%"),
        ];
        for (name, title, spread, unit) in optional {
            if let Some(spread) = spread {
                row(name, title, spread, unit);
            }
        }
        self.json.insert(id.to_owned(), Value::Object(figures));
    }

    pub(crate) fn ratio(&mut self, id: &str, title: &str, spread: Spread) {
        let _ = writeln!(
            self.text,
            "  {title:<44} {:>10.1} {:>10.1} {:>10.1} times",
            spread.min, spread.median, spread.max
        );
        self.json.insert(id.to_owned(), spread.json());
    }

    pub(crate) fn line(&mut self, id: &str, text: &str, value: impl Into<Value>) {
        let _ = writeln!(self.text, "  {text}");
        self.json.insert(id.to_owned(), value.into());
    }

    /// Holds a figure against its target; nothing else comes of it.
    pub(crate) fn target(&mut self, is_reached: bool, text: &str) {
        let _ = writeln!(self.targets, "{} {text}", if is_reached { "reached    " } else { "not reached" });
    }

    /// What was gathered since the last time.
    pub(crate) fn take_text(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    pub(crate) fn targets(&self) -> &str {
        &self.targets
    }

    pub(crate) fn json(&self) -> Value {
        Value::Object(self.json.clone())
    }
}

/// Bytes in MiB.
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn mk_window(operations: u64) -> Window {
        Window {
            operations,
            elapsed: Duration::from_secs(2),
            micros: (1..=100).collect(),
            cpu: Some(Duration::from_millis(operations)),
            client_cpu: Some(Duration::from_millis(3 * operations)),
        }
    }

    #[test]
    fn ratios_are_taken_pair_by_pair() {
        let series = |operations: &[u64]| Series(operations.iter().copied().map(mk_window).collect());
        let (ours, theirs) = (series(&[100, 300, 200]), series(&[10, 20, 50]));
        assert_eq!(ours.per_second(), Spread { min: 50.0, median: 100.0, max: 150.0 });
        assert_eq!(ours.ratio(&theirs), Spread { min: 4.0, median: 10.0, max: 15.0 });
    }

    #[test]
    fn prints_and_writes_the_same() {
        let mut figures = Figures::new(2);
        figures.heading("exchanges");
        figures.series("exchange", "here", &Series(vec![mk_window(100)]));
        figures.target(true, "8000 a second");
        insta::assert_snapshot!(figures.take_text(), @r"
        exchanges                                             min     median        max
          here                                                 50         50         50 /s
            half of them within                                50         50         50 µs
            99 in 100 within                                   99         99         99 µs
            the process computes                             1000       1000       1000 µs
            its client computes                              3000       3000       3000 µs
            of all cores the two had                           10         10         10 %
        ");
        assert_eq!(figures.targets(), "reached     8000 a second\n");
        assert_eq!(figures.json()["exchange"]["p99Micros"]["max"], 99.0);
        assert_eq!(figures.take_text(), "");
    }
}
