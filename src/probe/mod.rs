//! What a host says about itself: by its programs, by `/proc` and `/sys`, by the settings of its log daemons.
//!
//! [`snapshot`] collects rules, addresses, routes and the like for later. [`facts`] gathers what decides whether a
//! line of TRACE, LOG or `ebtables` is printed, kept and readable; [`checks`] judges these facts, and
//! [`tracing`] writes the commands that switch tracing on for one flow and off again.
//!
//! An edge: it runs programs and reads files. It changes nothing.

pub mod checks;
pub mod facts;
mod program;
pub mod snapshot;
pub mod tracing;

pub use program::{Answer, Programs, Silence};
