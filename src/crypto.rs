//! Keys, signatures and hashes.
//!
//! Duty: the only place that touches ed25519, SHA-256 and ChaCha20-Poly1305; strict verification (spec 3.5), key
//! hints, constant-time comparison of secrets. Never: reading files, clocks or random sources (seeds are
//! arguments), showing a secret in `Debug`.

pub mod password;

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::ids::{Hash, KeyId};

/// SHA-256 over the parts, one after the other.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// Whether two secrets are equal, in a time that depends on their lengths only.
#[must_use]
pub fn secrets_equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// A text that nobody may see by accident: a password, or a link that opens something.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Bytes from a seed, by counter mode over SHA-256: the ids and salts of one decision.
///
/// The seed comes from the operating system, or from the simulator.
pub struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl Random {
    /// Starts the stream that belongs to this seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    /// The next `N` (at most 32) bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 32) };
        self.counter += 1;
        let block = sha256(&[b"comity/1 random", &self.seed, &self.counter.to_be_bytes()]);
        let mut out = [0; N];
        out.iter_mut().zip(block.0).for_each(|(to, from)| *to = from);
        out
    }
}

/// An Ed25519 public key (RFC 8032), as 32 bytes that need not be a valid point until used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// The hint by which envelopes name the key (spec 3.4).
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        id.iter_mut().zip(sha256(&[&self.0]).0).for_each(|(to, from)| *to = from);
        KeyId(id)
    }

    /// Whether `signature` over `message` holds by the strict rules of spec 3.5.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)).is_ok()
        })
    }

    /// A form that two admins can compare over the phone: 8 groups of 4 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&sha256(&[&self.0]).0)
    }
}

/// 8 groups of 4 hexadecimal digits of the first 16 bytes.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    let hex = data_encoding::HEXLOWER.encode(bytes.get(..16).unwrap_or(bytes));
    let mut out = String::with_capacity(40);
    for (i, c) in hex.chars().enumerate() {
        if i > 0 && i % 4 == 0 {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {:?}", self.id())
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let bytes = serde_bytes::ByteBuf::deserialize(d)?;
        let len = bytes.len();
        bytes.into_vec().try_into().map(Self).map_err(|rest: Vec<u8>| {
            drop(rest);
            de::Error::custom(format!("a public key has 32 bytes, not {len}"))
        })
    }
}

/// An Ed25519 private key. Wiped from memory when dropped; `Debug` shows the public part.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key that belongs to these 32 random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32 bytes to write to a key file.
    #[must_use]
    pub fn seed(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// The signature over `message` (RFC 8032, deterministic).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The key as PKCS #8 DER (RFC 8410), which TLS libraries read.
    #[must_use]
    pub fn pkcs8(&self) -> zeroize::Zeroizing<Vec<u8>> {
        const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let mut der = zeroize::Zeroizing::new(HEAD.to_vec());
        der.extend_from_slice(&*self.seed());
        der
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret of {:?}", self.public())
    }
}

/// The key of a thread's bodies at rest: ChaCha20-Poly1305 (RFC 8439).
pub struct BodyKey(zeroize::Zeroizing<[u8; 32]>);

impl BodyKey {
    /// The key that these random bytes are.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(zeroize::Zeroizing::new(bytes))
    }

    fn ready(&self, unique: Hash) -> Option<(LessSafeKey, Nonce)> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &*self.0).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(unique.0.get(..12)?).ok()?;
        Some((LessSafeKey::new(key), nonce))
    }

    /// Encrypts, bound to `about`. `unique` must be another one for every other plain text.
    #[must_use]
    pub fn seal(&self, unique: Hash, about: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        let (key, nonce) = self.ready(unique)?;
        let mut bytes = plain.to_vec();
        key.seal_in_place_append_tag(nonce, Aad::from(about), &mut bytes).ok()?;
        Some(bytes)
    }

    /// What [`BodyKey::seal`] was given, if nothing was changed since.
    #[must_use]
    pub fn open(&self, unique: Hash, about: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (key, nonce) = self.ready(unique)?;
        let mut bytes = sealed.to_vec();
        let length = key.open_in_place(nonce, Aad::from(about), &mut bytes).ok()?.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

/// Marks of words under a [`BodyKey`]: nobody without the key can tell which word one stands for.
pub struct WordKey(ring::hmac::Key);

impl WordKey {
    /// The mark of a word.
    #[must_use]
    pub fn mark(&self, word: &str) -> [u8; 8] {
        let tag = ring::hmac::sign(&self.0, word.as_bytes());
        std::array::from_fn(|at| tag.as_ref().get(at).copied().unwrap_or_default())
    }
}

impl fmt::Debug for WordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key of words")
    }
}

impl BodyKey {
    /// The key for marks of words in the bodies.
    #[must_use]
    pub fn words(&self) -> WordKey {
        let key = zeroize::Zeroizing::new(sha256(&[b"comity/1 words", &*self.0]).0);
        WordKey(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &*key))
    }
}

impl fmt::Debug for BodyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key of bodies")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_rfc_8032_test_1() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let key = SecretKey::from_seed(&seed.try_into().unwrap());
        assert_eq!(
            key.public().0.to_vec(),
            hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        );
        let signature = key.sign(b"");
        assert_eq!(data_encoding::HEXLOWER.encode(&signature[..8]), "e5564300c360ac72");
        assert!(key.public().verifies(b"", &signature));
        assert!(!key.public().verifies(b"x", &signature));
    }

    #[test]
    fn small_order_keys_verify_nothing() {
        let identity = PublicKey(std::array::from_fn(|i| u8::from(i == 0)));
        let mut signature = [0; 64];
        signature[0] = 1;
        assert!(!identity.verifies(b"any", &signature));
    }

    #[test]
    fn a_body_opens_only_as_it_was_sealed() {
        let (key, unique) = (BodyKey::new([7; 32]), sha256(&[b"body"]));
        let sealed = key.seal(unique, b"here", b"text").unwrap();
        assert_eq!(key.open(unique, b"here", &sealed).unwrap(), b"text");
        assert!(!sealed.windows(4).any(|window| window == b"text"));
        let mut changed = sealed.clone();
        changed[0] ^= 1;
        let others = [
            key.open(unique, b"there", &sealed),
            key.open(unique, b"here", &changed),
            key.open(sha256(&[b"another"]), b"here", &sealed),
            BodyKey::new([8; 32]).open(unique, b"here", &sealed),
            key.open(unique, b"here", b"short"),
        ];
        assert!(others.iter().all(Option::is_none));
    }

    #[test]
    fn marks_of_words_need_the_key() {
        let mark = |key: u8, word| BodyKey::new([key; 32]).words().mark(word);
        assert_eq!(mark(7, "word"), mark(7, "word"));
        assert_ne!(mark(7, "word"), mark(7, "other"));
        assert_ne!(mark(7, "word"), mark(8, "word"));
    }

    #[test]
    fn secrets_stay_out_of_debug() {
        let key = SecretKey::from_seed(&[0xab; 32]);
        assert!(!format!("{key:?}").contains("abab"));
    }
}
