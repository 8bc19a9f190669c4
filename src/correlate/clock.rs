//! Log time of one host: microseconds that never run backwards inside one boot.

use crate::model::{Stamp, Uptime, WallTime};

/// An uptime that falls by more than this is a reboot; less is two CPUs' lines changing places.
const REBOOT_STEP_US: u64 = 5_000_000;

/// The clock of one host.
#[derive(Debug, Clone, Default)]
pub(super) struct LogClock {
    now_us: i64,
    uptime: Option<Uptime>,
    wall: Option<WallTime>,
    coarse: bool,
}

/// What a stamp did to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tick {
    /// Time went on, or stood still.
    Forward,
    /// The wall clock stepped backwards; log time stands still.
    StepBack,
    /// The kernel's clock started anew.
    Reboot,
}

impl LogClock {
    /// Takes in a line's stamp.
    pub(super) fn tick(&mut self, stamp: Stamp) -> Tick {
        let tick = match (stamp.uptime, stamp.wall) {
            (Some(uptime), _) => self.tick_uptime(uptime),
            (None, Some(wall)) => self.tick_wall(wall),
            (None, None) => Tick::Forward,
        };
        if let Some(wall) = stamp.wall {
            self.wall = Some(wall);
        }
        tick
    }

    fn tick_uptime(&mut self, uptime: Uptime) -> Tick {
        self.coarse = false;
        let Some(last) = self.uptime.replace(uptime) else {
            return Tick::Forward;
        };
        if uptime.0 >= last.0 {
            let step = i64::try_from(uptime.0 - last.0).unwrap_or(i64::MAX);
            self.now_us = self.now_us.saturating_add(step);
            return Tick::Forward;
        }
        if last.0 - uptime.0 > REBOOT_STEP_US {
            return Tick::Reboot;
        }
        // Two CPUs' lines changed places: keep the later time as the base.
        self.uptime = Some(last);
        Tick::Forward
    }

    fn tick_wall(&mut self, wall: WallTime) -> Tick {
        self.coarse = wall.0 % 1_000_000 == 0;
        let Some(last) = self.wall else {
            return Tick::Forward;
        };
        if wall >= last {
            self.now_us = self.now_us.saturating_add(wall.0.saturating_sub(last.0));
            return Tick::Forward;
        }
        if last.0.saturating_sub(wall.0) > 1_000_000 { Tick::StepBack } else { Tick::Forward }
    }

    /// Log time now.
    pub(super) fn now_us(&self) -> i64 {
        self.now_us
    }

    /// Whether the log tells whole seconds only.
    pub(super) fn is_coarse(&self) -> bool {
        self.coarse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(us: u64) -> Stamp {
        Stamp { wall: None, uptime: Some(Uptime(us)) }
    }

    #[test]
    fn small_steps_back_are_not_a_reboot() {
        let mut clock = LogClock::default();
        assert_eq!(clock.tick(up(10_000_000)), Tick::Forward);
        assert_eq!(clock.tick(up(10_000_050)), Tick::Forward);
        assert_eq!(clock.tick(up(10_000_020)), Tick::Forward);
        assert_eq!(clock.now_us(), 50);
        assert_eq!(clock.tick(up(10_000_060)), Tick::Forward);
        assert_eq!(clock.now_us(), 60);
        assert_eq!(clock.tick(up(3_000)), Tick::Reboot);
    }

    #[test]
    fn a_wall_clock_set_back_stands_still() {
        let mut clock = LogClock::default();
        let at = |s: i64| Stamp { wall: Some(WallTime(s * 1_000_000)), uptime: None };
        clock.tick(at(7200));
        assert_eq!(clock.tick(at(3600)), Tick::StepBack);
        assert_eq!(clock.now_us(), 0);
        assert_eq!(clock.tick(at(3601)), Tick::Forward);
        assert_eq!(clock.now_us(), 1_000_000);
        assert!(clock.is_coarse());
    }
}
