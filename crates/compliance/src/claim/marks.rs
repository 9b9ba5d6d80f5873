//! The modifiers of a line: those recorded, those that follow, those that are asked for, and their order.

use std::collections::BTreeSet;

use chart::code::ServiceCode;
use chart::report::Pool;
use chrono::NaiveDate;

use crate::bundling::{PairFound, pairs_of, tables};
use crate::rulebook::{AssistantModifier, Code, Flag, Payer, Therapy};
use crate::view::View;

/// What the modifiers of a pool's lines depend on.
pub(super) struct Marks<'m, 'v> {
    view: &'m View<'v>,
    pool: &'m Pool,
    payer: Option<&'m Payer>,
    pairs: Vec<PairFound>,
}

impl<'m, 'v> Marks<'m, 'v> {
    /// `codes`: every code of the patient-day that may be billed.
    pub(super) fn of(
        view: &'m View<'v>,
        pool: &'m Pool,
        payer: Option<&'m Payer>,
        codes: &BTreeSet<ServiceCode>,
    ) -> Self {
        let applies = payer.is_none_or(|payer| payer.has(Flag::Ncci));
        let pairs = if applies {
            pairs_of(view.book, tables(&view.facts.settings), view.date, codes)
        } else {
            Vec::new()
        };
        Self { view, pool, payer, pairs }
    }

    fn has(&self, flag: Flag) -> bool {
        self.payer.is_some_and(|payer| payer.has(flag))
    }

    fn date(&self) -> NaiveDate {
        self.view.date.unwrap_or(self.view.facts.as_of)
    }

    /// The assistant's modifier of this pool, where the payer wants one.
    pub(super) fn assistant(&self) -> Option<&'m AssistantModifier> {
        let discipline = self.pool.discipline.as_ref().filter(|_| self.has(Flag::AssistantModifiers))?;
        let rows = self.view.book.assistant_modifiers.iter();
        rows.filter(|row| row.discipline == *discipline && row.from <= self.date()).max_by_key(|row| row.from)
    }

    /// The modifiers of a line and those it still asks for.
    pub(super) fn of_line(&self, code: &ServiceCode, by_assistant: bool) -> (Vec<String>, Vec<String>) {
        let mut marks: BTreeSet<String> = recorded(self.view, code).into_iter().collect();
        if let Some(row) = self.assistant() {
            let names: Vec<&str> =
                self.view.book.assistant_modifiers.iter().map(|row| row.modifier.as_str()).collect();
            marks.retain(|mark| !names.contains(&mark.as_str()));
            if by_assistant {
                marks.insert(row.modifier.clone());
            }
        }
        let row = self.view.book.code(code);
        if let Some(plan) = row.and_then(|row| self.plan(row, &marks)) {
            marks.insert(plan);
        }
        let asked: BTreeSet<String> = self.asked(code, &marks).into_iter().collect();
        (self.ordered(marks), self.ordered(asked))
    }

    /// The plan's modifier, where the payer wants one and none is recorded.
    fn plan(&self, row: &Code, marks: &BTreeSet<String>) -> Option<String> {
        let known = self.view.book.modifiers("plan");
        if !self.has(Flag::DisciplineModifiers)
            || row.therapy == Therapy::Never
            || marks.iter().any(|mark| known.contains(mark))
        {
            return None;
        }
        let modifier = self.view.book.plan_modifier(self.pool.discipline.as_ref()?)?;
        row.plan_modifiers.iter().any(|one| one == modifier).then(|| modifier.to_owned())
    }

    /// Modifiers that would be somebody's word.
    fn asked(&self, code: &ServiceCode, marks: &BTreeSet<String>) -> Vec<String> {
        let mut asked = Vec::new();
        if let Some(payer) = self.payer {
            let provider = self.view.note.slice.provider.agreed();
            let profession = provider.and_then(|id| self.view.person(*id)?.profession.as_ref());
            let excluded = payer.excluded_professions.iter().filter(|row| !row.except.contains(code));
            asked.extend(
                excluded.filter(|row| Some(&row.profession) == profession).map(|row| row.modifier.clone()),
            );
            let active = payer.active_treatment_modifier.iter().filter(|row| row.codes.contains(code));
            asked.extend(active.map(|row| row.modifier.clone()));
        }
        let distinct = self.view.book.modifiers("distinct");
        let marked =
            |code: &ServiceCode| recorded(self.view, code).iter().any(|mark| distinct.contains(mark));
        let opens = |pair: &&PairFound| pair.opens && pair.second == *code;
        if self.pairs.iter().filter(opens).any(|pair| !marked(&pair.first) && !marked(&pair.second)) {
            asked.extend(distinct.first().cloned());
        }
        asked.retain(|mark| !marks.contains(mark));
        asked
    }

    /// In the order of the claim form; what the order does not name comes last.
    fn ordered(&self, marks: BTreeSet<String>) -> Vec<String> {
        let mut marks: Vec<String> = marks.into_iter().collect();
        marks.sort_by_key(|mark| self.view.book.modifier_rank(mark));
        marks
    }
}

/// The modifiers the note records for a code.
pub(super) fn recorded(view: &View<'_>, code: &ServiceCode) -> Vec<String> {
    let text = view.field(&format!("modifiers.{code}"));
    let parts = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.map(str::to_ascii_uppercase).collect()
}
