//! Exit codes: the one place where they are defined.

use std::fmt;

/// What the program tells its caller.
///
/// | code | meaning |
/// |---|---|
/// | 0 | every check passed (skipped ones are counted and named) |
/// | 1 | a fault of the program itself |
/// | 2 | the command line or a file that the user wrote is wrong |
/// | 4 | nothing was selected |
/// | 96 | something that the run needs is missing |
/// | 100 | a check failed |
/// | 101 | the place, not the product, failed: a cluster, an endpoint, a deadline |
/// | 102 | teardown is incomplete, or something was left behind |
/// | 105 | the federation could not be provisioned |
/// | 129 | the terminal was closed (SIGHUP); teardown was tried |
/// | 130 | interrupted (SIGINT); teardown was tried |
/// | 143 | terminated (SIGTERM); teardown was tried |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Passed,
    /// 1
    Internal,
    /// 2
    Usage,
    /// 4
    NothingSelected,
    /// 96
    Preflight,
    /// 100
    CheckFailed,
    /// 101
    Infrastructure,
    /// 102
    LeftBehind,
    /// 105
    Provisioning,
    /// 129
    HungUp,
    /// 130
    Interrupted,
    /// 143
    Terminated,
}

impl Exit {
    /// Whether a signal ended the run.
    pub fn is_signal(self) -> bool {
        matches!(self, Exit::HungUp | Exit::Interrupted | Exit::Terminated)
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Internal => 1,
            Exit::Usage => 2,
            Exit::NothingSelected => 4,
            Exit::Preflight => 96,
            Exit::CheckFailed => 100,
            Exit::Infrastructure => 101,
            Exit::LeftBehind => 102,
            Exit::Provisioning => 105,
            Exit::HungUp => 129,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }
}

/// An end of the run before its checks could be judged: which exit code, and why.
#[derive(Debug)]
pub struct Stop {
    /// What the caller is told.
    pub exit: Exit,
    /// What the user is told.
    pub message: String,
}

impl Stop {
    /// An end with a reason; causes of errors belong into the message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// The journal cannot be written, so nothing may be created.
    pub fn unwritten(error: &std::io::Error) -> Self {
        Self::new(Exit::Provisioning, format!("the journal cannot be written, so nothing is created: {error}"))
    }

    /// An end whose reason is an error with its causes.
    pub fn caused(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, message: format!("{:#}", error.into()) }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Stop {}
