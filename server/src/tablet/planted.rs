//! A change that ends a tablet's document engine, planted for tests: never active unless the environment's
//! `GAITWAY_APPLYING_FAULT` names one; docs/tablet-cli.md has it.

/// Changes that hold these bytes end the process that applies them.
#[derive(Clone, Debug, Default)]
pub struct Planted(Option<Vec<u8>>);

impl Planted {
    /// Reads `abort:<text>`; an empty text plants nothing.
    ///
    /// # Errors
    /// One sentence when it cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let bytes = text.strip_prefix("abort:").filter(|bytes| !bytes.is_empty());
        match bytes {
            Some(bytes) => Ok(Self(Some(bytes.as_bytes().to_vec()))),
            None => Err("GAITWAY_APPLYING_FAULT must be `abort:` and a text".to_owned()),
        }
    }

    /// Ends the process, without any clean-up, if one of the changes is a deadly one.
    pub(super) fn strike(&self, changes: &[&[u8]]) {
        let Some(text) = &self.0 else { return };
        let deadly = |bytes: &&[u8]| bytes.windows(text.len()).any(|window| window == text.as_slice());
        if changes.iter().any(deadly) {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_a_text() {
        assert!(Planted::parse("").unwrap().0.is_none());
        assert_eq!(Planted::parse("abort:a:b").unwrap().0, Some(b"a:b".to_vec()));
        for text in ["abort", "abort:", "hang:x"] {
            let sentence = Planted::parse(text).unwrap_err();
            assert!(sentence.contains("GAITWAY_APPLYING_FAULT"), "{sentence}");
        }
    }

    #[test]
    fn a_change_without_the_text_is_survived() {
        Planted::parse("abort:xyzzy").unwrap().strike(&[b"xyzz", b"y"]);
    }
}
