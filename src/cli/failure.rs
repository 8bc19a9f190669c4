//! What a command ends with: an exit code, or an error with hints on what to do next.
//!
//! ```text
//! 0 found, done    1 nothing found, or --strict met lines it could not use    2 error    130 interrupted
//! ```

use std::fmt::Display;
use std::io;

/// How a command that ran to its end ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Something was found or done.
    Done,
    /// Nothing was found, or not everything was understood and `--strict` was given.
    Nothing,
    /// Some part failed; it was reported already.
    Failed,
    /// Ctrl-C.
    Interrupted,
}

impl Ending {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Nothing => 1,
            Self::Failed => 2,
            Self::Interrupted => 130,
        }
    }

    /// `Done` when there was something.
    pub(super) fn found(something: bool) -> Self {
        if something { Self::Done } else { Self::Nothing }
    }
}

/// An error, and what the user may do about it.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: anyhow::Error,
    pub hints: Vec<String>,
}

/// What a command returns.
pub(super) type Outcome = Result<Ending, Failure>;

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hints: Vec::new() }
    }
}

impl Failure {
    pub(super) fn new(message: impl Display + Send + Sync + std::fmt::Debug + 'static) -> Self {
        Self { error: anyhow::Error::msg(message), hints: Vec::new() }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Whether the reader of our output went away: no failure at all.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        })
    }
}
