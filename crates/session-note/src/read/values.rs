//! Reading single values and maps out of a document without ever failing.

use std::collections::BTreeMap;

use automerge::{Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};
use chart::Attribution;
use chart::ids::{ActorId, ChangeHash, DeviceId, PersonId};
use chart::time::Timestamp;

use crate::author::Author;
use crate::schema::{SCHEMA, root};

/// A document with what has been found wrong in it so far.
pub(crate) struct Reader<'a> {
    doc: &'a Automerge,
    pub(crate) problems: Vec<String>,
    concurrent: Vec<String>,
    pub(crate) authors: BTreeMap<ActorId, Author>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(doc: &'a Automerge) -> Self {
        let mut reader = Self { doc, problems: Vec::new(), concurrent: Vec::new(), authors: BTreeMap::new() };
        reader.authors = reader.read_authors();
        reader
    }

    pub(crate) fn finish(self) -> (Vec<String>, Vec<String>) {
        (self.problems, self.concurrent)
    }

    pub(crate) fn problem(&mut self, path: &str, what: &str) {
        self.problems.push(format!("{path} {what}"));
    }

    pub(crate) fn schema(&mut self) -> u32 {
        match self.doc.get(ROOT, root::SCHEMA) {
            Ok(Some((Value::Scalar(value), _))) => {
                value.as_i64().and_then(|number| u32::try_from(number).ok()).unwrap_or(SCHEMA)
            }
            _ => {
                self.problem(root::SCHEMA, "is missing");
                0
            }
        }
    }

    fn read_authors(&mut self) -> BTreeMap<ActorId, Author> {
        let mut authors = BTreeMap::new();
        for (key, text, _) in self.attributed_strings(root::ACTORS) {
            let author = ActorId::parse(&key).ok().and_then(|actor| {
                let (person, device) = text.split_once(' ')?;
                let (person, device) = (PersonId::parse(person).ok()?, DeviceId::parse(device).ok()?);
                Some(Author { person, device, actor })
            });
            match author {
                Some(author) => _ = authors.insert(author.actor, author),
                None => self.problem(root::ACTORS, "holds an entry that names no person and tablet"),
            }
        }
        authors
    }

    /// The map under a key, if there is one.
    pub(crate) fn map(&mut self, parent: &ObjId, path: &str, key: &str) -> Option<ObjId> {
        match self.doc.get(parent, key) {
            Ok(Some((Value::Object(ObjType::Map), id))) => Some(id),
            Ok(None) => None,
            _ => {
                self.problem(&join(path, key), "is not a map");
                None
            }
        }
    }

    pub(crate) fn keys(&mut self, container: &str) -> Vec<String> {
        match self.map(&ROOT, "", container) {
            Some(map) => self.doc.keys(&map).collect(),
            None => Vec::new(),
        }
    }

    /// A text under a key, read by `parse`.
    pub(crate) fn parsed<T>(
        &mut self,
        parent: Option<&ObjId>,
        path: &str,
        key: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.string(parent?, path, key)?;
        let value = parse(&text);
        if value.is_none() {
            self.problem(&join(path, key), "cannot be read");
        }
        value
    }

    fn string(&mut self, parent: &ObjId, path: &str, key: &str) -> Option<String> {
        let values = self.doc.get_all(parent, key).unwrap_or_default();
        let mut texts: Vec<String> = Vec::new();
        let mut shown = None;
        for (value, _) in &values {
            match scalar_text(value) {
                Some(text) => {
                    // The engine lists the value it shows last.
                    shown = Some(text.clone());
                    if !texts.contains(&text) {
                        texts.push(text);
                    }
                }
                None => self.problem(&join(path, key), "is not a text"),
            }
        }
        if texts.len() > 1 {
            self.concurrent.push(join(path, key));
        }
        shown
    }

    /// All texts of a map of the document, by key.
    pub(crate) fn strings(&mut self, container: &str) -> BTreeMap<String, String> {
        match self.map(&ROOT, "", container) {
            Some(map) => self.strings_of(&map, container),
            None => BTreeMap::new(),
        }
    }

    /// All texts of any map, by key.
    pub(crate) fn strings_of(&mut self, map: &ObjId, path: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for key in self.doc.keys(map).collect::<Vec<_>>() {
            if let Some(text) = self.string(map, path, &key) {
                found.insert(key, text);
            }
        }
        found
    }

    /// Every text of a container with the operation that wrote it; concurrent ones all.
    pub(crate) fn attributed_strings(&mut self, container: &str) -> Vec<(String, String, ObjId)> {
        let Some(map) = self.map(&ROOT, "", container) else { return Vec::new() };
        let mut found = Vec::new();
        for key in self.doc.keys(&map).collect::<Vec<_>>() {
            for (value, written_by) in self.doc.get_all(&map, key.as_str()).unwrap_or_default() {
                match scalar_text(&value) {
                    Some(text) => found.push((key.clone(), text, written_by)),
                    None => self.problem(&join(container, &key), "is not a text"),
                }
            }
        }
        found
    }

    /// The maps inside a container, by key.
    pub(crate) fn child_maps(&mut self, container: &str) -> Vec<(String, ObjId)> {
        let Some(map) = self.map(&ROOT, "", container) else { return Vec::new() };
        let keys: Vec<String> = self.doc.keys(&map).collect();
        keys.into_iter().filter_map(|key| Some((key.clone(), self.map(&map, container, &key)?))).collect()
    }

    /// The text objects of the document, by name.
    pub(crate) fn texts(&mut self) -> BTreeMap<String, String> {
        let Some(map) = self.map(&ROOT, "", root::TEXT) else { return BTreeMap::new() };
        let mut found = BTreeMap::new();
        for key in self.doc.keys(&map).collect::<Vec<_>>() {
            let text = match self.doc.get(&map, key.as_str()) {
                Ok(Some((Value::Object(ObjType::Text), id))) => self.doc.text(&id).ok(),
                _ => None,
            };
            match text {
                Some(text) => _ = found.insert(key, text),
                None => self.problem(&join(root::TEXT, &key), "is not a text"),
            }
        }
        found
    }

    /// Techniques in the order they were added; one taken off has a negative time.
    pub(crate) fn techniques(&mut self, map: &ObjId, path: &str) -> Vec<String> {
        let mut found: Vec<(i64, String)> = Vec::new();
        for key in self.doc.keys(map).collect::<Vec<_>>() {
            match self.doc.get(map, key.as_str()) {
                Ok(Some((Value::Scalar(value), _))) => match value.as_i64() {
                    Some(added_at) if added_at >= 0 => found.push((added_at, key)),
                    Some(_) => {}
                    None => self.problem(&join(path, "techniques"), "holds an entry without a time"),
                },
                _ => self.problem(&join(path, "techniques"), "holds an entry that is not a value"),
            }
        }
        found.sort();
        found.into_iter().map(|(_, technique)| technique).collect()
    }

    /// Who wrote the operation with this id, and in which change.
    pub(crate) fn attribution(&mut self, written_by: &ObjId) -> Attribution {
        let hash = self.doc.hash_for_opid(written_by);
        let meta = hash.and_then(|hash| self.doc.get_change_meta_by_hash(&hash));
        let (actor, at) = match &meta {
            Some(meta) => (ActorId::from_slice(meta.actor.to_bytes()), meta.timestamp),
            None => (None, 0),
        };
        let nobody = Author::unknown();
        let author = actor.and_then(|actor| self.authors.get(&actor)).unwrap_or(&nobody);
        Attribution {
            person: author.person,
            device: author.device,
            at: Timestamp::from_unix_ms(at),
            change: hash.map(|hash| ChangeHash::from_bytes(hash.0)),
        }
    }
}

fn scalar_text(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Scalar(scalar) => match scalar.as_ref() {
            ScalarValue::Str(text) => Some(text.to_string()),
            _ => None,
        },
        Value::Object(_) => None,
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}/{key}") }
}
