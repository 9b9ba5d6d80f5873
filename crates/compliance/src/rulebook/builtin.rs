//! The rule files compiled into the engine.

/// Name and text of every built-in rule file.
pub(super) const FILES: &[(&str, &str)] = &[
    ("edition.toml", include_str!("../../../../rules/edition.toml")),
    ("sources.toml", include_str!("../../../../rules/sources.toml")),
    ("codes.toml", include_str!("../../../../rules/codes.toml")),
    ("counting.toml", include_str!("../../../../rules/counting.toml")),
    ("payers.toml", include_str!("../../../../rules/payers.toml")),
    ("words.toml", include_str!("../../../../rules/words.toml")),
    ("settings.toml", include_str!("../../../../rules/settings.toml")),
    ("thresholds.toml", include_str!("../../../../rules/thresholds.toml")),
    ("ncci_practitioner.toml", include_str!("../../../../rules/ncci_practitioner.toml")),
    ("ncci_hospital.toml", include_str!("../../../../rules/ncci_hospital.toml")),
    ("visits.toml", include_str!("../../../../rules/visits.toml")),
    ("records.toml", include_str!("../../../../rules/records.toml")),
    ("diagnoses.toml", include_str!("../../../../rules/diagnoses.toml")),
    ("findings.toml", include_str!("../../../../rules/findings.toml")),
];
