//! Dates to microseconds and back, in whole numbers.

/// One day in microseconds.
pub(super) const DAY: i64 = 86_400_000_000;
/// One minute in microseconds.
pub(super) const MINUTE: i64 = 60_000_000;

/// A date, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    /// The year, 1 to 9999.
    pub(super) year: i32,
    /// 1 to 12.
    pub(super) month: u32,
    /// 1 to 31.
    pub(super) day: u32,
}

impl Date {
    /// Microseconds from 1970-01-01 to this date's midnight. A day that the
    /// month does not have counts on into the next month.
    pub(super) fn micros(self) -> i64 {
        days(self) * DAY
    }

    /// Whether the calendar has this date.
    pub(super) fn exists(self) -> bool {
        date_of(self.micros()) == self
    }
}

/// Days since 1970-01-01: whole 400-year cycles first, with the year starting in March so that the leap day is its last.
fn days(date: Date) -> i64 {
    let month = i64::from(date.month);
    let year = i64::from(date.year) - i64::from(month <= 2);
    let cycle = year.div_euclid(400);
    let year = year.rem_euclid(400);
    let since_march = (month + 9) % 12;
    let day = (153 * since_march + 2) / 5 + i64::from(date.day) - 1;
    cycle * 146_097 + year * 365 + year / 4 - year / 100 + day - 719_468
}

/// The date on which a moment falls.
pub(super) fn date_of(micros: i64) -> Date {
    let days = micros.div_euclid(DAY) + 719_468;
    let cycle = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let since_march = (5 * day + 2) / 153;
    let month = (since_march + 2) % 12 + 1;
    let year = cycle * 400 + year + i64::from(month <= 2);
    Date {
        year: i32::try_from(year).unwrap_or(i32::MAX),
        month: u32::try_from(month).unwrap_or(1),
        day: u32::try_from(day - (153 * since_march + 2) / 5 + 1).unwrap_or(1),
    }
}

/// Reads a month's English three-letter name at the start.
pub(super) fn month(text: &[u8]) -> Option<(u32, &[u8])> {
    let (name, rest) = text.split_first_chunk::<3>()?;
    let number = match &name.map(|byte| byte.to_ascii_lowercase()) {
        b"jan" => 1,
        b"feb" => 2,
        b"mar" => 3,
        b"apr" => 4,
        b"may" => 5,
        b"jun" => 6,
        b"jul" => 7,
        b"aug" => 8,
        b"sep" => 9,
        b"oct" => 10,
        b"nov" => 11,
        b"dec" => 12,
        _ => return None,
    };
    Some((number, rest))
}

/// Reads a month's short name and the blank behind it, in English or another language that journalctl and `dmesg -T` speak.
pub(super) fn month_word(text: &[u8]) -> Option<(u32, &[u8])> {
    if let Some((number, rest)) = month(text)
        && let Some(rest) = rest.strip_prefix(b" ")
    {
        return Some((number, rest));
    }
    let end = text.iter().take(8).position(|byte| *byte == b' ')?;
    let (word, rest) = text.split_at_checked(end)?;
    if !matches!(rest.get(1), Some(b' ' | b'0'..=b'9')) {
        return None;
    }
    let mut name = [0; 8];
    for (slot, byte) in name.iter_mut().zip(word.strip_suffix(b".").unwrap_or(word)) {
        *slot = byte.to_ascii_lowercase();
    }
    let name = name.split(|byte| *byte == 0).next()?;
    Some((foreign_month(name)?, rest.strip_prefix(b" ")?))
}

/// German, French, Spanish, Italian, Portuguese and Dutch names that differ from the English ones.
fn foreign_month(name: &[u8]) -> Option<u32> {
    Some(match name {
        b"janv" | b"ene" | b"gen" => 1,
        b"f\xc3\xa9vr" | b"fev" => 2,
        b"m\xc3\xa4r" | b"m\xe4r" | b"mrz" | b"mars" | b"mrt" => 3,
        b"avril" | b"abr" => 4,
        b"mai" | b"mag" | b"mei" => 5,
        b"juin" | b"giu" => 6,
        b"juil" | b"lug" => 7,
        b"ao\xc3\xbbt" | b"ago" => 8,
        b"sept" | b"set" => 9,
        b"okt" | b"ott" | b"out" => 10,
        b"d\xc3\xa9c" | b"dez" | b"dic" => 12,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        let date = Date { year: 2026, month: 11, day: 22 };
        assert_eq!(date.micros(), 1_795_305_600_000_000);
        for days in (-800_000..3_000_000).step_by(13) {
            let date = date_of(days * DAY);
            assert_eq!(date.micros(), days * DAY, "{date:?}");
        }
    }

    #[test]
    fn months_of_other_languages() {
        for (text, number) in
            [("Nov 2", 11), ("Mär 2", 3), ("Dez 2", 12), ("janv. 2", 1), ("août 2", 8)]
        {
            assert_eq!(month_word(text.as_bytes()), Some((number, b"2".as_slice())), "{text}");
        }
        assert_eq!(month_word(b"kernel: x"), None);
        assert_eq!(month_word(b"November 2"), None);
    }

    #[test]
    fn only_leap_years_have_the_day() {
        assert!(Date { year: 2028, month: 2, day: 29 }.exists());
        assert!(!Date { year: 2026, month: 2, day: 29 }.exists());
        assert!(!Date { year: 2100, month: 2, day: 29 }.exists());
    }
}
