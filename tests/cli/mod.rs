//! The command line as users meet it: the built program, real files, exit codes and streams.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

pub(crate) mod bench;

mod connections;
mod demo;
mod doctor;
mod errors;
mod ingest;
mod packed;
mod rules;
mod shell;
mod show;
mod snapshot;
mod stats;
