//! The open choices in the facts: where people disagree, what each side says, and the facts with a
//! choice made. Never picks a winner; whoever asks gets every combination, up to a bound.

mod describe;
mod kind;
mod walk;

use std::collections::BTreeSet;

use chart::code::Discipline;
use chart::facts::{DaySlice, Facts};
use chart::ids::{DocumentId, VersionId};
use chart::register::{Alternative, Fact};

pub(crate) use kind::{Kind, Whose};

use describe::Describe;
use walk::{Place, Visit, walk};

/// One open choice.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) kind: Kind,
    pub(crate) whose: Whose,
    pub(crate) document: DocumentId,
    pub(crate) discipline: Option<Discipline>,
    pub(crate) sides: Vec<Side>,
}

/// One side of an open choice.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(crate) label: String,
    pub(crate) versions: BTreeSet<VersionId>,
}

impl Site {
    /// Whether units can depend on it.
    pub(crate) fn bears_on_units(&self) -> bool {
        self.whose != Whose::ProviderDay
            && matches!(
                self.kind,
                Kind::Date | Kind::Provider | Kind::Payer | Kind::TiePick | Kind::Segment(_)
            )
    }
    /// Whether units can change with it: also with units as entered, which say how often a code that is not
    /// counted by time was done.
    pub(crate) fn may_change_units(&self) -> bool {
        self.bears_on_units() || (self.kind == Kind::EnteredUnits && self.whose != Whose::ProviderDay)
    }
    /// What is disputed, in words.
    pub(crate) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Date => "The date of service",
            Kind::Provider => "The treating provider",
            Kind::Payer => "The payer",
            Kind::TiePick => "The choice of units",
            Kind::EnteredUnits => "The entered units",
            Kind::Segment(_) => "A stretch of time",
            Kind::PlaceOfService => "The place of service",
            Kind::Diagnoses => "The diagnoses",
            Kind::Totals => "The typed totals",
        }
    }
}

/// The facts in a fixed order, with differences that no bill depends on taken out of their disputes.
pub(crate) fn without_idle_disputes(facts: &Facts) -> Facts {
    struct Tidy;
    impl Visit for Tidy {
        fn fact<T: Describe>(&mut self, _: &Place, fact: &mut Fact<T>) {
            let Fact::Disputed(sides) = fact else { return };
            let mut kept: Vec<Alternative<T>> = Vec::new();
            for side in sides.iter() {
                match kept.iter_mut().find(|one| one.value.billed() == side.value.billed()) {
                    Some(same) => {
                        same.versions.extend(side.versions.iter().copied());
                        same.by.extend(side.by.iter().cloned());
                    }
                    None => kept.push(side.clone()),
                }
            }
            *fact = match kept.len() {
                0 => Fact::Missing,
                1 => kept.pop().map_or(Fact::Missing, |side| Fact::Agreed(side.value)),
                _ => Fact::Disputed(kept),
            };
        }
    }
    let mut tidy = facts.clone();
    walk(&mut tidy, &mut Tidy);
    // The order in which notes and stretches were gathered must not show in the report.
    tidy.note.slice.segments.sort_by_key(|segment| segment.segment);
    for slices in [&mut tidy.patient_day, &mut tidy.provider_day] {
        slices.sort_by_key(|slice| slice.document);
        for slice in slices {
            slice.segments.sort_by_key(|segment| segment.segment);
        }
    }
    tidy
}

/// Whether nothing is disputed: such facts are read as they are, in whatever order they were gathered.
pub(crate) fn is_settled(facts: &Facts) -> bool {
    fn closed<T>(fact: &Fact<T>) -> bool {
        !matches!(fact, Fact::Disputed(_))
    }
    let slice = |slice: &DaySlice| {
        closed(&slice.date)
            && closed(&slice.provider)
            && closed(&slice.payer)
            && closed(&slice.tie_pick)
            && closed(&slice.billed_units)
            && slice.segments.iter().all(|segment| closed(&segment.value))
    };
    let note = &facts.note;
    slice(&note.slice)
        && closed(&note.place)
        && closed(&note.diagnoses)
        && closed(&note.totals)
        && facts.patient_day.iter().chain(&facts.provider_day).all(slice)
}

