//! Deterministic CBOR (RFC 8949, 4.2), as spec 3.1 narrows it.
//!
//! Duty: the strict walker that runs over received bytes before anything is decoded, and the two
//! functions through which every value passes. Never: decoding bytes that were not walked.

use serde::{Serialize, de::DeserializeOwned};

use crate::limits::{CBOR_DEPTH, CBOR_ITEMS};

/// Why bytes are not what spec 3.1 allows. The names stand in the vectors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end inside an item.
    #[error("cbor-truncated: the bytes end inside an item, at byte {0}")]
    Truncated(usize),
    /// Bytes follow the one item.
    #[error("cbor-trailing: bytes follow the item, from byte {0}")]
    Trailing(usize),
    /// An integer or length is not in its shortest form.
    #[error("cbor-not-shortest: a longer form than needed at byte {0}")]
    NotShortest(usize),
    /// An indefinite length, or a break.
    #[error("cbor-indefinite: an indefinite length at byte {0}")]
    Indefinite(usize),
    /// A tag.
    #[error("cbor-tag: a tag at byte {0}")]
    Tag(usize),
    /// A float, `undefined`, or another simple value than false, true and null.
    #[error("cbor-simple: a float or simple value that is not used here at byte {0}")]
    Simple(usize),
    /// A reserved additional-information value (28 to 30).
    #[error("cbor-reserved: a reserved head at byte {0}")]
    Reserved(usize),
    /// A map key that is not an unsigned integer.
    #[error("cbor-key: a map key that is no unsigned integer at byte {0}")]
    Key(usize),
    /// Map keys that do not ascend (doubles included).
    #[error("cbor-key-order: map keys that do not ascend at byte {0}")]
    KeyOrder(usize),
    /// Text that is no UTF-8.
    #[error("cbor-utf8: text that is no UTF-8 at byte {0}")]
    Utf8(usize),
    /// Nested deeper than [`CBOR_DEPTH`].
    #[error("cbor-depth: nested deeper than {CBOR_DEPTH} at byte {0}")]
    Depth(usize),
    /// More items than [`CBOR_ITEMS`].
    #[error("cbor-items: more than {CBOR_ITEMS} items")]
    Items,
    /// Strict CBOR, but not of the expected shape.
    #[error("cbor-shape: {0}")]
    Shape(String),
}

impl CborError {
    /// The short name that vectors and logs use.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Truncated(_) => "cbor-truncated",
            Self::Trailing(_) => "cbor-trailing",
            Self::NotShortest(_) => "cbor-not-shortest",
            Self::Indefinite(_) => "cbor-indefinite",
            Self::Tag(_) => "cbor-tag",
            Self::Simple(_) => "cbor-simple",
            Self::Reserved(_) => "cbor-reserved",
            Self::Key(_) => "cbor-key",
            Self::KeyOrder(_) => "cbor-key-order",
            Self::Utf8(_) => "cbor-utf8",
            Self::Depth(_) => "cbor-depth",
            Self::Items => "cbor-items",
            Self::Shape(_) => "cbor-shape",
        }
    }
}

/// The bytes of `value`; deterministic, because our types are arrays of integers, bytes and text.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    #[expect(clippy::expect_used, reason = "a Vec takes every byte, and no type of ours fails to serialise")]
    ciborium::into_writer(value, &mut bytes).expect("serialising into memory");
    bytes
}

/// Walks, decodes, and compares with the re-encoding, so that one value has one form (spec 3.2).
///
/// # Errors
/// The first rule of spec 3.1 that the bytes break, or how they miss the shape of `T`.
pub fn decode<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CborError> {
    check(bytes)?;
    let value: T = ciborium::from_reader(bytes).map_err(|error| CborError::Shape(error.to_string()))?;
    if encode(&value) == bytes {
        Ok(value)
    } else {
        Err(CborError::Shape("surplus or misplaced fields".into()))
    }
}

/// Whether `bytes` are exactly one item in the strict form of spec 3.1.
///
/// # Errors
/// The first rule that is broken, with its place.
pub fn check(bytes: &[u8]) -> Result<(), CborError> {
    let mut walker = Walker { bytes, at: 0, items: 0 };
    walker.item(0)?;
    if walker.at == bytes.len() { Ok(()) } else { Err(CborError::Trailing(walker.at)) }
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
    items: usize,
}

