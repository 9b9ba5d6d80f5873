//! What a vault must refuse, and that it opens what it sealed.

use proptest::prelude::*;

use super::*;

/// Bytes that differ at every draw and are the same in every run.
struct Counter(u64);

impl Entropy for Counter {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0 += 1;
        blake3::Hasher::new().update(&self.0.to_le_bytes()).finalize_xof().fill(bytes);
    }
}

fn document(n: u8) -> DocumentId {
    DocumentId::from_bytes([n; 16])
}

fn parts() -> (Counter, Vault, DocumentKey) {
    let mut entropy = Counter(0);
    let vault = Vault::new([42; 32]);
    let key = vault.new_document_key(&mut entropy);
    (entropy, vault, key)
}

#[test]
fn a_record_opens_to_what_was_sealed() {
    let (mut entropy, vault, key) = parts();
    let sealed = vault.seal(&mut entropy, Some((document(1), &key)), b"head", b"body").unwrap();
    let head = Head { document: Some(document(1)), bytes: b"head".to_vec(), key_id: vault.key_id() };
    assert_eq!(vault.open_head(&sealed), Ok(head));
    assert_eq!(vault.open_body(&sealed, Some(&key)), Ok(b"body".to_vec()));
    let sealed = vault.seal(&mut entropy, None, b"", b"").unwrap();
    assert_eq!(vault.open_head(&sealed).unwrap().document, None);
    assert_eq!(vault.open_body(&sealed, None), Ok(vec![]));
}

#[test]
fn a_head_opens_without_the_documents_key_and_the_body_does_not() {
    let (mut entropy, vault, key) = parts();
    let sealed = vault.seal(&mut entropy, Some((document(1), &key)), b"head", b"body").unwrap();
    assert!(vault.open_head(&sealed).is_ok());
    assert_eq!(vault.open_body(&sealed, None), Err(VaultError::NeedsDocumentKey));
    let other = vault.new_document_key(&mut entropy);
    assert_eq!(vault.open_body(&sealed, Some(&other)), Err(VaultError::NotAuthentic));
}

#[test]
fn a_body_moved_to_another_record_is_refused() {
    let (mut entropy, vault, key) = parts();
    let mut seal = |n| vault.seal(&mut entropy, Some((document(n), &key)), b"head", b"body").unwrap();
    let head_end = PREFIX + NONCE + 16 + 17 + 4;
    for (to, from) in [(seal(1), seal(2)), (seal(1), seal(1))] {
        let moved = [&to[..head_end], &from[head_end..]].concat();
        assert!(vault.open_head(&moved).is_ok());
        assert_eq!(vault.open_body(&moved, Some(&key)), Err(VaultError::NotAuthentic));
    }
}

#[test]
fn a_wrapped_key_opens_for_its_own_document_only() {
    let (mut entropy, vault, key) = parts();
    let wrapped = vault.wrap(&mut entropy, document(1), &key).unwrap();
    let again = vault.unwrap(document(1), &wrapped).unwrap();
    assert_eq!(*again.0, *key.0);
    assert_eq!(vault.unwrap(document(2), &wrapped).err(), Some(VaultError::NotAuthentic));
    for at in 0..wrapped.len() {
        let mut bent = wrapped.clone();
        bent[at] ^= 1;
        assert!(vault.unwrap(document(1), &bent).is_err(), "byte {at}");
        assert!(vault.unwrap(document(1), &wrapped[..at]).is_err(), "cut at {at}");
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let (mut entropy, vault, key) = parts();
    let sealed = vault.seal(&mut entropy, Some((document(1), &key)), b"head", b"body").unwrap();
    for bit in 0..sealed.len() * 8 {
        let mut bent = sealed.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert!(vault.open_body(&bent, Some(&key)).is_err(), "bit {bit}");
    }
    for len in 0..sealed.len() {
        assert!(vault.open_body(&sealed[..len], Some(&key)).is_err(), "cut at {len}");
    }
}

#[test]
fn another_clinics_record_and_a_newer_format_are_named() {
    let (mut entropy, vault, _) = parts();
    let sealed = vault.seal(&mut entropy, None, b"head", b"body").unwrap();
    let other = Vault::new([43; 32]);
    let refused = VaultError::OtherKey { found: vault.key_id(), have: other.key_id() };
    assert_eq!(other.open_head(&sealed), Err(refused));
    let mut newer = sealed;
    newer[3] = 9;
    assert_eq!(vault.open_head(&newer), Err(VaultError::NewerFormat(9)));
}

#[test]
fn equal_records_seal_to_different_bytes() {
    let (mut entropy, vault, key) = parts();
    let mut seal = || vault.seal(&mut entropy, Some((document(1), &key)), b"head", b"body").unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn index_keys_depend_on_clinic_kind_and_where_parts_end() {
    let vault = Vault::new([42; 32]);
    let key = vault.key("visit", &[b"ab", b"c"]);
    assert_eq!(key, Vault::new([42; 32]).key("visit", &[b"ab", b"c"]));
    let others = [
        vault.key("visit", &[b"a", b"bc"]),
        vault.key("visit", &[b"abc"]),
        vault.key("patient", &[b"ab", b"c"]),
        Vault::new([43; 32]).key("visit", &[b"ab", b"c"]),
    ];
    assert!(!others.contains(&key));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (_, vault, key) = parts();
        prop_assert!(vault.open_body(&bytes, Some(&key)).is_err());
        prop_assert!(vault.unwrap(document(1), &bytes).is_err());
    }

    #[test]
    fn sealing_and_opening_are_inverse(head: Vec<u8>, body: Vec<u8>, of_document: bool) {
        let (mut entropy, vault, key) = parts();
        let target = of_document.then_some((document(5), &key));
        let sealed = vault.seal(&mut entropy, target, &head, &body).unwrap();
        prop_assert_eq!(vault.open_head(&sealed).unwrap().bytes, head);
        prop_assert_eq!(vault.open_body(&sealed, Some(&key)), Ok(body));
    }
}