/// Every open choice, in the order of the facts.
pub(crate) fn sites(facts: &mut Facts) -> Vec<Site> {
    struct Lister(Vec<Site>);
    impl Visit for Lister {
        fn fact<T: Describe>(&mut self, place: &Place, fact: &mut Fact<T>) {
            let Fact::Disputed(sides) = fact else { return };
            let labels = T::labels(&sides.iter().map(|side| &side.value).collect::<Vec<_>>());
            let sides = labels
                .into_iter()
                .zip(sides.iter())
                .map(|(label, side)| Side { label, versions: side.versions.clone() })
                .collect();
            self.0.push(Site {
                kind: place.kind,
                whose: place.whose,
                document: place.document,
                discipline: place.discipline.clone(),
                sides,
            });
        }
    }
    let mut lister = Lister(Vec::new());
    walk(facts, &mut lister);
    tell_apart(&mut lister.0);
    lister.0
}

/// Two choices whose labels read the same get a number each.
fn tell_apart(sites: &mut [Site]) {
    let labels: Vec<BTreeSet<String>> =
        sites.iter().map(|site| site.sides.iter().map(|side| side.label.clone()).collect()).collect();
    for (index, site) in sites.iter_mut().enumerate() {
        let twin = labels
            .iter()
            .enumerate()
            .any(|(other, set)| other != index && site.sides.iter().any(|side| set.contains(&side.label)));
        if twin {
            for side in &mut site.sides {
                side.label = format!("{} (choice {})", side.label, index + 1);
            }
        }
    }
}

/// The facts with every open choice made: `choice[i]` is the side of site `i` (the first where absent).
pub(crate) fn settle(facts: &Facts, choice: &[usize]) -> Facts {
    struct Settler<'c> {
        choice: std::slice::Iter<'c, usize>,
    }
    impl Visit for Settler<'_> {
        fn fact<T: Describe>(&mut self, _: &Place, fact: &mut Fact<T>) {
            let Fact::Disputed(sides) = fact else { return };
            let side = self.choice.next().copied().unwrap_or(0);
            let value = sides.get(side).or_else(|| sides.first()).map(|side| side.value.clone());
            *fact = value.map_or(Fact::Missing, Fact::Agreed);
        }
    }
    let mut settled = facts.clone();
    walk(&mut settled, &mut Settler { choice: choice.iter() });
    settled
}

/// How many combinations the chosen sites have; `None` beyond `most`.
pub(crate) fn combinations(sites: &[Site], of: &[usize], most: usize) -> Option<usize> {
    of.iter().filter_map(|index| sites.get(*index)).try_fold(1usize, |product, site| {
        product.checked_mul(site.sides.len().max(1)).filter(|product| *product <= most)
    })
}

/// Every combination of the sides of `of`, the other sites on their first side.
pub(crate) fn choices(sites: &[Site], of: &[usize]) -> Vec<Vec<usize>> {
    let mut all = vec![vec![0usize; sites.len()]];
    for index in of {
        let sides = sites.get(*index).map_or(1, |site| site.sides.len().max(1));
        all = all
            .into_iter()
            .flat_map(|choice| {
                (0..sides).map(move |side| {
                    let mut next = choice.clone();
                    if let Some(slot) = next.get_mut(*index) {
                        *slot = side;
                    }
                    next
                })
            })
            .collect();
    }
    all
}

/// The labels and versions of a combination, of these sites only.
pub(crate) fn described(sites: &[Site], of: &[usize], choice: &[usize]) -> (String, BTreeSet<VersionId>) {
    let mut labels = Vec::new();
    let mut versions = BTreeSet::new();
    for index in of {
        let side = choice.get(*index).copied().unwrap_or(0);
        if let Some(side) = sites.get(*index).and_then(|site| site.sides.get(side)) {
            labels.push(side.label.clone());
            versions.extend(side.versions.iter().copied());
        }
    }
    (labels.join("; "), versions)
}

/// Of `of`, the sites on which membership in `holds` depends; `all` are the combinations over `of`.
pub(crate) fn relevant(of: &[usize], all: &[Vec<usize>], holds: &dyn Fn(usize) -> bool) -> Vec<usize> {
    let mut kept = Vec::new();
    for site in of {
        let depends = all.iter().enumerate().any(|(index, choice)| {
            all.iter().enumerate().any(|(other, another)| {
                let same_elsewhere = choice
                    .iter()
                    .zip(another)
                    .enumerate()
                    .all(|(position, (one, two))| position == *site || one == two);
                same_elsewhere && holds(index) != holds(other)
            })
        });
        if depends {
            kept.push(*site);
        }
    }
    kept
}
