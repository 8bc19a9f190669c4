//! The core of explaining, fed with real lines and real rule sets.

mod scene;
mod stale;
mod told;
