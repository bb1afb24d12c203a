//! Days since 1970-01-01 and the periods they begin (proleptic Gregorian calendar).

use mayag_policies::shape::Grain;

/// (year, month, day) of a day. After H. Hinnant, "chrono-compatible low-level date algorithms".
fn civil(days: i32) -> (i64, i64, i64) {
    let z = i64::from(days) + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The day of a date; `None` outside the range of 32-bit days.
fn days(year: i64, month: i64, day: i64) -> Option<i32> {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era.checked_mul(146_097)?.checked_add(day_of_era - 719_468)?).ok()
}

/// The first of January of a year.
pub(super) fn first_of_year(year: i64) -> Option<i32> {
    // Far outside the range of days; keeps the arithmetic small.
    (-6_000_000..=6_000_000).contains(&year).then(|| days(year, 1, 1)).flatten()
}

/// The first day of the period that a day lies in.
pub(crate) fn start(day: i32, grain: Grain) -> Option<i32> {
    let (year, month, _) = civil(day);
    match grain {
        Grain::Day => Some(day),
        Grain::Month => days(year, month, 1),
        Grain::Quarter => days(year, (month - 1) / 3 * 3 + 1, 1),
        Grain::Year => days(year, 1, 1),
    }
}

/// The number of the period that a day lies in: its year, its quarter or month of the year, its day of the month.
pub(super) fn number(day: i32, grain: Grain) -> i64 {
    let (year, month, date) = civil(day);
    match grain {
        Grain::Day => date,
        Grain::Month => month,
        Grain::Quarter => (month - 1) / 3 + 1,
        Grain::Year => year,
    }
}

/// The coarsest grain of which a day begins a period.
pub(super) fn coarsest(day: i32) -> Grain {
    match civil(day) {
        (_, 1, 1) => Grain::Year,
        (_, 4 | 7 | 10, 1) => Grain::Quarter,
        (_, _, 1) => Grain::Month,
        _ => Grain::Day,
    }
}

#[cfg(test)]
mod tests {
    use super::{civil, coarsest, days, first_of_year, number, start};
    use mayag_policies::shape::Grain;

    #[test]
    fn days_and_dates_agree() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(19_782), (2024, 2, 29));
        assert_eq!(civil(-1), (1969, 12, 31));
        for day in (-800_000..800_000).step_by(97) {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), Some(day));
        }
        assert!(civil(i32::MIN).0 < -5_000_000 && civil(i32::MAX).0 > 5_000_000);
        assert_eq!(first_of_year(i64::MAX), None);
    }

    #[test]
    fn periods_begin_where_they_should() {
        let day = days(2024, 5, 17).unwrap();
        assert_eq!(start(day, Grain::Month), days(2024, 5, 1));
        assert_eq!(start(day, Grain::Quarter), days(2024, 4, 1));
        assert_eq!(start(day, Grain::Year), days(2024, 1, 1));
        assert_eq!(Grain::ALL.map(|grain| number(day, grain)), [17, 5, 2, 2024]);
        let grain = |month, date| coarsest(days(2024, month, date).unwrap());
        assert_eq!(
            [grain(1, 1), grain(7, 1), grain(8, 1), grain(8, 2)],
            [Grain::Year, Grain::Quarter, Grain::Month, Grain::Day]
        );
    }
}
