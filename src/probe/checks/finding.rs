//! What a check finds.

use serde::Serialize;

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The question it answers: `loggers`.
    pub check: &'static str,
    /// The same for people.
    #[serde(skip)]
    pub title: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// What was found: a sentence without a full stop.
    pub found: String,
    /// Why it matters for the lines that we wait for.
    pub why: Option<String>,
    /// The commands that mend it, in order.
    pub mend: Vec<String>,
    /// The commands that undo the mending, in order.
    pub undo: Vec<String>,
    /// Whether more rights would have shown more.
    pub is_hidden: bool,
}

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Lines may be lost, late, or say less than they could.
    Warning,
    /// TRACE lines will not reach us.
    Problem,
}

impl Severity {
    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

impl Finding {
    fn new(severity: Severity, found: impl Into<String>) -> Self {
        Self {
            check: "",
            title: "",
            severity,
            found: found.into(),
            why: None,
            mend: Vec::new(),
            undo: Vec::new(),
            is_hidden: false,
        }
    }

    pub(super) fn ok(found: impl Into<String>) -> Self {
        Self::new(Severity::Ok, found)
    }

    pub(super) fn note(found: impl Into<String>) -> Self {
        Self::new(Severity::Note, found)
    }

    pub(super) fn warning(found: impl Into<String>) -> Self {
        Self::new(Severity::Warning, found)
    }

    pub(super) fn problem(found: impl Into<String>) -> Self {
        Self::new(Severity::Problem, found)
    }

    /// `what` cannot be seen with the rights at hand.
    pub(super) fn hidden(what: &str) -> Self {
        let found = format!("{what}: not visible without root: run `sudo tracecol doctor`");
        Self { is_hidden: true, ..Self::note(found) }
    }

    pub(super) fn why(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    pub(super) fn mend<T: Into<String>>(mut self, commands: impl IntoIterator<Item = T>) -> Self {
        self.mend.extend(commands.into_iter().map(Into::into));
        self
    }

    pub(super) fn undo<T: Into<String>>(mut self, commands: impl IntoIterator<Item = T>) -> Self {
        self.undo.extend(commands.into_iter().map(Into::into));
        self
    }

    /// Mends by a kernel setting, and undoes that by its present value.
    pub(super) fn setting(self, name: &str, value: &str, present: &str) -> Self {
        self.mend([set(name, value)]).undo([set(name, present)])
    }

    pub(super) fn of(self, check: &'static str, title: &'static str) -> Self {
        Self { check, title, ..self }
    }
}

/// The command that sets a kernel setting.
fn set(name: &str, value: &str) -> String {
    if value.contains(char::is_whitespace) {
        let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("sysctl -w '{name}={value}'")
    } else {
        format!("sysctl -w {name}={value}")
    }
}
