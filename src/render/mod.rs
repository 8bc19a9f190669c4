//! What is known of packets, put into text again.
//!
//! Knows the model and nothing of files, terminals or databases.

mod kernel_line;

pub use kernel_line::kernel_line;
