//! The core of explaining, fed with real lines and real rule sets.

mod inferred;
mod logged;
mod scene;
mod stale;
mod told;
mod traced;
