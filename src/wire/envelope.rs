//! The signed envelope: COSE_Sign1 (RFC 9052) in one frozen profile (spec 3.3 to 3.6).
//!
//! Duty: to make [`Verified`] values, by signing or by checking the bytes as received. Never: to
//! decode a payload before its signature holds, to re-encode what was received.

use serde::{Serialize, de::DeserializeOwned};

use super::{
    array::record,
    blob::Blob,
    cbor::{self, CborError},
};
use crate::{
    crypto::{PublicKey, SecretKey, sha256},
    ids::{Hash, KeyId, WorkspaceId},
    limits::OBJECT_BYTES,
};

/// A kind of signed object; the number is bound by the signature (spec 3.4).
pub trait Object: Serialize + DeserializeOwned {
    /// The object type of spec 3.4.
    const TYPE: u64;
    /// Checks beyond the shape: lengths and bounds that the object's clause names.
    ///
    /// # Errors
    /// The rule that is broken, for people.
    fn bounds(&self) -> Result<(), String> {
        Ok(())
    }
}

/// Why an envelope is refused. The names stand in the vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Larger than [`OBJECT_BYTES`].
    #[error("object-size: {0} bytes are more than {OBJECT_BYTES}")]
    Size(usize),
    /// The envelope or the payload is not the CBOR it must be.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The protected header is not exactly alg -19 and an 8-byte kid, or the unprotected one is not empty.
    #[error("envelope-header: the header is not that of the profile")]
    Header,
    /// No valid key has this hint.
    #[error("envelope-key: no valid key with the hint {0} is known for the signer")]
    UnknownKey(KeyId),
    /// The signature does not hold for this type, audience and payload.
    #[error("envelope-signature: the signature does not hold for this type and audience")]
    Signature,
    /// A bound of the object's clause.
    #[error("object-bounds: {0}")]
    Bounds(String),
}

impl EnvelopeError {
    /// The short name that vectors and logs use.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Size(_) => "object-size",
            Self::Cbor(error) => error.name(),
            Self::Header => "envelope-header",
            Self::UnknownKey(_) => "envelope-key",
            Self::Signature => "envelope-signature",
            Self::Bounds(_) => "object-bounds",
        }
    }
}

/// An object whose signature was checked over the bytes that are kept beside it, or that we signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T> {
    object: T,
    bytes: Blob,
    hash: Hash,
    signer: PublicKey,
}

impl<T> Verified<T> {
    /// The object.
    pub fn object(&self) -> &T {
        &self.object
    }
    /// The envelope as received: what is stored and passed on.
    pub fn bytes(&self) -> &Blob {
        &self.bytes
    }
    /// The object hash, over the Sig_structure (spec 3.6).
    pub fn hash(&self) -> Hash {
        self.hash
    }
    /// The key that signed.
    pub fn signer(&self) -> PublicKey {
        self.signer
    }
    /// The object alone.
    pub fn into_object(self) -> T {
        self.object
    }
}

record! {
    /// The outer array of COSE_Sign1, untagged.
    pub struct Sign1 {
        /// The protected header, encoded.
        pub protected: Blob,
        /// The unprotected header: always empty.
        pub unprotected: EmptyMap,
        /// The payload, encoded.
        pub payload: Blob,
        /// The Ed25519 signature.
        pub signature: Blob,
    }
}

/// `{}`: the unprotected header of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyMap;

impl Serialize for EmptyMap {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        s.serialize_map(Some(0))?.end()
    }
}

impl<'de> serde::Deserialize<'de> for EmptyMap {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let map = std::collections::BTreeMap::<u64, u64>::deserialize(d)?;
        if map.is_empty() {
            Ok(Self)
        } else {
            Err(serde::de::Error::custom("the unprotected header is not empty"))
        }
    }
}

/// {1: -19, 4: kid}: the only protected header of the profile.
fn protected(kid: KeyId) -> [u8; 13] {
    let mut header = [0xa2, 0x01, 0x32, 0x04, 0x48, 0, 0, 0, 0, 0, 0, 0, 0];
    header.iter_mut().skip(5).zip(kid.0).for_each(|(to, from)| *to = from);
    header
}

