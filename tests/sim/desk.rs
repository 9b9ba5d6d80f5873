//! People at their tablets: what they do, what they type, what the screen tells them, and that the
//! screen is as good as its word after a start.

use std::collections::BTreeSet;

use session_note::Command;
use session_note::schema::Kind;
use tablet::{Edit, Keystroke, SaveState};

use crate::clinic;
use crate::machine::Burst;
use crate::people;
use crate::plant::Plant;
use crate::reference::{Effect, Gone, Seen, fields};
use crate::violation::{Broken, Promise, Violation, broken};
use crate::world::{Due, World};

impl World {
    pub(crate) fn act(&mut self, tablet: usize) -> Result<(), Violation> {
        let now = self.now;
        let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
        let (person, run, clock) = (machine.person, machine.run, machine.clock(now));
        let mut offer = self.cast.offer(machine.site);
        let server = self.servers.get(machine.site);
        let rewound = server.is_some_and(|server| server.rewound);
        if self.cast.is_group() {
            // Nobody names a patient of whom their clinic has not heard.
            let known = server.map(|server| server.log.patients()).unwrap_or_default();
            offer.patients.retain(|patient| known.contains(patient));
        }
        let Some(app) = &mut machine.tablet else { return Ok(()) };
        let disk = &machine.disk;
        let mut deed = people::choose(&mut self.dice, &offer, app);
        if let people::Deed::Edit(document, kind, command, effect) = &mut deed
            && !matches!(**command, Command::OpenEpisode(_))
        {
            let view = app.note(disk, *document).broken(Promise::Quiet)?;
            (**command, *effect) = people::command(&mut self.dice, &offer, &mut self.model, clock, &view);
            *kind = if view.visit.is_some() { Kind::Visit } else { Kind::Episode };
        }
        let (result, document, effect, again) = match deed {
            people::Deed::Begin(document) => {
                let made = app.create_visit_from_appointment(clock, &mut self.dice, disk, person, document);
                (made, document, Effect::Plain, None)
            }
            people::Deed::WalkIn(open) => {
                match app.create_visit(clock, &mut self.dice, disk, person, *open) {
                    Ok((document, ticket)) => (Ok(Some(ticket)), document, Effect::Plain, None),
                    Err(error) => (Err(error), clinic::EPISODE, Effect::Plain, None),
                }
            }
            people::Deed::Edit(document, kind, command, effect) => {
                let shown = machine.screens.get(&document).cloned();
                let seen = shown.filter(|_| self.dice.chance(1, 2));
                let edit = Edit { person, document, kind, seen, commands: vec![*command] };
                let made = app.apply(clock, &mut self.dice, disk, &edit).map(Some);
                (made, document, effect, Some(edit))
            }
        };
        match result {
            Ok(Some(ticket)) => {
                self.trace.line(now, format_args!("  {effect:?} in {document}"));
                self.model.did(tablet, run, document, effect, Some(ticket));
            }
            Ok(None) => {}
            Err(error @ tablet::TabletError::UnknownAppointment(_)) if !rewound => {
                self.trace.line(now, format_args!("  not yet: {error}"));
            }
            Err(error) if error.is_refusal() => self.trace.line(now, format_args!("  refused: {error}")),
            Err(error) => self.trace.line(now, format_args!("  failed: {error}")),
        }
        if self.options.plant == Some(Plant::RetriedEdit)
            && let Some(edit) = again
            && self.dice.chance(1, 3)
            && let Some((app, disk)) = self
                .tablets
                .get_mut(tablet)
                .and_then(|machine| Some((machine.tablet.as_mut()?, &machine.disk)))
        {
            // The answer of the first is awaited; the second is nobody's deed.
            let _ = app.apply(clock, &mut self.dice, disk, &edit);
        }
        self.tend(tablet)
    }

    pub(crate) fn look(&mut self, tablet: usize) -> Result<(), Violation> {
        let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
        let Some(app) = &mut machine.tablet else { return Ok(()) };
        let held: Vec<_> = app.documents().into_iter().map(|summary| summary.document).collect();
        if let Some(document) = self.dice.pick(&held).copied() {
            let view = app.note(&machine.disk, document).broken(Promise::Quiet)?;
            machine.screens.insert(document, view.heads);
        }
        Ok(())
    }

    pub(crate) fn begin_typing(&mut self, tablet: usize) -> Result<(), Violation> {
        let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
        let run = machine.run;
        let Some(app) = &mut machine.tablet else { return Ok(()) };
        let held: Vec<_> = app.documents().into_iter().map(|summary| summary.document).collect();
        let Some(document) = self.dice.pick(&held).copied() else { return Ok(()) };
        let kind = app.kind(document).unwrap_or(Kind::Visit);
        let Some(field) = self.dice.pick(fields(kind)).copied() else { return Ok(()) };
        let left = 2 + u32::try_from(self.dice.below(14)).unwrap_or(0);
        machine.burst = Some(Burst { document, field, cursor: 0, typed: Vec::new(), left });
        self.after(10, Due::Keystroke { tablet, run });
        Ok(())
    }

