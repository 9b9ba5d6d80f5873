//! The web app: the core built to WebAssembly, its JavaScript written, and both laid beside the page in one
//! directory that any web server can serve.
//!
//! The compiler is chosen once, before anything is built. On Debian it is Debian's own, whose packages are
//! installed where that is possible; elsewhere it is the one in use, if it has the target. Nothing here
//! installs a target into a toolchain, and a way that was chosen is not left for another.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{debian, shell};

const TARGET: &str = "wasm32-unknown-unknown";
/// Debian's compiler for the web, its source of the standard library, and its linker.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const LINKER: &str = "/usr/bin/lld-22";
/// The most memory the core may take; what wants more ends it. 512 MiB.
const MEMORY_BYTES: u32 = 512 << 20;
/// Documents are nested, and reading them recurses. 8 MiB.
const STACK_BYTES: u32 = 8 << 20;

/// What the core is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Core {
    /// For people: small.
    Shipped,
    /// For the browser test: the same, built sooner.
    Quick,
    /// For the browser test: certain words end it.
    Planted,
}

impl Core {
    fn profile(self) -> &'static str {
        match self {
            Self::Shipped => "wasm-release",
            Self::Quick | Self::Planted => "wasm-test",
        }
    }

    fn dir(self) -> &'static str {
        match self {
            Self::Shipped => "web",
            Self::Quick => "web-quick",
            Self::Planted => "web-planted",
        }
    }
}

/// Which compiler builds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The one in use, which has the target.
    InUse,
    /// Debian's, which builds the standard library itself.
    Debian,
}

/// Builds the app and says where it lies.
///
/// # Errors
/// One sentence when there is no compiler for it, or a step fails.
pub fn run(root: &Path, core: Core) -> Result<PathBuf, String> {
    let way = choose(root)?;
    let out = target_dir(root);
    let module = build(root, way, core, &out.join("wasm"))?;
    let app = out.join(core.dir());
    lay_out(root, &module, &app)?;
    eprintln!("\nThe app lies in {}", app.display());
    Ok(app)
}

/// Sees to it that there is a compiler for the app.
///
/// # Errors
/// One sentence that says what is missing.
pub fn ready(root: &Path) -> Result<(), String> {
    choose(root).map(|_| ())
}

fn missing() -> String {
    let words = PACKAGES.join(" ");
    format!(
        "there is no compiler for the web app here: on Debian `apt-get install {words}`, elsewhere a Rust with the target {TARGET}"
    )
}

fn choose(root: &Path) -> Result<Way, String> {
    if debian::can_have(&PACKAGES) {
        return debian::have(&PACKAGES).map(|()| Way::Debian);
    }
    if has_target(root) { Ok(Way::InUse) } else { Err(missing()) }
}

fn has_target(root: &Path) -> bool {
    let asked = shell::rustc(root, &["--print", "target-libdir", "--target", TARGET]).output();
    let Ok(out) = asked else { return false };
    let dir = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim().to_owned());
    std::fs::read_dir(dir).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

fn build(root: &Path, way: Way, core: Core, target: &Path) -> Result<PathBuf, String> {
    let mut cargo = match way {
        Way::InUse => shell::cargo(root, &[]),
        Way::Debian => {
            let mut cargo = Command::new("/usr/bin/cargo");
            // The compiler of the toolchain in use must not be mistaken for Debian's.
            cargo.current_dir(root).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
            cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", LINKER);
            cargo
        }
    };
    cargo.env("RUSTFLAGS", flags(root));
    cargo.args(["rustc", "--package", "web", "--lib", "--crate-type", "cdylib"]);
    cargo.args(["--profile", core.profile(), "--target", TARGET]);
    if way == Way::Debian {
        cargo.arg("-Zbuild-std=std,panic_abort");
    }
    if core == Core::Planted {
        cargo.args(["--features", "planted"]);
    }
    cargo.arg("--target-dir").arg(target);
    shell::step(cargo)?;
    Ok(target.join(TARGET).join(core.profile()).join("web.wasm"))
}

/// Where randomness comes from, bounds of memory and stack, and no name of this machine in the module.
fn flags(root: &Path) -> String {
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))
        .unwrap_or_default();
    let mut flags = vec![
        "--cfg getrandom_backend=\"wasm_js\"".to_owned(),
        format!("-Clink-arg=--max-memory={MEMORY_BYTES}"),
        format!("-Clink-arg=-zstack-size={STACK_BYTES}"),
        format!("--remap-path-prefix={}=gaitway", root.display()),
    ];
    if !home.is_empty() {
        flags.push(format!("--remap-path-prefix={home}=cargo"));
    }
    flags.join(" ")
}

fn lay_out(root: &Path, module: &Path, app: &Path) -> Result<(), String> {
    let told = |what: &Path, error: std::io::Error| format!("{}: {error}", what.display());
    if app.exists() {
        std::fs::remove_dir_all(app).map_err(|error| told(app, error))?;
    }
    std::fs::create_dir_all(app).map_err(|error| told(app, error))?;
    let mut bindgen =
        shell::cargo(root, &["run", "--quiet", "--package", "bindgen", "--profile", "wasm-test", "--"]);
    bindgen.arg(module).arg(app).arg("core");
    shell::step(bindgen)?;
    let page = root.join("crates/web/static");
    for entry in std::fs::read_dir(&page).map_err(|error| told(&page, error))?.flatten() {
        std::fs::copy(entry.path(), app.join(entry.file_name())).map_err(|error| told(&page, error))?;
    }
    let core = app.join("core_bg.wasm");
    let size = std::fs::metadata(&core).map_err(|error| told(&core, error))?.len();
    eprintln!("core_bg.wasm: {} KiB", size / 1024);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_bounded_and_names_no_machine() {
        let flags = flags(Path::new("/somewhere/gaitway"));
        for part in ["--max-memory=536870912", "-zstack-size=8388608", "=/somewhere/gaitway=gaitway"] {
            assert!(flags.contains(part), "{part} is not in {flags}");
        }
    }

    #[test]
    fn a_machine_without_a_compiler_is_told_both_ways_to_one() {
        let sentence = missing();
        assert!(sentence.contains("apt-get install rustc-web cargo-web"), "{sentence}");
        assert!(!sentence.contains("rustup"), "{sentence}");
    }
}
