//! The filter of a command, and an error that points at its column.

use crate::cli::args::Global;
use crate::cli::clock;
use crate::cli::failure::Failure;
use crate::cli::times::TimeStyle;
use crate::filter::{Clock, Expr, FilterError, parse};
use crate::render::escape_text;

/// Reads the filter; none when nothing was typed.
pub(super) fn expression(text: &str, global: &Global) -> Result<Option<Expr>, Failure> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let now = clock::now();
    let utc_offset = if global.times() == TimeStyle::Local { clock::local_offset(now) } else { 0 };
    let clock = Clock { now: Some(now), utc_offset };
    parse(text, &clock).map(Some).map_err(|error| point_at(text, &error))
}

/// ```text
/// error: no such key: `foo`
///   dport:40000 foo:bar
///               ^
/// ```
fn point_at(text: &str, error: &FilterError) -> Failure {
    let before: String = text.chars().take(error.column.saturating_sub(1)).collect();
    let indent = unicode_width::UnicodeWidthStr::width(escape_text(&before).as_str());
    let caret = " ".repeat(indent);
    let failure =
        Failure::new(format!("{}\n  {}\n  {caret}^", error.message, text.replace('\n', " ")));
    match &error.hint {
        Some(hint) => failure.hint(hint.clone()),
        None => failure,
    }
}