    pub(crate) fn keystroke(&mut self, tablet: usize, run: u32) -> Result<(), Violation> {
        let now = self.now;
        let Some(machine) = self.tablets.get_mut(tablet).filter(|machine| machine.run == run) else {
            return Ok(());
        };
        let clock = machine.clock(now);
        let (Some(app), Some(burst)) = (&mut machine.tablet, &mut machine.burst) else { return Ok(()) };
        let back = !burst.typed.is_empty() && self.dice.chance(1, 8);
        let letter = if back { None } else { Some(self.model.letter()) };
        let typed = Keystroke {
            person: machine.person,
            document: burst.document,
            field: burst.field.to_owned(),
            position: burst.cursor - usize::from(back),
            delete: usize::from(back),
            insert: letter.map(String::from).unwrap_or_default(),
            seen: None,
        };
        let (document, field) = (burst.document, burst.field);
        let (position, what) = (typed.position, if back { "takes back" } else { "types" });
        self.trace
            .line(now, format_args!("  {tablet} {what} {letter:?} at {position} of {field} in {document}"));
        match app.keystroke(clock, &mut self.dice, &machine.disk, &typed) {
            Ok(()) => match letter {
                Some(letter) => {
                    burst.cursor += 1;
                    burst.typed.push(letter);
                    self.model.did(tablet, run, document, Effect::Letter { field, letter }, None);
                }
                None => {
                    burst.cursor -= 1;
                    let taken = burst.typed.pop();
                    for deed in &mut self.model.deeds {
                        if matches!(deed.effect, Effect::Letter { letter, .. } if Some(letter) == taken) {
                            deed.gone = Gone::Given;
                        }
                    }
                }
            },
            Err(error) if error.is_refusal() => {
                self.trace.line(now, format_args!("  refused: {error}"));
                burst.left = 0;
            }
            Err(error) => return Err(broken(Promise::Quiet, format!("a keystroke failed: {error}"))),
        }
        burst.left = burst.left.saturating_sub(1);
        if burst.left == 0 {
            machine.burst = None;
        } else {
            let wait =
                if self.dice.chance(1, 12) { self.dice.ms(1_000, 4_000) } else { self.dice.ms(40, 300) };
            self.after(wait, Due::Keystroke { tablet, run });
        }
        self.tend(tablet)
    }

    pub(crate) fn blur(&mut self, tablet: usize) -> Result<(), Violation> {
        let now = self.now;
        let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
        let (person, clock) = (machine.person, machine.clock(now));
        let Some(burst) = machine.burst.take() else { return Ok(()) };
        if let Some(app) = &mut machine.tablet {
            app.blur(clock, &mut self.dice, &machine.disk, person, burst.document).broken(Promise::Quiet)?;
        }
        self.tend(tablet)
    }

    /// Takes what a tablet's screen says at its word.
    pub(crate) fn believe(&mut self, tablet: usize) -> Result<(), Violation> {
        let documents = self.model.unsaved_letters(tablet);
        let Some(machine) = self.tablets.get(tablet) else { return Ok(()) };
        let Some(app) = &machine.tablet else { return Ok(()) };
        let save = |document| app.status(document).map(|status| status.save);
        for document in documents {
            if save(document).is_some_and(|save| save != SaveState::Saving) {
                self.model.letters_saved(tablet, document);
            }
        }
        if !machine.welcomed {
            return Ok(());
        }
        let mut safe = false;
        for document in self.model.unsafe_documents(tablet) {
            if save(document) == Some(SaveState::SafeAtClinic) {
                self.model.safe(tablet, document);
                safe = true;
            }
        }
        let site = machine.site;
        if safe { self.check_safe_work(site, "when a tablet called it safe") } else { Ok(()) }
    }

    /// Everything reported saved on a tablet is on its screen after a start.
    pub(crate) fn check_saved_work(&mut self, tablet: usize) -> Result<(), Violation> {
        let Some(machine) = self.tablets.get_mut(tablet) else { return Ok(()) };
        let Some(app) = &mut machine.tablet else { return Ok(()) };
        let own = |deed: &&crate::reference::Deed| deed.tablet == tablet && deed.saved && !deed.set_back;
        let documents: BTreeSet<_> = self.model.deeds.iter().filter(own).map(|deed| deed.document).collect();
        for document in documents {
            let view = app.note(&machine.disk, document);
            let view = view.map_err(|error| broken(Promise::Saved, format!("tablet {tablet}: {error}")))?;
            if self.declined && !view.status.notes.is_empty() {
                // Rejected and not made again yet, or not to be made again: the screen says so.
                continue;
            }
            let seen = Seen::of(&view);
            for deed in self.model.deeds.iter().filter(own).filter(|deed| deed.document == document) {
                let count = seen.count(&deed.effect);
                let wanted = match deed.gone {
                    Gone::Saved if drafted(&seen, &deed.effect) => continue,
                    Gone::No => 1,
                    Gone::Saved => 0,
                    Gone::Given | Gone::Unclear => continue,
                };
                if count.is_some_and(|count| (count > 0) != (wanted > 0)) {
                    let story =
                        format!("tablet {tablet} after a start: {:?} is there {count:?} times", deed.effect);
                    return Err(broken(Promise::Saved, story));
                }
            }
        }
        Ok(())
    }
}

/// Whether a letter's text is still drafted: then the note itself does not tell what was taken back.
fn drafted(seen: &Seen<'_>, effect: &Effect) -> bool {
    matches!(effect, Effect::Letter { field, .. } if seen.has_draft(field))
}
