//! No two files of a crate may import each other, directly or around a circle.
//!
//! Declaring a child module and passing its names on is no import; test parts do not count.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use crate::modules::{ModulePath, Tree};

/// Which file imports which, with the line where it does.
pub type Graph = BTreeMap<PathBuf, BTreeMap<PathBuf, usize>>;

/// One sentence for each circle of the crate.
pub fn check(tree: &Tree, root: &Path) -> Vec<String> {
    let graph = imports(tree);
    let mut told = BTreeSet::new();
    let mut problems = Vec::new();
    for start in graph.keys() {
        if told.contains(start) {
            continue;
        }
        if let Some(circle) = shortest_circle(&graph, start) {
            problems.push(sentence(&graph, &circle, root));
            told.extend(circle);
        }
    }
    problems
}

/// The imports between the files of a crate.
pub fn imports(tree: &Tree) -> Graph {
    let mut graph = Graph::new();
    for (at, module) in tree.modules.iter().filter(|(_, module)| !module.test) {
        let uses = module.said.uses.iter().map(|import| (&import.path, import.line, import.public));
        let mentions = module.said.mentions.iter().map(|mention| (&mention.path, mention.line, false));
        for (path, line, public) in uses.chain(mentions) {
            let Some(target) = tree.resolve(at, path) else { continue };
            if public && is_below(&target, at) {
                continue;
            }
            let Some(file) = tree.modules.get(&target).map(|target| &target.file) else { continue };
            if *file != module.file {
                graph.entry(module.file.clone()).or_default().entry(file.clone()).or_insert(line);
            }
        }
    }
    graph
}

fn is_below(target: &ModulePath, at: &ModulePath) -> bool {
    target.len() > at.len() && target.starts_with(at)
}

/// The shortest way from a file back to itself.
fn shortest_circle(graph: &Graph, start: &Path) -> Option<Vec<PathBuf>> {
    let mut came_from: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(here) = waiting.pop_front() {
        for next in graph.get(here).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                let mut circle = vec![here.to_path_buf()];
                let mut step = here;
                while let Some(before) = came_from.get(step) {
                    circle.push(before.to_path_buf());
                    step = before;
                }
                circle.reverse();
                return Some(circle);
            }
            if next.as_path() != start && !came_from.contains_key(next.as_path()) {
                came_from.insert(next, here);
                waiting.push_back(next);
            }
        }
    }
    None
}

fn sentence(graph: &Graph, circle: &[PathBuf], root: &Path) -> String {
    let shown = |file: &Path| file.strip_prefix(root).unwrap_or(file).display().to_string();
    let following = circle.iter().cycle().skip(1);
    let arrows: Vec<String> = circle
        .iter()
        .zip(following)
        .map(|(from, to)| {
            let line = graph.get(from).and_then(|imports| imports.get(to)).copied().unwrap_or(0);
            format!("{}:{line} imports {}", shown(from), shown(to))
        })
        .collect();
    format!("files import each other in a circle: {}", arrows.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_tree(files: &[(&str, &str)], expected: &[&str]) {
        let reader = |path: &Path| {
            files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
        };
        let tree = Tree::read(Path::new("src/lib.rs"), &reader);
        assert_eq!(check(&tree, Path::new("src")), expected);
    }

    #[test]
    fn a_planted_circle_is_found() {
        check_tree(
            &[
                ("src/lib.rs", "mod a;\nmod b;"),
                ("src/a.rs", "use crate::b::B;\npub struct A;"),
                ("src/b.rs", "pub struct B;\nfn f() { super::a::A; }"),
            ],
            &["files import each other in a circle: a.rs:1 imports b.rs, b.rs:2 imports a.rs"],
        );
    }

    #[test]
    fn a_circle_of_three_is_told_once() {
        check_tree(
            &[
                ("src/lib.rs", "mod a; mod b; mod c;"),
                ("src/a.rs", "use crate::b;"),
                ("src/b.rs", "use crate::c;"),
                ("src/c.rs", "use crate::a;"),
            ],
            &[
                "files import each other in a circle: a.rs:1 imports b.rs, b.rs:1 imports c.rs, c.rs:1 imports a.rs",
            ],
        );
    }

    #[test]
    fn a_circle_through_a_name_passed_on_is_found() {
        check_tree(
            &[
                ("src/lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
                ("src/a.rs", "use crate::B;\npub struct A;"),
                ("src/b.rs", "use crate::A;\npub struct B;"),
            ],
            &["files import each other in a circle: a.rs:1 imports b.rs, b.rs:1 imports a.rs"],
        );
    }

    #[test]
    fn a_parent_that_works_with_a_child_that_works_with_the_parent_is_a_circle() {
        check_tree(
            &[
                ("src/lib.rs", "mod a;"),
                ("src/a.rs", "mod child; pub struct A; fn f() { child::g() }"),
                ("src/a/child.rs", "use super::A; pub fn g() {}"),
            ],
            &["files import each other in a circle: a/child.rs:1 imports a.rs, a.rs:1 imports a/child.rs"],
        );
    }

    #[test]
    fn declaring_and_passing_on_is_no_circle() {
        check_tree(
            &[
                ("src/lib.rs", "mod a; mod b; pub use a::A; pub(crate) use b::*; pub struct Root;"),
                ("src/a.rs", "use crate::Root; pub struct A;"),
                ("src/b.rs", "use crate::{A, Root}; pub(in crate::b) fn f() {}"),
            ],
            &[],
        );
    }

    #[test]
    fn tests_may_look_anywhere() {
        check_tree(
            &[
                ("src/lib.rs", "mod a; mod b; #[cfg(test)] mod suite;"),
                ("src/a.rs", "#[cfg(test)] mod tests { use crate::b::B; } pub struct A;"),
                ("src/b.rs", "use crate::a::A; // use crate::suite::S;"),
                ("src/suite.rs", "use crate::b::B;"),
            ],
            &[],
        );
    }
}