fn kid(header: &[u8]) -> Option<KeyId> {
    let kid = KeyId(header.get(5..)?.try_into().ok()?);
    (header == protected(kid)).then_some(kid)
}

/// What is signed (RFC 9052, 4.4), with the binding of spec 3.4 as external_aad.
fn sig_structure(kind: u64, audience: Option<WorkspaceId>, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let aad = cbor::encode(&("comity", 1, kind, audience));
    let bytes = serde_bytes::Bytes::new;
    cbor::encode(&("Signature1", bytes(protected), bytes(&aad), bytes(payload)))
}

/// Signs `object` for `audience` (nobody in particular: `None`).
pub fn sign<T: Object>(object: T, audience: Option<WorkspaceId>, key: &SecretKey) -> Verified<T> {
    let payload = cbor::encode(&object);
    let signer = key.public();
    let header = protected(signer.id());
    let message = sig_structure(T::TYPE, audience, &header, &payload);
    let signature = key.sign(&message);
    let bytes = cbor::encode(&Sign1 {
        protected: header.as_slice().into(),
        unprotected: EmptyMap,
        payload: payload.into(),
        signature: signature.as_slice().into(),
    });
    Verified { object, bytes: bytes.into(), hash: sha256(&[&message]), signer }
}

/// Checks received bytes as an object of type `T` for `audience`, by the keys that `key_of` admits.
///
/// # Errors
/// The first check of spec 3.5 that fails.
pub fn open<T: Object>(
    bytes: &Blob,
    audience: Option<WorkspaceId>,
    key_of: impl Fn(KeyId) -> Option<PublicKey>,
) -> Result<Verified<T>, EnvelopeError> {
    let (sign1, kid) = parse(bytes)?;
    let signer = key_of(kid).ok_or(EnvelopeError::UnknownKey(kid))?;
    let message = sig_structure(T::TYPE, audience, &sign1.protected, &sign1.payload);
    let signature = <&[u8; 64]>::try_from(&*sign1.signature).ok().ok_or(EnvelopeError::Signature)?;
    if !signer.verifies(&message, signature) {
        return Err(EnvelopeError::Signature);
    }
    let object = read_payload(&sign1)?;
    Ok(Verified { object, bytes: bytes.clone(), hash: sha256(&[&message]), signer })
}

/// The object hash of an envelope whose signature is not checked: only for comparing with a known hash.
///
/// # Errors
/// As [`open`], without the signature.
pub fn unverified_hash(
    kind: u64,
    audience: Option<WorkspaceId>,
    bytes: &Blob,
) -> Result<Hash, EnvelopeError> {
    let (sign1, _) = parse(bytes)?;
    Ok(sha256(&[&sig_structure(kind, audience, &sign1.protected, &sign1.payload)]))
}

/// Which key an envelope says it is signed by.
#[must_use]
pub fn hint(bytes: &Blob) -> Option<KeyId> {
    parse(bytes).ok().map(|(_, kid)| kid)
}

/// The claimed content, to find out whose key to ask for; nothing may be believed before [`open`].
///
/// # Errors
/// As [`open`], without the signature.
pub fn peek<T: Object>(bytes: &Blob) -> Result<T, EnvelopeError> {
    read_payload(&parse(bytes)?.0)
}

fn parse(bytes: &Blob) -> Result<(Sign1, KeyId), EnvelopeError> {
    if bytes.len() > OBJECT_BYTES {
        return Err(EnvelopeError::Size(bytes.len()));
    }
    let sign1: Sign1 = cbor::decode(bytes)?;
    let kid = kid(&sign1.protected).ok_or(EnvelopeError::Header)?;
    Ok((sign1, kid))
}

fn read_payload<T: Object>(sign1: &Sign1) -> Result<T, EnvelopeError> {
    let object: T = cbor::decode(&sign1.payload)?;
    object.bounds().map_err(EnvelopeError::Bounds)?;
    Ok(object)
}
