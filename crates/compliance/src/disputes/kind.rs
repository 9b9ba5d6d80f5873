//! Which fact is open and whose it is: names only.

use chart::ids::SegmentId;

/// Which fact is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Date,
    Provider,
    Payer,
    TiePick,
    EnteredUnits,
    Segment(SegmentId),
    PlaceOfService,
    Diagnoses,
    Totals,
}

/// Whose fact is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    Note,
    PatientDay,
    ProviderDay,
}
