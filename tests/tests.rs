//! Every test that needs more than one module, in one binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops, with a place")]

mod annotate;
mod cli;
mod context;
mod envelope;
mod explain_core;
mod filter;
mod hostile;
mod lab;
mod parse;
mod properties;
mod rulebook;
mod rules_truth;
mod store;
mod story;
mod tidy;
mod truth;
mod walkthroughs;
mod wire;
