//! Schedules in cron's notation, as robfig/cron's standard parser reads them: five fields, names, steps, and `@daily` and its like.
//!
//! Pure; it knows no objects.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// When something happens again and again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// Minutes, hours, days of the month, months, days of the week (Sunday is 0), as bits.
    Fields { minutes: u64, hours: u64, days: u64, months: u64, weekdays: u64, either: bool },
    /// `@every`.
    Every(SignedDuration),
}

const MONTHS: [&str; 13] = ["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Schedule {
    /// # Errors
    /// What cannot be read.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other => other,
        };
        if let Some(period) = text.strip_prefix("@every ") {
            let period: SignedDuration =
                period.parse().map_err(|error| format!("failed to parse duration {text}: {error}"))?;
            return Ok(Self::Every(period.max(SignedDuration::from_secs(1))));
        }
        if text.starts_with('@') {
            return Err(format!("unrecognized descriptor: {text}"));
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
        };
        let is_open = |field: &str| field.starts_with('*') || field.starts_with('?');
        Ok(Self::Fields {
            minutes: bits(minutes, 0, 59, &[])?,
            hours: bits(hours, 0, 23, &[])?,
            days: bits(days, 1, 31, &[])?,
            months: bits(months, 1, 12, &MONTHS)?,
            weekdays: bits(weekdays, 0, 6, &WEEKDAYS)?,
            // With both kinds of days given, either will do.
            either: !is_open(days) && !is_open(weekdays),
        })
    }

    /// The first moment after another one; none within five years.
    pub(crate) fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let &Self::Fields { minutes, hours, days, months, weekdays, either } = self else {
            let Self::Every(period) = self else { return None };
            return after.checked_add(*period).ok();
        };
        let has = |bits: u64, number: i8| u8::try_from(number).is_ok_and(|number| bits & (1 << number) != 0);
        let start = zone.to_datetime(after);
        let mut at = start.with().second(0).subsec_nanosecond(0).build().ok()?.checked_add(1.minute()).ok()?;
        let last = start.year() + 5;
        while at.year() <= last {
            let midnight = |at: DateTime| at.date().at(0, 0, 0, 0);
            let (day, weekday) = (has(days, at.day()), has(weekdays, at.weekday().to_sunday_zero_offset()));
            let is_day = if either { day || weekday } else { day && weekday };
            at = if !has(months, at.month()) {
                midnight(at.first_of_month()).checked_add(1.month()).ok()?
            } else if !is_day {
                midnight(at).checked_add(1.day()).ok()?
            } else if !has(hours, at.hour()) {
                at.with().minute(0).build().ok()?.checked_add(1.hour()).ok()?
            } else if !has(minutes, at.minute()) {
                at.checked_add(1.minute()).ok()?
            } else {
                return zone.to_timestamp(at).ok();
            };
        }
        None
    }
}

fn bits(field: &str, least: u8, most: u8, names: &[&str]) -> Result<u64, String> {
    field.split(',').try_fold(0, |all, part| Ok(all | range(part, least, most, names)?))
}

fn range(part: &str, least: u8, most: u8, names: &[&str]) -> Result<u64, String> {
    let number = |text: &str| -> Result<u8, String> {
        let named = names.iter().position(|name| !name.is_empty() && name.eq_ignore_ascii_case(text));
        match named.and_then(|at| u8::try_from(at).ok()) {
            Some(number) => Ok(number),
            None => text.parse().map_err(|_| format!("failed to parse int from {text}")),
        }
    };
    let (span, step) = part.split_once('/').map_or((part, None), |(span, step)| (span, Some(step)));
    let (first, last) = match span.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None if ["*", "?"].contains(&span) => (least, most),
        None if step.is_some() => (number(span)?, most),
        None => (number(span)?, number(span)?),
    };
    let step = step.map_or(Ok(1), |step| step.parse::<u8>().map_err(|_| format!("failed to parse int from {step}")))?;
    if first < least {
        return Err(format!("beginning of range ({first}) below minimum ({least}): {part}"));
    }
    if last > most {
        return Err(format!("end of range ({last}) above maximum ({most}): {part}"));
    }
    if first > last {
        return Err(format!("beginning of range ({first}) beyond end of range ({last}): {part}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {part}"));
    }
    Ok((first..=last).step_by(usize::from(step)).fold(0, |all, number| all | 1 << number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_moment_fits_every_field() {
        let check = |text: &str, after: &str, expected: &str| {
            let schedule = Schedule::parse(text).expect("must parse");
            let next = schedule.next(after.parse().expect("a time"), &TimeZone::UTC).map(|at| at.to_string());
            assert_eq!(next.as_deref(), Some(expected), "{text}");
        };
        check("* * * * *", "2026-11-24T10:00:30Z", "2026-11-24T10:01:00Z");
        check("*/15 * * * *", "2026-11-24T10:45:00Z", "2026-11-24T11:00:00Z");
        check("30 4 * * *", "2026-12-31T04:30:00Z", "2027-01-01T04:30:00Z");
        check("0 0 29 feb *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
        check("0 12 * * mon-fri", "2026-11-27T12:00:00Z", "2026-11-30T12:00:00Z");
        // Either kind of day, when both are given.
        check("0 0 13 * fri", "2026-11-24T00:00:00Z", "2026-11-27T00:00:00Z");
        check("@hourly", "2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z");
        check("@every 90s", "2026-11-24T10:00:00Z", "2026-11-24T10:01:30Z");
    }

    #[test]
    fn a_zone_moves_the_moment() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        let next = Schedule::parse("0 9 * * *")
            .expect("must parse")
            .next("2026-11-24T00:00:00Z".parse().expect("a time"), &zone);
        assert_eq!(next.map(|at| at.to_string()).as_deref(), Some("2026-11-24T07:00:00Z"));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "a * * * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "@sometimes",
            "@every x",
        ] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
        assert_eq!(
            Schedule::parse("0 0 30 2 *").expect("must parse").next(Timestamp::UNIX_EPOCH, &TimeZone::UTC),
            None
        );
    }
}