impl Walker<'_> {
    fn item(&mut self, depth: usize) -> Result<(), CborError> {
        let start = self.at;
        self.items += 1;
        if self.items > CBOR_ITEMS {
            return Err(CborError::Items);
        }
        if depth > CBOR_DEPTH {
            return Err(CborError::Depth(start));
        }
        let (major, value) = self.head()?;
        match major {
            0 | 1 | 7 => Ok(()),
            2 => self.take(value).map(|_| ()),
            3 => std::str::from_utf8(self.take(value)?)
                .map(|_| ())
                .map_err(|error| CborError::Utf8(start.saturating_add(error.valid_up_to()))),
            4 => (0..value).try_for_each(|_| self.item(depth + 1)),
            5 => self.map(value, depth),
            _ => Err(CborError::Tag(start)),
        }
    }

    fn map(&mut self, pairs: u64, depth: usize) -> Result<(), CborError> {
        let mut last = None;
        for _ in 0..pairs {
            let start = self.at;
            let (major, key) = self.head()?;
            if major != 0 {
                return Err(CborError::Key(start));
            }
            if last.is_some_and(|last| key <= last) {
                return Err(CborError::KeyOrder(start));
            }
            last = Some(key);
            self.item(depth + 1)?;
        }
        Ok(())
    }

    /// The major type and argument (major 7 is false, true or null, which need none).
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let start = self.at;
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 31);
        if major == 7 {
            return match info {
                20..=22 => Ok((7, 0)),
                31 => Err(CborError::Indefinite(start)),
                28..=30 => Err(CborError::Reserved(start)),
                _ => Err(CborError::Simple(start)),
            };
        }
        let (value, least) = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => (u64::from(self.byte()?), 24),
            25 => (self.big_endian(2)?, 1 << 8),
            26 => (self.big_endian(4)?, 1 << 16),
            27 => (self.big_endian(8)?, 1 << 32),
            31 => return Err(CborError::Indefinite(start)),
            _ => return Err(CborError::Reserved(start)),
        };
        if value < least { Err(CborError::NotShortest(start)) } else { Ok((major, value)) }
    }

    fn big_endian(&mut self, len: u64) -> Result<u64, CborError> {
        Ok(self.take(len)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, CborError> {
        let byte = self.bytes.get(self.at).copied().ok_or(CborError::Truncated(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, len: u64) -> Result<&[u8], CborError> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len));
        let part = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(CborError::Truncated(self.at))?;
        self.at += part.len();
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_broken_rule_has_its_name() {
        for (hex, name) in [
            ("", "cbor-truncated"),
            ("1800", "cbor-not-shortest"),
            ("190010", "cbor-not-shortest"),
            ("1b00000000ffffffff", "cbor-not-shortest"),
            ("5f4101ff", "cbor-indefinite"),
            ("ff", "cbor-indefinite"),
            ("c000", "cbor-tag"),
            ("f90000", "cbor-simple"),
            ("f7", "cbor-simple"),
            ("1c", "cbor-reserved"),
            ("a1616100", "cbor-key"),
            ("a2010001f5", "cbor-key-order"),
            ("a202000100", "cbor-key-order"),
            ("61ff", "cbor-utf8"),
            ("0000", "cbor-trailing"),
            ("9bffffffffffffffff", "cbor-truncated"),
            ("5bffffffffffffffff", "cbor-truncated"),
            ("8181818181818181818181818100", "cbor-depth"),
        ] {
            let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
            assert_eq!(check(&bytes).unwrap_err().name(), name, "{hex}");
        }
    }

    #[test]
    fn a_simple_value_is_no_map_key() {
        assert_eq!(check(&[0xa1, 0xf5, 0x00]).unwrap_err().name(), "cbor-key");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let walked = check(&bytes);
            if let Ok(value) = ciborium::from_reader::<ciborium::Value, _>(bytes.as_slice()) {
                prop_assert!(walked.is_err() || encode(&value) == bytes);
            } else {
                prop_assert!(walked.is_err());
            }
        }
    }
}
