//! The clock and the randomness of the operating system, handed as values to everything below.
//! Nothing else in the server reads either for the record.

use std::time::{SystemTime, UNIX_EPOCH};

use chart::entropy::Entropy;
use chart::time::Timestamp;

/// The server's clock.
pub fn now() -> Timestamp {
    let ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// The operating system's source of random bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    /// Ends the process if the system gives no random bytes: no key or id may be guessable.
    fn fill(&mut self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            eprintln!("gaitway: the operating system gives no random bytes; stopping at once");
            std::process::abort();
        }
    }
}

/// Bytes as lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A new secret token: a prefix that tells its kind, and 32 random bytes as hexadecimal.
pub fn new_token(prefix: &str) -> String {
    format!("{prefix}_{}", hex(&chart::entropy::draw::<32>(&mut OsEntropy)))
}
