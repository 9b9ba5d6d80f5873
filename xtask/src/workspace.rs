//! Where the project is, which files it has and which packages: found, never assumed.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::shell;

/// Everything but the tool only the web app's build needs: chosen alike in each step, because cargo builds
/// what is imported anew for every other choice of packages.
pub const HOUSE: [&str; 3] = ["--workspace", "--exclude", "bindgen"];

/// The project's root directory.
pub fn root() -> Result<PathBuf, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_path_buf).ok_or_else(|| "xtask has no directory above it".to_owned())
}

/// A package of the workspace, as far as the checks ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// What it imports.
    pub imports: Vec<Import>,
    /// Its library, programs and tests.
    pub targets: Vec<Target>,
}

/// A line under `[dependencies]` or `[dev-dependencies]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// The imported package.
    pub name: String,
    /// Only its tests import it.
    pub dev: bool,
    /// The features asked for.
    pub features: Vec<String>,
}

/// The root file of a library, a program or a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The root file.
    pub file: PathBuf,
    /// A library or a program, not a test, bench or example.
    pub product: bool,
}

/// Asks cargo for the packages of the workspace.
pub fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let text = shell::output(shell::cargo(root, &["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata printed no JSON: {error}"))?;
    read_packages(&metadata)
}

/// Reads the answer of `cargo metadata`.
pub fn read_packages(metadata: &Value) -> Result<Vec<Package>, String> {
    let list =
        metadata.get("packages").and_then(Value::as_array).ok_or("cargo metadata lists no packages")?;
    list.iter().map(read_package).collect()
}

fn read_package(package: &Value) -> Result<Package, String> {
    let name = text(package, "name")?;
    let manifest = PathBuf::from(text(package, "manifest_path")?);
    let dir = manifest.parent().map(Path::to_path_buf).unwrap_or_default();
    let imports = items(package, "dependencies")
        .map(|import| {
            Ok(Import {
                name: text(import, "name")?,
                dev: import.get("kind").and_then(Value::as_str) == Some("dev"),
                features: items(import, "features").filter_map(Value::as_str).map(str::to_owned).collect(),
            })
        })
        .collect::<Result<_, String>>()?;
    let targets = items(package, "targets")
        .map(|target| {
            let product = items(target, "kind")
                .filter_map(Value::as_str)
                .any(|kind| kind == "bin" || kind.contains("lib"));
            Ok(Target { file: PathBuf::from(text(target, "src_path")?), product })
        })
        .collect::<Result<_, String>>()?;
    Ok(Package { name, dir, imports, targets })
}

fn text(value: &Value, field: &str) -> Result<String, String> {
    let found = value.get(field).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| format!("cargo metadata has no `{field}` where it should"))
}

fn items<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

/// A text file of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Its path from the root, with forward slashes.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// Every text file that belongs to the project, in order of path.
///
/// Git says which files those are, new ones included; without git, everything but build output and
/// hidden directories counts.
pub fn files(root: &Path) -> Result<Vec<TextFile>, String> {
    let mut git = std::process::Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    git.stderr(std::process::Stdio::null());
    let mut paths: Vec<String> = match git.output() {
        Ok(out) if out.status.success() => String::from_utf8_lossy(&out.stdout)
            .split('\0')
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => {
            let mut found = Vec::new();
            walk(root, "", &mut found)?;
            found
        }
    };
    paths.sort();
    paths.dedup();
    Ok(paths.into_iter().filter_map(|path| read(root, path)).collect())
}

/// Listed files that are gone from disk, and files that are not text, are not ours to check.
fn read(root: &Path, path: String) -> Option<TextFile> {
    let text = String::from_utf8(std::fs::read(root.join(&path)).ok()?).ok()?;
    (!text.contains('\0')).then_some(TextFile { path, text })
}

fn walk(root: &Path, under: &str, found: &mut Vec<String>) -> Result<(), String> {
    let dir = root.join(under);
    let told = |error: std::io::Error| format!("could not list {}: {error}", dir.display());
    for entry in std::fs::read_dir(&dir).map_err(told)? {
        let entry = entry.map_err(told)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if under.is_empty() { name.clone() } else { format!("{under}/{name}") };
        if entry.file_type().map_err(told)?.is_dir() {
            let ours = !name.starts_with('.') || name == ".cargo" || name == ".ci";
            let built = name == "target" || name.starts_with("target-");
            if ours && !built {
                walk(root, &path, found)?;
            }
        } else {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_package_is_found_with_its_import_and_its_roots() {
        let all = packages(&root().unwrap()).unwrap();
        let this = all.iter().find(|package| package.name == "xtask").unwrap();
        assert_eq!(
            this.imports.iter().map(|import| import.name.as_str()).collect::<Vec<_>>(),
            ["serde_json"]
        );
        assert_eq!(this.targets.iter().filter(|target| target.product).count(), 2);
    }

    #[test]
    fn the_tree_is_found_with_git_and_without() {
        let root = root().unwrap();
        let with = files(&root).unwrap();
        assert!(with.iter().any(|file| file.path == "xtask/src/workspace.rs"));
        let mut without = Vec::new();
        walk(&root.join("xtask"), "", &mut without).unwrap();
        assert!(without.contains(&"src/workspace.rs".to_owned()), "{without:?}");
    }
}
