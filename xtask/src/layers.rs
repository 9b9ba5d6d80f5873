//! The direction of imports: which package stands on which floor and may import which.
//!
//! An arrow between packages points down. Rooms on the second floor do not know each other, nor do the
//! two machines on the third. One package each may touch the network runtime, the index and the
//! document engine. The pure packages keep the strict lints and ask for no clock and no randomness.

use std::collections::BTreeMap;
use std::path::Path;

use crate::circles;
use crate::modules::Tree;
use crate::workspace::{self, Package};

/// The floor of each package; on its own floor a package imports only what `ASIDE` lists.
const FLOORS: [(&str, u8); 13] = [
    ("chart", 1),
    ("sync-protocol", 2),
    ("session-note", 2),
    ("compliance", 2),
    ("store", 2),
    ("hub", 3),
    ("tablet", 3),
    ("journal", 3),
    ("store-sled", 3),
    ("gaitway", 4),
    ("web", 4),
    ("system-tests", 5),
    ("fuzz", 5),
];

/// The imports on one floor that are allowed.
const ASIDE: [(&str, &str); 1] = [("store-sled", "journal")];

/// What only the tests of a package may import on its own floor.
const ASIDE_IN_TESTS: [(&str, &str); 4] =
    [("hub", "journal"), ("hub", "store-sled"), ("tablet", "journal"), ("tablet", "store-sled")];

/// The tools stand beside the house: they import no package, and only the system tests import them.
const TOOLS: [&str; 2] = ["xtask", "bindgen"];

/// The system tests stand on top and may import anything.
const TOP: &str = "system-tests";

/// The fuzz targets compare with what the house is built on, so nothing is kept from them either.
const BESIDE_THE_TOP: &str = "fuzz";

/// Packages from outside that one package keeps to itself; `x-*` is every package whose name begins so.
const KEPT: [(&str, &str); 6] = [
    ("tokio", "gaitway"),
    ("tokio-*", "gaitway"),
    ("axum", "gaitway"),
    ("axum-*", "gaitway"),
    ("sled", "store-sled"),
    ("automerge", "session-note"),
];

/// Packages that are pure: time and randomness are arguments, files and sockets are somebody else's.
const PURE: [&str; 7] = ["chart", "sync-protocol", "session-note", "compliance", "store", "hub", "tablet"];

/// What a pure package may import only in its tests.
const IMPURE: [&str; 5] = ["getrandom", "rand", "tempfile", "ureq", "tracing-subscriber"];

/// Features that bring a clock or randomness into a pure package.
const IMPURE_FEATURES: [(&str, &str); 5] =
    [("chrono", "clock"), ("chrono", "now"), ("uuid", "v4"), ("uuid", "v7"), ("uuid", "rng")];

/// Checks the tree and says what is wrong.
pub fn run(root: &Path) -> Result<(), String> {
    let problems = check(root)?;
    for problem in &problems {
        println!("{problem}");
    }
    if problems.is_empty() {
        println!("layers: every import points down, and no files import each other in a circle");
        return Ok(());
    }
    Err(format!("{} imports go where they may not", problems.len()))
}

/// Every problem of the tree, one sentence each.
pub fn check(root: &Path) -> Result<Vec<String>, String> {
    let packages = workspace::packages(root)?;
    let mut problems = arrows(&packages);
    for package in &packages {
        problems.extend(lints(package, root));
        for target in package.targets.iter().filter(|target| target.product) {
            let reader = |path: &Path| std::fs::read_to_string(path).ok();
            problems.extend(circles::check(&Tree::read(&target.file, &reader), root));
        }
    }
    Ok(problems)
}

/// Imports between packages that point where they may not.
pub fn arrows(packages: &[Package]) -> Vec<String> {
    let floors: BTreeMap<&str, u8> = FLOORS.into_iter().collect();
    let mut problems = Vec::new();
    for package in packages {
        let from = package.name.as_str();
        if !TOOLS.contains(&from) && !floors.contains_key(from) {
            problems.push(format!("{from} stands on no floor: give it one in xtask/src/layers.rs"));
        }
        for import in &package.imports {
            let to = import.name.as_str();
            let wrong = between_floors(&floors, from, to, import.dev)
                .or_else(|| kept_elsewhere(from, to))
                .or_else(|| impure(from, to, import.dev, &import.features));
            if let Some(why) = wrong {
                let how = if import.dev { " in its tests" } else { "" };
                problems.push(format!("{from} imports {to}{how}, but {why}"));
            }
        }
    }
    problems
}

fn between_floors(floors: &BTreeMap<&str, u8>, from: &str, to: &str, dev: bool) -> Option<String> {
    if TOOLS.contains(&to) {
        return (from != TOP).then(|| format!("only {TOP} may import the tools"));
    }
    let above = *floors.get(to)?;
    if TOOLS.contains(&from) {
        return Some("the tools import no package of the house".to_owned());
    }
    let below = *floors.get(from)?;
    let aside = ASIDE.contains(&(from, to)) || (dev && ASIDE_IN_TESTS.contains(&(from, to)));
    if above < below || aside {
        None
    } else if above == below {
        Some(format!("both stand on floor {below} and must not know each other"))
    } else {
        Some(format!("{to} stands on floor {above}, above floor {below}"))
    }
}

fn kept_elsewhere(from: &str, to: &str) -> Option<String> {
    let matches = |pattern: &str| match pattern.strip_suffix('*') {
        Some(start) => to.starts_with(start),
        None => to == pattern,
    };
    let (_, keeper) = KEPT.into_iter().find(|(pattern, _)| matches(pattern))?;
    (![keeper, TOP, BESIDE_THE_TOP].contains(&from)).then(|| format!("only {keeper} may"))
}

