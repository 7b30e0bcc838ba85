//! Time as a value: milliseconds since 1970-01-01T00:00:00Z, and since the machine's start.
//!
//! Duty: the types for moments. Never: reading a clock (shells pass the time in), and never a
//! reason to grant access: order and authority come from epochs and sequence numbers (spec 1.5).

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// The moment `ms` milliseconds later; stays at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, zero if it lies later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A moment on a clock that counts milliseconds from the machine's start, suspend included (`CLOCK_BOOTTIME`): what
/// leases are measured by (spec 11.2). Never comparable between machines, or over a restart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Boot(pub u64);

impl Boot {
    /// Later than every moment: as of it every lease has run out.
    pub const NEVER: Self = Self(u64::MAX);

    /// The moment `ms` milliseconds later; stays at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, zero if it lies later.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339 in UTC with milliseconds, as people and logs read it.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, ms) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = civil(days);
        let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:03}Z", ms % 1000)
    }
}

/// Why a text is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no moment: write 2026-11-24, 2026-11-24T11:04:05Z or milliseconds since 1970")]
pub struct NoMoment(String);

/// As [`Millis`] is shown, the fraction or the time of day left out if one likes, or as a number.
impl FromStr for Millis {
    type Err = NoMoment;
    fn from_str(text: &str) -> Result<Self, NoMoment> {
        if let Ok(number) = text.parse() {
            return Ok(Self(number));
        }
        let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
        let moment = || {
            let numbers = |text: &str, separator| -> Option<Vec<u64>> {
                text.split(separator).map(|part| part.parse().ok()).collect()
            };
            let (clock, fraction) =
                time.strip_suffix('Z').map(|time| time.split_once('.').unwrap_or((time, "0")))?;
            let [year, month, day] = numbers(date, '-')?.try_into().ok()?;
            let [h, m, s] = numbers(clock, ':')?.try_into().ok()?;
            let ms: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
            let days = days(year, month, day)?;
            (h < 24 && m < 60 && s < 60).then(|| days * 86_400_000 + ((h * 60 + m) * 60 + s) * 1000 + ms)
        };
        moment().map(Self).ok_or_else(|| NoMoment(text.chars().take(40).collect()))
    }
}

/// The inverse of [`civil`]; a day that does not exist has none.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let y = year - u64::from(month <= 2);
    let (era, yoe) = (y / 400, y % 400);
    let doy = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = (era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy).checked_sub(719_468)?;
    (civil(days) == (year, month, day)).then_some(days)
}

/// Days since 1970-01-01 to (year, month, day); Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days.saturating_add(719_468);
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_nothing_else() {
        for (text, ms) in [
            ("17", 17),
            ("1970-01-02", 86_400_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("2000-02-29T00:00:00.5Z", 951_782_400_500),
        ] {
            assert_eq!(text.parse(), Ok(Millis(ms)), "{text}");
        }
        for text in [
            "",
            "today",
            "2001-02-29",
            "2026-13-01",
            "1969-12-31",
            "2026-01-01T25:00:00Z",
            "2026-01-01T00:00:00",
        ] {
            assert!(text.parse::<Millis>().is_err(), "{text}");
        }
    }

    #[test]
    fn shows_known_moments() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_518_245_007, "2026-11-24T11:04:05.007Z"),
        ] {
            assert_eq!(Millis(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Millis(ms)));
        }
        assert!(Millis(u64::MAX).to_string().ends_with('Z'));
    }
}
