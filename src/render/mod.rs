//! Tells a connection as text: who asked for what, which way every packet went, and where it ended.
//!
//! The result is a list of styled spans. It knows no terminal: what a style looks like is the caller's business, and the text
//! reads the same without any. Everything that stems from a log goes through [`escape()`].

mod diff;
mod escape;
mod grid;
mod head;
mod kernel_line;
mod lanes;
mod names;
mod phrase;
mod span;
mod stages;
mod story;
mod words;

pub use diff::{diff, rules_diff};
pub use escape::{escape, escape_text};
pub use head::{Facts, head};
pub use kernel_line::kernel_line;
pub use lanes::{Lane, lanes};
pub use names::{duration, endpoint, grouped, nat_name, packet_title, site_name};
pub use span::{Line, Span, Style, Text};
pub use story::story;
pub use words::words;

#[cfg(test)]
mod tests;
