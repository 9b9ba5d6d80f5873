//! The modules of one crate as its `mod` declarations make them, and what each file imports.
//!
//! A textual reading: it follows `mod x;` to its file, reads `use` trees and paths in code, and knows
//! nothing of types. A method defined in one file and called in another is invisible to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::said::{self, Said};
use crate::source::Source;

/// A module's place in its crate: `["a", "b"]` is `crate::a::b`.
pub type ModulePath = Vec<String>;

/// How files are read: a path to its text, if there is one.
pub type Reader<'a> = &'a dyn Fn(&Path) -> Option<String>;

/// One module, in a file of its own or inline.
#[derive(Clone, Debug)]
pub struct Module {
    /// The file it stands in.
    pub file: PathBuf,
    /// Only tests see it.
    pub test: bool,
    /// What it says, test parts left out; paths are as written, from this module.
    pub said: Said,
}

/// All modules of one crate.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// By place.
    pub modules: BTreeMap<ModulePath, Module>,
}

impl Tree {
    /// Reads the crate whose root file this is.
    pub fn read(root: &Path, reader: Reader<'_>) -> Self {
        let mut tree = Self::default();
        let dir = root.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut waiting = vec![(ModulePath::new(), root.to_path_buf(), dir, false)];
        while let Some((path, file, dir, test)) = waiting.pop() {
            let Some(text) = reader(&file) else { continue };
            let source = Source::read(&text);
            let product = said::read(&source.product_code);
            for (inline, everything) in said::read(&source.code) {
                for child in everything.declares {
                    let only_tests =
                        test || !product.get(&inline).is_some_and(|said| said.declares.contains(&child));
                    let place: PathBuf = dir.iter().chain(inline.iter().map(AsRef::as_ref)).collect();
                    let (found, below) = match source.named_files.get(&child) {
                        Some(named) if inline.is_empty() => named_file(file.parent(), named),
                        Some(named) => named_file(Some(&place), named),
                        None => child_file(&place, &child, reader),
                    };
                    let child_path = path.iter().chain(&inline).chain([&child]).cloned().collect();
                    waiting.push((child_path, found, below, only_tests));
                }
            }
            for (inline, said) in product {
                let at = path.iter().chain(&inline).cloned().collect();
                tree.modules.insert(at, Module { file: file.clone(), test, said });
            }
        }
        tree
    }

    /// The files of the crate and whether only tests see them.
    pub fn files(&self) -> BTreeMap<&Path, bool> {
        let mut files = BTreeMap::new();
        for module in self.modules.values() {
            let test = files.entry(module.file.as_path()).or_insert(module.test);
            *test = *test && module.test;
        }
        files
    }

    /// The module a path written in `from` leads to, and `None` if it leaves the crate.
    pub fn resolve(&self, from: &ModulePath, path: &[String]) -> Option<ModulePath> {
        self.resolve_within(from, path, 8)
    }

    fn resolve_within(&self, from: &ModulePath, path: &[String], depth: usize) -> Option<ModulePath> {
        let depth = depth.checked_sub(1)?;
        let mut at = from.clone();
        let mut rest = path;
        let mut rooted = false;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "crate" if !rooted => at = ModulePath::new(),
                "self" if !rooted => {}
                "super" => {
                    at.pop()?;
                }
                _ => break,
            }
            (rooted, rest) = (true, after);
        }
        if !rooted {
            let first = path.first()?;
            let child: ModulePath = at.iter().chain([first]).cloned().collect();
            if !self.modules.contains_key(&child) {
                return None;
            }
        }
        while let Some((first, after)) = rest.split_first() {
            let child: ModulePath = at.iter().chain([first]).cloned().collect();
            if !self.modules.contains_key(&child) {
                return Some(self.through_imports(&at, first, after, depth).unwrap_or(at));
            }
            (at, rest) = (child, after);
        }
        Some(at)
    }

    /// Where a name leads that a module only passes on.
    fn through_imports(
        &self,
        at: &ModulePath,
        name: &str,
        after: &[String],
        depth: usize,
    ) -> Option<ModulePath> {
        let module = self.modules.get(at)?;
        if module.said.defines.contains(name) {
            return None;
        }
        if let Some(import) = module.said.uses.iter().find(|import| import.name.as_deref() == Some(name)) {
            let path: Vec<String> = import.path.iter().chain(after).cloned().collect();
            return self.resolve_within(at, &path, depth);
        }
        let globs = module.said.uses.iter().filter(|import| import.name.is_none());
        globs
            .filter_map(|glob| self.resolve_within(at, &glob.path, depth))
            .find(|target| self.modules.get(target).is_some_and(|module| module.said.defines.contains(name)))
    }
}

