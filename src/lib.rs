//! tracecol: from kernel log lines to packets, connections and their timelines.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod correlate;
pub mod envelope;
pub mod model;
pub mod parse;
pub mod render;
pub mod source;
pub mod stitch;
