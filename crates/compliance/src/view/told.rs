//! What this note tells of one activity, its words split once. Judges nothing.

use std::collections::BTreeMap;

use chart::ids::ActivityId;
use chart::visit::{Activity, activity_field};

use crate::day::Seg;
use crate::words::Words;

/// One activity with the words that tell it.
pub(crate) struct Told<'a> {
    /// The activity, without its stretches.
    pub(crate) activity: &'a Activity,
    /// What was done: description, techniques, device, element, purpose.
    pub(crate) deed: Words,
    /// The separate things that were done: the techniques, else the description.
    pub(crate) deeds: Vec<Words>,
    /// Its stretches, by their places in the day.
    pub(super) segs: Vec<usize>,
}

/// An activity of which only its stretches are known.
static NOTHING_SAID: Activity =
    Activity { techniques: Vec::new(), fields: BTreeMap::new(), goal: None, segments: BTreeMap::new() };

/// The activities that have stretches, by their ids; `own` are the note's stretches with their places.
pub(super) fn told<'a, 's>(
    activities: &'a BTreeMap<ActivityId, Activity>,
    own: impl Iterator<Item = (usize, &'s Seg<'a>)>,
) -> Vec<Told<'a>>
where
    'a: 's,
{
    let mut by_id: BTreeMap<ActivityId, Vec<usize>> = BTreeMap::new();
    for (place, seg) in own {
        by_id.entry(seg.activity).or_default().push(place);
    }
    let of = |(id, segs): (ActivityId, Vec<usize>)| {
        let activity = activities.get(&id).unwrap_or(&NOTHING_SAID);
        Told { activity, deed: deed(activity), deeds: deeds(activity), segs }
    };
    by_id.into_iter().map(of).collect()
}

/// A plain field of an activity.
pub(crate) fn of_activity<'x>(activity: &'x Activity, name: &str) -> &'x str {
    activity.fields.get(name).map_or("", |text| text.trim())
}

fn deed(activity: &Activity) -> Words {
    let fields = [
        activity_field::DESCRIPTION,
        activity_field::DEVICE,
        activity_field::ELEMENT,
        activity_field::PURPOSE,
    ];
    let mut text: Vec<&str> = fields.iter().map(|name| of_activity(activity, name)).collect();
    text.extend(activity.techniques.iter().map(String::as_str));
    Words::of(&text.join(" . "))
}

fn deeds(activity: &Activity) -> Vec<Words> {
    let mut deeds: Vec<Words> = activity.techniques.iter().map(|text| Words::of(text)).collect();
    if deeds.is_empty() {
        deeds.push(Words::of(of_activity(activity, activity_field::DESCRIPTION)));
    }
    deeds.retain(|words| !words.is_empty());
    deeds
}
