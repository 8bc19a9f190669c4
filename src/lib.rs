//! tracecol: from kernel log lines to packets, connections and their timelines.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod cli;
pub mod correlate;
pub mod envelope;
pub mod filter;
pub mod model;
pub mod parse;
pub mod pipeline;
pub mod render;
pub mod source;
pub mod stitch;
pub mod store;
pub mod wire;
