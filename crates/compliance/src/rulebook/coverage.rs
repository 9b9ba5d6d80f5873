//! What the rulebook knows of a code with a payer on a date, and what it does not. Fills no gap.

use chart::code::ServiceCode;
use chart::report::UnitRule;
use chrono::NaiveDate;
use serde::Serialize;

use super::book::{CodeState, Rulebook};
use super::claim_rows::Edition;
use super::payer_rows::{Flag, Payer};
use super::rows::Code;

/// What is known of one code with one payer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The payer's id.
    pub payer: String,
    /// The code.
    pub code: ServiceCode,
    /// Whether the payer takes the code.
    pub payable: bool,
    /// The code it takes instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<ServiceCode>,
    /// Its counting rule; none is assumed.
    pub unit_rule: Option<UnitRule>,
    /// Most units a day, where the payer applies daily limits.
    pub limit: Option<u32>,
    /// How many rows of the table of pairs name it, where the payer applies them.
    pub pairs: usize,
    /// Policies of the payer on it.
    pub policies: Vec<String>,
    /// Whether an amount can be estimated.
    pub estimate: bool,
    /// What is not known, each in one sentence.
    pub gaps: Vec<String>,
}

impl Rulebook {
    /// Coverage of every code (or one) by every payer (or one) on a date, by the tables of a setting.
    pub fn coverage(
        &self,
        date: NaiveDate,
        setting: &str,
        payer: Option<&str>,
        code: Option<&ServiceCode>,
    ) -> Vec<Coverage> {
        let one = payer.and_then(|name| self.payer(name)).map(|payer| payer.id.clone());
        let payers = self.payers().filter(|row| payer.is_none() || one.as_ref() == Some(&row.id));
        let codes = || self.codes.values().filter(|row| code.is_none_or(|code| row.number == *code));
        payers.flat_map(|payer| codes().map(|code| self.covered(date, setting, payer, code))).collect()
    }

    fn covered(&self, date: NaiveDate, setting: &str, payer: &Payer, row: &Code) -> Coverage {
        let code = &row.number;
        let mut gaps = Vec::new();
        if !matches!(self.code_on(code, date), CodeState::Known(_)) {
            gaps.push(format!("The code is not vouched for on {date}."));
        }
        if payer.unit_rule.is_none() && !payer.has(Flag::NoClaim) {
            gaps.push(
                "The payer's counting rule is not set: both counts are shown, none is billed.".to_owned(),
            );
        }
        let table = self.pair_table(setting, Some(date)).filter(|_| payer.has(Flag::Ncci));
        stale(table.map(|table| &table.edition), payer.has(Flag::Ncci), "pairs", date, &mut gaps);
        let limit = self.limit(code, setting, Some(date)).filter(|_| payer.has(Flag::Mue));
        stale(self.limit_edition(setting, Some(date)), payer.has(Flag::Mue), "limits", date, &mut gaps);
        if payer.has(Flag::Mue) && limit.is_none() {
            gaps.push("No daily limit is known.".to_owned());
        }
        let refused = payer.not_payable.iter().find(|not| not.codes.contains(code));
        let rated = !payer.has(Flag::Mppr) && payer.rate_cents.is_some();
        let estimate = rated || (payer.has(Flag::Mppr) && row.fee.is_some());
        let policies = self.policies.iter().filter(|policy| {
            policy.payer == payer.id
                && policy.from <= date
                && row.content_family.as_ref() == Some(&policy.family)
        });
        let bundles = |first: &ServiceCode, rows: &[super::Pair]| {
            let with = |codes: &[ServiceCode]| codes.contains(code) || first == code && !codes.is_empty();
            rows.iter().any(|row| with(&row.modifier) || with(&row.never))
        };
        Coverage {
            payer: payer.id.clone(),
            code: code.clone(),
            payable: refused.is_none(),
            instead: refused.and_then(|not| not.swap.clone()),
            unit_rule: payer.unit_rule,
            limit: limit.map(|mue| mue.units),
            pairs: table
                .map_or(0, |table| table.rows.iter().filter(|(first, rows)| bundles(first, rows)).count()),
            policies: policies.map(|policy| policy.check.clone()).collect(),
            estimate,
            gaps,
        }
    }
}

fn stale(edition: Option<&Edition>, asked: bool, what: &str, date: NaiveDate, gaps: &mut Vec<String>) {
    match edition {
        _ if !asked => {}
        Some(edition) if edition.covers(date) => {}
        Some(edition) => gaps.push(format!("The table of {what} is of {}, not of {date}.", edition.name)),
        None => gaps.push(format!("There is no table of {what}.")),
    }
}
