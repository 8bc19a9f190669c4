//! Time as the log tells it: the wall clock, the kernel's clock, and the boot.

/// Microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub i64);

/// Microseconds since boot on the clock that printk uses (it stops in suspend).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uptime(pub u64);

/// Counts the boots of one host in one database, in log order, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Boot(pub u32);

/// What one line says about when it was written. Both clocks may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The wall clock, when the envelope has one.
    pub wall: Option<WallTime>,
    /// The kernel's own stamp, when the envelope kept it.
    pub uptime: Option<Uptime>,
}
