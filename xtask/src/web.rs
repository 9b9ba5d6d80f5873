//! The browser test: both builds of the app, then the test in a real browser. Draws no conclusion from a
//! browser that is not there.

use std::path::Path;
use std::process::Command;

use crate::dist::{self, Core};
use crate::workspace::HOUSE;
use crate::{debian, shell};

/// Debian's browser, and what drives it.
const BROWSER: [&str; 2] = ["chromium", "chromium-driver"];

/// Builds the app twice and drives it; where a compiler or a browser cannot be had, says so, and fails if
/// `strict`.
pub fn test(root: &Path, strict: bool) -> Result<(), String> {
    if let Err(missing) = ready(root) {
        return skip(&missing, strict);
    }
    let planted = dist::run(root, Core::Planted)?;
    let quick = dist::run(root, Core::Quick)?;
    let mut test = shell::cargo(root, &["test", "--test", "web"]);
    test.args(HOUSE).env("GAITWAY_WEB", quick).env("GAITWAY_WEB_PLANTED", planted);
    shell::step(test)
}

fn skip(missing: &str, strict: bool) -> Result<(), String> {
    let sentence = format!("the web app was not driven in a browser: {missing}");
    if strict {
        return Err(sentence);
    }
    eprintln!("\n==> SKIP: {sentence}");
    Ok(())
}

fn ready(root: &Path) -> Result<(), String> {
    dist::ready(root)?;
    if drives() {
        return Ok(());
    }
    debian::have(&BROWSER).map_err(|error| format!("no Chromium with its chromedriver ({error})"))?;
    if drives() { Ok(()) } else { Err("chromedriver was installed and does not run".to_owned()) }
}

fn drives() -> bool {
    let mut driver = Command::new("chromedriver");
    driver.arg("--version");
    shell::works(driver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_browser_a_laptop_skips_in_one_sentence_and_ci_fails_with_it() {
        assert_eq!(skip("no browser", false), Ok(()));
        assert_eq!(
            skip("no browser", true).unwrap_err(),
            "the web app was not driven in a browser: no browser"
        );
    }
}
