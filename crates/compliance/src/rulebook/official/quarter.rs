//! A calendar quarter, by which the official tables are published. Knows no table.

use chrono::{Datelike, Days, NaiveDate};

/// A calendar quarter, such as `2025q1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quarter {
    pub(super) from: NaiveDate,
    pub(super) until: NaiveDate,
}

impl Quarter {
    /// Reads `2025q1`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, quarter) = text.trim().split_once(['q', 'Q'])?;
        let (year, quarter): (i32, u32) = (year.parse().ok()?, quarter.parse().ok()?);
        if !(1..=4).contains(&quarter) || !(1996..=2200).contains(&year) {
            return None;
        }
        let from = NaiveDate::from_ymd_opt(year, quarter * 3 - 2, 1)?;
        let after = if quarter == 4 {
            NaiveDate::from_ymd_opt(year + 1, 1, 1)
        } else {
            from.with_month(quarter * 3 + 1)
        };
        Some(Self { from, until: after?.checked_sub_days(Days::new(1))? })
    }

    /// The quarter a day lies in.
    pub(super) fn of(day: NaiveDate) -> Option<Self> {
        Self::parse(&format!("{}q{}", day.year(), day.month().div_ceil(3)))
    }

    pub(super) fn name(self) -> String {
        format!("{}q{}", self.from.year(), self.from.month().div_ceil(3))
    }
}