/// Where `mod child;` leads, and the directory of its own children.
fn child_file(place: &Path, child: &str, reader: Reader<'_>) -> (PathBuf, PathBuf) {
    let flat = place.join(format!("{child}.rs"));
    let nested = place.join(child).join("mod.rs");
    (if reader(&flat).is_some() { flat } else { nested }, place.join(child))
}

/// Where `#[path = "named"] mod child;` leads; its own children stand beside it.
fn named_file(beside: Option<&Path>, named: &str) -> (PathBuf, PathBuf) {
    let file = beside.map_or_else(|| PathBuf::from(named), |dir| dir.join(named));
    let below = file.parent().map(Path::to_path_buf).unwrap_or_default();
    (file, below)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_files(path: &Path) -> Option<String> {
        let text = match path.to_str()? {
            "src/lib.rs" => "mod a; pub mod b; #[cfg(test)] mod tests; pub use a::Thing; pub use b::*;",
            "src/a.rs" => "pub struct Thing; mod deep; mod inline { pub fn f() {} }",
            "src/a/deep.rs" | "src/tests.rs" => "",
            "src/b.rs" => "pub fn run() {}",
            _ => return None,
        };
        Some(text.to_owned())
    }

    #[track_caller]
    fn check_resolves(from: &str, path: &str, expected: Option<&str>) {
        let tree = Tree::read(Path::new("src/lib.rs"), &two_files);
        let parts = |text: &str| {
            text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let found = tree.resolve(&parts(from), &parts(path)).map(|found| found.join("::"));
        assert_eq!(found.as_deref(), expected, "{path} from {from}");
    }

    #[test]
    fn paths_lead_to_the_module_that_defines_the_name() {
        check_resolves("b", "crate::a::Thing", Some("a"));
        check_resolves("b", "crate::Thing", Some("a"));
        check_resolves("b", "crate::run", Some("b"));
        check_resolves("a::deep", "super::Thing", Some("a"));
        check_resolves("a::deep", "super::super::b", Some("b"));
        check_resolves("a", "deep::x", Some("a::deep"));
        check_resolves("a", "inline::f", Some("a::inline"));
        check_resolves("b", "serde::Serialize", None);
        check_resolves("", "super::above", None);
    }

    #[track_caller]
    fn check_files(root: &str, files: &[(&str, &str)], expected: &[&str]) {
        let reader = |path: &Path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        };
        let tree = Tree::read(Path::new(root), &reader);
        let found: Vec<String> = tree.files().keys().map(|path| path.display().to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_test_in_a_directory_declares_its_files_beside_its_main() {
        check_files(
            "tests/it/main.rs",
            &[
                ("tests/it/main.rs", "mod day;"),
                ("tests/it/day.rs", "mod shift;"),
                ("tests/it/day/shift.rs", ""),
                ("tests/it/forgotten.rs", ""),
            ],
            &["tests/it/day/shift.rs", "tests/it/day.rs", "tests/it/main.rs"],
        );
    }

    #[test]
    fn a_file_that_an_attribute_names_is_followed_and_its_children_stand_beside_it() {
        check_files(
            "tests/gate.rs",
            &[
                (
                    "tests/gate.rs",
                    "#[cfg(test)]\n#[path = \"gate/a.rs\"]\nmod a;\n#[path = \"gate/b.rs\"] #[cfg(test)] pub mod b;",
                ),
                ("tests/gate/a.rs", "mod deep;"),
                ("tests/gate/b.rs", "// #[path = \"gate/forgotten.rs\"] mod forgotten;"),
                ("tests/gate/deep.rs", ""),
                ("tests/gate/forgotten.rs", ""),
                ("tests/a.rs", ""),
            ],
            &["tests/gate/a.rs", "tests/gate/b.rs", "tests/gate/deep.rs", "tests/gate.rs"],
        );
    }

    #[test]
    fn files_that_only_tests_see_are_known() {
        let tree = Tree::read(Path::new("src/lib.rs"), &two_files);
        let tests: Vec<_> =
            tree.files().into_iter().filter(|(_, test)| *test).map(|(path, _)| path.to_path_buf()).collect();
        assert_eq!(tests, [PathBuf::from("src/tests.rs")]);
        assert_eq!(tree.files().len(), 5);
    }
}
