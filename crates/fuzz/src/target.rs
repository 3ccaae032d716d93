//! What is fuzzed: each target reads one kind of input and says what it saw, or which promise was broken.

mod admission;
mod jwks;
mod policy;
mod scenario;
mod token;

use std::fmt;
use std::path::Path;

use anyhow::Result;

/// What a target saw in an input, or the promise that it broke on it. What is seen differs where the code went another way.
pub type Seen = Result<String, Broken>;

type Run = dyn Fn(&[u8]) -> Seen + Send + Sync;

/// A promise that does not hold for an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

/// Which words mean something to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// JSON documents.
    Json,
    /// YAML documents.
    Yaml,
    /// Compact tokens.
    Token,
}

/// A reader of untrusted input.
pub struct Target {
    /// Name of its folder in the corpus.
    pub name: &'static str,
    /// For mutations.
    pub language: Language,
    run: Box<Run>,
}

impl Target {
    /// A target under a name.
    pub fn new(name: &'static str, language: Language, run: impl Fn(&[u8]) -> Seen + Send + Sync + 'static) -> Self {
        Self { name, language, run: Box::new(run) }
    }

    /// All targets of the workspace at `root`, whose scenarios some inputs are held against.
    ///
    /// # Errors
    /// When a scenario cannot be read.
    pub fn all(root: &Path) -> Result<Vec<Target>> {
        Ok(vec![
            Target::new("token", Language::Token, token::target()?),
            Target::new("jwks", Language::Json, jwks::target()),
            Target::new("policy", Language::Json, policy::run),
            Target::new("scenario", Language::Yaml, scenario::target(root)?),
            Target::new("admission", Language::Json, admission::target()?),
        ])
    }

    /// Reads one input.
    ///
    /// # Errors
    /// When a promise is broken. A panic goes through.
    pub fn run(&self, input: &[u8]) -> Seen {
        (self.run)(input)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).field("language", &self.language).finish_non_exhaustive()
    }
}

fn ensure(holds: bool, promise: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken(promise())) }
}

/// For the few things that cannot fail once a target stands.
fn broken(what: &str) -> impl FnOnce(anyhow::Error) -> Broken + '_ {
    move |error| Broken(format!("{what}: {error:#}"))
}
