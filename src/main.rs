//! Starts tracecol.

fn main() {}
