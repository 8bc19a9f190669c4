//! Payloads in, entries out: what a netfilter line says, field by field.
//!
//! Knows the shapes of the lines (formats 1 to 4) and nothing of envelopes,
//! of packets, or of where lines come from. It never fails: what it cannot
//! use is an anomaly with the line's position, and every line is told to be
//! of exactly one kind.
//!
//! The way of a line: a small cache of recent tails (`memo`), then the
//! fields in the kernel's order (`ordered`), then in any order
//! (`tolerant`). Lines of ebtables (`ebt`) may be torn into pieces and
//! are put together again.

mod cursor;
mod ebt;
mod emit;
mod glued;
mod line;
mod locate;
mod marker;
mod memo;
mod ordered;
mod parser;
mod site;
mod tolerant;
mod unread;

pub use line::{LineInput, Parsed};
pub use parser::Parser;
