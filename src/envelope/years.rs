//! The year that syslog leaves out: given, or inferred from the newest time the source can have, and carried over New Year.

use super::calendar::{DAY, Date, date_of};

/// A step further than this, forwards or backwards, asks for another year.
const HALF_YEAR: i64 = 183 * DAY;

/// Keeps the year of one source.
#[derive(Debug)]
pub(super) struct Years {
    /// The user's word for the first stamp; the newest time is then not asked.
    given: Option<i32>,
    /// No line can be a day later than this, unless later ones were seen already.
    newest: Option<i64>,
    current: Option<Current>,
    inferred: bool,
}

#[derive(Debug, Clone, Copy)]
struct Current {
    year: i32,
    /// The last stamp, as local time.
    last: i64,
    last_month: u32,
    /// The last stamp before the year was moved on.
    before_roll: Option<i64>,
}

impl Years {
    pub(super) fn new(given: Option<i32>, newest: Option<i64>) -> Self {
        let given = given.filter(|year| (1..=9999).contains(year));
        Self { given, newest: newest.filter(|_| given.is_none()), current: None, inferred: false }
    }

    /// Whether any stamp got an inferred year.
    pub(super) fn inferred(&self) -> bool {
        self.inferred
    }

    /// A stamp with a year of its own was read; it serves as base when nothing else was given.
    pub(super) fn note_full_stamp(&mut self, micros: i64) {
        if self.given.is_none() && self.newest.is_none() {
            self.newest = Some(micros);
        }
    }

    /// The year of a stamp that has none. `within_day` is its time of day.
    pub(super) fn year_of(&mut self, month: u32, day: u32, within_day: i64) -> Option<i32> {
        let at = |year| Date { year, month, day }.micros().saturating_add(within_day);
        let mut current = if let Some(current) = self.current {
            self.next(current, month, at)
        } else {
            let year = self.first(month, day, at)?;
            Current { year, last: 0, last_month: month, before_roll: None }
        };
        current.last = at(current.year);
        current.last_month = month;
        self.current = Some(current);
        if self.given.is_none() {
            self.inferred = true;
            self.newest = self.newest.max(Some(current.last));
        }
        Some(current.year)
    }

    /// The nearest year in which the stamp exists and is not later than the newest time and a day.
    fn first(&self, month: u32, day: u32, at: impl Fn(i32) -> i64) -> Option<i32> {
        if self.given.is_some() {
            return self.given;
        }
        let latest = self.newest?.saturating_add(DAY);
        let year = date_of(latest).year.clamp(1, 9999);
        // Eight years back there is always a leap year.
        (year.saturating_sub(8)..=year)
            .rev()
            .find(|&year| at(year) <= latest && Date { year, month, day }.exists())
    }

    /// The year moves on from December to January, or over a longer silence when the newest time
    /// allows it; and moves back for a late line of December. Any other step back is the clock's.
    fn next(&self, mut current: Current, month: u32, at: impl Fn(i32) -> i64) -> Current {
        let here = at(current.year);
        let fits =
            |micros: i64| self.newest.is_some_and(|newest| micros <= newest.saturating_add(DAY));
        let new_year = current.last_month == 12 && month == 1;
        let after_silence =
            here < current.last.saturating_sub(HALF_YEAR) && fits(at(current.year + 1));
        if new_year || after_silence {
            current.before_roll = Some(current.last);
            current.year = (current.year + 1).min(9999);
            return current;
        }
        let late = here > current.last.saturating_add(HALF_YEAR);
        let before = at(current.year - 1);
        let beyond_newest = self.newest.is_some() && !fits(here);
        if late && (beyond_newest || current.before_roll.is_some_and(|roll| before >= roll - DAY)) {
            current.year -= 1;
        }
        current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(year: i32, month: u32, day: u32) -> i64 {
        Date { year, month, day }.micros()
    }

    fn years_of(years: &mut Years, stamps: &[(u32, u32)]) -> Vec<i32> {
        stamps.iter().map(|&(month, day)| years.year_of(month, day, 0).unwrap()).collect()
    }

    #[test]
    fn new_year_moves_on_and_a_late_line_moves_back() {
        let mut years = Years::new(Some(2025), None);
        let stamps = [(12, 30), (12, 31), (1, 1), (12, 31), (1, 1), (1, 2)];
        assert_eq!(years_of(&mut years, &stamps), [2025, 2025, 2026, 2025, 2026, 2026]);
        assert!(!years.inferred());
    }

    #[test]
    fn a_step_back_is_no_new_year() {
        let mut years = Years::new(Some(2026), None);
        assert_eq!(years_of(&mut years, &[(11, 22), (11, 21), (1, 1), (11, 22)]), [2026; 4]);
    }

    #[test]
    fn the_newest_time_decides_the_year() {
        let mut years = Years::new(None, Some(micros(2027, 2, 1)));
        assert_eq!(years_of(&mut years, &[(11, 20), (1, 3), (2, 1)]), [2026, 2027, 2027]);
        assert!(years.inferred());
        // A router without a battery starts at New Year; nothing is dated into the future.
        let mut years = Years::new(None, Some(micros(2026, 11, 22)));
        assert_eq!(years_of(&mut years, &[(11, 20), (1, 1), (11, 20)]), [2026; 3]);
        let mut years = Years::new(None, Some(micros(2026, 11, 22)));
        assert_eq!(years_of(&mut years, &[(2, 29)]), [2024]);
        assert_eq!(Years::new(None, None).year_of(11, 22, 0), None);
    }

    #[test]
    fn a_followed_source_goes_past_the_newest_time() {
        let mut years = Years::new(None, Some(micros(2026, 12, 30)));
        let stamps = [(12, 30), (12, 31), (1, 1), (6, 1), (12, 1), (1, 5)];
        assert_eq!(years_of(&mut years, &stamps), [2026, 2026, 2027, 2027, 2027, 2028]);
    }
}
