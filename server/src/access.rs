//! Who may ask: the administrator's token, the metrics token, people's access tokens and sessions.
//!
//! Tokens are random and are kept as hashes only; they are compared through their hashes, in constant
//! time. Who a person is and what they may do is not decided here but looked up in the directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chart::ids::PersonId;
use chart::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::datadir::{DataDir, DataError, read_secret, write_secret};
use crate::edge::{new_token, now};
use crate::limits;

const FORMAT: u32 = 1;
const DAY_MS: i64 = 86_400_000;

/// A proof that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Holds the administrator's token.
    Admin,
    /// Holds the metrics token.
    Metrics,
    /// Holds a person's token or session.
    Person(PersonId),
}

/// A session's secret, for the cookie.
#[derive(Clone)]
pub struct SessionSecret(pub String);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TokenRow {
    hash: String,
    person: PersonId,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct TokenFile {
    format: u32,
    tokens: Vec<TokenRow>,
}

#[derive(Debug)]
struct Session {
    person: PersonId,
    token_hash: String,
    began: Instant,
    used: Instant,
}

#[derive(Debug)]
struct Failures {
    since: Instant,
    count: u32,
}

/// All proofs the server accepts.
#[derive(Debug)]
pub struct Access {
    admin: blake3::Hash,
    metrics: blake3::Hash,
    file: PathBuf,
    tokens: Mutex<BTreeMap<String, TokenRow>>,
    sessions: Mutex<BTreeMap<String, Session>>,
    failures: Mutex<Failures>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hash_of(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

impl Access {
    /// Reads the token files of a data directory.
    pub fn open(data: &DataDir) -> Result<Self, DataError> {
        let file = data.person_tokens();
        let mut tokens = BTreeMap::new();
        if file.exists() {
            let malformed = |reason: &str| DataError::Malformed {
                path: file.display().to_string(),
                reason: reason.to_owned(),
            };
            let read: TokenFile = serde_json::from_str(&read_secret(&file)?)
                .map_err(|_| malformed("it is not a list of token hashes"))?;
            if read.format != FORMAT {
                return Err(malformed("it was written by another version of gaitway"));
            }
            tokens.extend(read.tokens.into_iter().map(|row| (row.hash.clone(), row)));
        }
        Ok(Self {
            admin: blake3::hash(data.read_token(&data.admin_token())?.as_bytes()),
            metrics: blake3::hash(data.read_token(&data.metrics_token())?.as_bytes()),
            file,
            tokens: Mutex::new(tokens),
            sessions: Mutex::default(),
            failures: Mutex::new(Failures { since: Instant::now(), count: 0 }),
        })
    }

    /// Whose token this is, if anybody's.
    pub fn bearer(&self, token: &str) -> Option<Caller> {
        let hash = blake3::hash(token.as_bytes());
        // `Hash` compares in constant time.
        if hash == self.admin {
            return Some(Caller::Admin);
        }
        if hash == self.metrics {
            return Some(Caller::Metrics);
        }
        self.person_of(&hash.to_hex()).map(Caller::Person)
    }

    fn person_of(&self, hash: &str) -> Option<PersonId> {
        locked(&self.tokens).get(hash).filter(|row| row.expires_at > now()).map(|row| row.person)
    }

    /// Makes an access token for a person and keeps its hash; the token itself is told this once.
    /// Writes a file: not for the async threads.
    pub fn issue(&self, person: PersonId) -> Result<(String, Timestamp), DataError> {
        let token = new_token("gwp");
        let issued_at = now();
        let expires_at = issued_at.plus_ms(limits::TOKEN_DAYS * DAY_MS);
        let row = TokenRow { hash: hash_of(&token), person, issued_at, expires_at };
        let mut tokens = locked(&self.tokens);
        tokens.retain(|_, row| row.expires_at > issued_at);
        while tokens.len() >= limits::TOKENS {
            let oldest = tokens.values().min_by_key(|row| row.issued_at).map(|row| row.hash.clone());
            oldest.and_then(|hash| tokens.remove(&hash));
        }
        tokens.insert(row.hash.clone(), row);
        self.save(&tokens)?;
        Ok((token, expires_at))
    }

    /// Takes away every access token and session of a person; says how many tokens there were.
    /// Writes a file: not for the async threads.
    pub fn withdraw(&self, person: PersonId) -> Result<usize, DataError> {
        locked(&self.sessions).retain(|_, session| session.person != person);
        let mut tokens = locked(&self.tokens);
        let before = tokens.len();
        tokens.retain(|_, row| row.person != person);
        self.save(&tokens)?;
        Ok(before - tokens.len())
    }

    fn save(&self, tokens: &BTreeMap<String, TokenRow>) -> Result<(), DataError> {
        let file = TokenFile { format: FORMAT, tokens: tokens.values().cloned().collect() };
        let text = serde_json::to_string_pretty(&file).map_err(|_| DataError::Malformed {
            path: self.file.display().to_string(),
            reason: "the token hashes cannot be written".to_owned(),
        })?;
        write_secret(&self.file, &text)
    }

    /// Begins a session with a person's access token.
    pub fn sign_in(&self, token: &str) -> Option<(SessionSecret, PersonId)> {
        let token_hash = hash_of(token);
        let person = self.person_of(&token_hash)?;
        let secret = new_token("gws");
        let at = Instant::now();
        let mut sessions = locked(&self.sessions);
        sessions.retain(|_, session| session.is_alive(at));
        while sessions.len() >= limits::SESSIONS {
            let stalest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| key.clone());
            stalest.and_then(|key| sessions.remove(&key));
        }
        sessions.insert(hash_of(&secret), Session { person, token_hash, began: at, used: at });
        Some((SessionSecret(secret), person))
    }

    /// Whose session this is, if it is alive and its token still holds; using it keeps it alive.
    pub fn session(&self, secret: &str) -> Option<PersonId> {
        let at = Instant::now();
        let key = hash_of(secret);
        let mut sessions = locked(&self.sessions);
        let session = sessions.get_mut(&key)?;
        if !session.is_alive(at) || self.person_of(&session.token_hash).is_none() {
            sessions.remove(&key);
            return None;
        }
        session.used = at;
        Some(session.person)
    }

    /// Ends a session.
    pub fn sign_out(&self, secret: &str) {
        locked(&self.sessions).remove(&hash_of(secret));
    }

    /// Notes a proof that failed.
    pub fn note_failure(&self) {
        let mut failures = locked(&self.failures);
        if failures.since.elapsed() > limits::FAILURES_WINDOW {
            *failures = Failures { since: Instant::now(), count: 0 };
        }
        failures.count = failures.count.saturating_add(1);
    }

    /// Whether so many proofs failed lately that one-time codes and sign-ins must wait. Requests with a
    /// good token are never held up by this.
    pub fn is_guessed_at(&self) -> bool {
        let failures = locked(&self.failures);
        failures.count >= limits::FAILURES && failures.since.elapsed() <= limits::FAILURES_WINDOW
    }
}

impl Session {
    fn is_alive(&self, at: Instant) -> bool {
        at.duration_since(self.used) < limits::SESSION_IDLE
            && at.duration_since(self.began) < limits::SESSION_LIFE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access() -> (tempfile::TempDir, DataDir, Access) {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::new(dir.path());
        for (path, text) in
            [(data.keys(), "x"), (data.admin_token(), "admin\n"), (data.metrics_token(), "metrics")]
        {
            write_secret(&path, text).unwrap();
        }
        let access = Access::open(&data).unwrap();
        (dir, data, access)
    }

    const PERSON: PersonId = PersonId::from_bytes([1; 16]);

    #[test]
    fn each_token_opens_its_own_door_and_no_other() {
        let (_dir, _, access) = access();
        let (token, _) = access.issue(PERSON).unwrap();
        for (token, expected) in [
            ("admin", Some(Caller::Admin)),
            ("metrics", Some(Caller::Metrics)),
            (token.as_str(), Some(Caller::Person(PERSON))),
            ("", None),
            ("gwp_00", None),
        ] {
            assert_eq!(access.bearer(token), expected);
        }
    }

    #[test]
    fn a_token_outlives_a_restart_and_is_nowhere_in_the_file() {
        let (_dir, data, access) = access();
        let (token, _) = access.issue(PERSON).unwrap();
        let again = Access::open(&data).unwrap();
        assert_eq!(again.bearer(&token), Some(Caller::Person(PERSON)));
        let file = std::fs::read_to_string(data.person_tokens()).unwrap();
        assert!(!file.contains(token.trim_start_matches("gwp_")), "{file}");
    }

    #[test]
    fn withdrawing_a_persons_tokens_ends_the_sessions_too() {
        let (_dir, data, access) = access();
        let (token, _) = access.issue(PERSON).unwrap();
        let (secret, person) = access.sign_in(&token).unwrap();
        assert_eq!((person, access.session(&secret.0)), (PERSON, Some(PERSON)));
        assert_eq!(access.withdraw(PERSON).unwrap(), 1);
        assert_eq!((access.session(&secret.0), access.bearer(&token)), (None, None));
        assert_eq!(Access::open(&data).unwrap().bearer(&token), None);
    }

    #[test]
    fn a_session_ends_when_its_person_signs_out() {
        let (_dir, _, access) = access();
        let (token, _) = access.issue(PERSON).unwrap();
        let (secret, _) = access.sign_in(&token).unwrap();
        access.sign_out(&secret.0);
        assert_eq!(access.session(&secret.0), None);
        assert!(access.sign_in("admin").is_none(), "the administrator's token is no person's");
    }

    #[test]
    fn guessing_is_slowed_down() {
        let (_dir, _, access) = access();
        for _ in 0..limits::FAILURES {
            assert!(!access.is_guessed_at());
            access.note_failure();
        }
        assert!(access.is_guessed_at());
    }
}
