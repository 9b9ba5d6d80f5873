//! Debian's packages: which of them are here, and installing them where that needs nobody's leave. Installs
//! nothing on another system, and nothing for another person than root.

use std::path::Path;
use std::process::Command;

use crate::shell;

/// Whether this is a Debian.
pub fn here() -> bool {
    Path::new("/etc/debian_version").exists()
}

/// Whether these packages are here, or could be without asking anybody.
pub fn can_have(packages: &[&str]) -> bool {
    here() && (has(packages) || is_root())
}

/// Sees to it that these packages are here.
///
/// # Errors
/// One sentence when they cannot be installed.
pub fn have(packages: &[&str]) -> Result<(), String> {
    if has(packages) {
        return Ok(());
    }
    if !here() || !is_root() {
        return Err(format!("not installed here: on Debian `apt-get install {}`", packages.join(" ")));
    }
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
        shell::step(command)
    };
    // A machine that is new knows no packages yet; a stale list is not worth failing for.
    let _ = apt(&["update", "-q"]);
    let mut args = vec!["install", "-y", "-q", "--no-install-recommends"];
    args.extend(packages);
    apt(&args)
}

fn has(packages: &[&str]) -> bool {
    packages.iter().all(|package| {
        let mut query = Command::new("dpkg");
        query.args(["-s", package]);
        shell::works(query)
    })
}

fn is_root() -> bool {
    let mut id = Command::new("id");
    id.arg("-u");
    id.output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_does_not_exist_is_not_here() {
        assert!(!has(&["no-such-package-of-anybody"]));
        assert!(has(&[]));
    }
}
