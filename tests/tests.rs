//! Every test that needs more than one module, in one binary.

mod cli;
mod lab;
mod parse;
mod scratch_main;
mod store;
mod tidy;
