//! Every test that needs more than one module, in one binary.

mod cli;
mod envelope;
mod hostile;
mod lab;
mod parse;
mod properties;
mod store;
mod tidy;
mod truth;
mod walkthroughs;
