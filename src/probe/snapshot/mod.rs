//! A snapshot of a host: its rules, addresses, routes, bridges, containers, connections and settings, in a folder.
//!
//! Each file is what a program of the host said, by the name of that program, so that `tracecol ingest --context` reads it
//! as it reads what people collect by hand. What could not be had is listed with its reason; nothing is ever changed.

mod bridges;
mod containers;
mod folder;
mod manifest;
mod pieces;
mod settings;
mod take;

pub use folder::{FolderError, check, write};
pub use manifest::{Entry, MANIFEST, Manifest, Outcome};
pub use pieces::BackEnd;
pub use take::{Snapshot, take};