fn impure(from: &str, to: &str, dev: bool, features: &[String]) -> Option<String> {
    if dev || !PURE.contains(&from) {
        return None;
    }
    if IMPURE.contains(&to) {
        return Some(format!("{from} is pure: time, randomness, files and sockets are arguments"));
    }
    let (_, feature) = IMPURE_FEATURES
        .into_iter()
        .find(|(name, feature)| *name == to && features.iter().any(|asked| asked == feature))?;
    Some(format!("its feature `{feature}` reads a clock or draws randomness, and {from} is pure"))
}

/// A pure package must not loosen the lints, and every package must inherit the workspace's.
fn lints(package: &Package, root: &Path) -> Vec<String> {
    let mut problems = Vec::new();
    let name = &package.name;
    if PURE.contains(&name.as_str()) && package.dir != root && package.dir.join("clippy.toml").exists() {
        problems
            .push(format!("{name} is pure but has a clippy.toml of its own, which replaces the strict one"));
    }
    let manifest = std::fs::read_to_string(package.dir.join("Cargo.toml")).unwrap_or_default();
    if !inherits_lints(&manifest) {
        problems.push(format!("{name} does not say `[lints] workspace = true` in its Cargo.toml"));
    }
    problems
}

fn inherits_lints(manifest: &str) -> bool {
    let after = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    after.take_while(|line| !line.starts_with('[')).any(|line| line.replace(' ', "") == "workspace=true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Import;

    /// `from -> to`, ` in tests` after it for a dev-dependency, ` with f` for a feature.
    #[track_caller]
    fn check_arrow(arrow: &str, expected: Option<&str>) {
        let (arrow, feature) =
            arrow.split_once(" with ").map_or((arrow, None), |(arrow, f)| (arrow, Some(f)));
        let (arrow, dev) = arrow.strip_suffix(" in tests").map_or((arrow, false), |arrow| (arrow, true));
        let (from, to) = arrow.split_once(" -> ").unwrap();
        let features = feature.into_iter().map(str::to_owned).collect();
        let imports = vec![Import { name: to.to_owned(), dev, features }];
        let package = Package { name: from.to_owned(), imports, ..Package::default() };
        assert_eq!(arrows(&[package]), expected.map(str::to_owned).into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn arrows_that_point_down_are_fine() {
        for arrow in [
            "compliance -> chart",
            "hub -> store",
            "tablet -> session-note",
            "journal -> store",
            "store-sled -> journal",
            "store-sled -> store",
            "store-sled -> sled",
            "gaitway -> tokio",
            "gaitway -> store-sled",
            "gaitway -> tablet",
            "session-note -> automerge",
            "system-tests -> automerge",
            "fuzz -> automerge",
            "system-tests -> xtask",
            "hub -> journal in tests",
            "tablet -> store-sled in tests",
            "chart -> serde",
            "chart -> chrono with serde",
            "store -> tempfile in tests",
        ] {
            check_arrow(arrow, None);
        }
    }

    #[test]
    fn a_planted_upward_import_is_found() {
        check_arrow("chart -> hub", Some("chart imports hub, but hub stands on floor 3, above floor 1"));
        check_arrow(
            "hub -> gaitway",
            Some("hub imports gaitway, but gaitway stands on floor 4, above floor 3"),
        );
        check_arrow(
            "compliance -> tablet in tests",
            Some("compliance imports tablet in its tests, but tablet stands on floor 3, above floor 2"),
        );
    }

    #[test]
    fn neighbours_do_not_know_each_other() {
        for (from, to, floor) in [
            ("hub", "tablet", 3),
            ("tablet", "hub", 3),
            ("hub", "journal", 3),
            ("tablet", "store-sled", 3),
            ("journal", "store-sled", 3),
            ("compliance", "session-note", 2),
            ("fuzz", "system-tests", 5),
            ("sync-protocol", "store", 2),
        ] {
            let why =
                format!("{from} imports {to}, but both stand on floor {floor} and must not know each other");
            check_arrow(&format!("{from} -> {to}"), Some(&why));
        }
    }

    #[test]
    fn what_one_package_keeps_to_itself_no_other_imports() {
        check_arrow("hub -> tokio", Some("hub imports tokio, but only gaitway may"));
        check_arrow(
            "tablet -> tokio-tungstenite",
            Some("tablet imports tokio-tungstenite, but only gaitway may"),
        );
        check_arrow(
            "journal -> sled in tests",
            Some("journal imports sled in its tests, but only store-sled may"),
        );
        check_arrow(
            "sync-protocol -> automerge",
            Some("sync-protocol imports automerge, but only session-note may"),
        );
    }

    #[test]
    fn a_pure_package_brings_in_no_clock_and_no_randomness() {
        check_arrow(
            "chart -> chrono with clock",
            Some(
                "chart imports chrono, but its feature `clock` reads a clock or draws randomness, and chart is pure",
            ),
        );
        check_arrow(
            "hub -> getrandom",
            Some("hub imports getrandom, but hub is pure: time, randomness, files and sockets are arguments"),
        );
    }

    #[test]
    fn a_package_without_a_floor_and_an_import_of_the_tools_are_found() {
        check_arrow("attic -> serde", Some("attic stands on no floor: give it one in xtask/src/layers.rs"));
        check_arrow("hub -> xtask", Some("hub imports xtask, but only system-tests may import the tools"));
        check_arrow(
            "xtask -> chart",
            Some("xtask imports chart, but the tools import no package of the house"),
        );
    }

    #[test]
    fn lints_are_inherited_only_by_saying_so() {
        assert!(inherits_lints("[package]\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints("[package]\nworkspace = true\n[lints]\n[dependencies]\n"));
    }
}
