//! What an official file says of itself: by the publisher's name for it and by its column heads, whose table
//! it is and of which quarter. What says nothing is believed.

use chrono::NaiveDate;

use super::quarter::Quarter;

/// The publisher's version of pairs counts years from this one; its tenths are quarters.
const VERSIONS_FROM: i32 = 1994;

/// What a file says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    pub(super) setting: Option<&'static str>,
    pub(super) quarter: Option<Quarter>,
}

/// Words of names and of column heads, and whose table they mean.
const WHOSE: [(&str, &str); 9] = [
    ("ccipra", "practitioner"),
    ("ccioph", "hospital"),
    ("practitionerservices", "practitioner"),
    ("outpatienthospital", "hospital"),
    ("dmesupplier", "equipment suppliers"),
    ("practitioner services mue", "practitioner"),
    ("outpatient hospital services mue", "hospital"),
    ("facility outpatient hospital", "hospital"),
    ("dme supplier services mue", "equipment suppliers"),
];

impl Said {
    /// `heads` in lower case.
    pub(super) fn of(name: &str, heads: &str) -> Self {
        let name = name.to_lowercase();
        let heads = heads.split_whitespace().collect::<Vec<_>>().join(" ");
        let meant = WHOSE.iter().find(|(words, _)| name.contains(words) || heads.contains(words));
        Self { setting: meant.map(|(_, whose)| *whose), quarter: by_version(&name).or(by_day(&name)) }
    }
}

/// Of `ccipra-v302r0-f1.txt`: version 30.2, the third quarter of the thirtieth year.
fn by_version(name: &str) -> Option<Quarter> {
    let (_, version) = name.split_once("-v")?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let number: i32 = digits.parse().ok().filter(|_| digits.len() == 3)?;
    Quarter::parse(&format!("{}q{}", VERSIONS_FROM + number / 10, number % 10 + 1))
}

/// Of `..._eff_01-01-2025.csv`.
fn by_day(name: &str) -> Option<Quarter> {
    let (_, day) = name.split_once("eff_")?;
    Quarter::of(NaiveDate::parse_from_str(day.get(..10)?, "%m-%d-%Y").ok()?)
}
