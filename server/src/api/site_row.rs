//! How this clinic stands with another one, as a row and in words for whoever owns the clinic. Computes
//! nothing: what it says is what the hub knows.

use chart::ids::ClinicId;
use chart::time::Timestamp;
use hub::SiteStatus;
use serde::{Deserialize, Serialize};

/// How this clinic stands with another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SiteRow {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its name.
    pub name: String,
    /// Whether a line to it is open.
    pub connected: bool,
    /// When it was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<Timestamp>,
    /// When everything it had was last here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caught_up_at: Option<Timestamp>,
    /// How many notes of this clinic it has not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// How many of its notes were still to come when it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coming: Option<u64>,
    /// When both were last seen to hold the same notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_at: Option<Timestamp>,
    /// Notes that differ though both have read everything; they are fetched again.
    #[serde(default)]
    pub differing: u64,
    /// What keeps the line back, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl SiteRow {
    /// The clinic in one line: `Riverside: last heard 14:02, 3 notes behind`. Times are those of a clock that
    /// is so many minutes off UTC; a time of another day comes with its date.
    pub fn brief(&self, now: Timestamp, offset_minutes: i16) -> String {
        let at = |time: Timestamp| {
            let (clock, today) =
                (time.clock_time(offset_minutes), now.clock_time(offset_minutes).local_date());
            match clock.local_date() {
                day if day == today => clock.hour_minute(),
                day => format!("{day} {}", clock.hour_minute()),
            }
        };
        let mut parts = vec![match (self.connected, self.heard_at) {
            (true, _) => "connected".to_owned(),
            (false, Some(heard)) => format!("last heard {}", at(heard)),
            (false, None) => "not heard yet".to_owned(),
        }];
        let counted = |count: u64| format!("{count} {}", if count == 1 { "note" } else { "notes" });
        let some = |count: Option<u64>| count.filter(|count| *count > 0).map(counted);
        parts.extend(some(self.behind).map(|notes| format!("{notes} behind")));
        parts.extend(some(self.coming).map(|notes| format!("{notes} of it still to come")));
        parts.extend(some(Some(self.differing)).map(|notes| format!("{notes} not the same, fetched again")));
        if parts.len() == 1
            && let Some(same) = self.same_at
        {
            parts.push(format!("the same notes here and there at {}", at(same)));
        }
        let trouble = self.trouble.as_ref().map_or_else(String::new, |why| format!("; {why}"));
        format!("{}: {}{trouble}", self.name, parts.join(", "))
    }

    /// The row of a list: the line, and since when everything is here.
    pub fn sentence(&self, now: Timestamp, offset_minutes: i16) -> String {
        let caught_up = match self.caught_up_at {
            Some(at) => format!("everything it had at {at} is here"),
            None => "not everything it had was ever here".to_owned(),
        };
        format!("{}; {caught_up} ({})", self.brief(now, offset_minutes), self.clinic)
    }
}

impl From<SiteStatus> for SiteRow {
    fn from(status: SiteStatus) -> Self {
        let SiteStatus {
            clinic,
            name,
            connected,
            heard_at,
            caught_up_at,
            behind,
            coming,
            same_at,
            differing,
            trouble,
        } = status;
        Self { clinic, name, connected, heard_at, caught_up_at, behind, coming, same_at, differing, trouble }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_unix_ms(1_773_763_200_000);

    #[test]
    fn a_clinic_is_said_in_one_line_that_its_owner_understands() {
        let never = SiteRow {
            clinic: ClinicId::from_bytes([1; 16]),
            name: "Riverside".into(),
            connected: false,
            heard_at: None,
            caught_up_at: None,
            behind: None,
            coming: None,
            same_at: None,
            differing: 0,
            trouble: None,
        };
        let heard = SiteRow { heard_at: Some(NOON), ..never.clone() };
        let rows = [
            (never, "Riverside: not heard yet"),
            (SiteRow { behind: Some(3), ..heard.clone() }, "Riverside: last heard 11:00, 3 notes behind"),
            (
                SiteRow { connected: true, coming: Some(1), ..heard.clone() },
                "Riverside: connected, 1 note of it still to come",
            ),
            (
                SiteRow { connected: true, differing: 2, same_at: Some(NOON), ..heard.clone() },
                "Riverside: connected, 2 notes not the same, fetched again",
            ),
            (
                SiteRow { connected: true, behind: Some(0), same_at: Some(NOON), ..heard.clone() },
                "Riverside: connected, the same notes here and there at 11:00",
            ),
            (
                SiteRow { trouble: Some("the line was closed".into()), ..heard.clone() },
                "Riverside: last heard 11:00; the line was closed",
            ),
        ];
        for (row, line) in rows {
            assert_eq!(row.brief(NOON.plus_ms(60_000), -300), line);
        }
        let tomorrow = NOON.plus_ms(86_400_000);
        assert_eq!(heard.brief(tomorrow, -300), "Riverside: last heard 2026-03-17 11:00");
    }
}
