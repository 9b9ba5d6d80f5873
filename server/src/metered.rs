//! What may pass in a day over the lines this clinic opens to others: for a line that is paid by the byte.
//! Counts what its own frames hold, per clinic and day of the clinic's clock; knows no frame, keeps no file: a
//! server that is started again counts from nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chart::ids::ClinicId;
use chart::time::Date;

/// The meter of all lines.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    bytes_a_day: Option<u64>,
    used: Mutex<BTreeMap<ClinicId, (Date, u64)>>,
}

impl Meter {
    /// A meter that lets so much pass; without a number it lets everything pass.
    pub(crate) fn new(bytes_a_day: Option<u64>) -> Self {
        Self { bytes_a_day, used: Mutex::default() }
    }

    /// Counts bytes on a day. Returns whether more may pass then.
    pub(crate) fn count(&self, clinic: ClinicId, today: Date, bytes: usize) -> bool {
        let Some(most) = self.bytes_a_day else { return true };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let (day, sum) = used.entry(clinic).or_insert((today, 0));
        if *day != today {
            (*day, *sum) = (today, 0);
        }
        *sum = sum.saturating_add(bytes as u64);
        *sum < most
    }

    /// What is said of a line that waits for the next day.
    pub(crate) fn sentence(&self) -> String {
        let megabytes = self.bytes_a_day.unwrap_or_default() as f64 / 1e6;
        format!("the {megabytes} MB of today are used; the line opens again tomorrow, and nothing is lost")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_day_lets_pass_what_was_set_for_each_clinic_and_the_next_day_as_much_again() {
        let (one, other) = (ClinicId::from_bytes([1; 16]), ClinicId::from_bytes([2; 16]));
        let today = Date::from_ymd_opt(2026, 3, 17).unwrap();
        let meter = Meter::new(Some(2_000_000));
        assert!(meter.count(one, today, 1_999_999));
        assert!(!meter.count(one, today, 1));
        assert!(!meter.count(one, today, 0), "and nothing more");
        assert!(meter.count(other, today, 1_000_000), "another clinic has its own");
        assert!(meter.count(one, today.succ_opt().unwrap(), 0));
        assert!(Meter::new(None).count(one, today, usize::MAX), "nothing is counted where nothing is set");
    }
}
