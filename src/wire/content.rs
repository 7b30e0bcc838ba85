//! Entries of content chains and their bodies (spec 5).
//!
//! Duty: shapes and hashes. An entry carries no signature of its owner: heads cover it. Never: a body
//! without the check of its commitment.

use super::{
    array::record,
    blob::Blob,
    cbor::{self, CborError},
    objects::EntryKind,
};
use crate::{
    crypto::sha256,
    ids::{Hash, Salt, ScopeId, SubmissionId, ThreadId, UserId},
    limits,
    time::Millis,
};

record! {
    /// A link of a content chain (spec 5.3).
    pub struct Entry {
        /// The thread.
        pub thread: ThreadId,
        /// Gapless, from 1.
        pub seq: u64,
        /// The hash of the entry before; zero in the first.
        pub previous: Hash,
        /// Who wrote it.
        pub author: UserId,
        /// What it is.
        pub kind: EntryKind,
        /// When the owner sequenced it, for display.
        pub time: Millis,
        /// The scope through which the author was admitted.
        pub scope: ScopeId,
        /// The epoch of that scope at the commit.
        pub epoch: u64,
        /// SHA-256 over salt and body.
        pub commitment: Hash,
        /// The author's home's name for it.
        pub submission: SubmissionId,
        /// The author's home's signed submission; null when the author is at home at the owner.
        pub signed: Option<Blob>,
    }
}

impl Entry {
    /// The hash that the next entry and the heads name (spec 5.3).
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&[b"comity/1 entry", &cbor::encode(self)])
    }
}

record! {
    /// What an author wrote (spec 5.2). Travels beside the entry, so that it can be deleted.
    pub struct Body {
        /// The message that is edited, deleted or reacted to; null for a message.
        pub target: Option<u64>,
        /// The text, or the reaction.
        pub text: String,
        /// Users who are named in the text.
        pub mentions: Vec<UserId>,
    }
}

impl Body {
    /// The bytes that are committed to.
    #[must_use]
    pub fn to_blob(&self) -> Blob {
        cbor::encode(self).into()
    }

    /// Reads bytes whose commitment was checked.
    ///
    /// # Errors
    /// What is wrong with the bytes, or which bound they break.
    pub fn parse(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > limits::BODY_BYTES {
            return Err(CborError::Shape(format!("a body has at most {} bytes", limits::BODY_BYTES)));
        }
        let body: Self = cbor::decode(bytes)?;
        if body.text.len() > limits::TEXT_BYTES || body.mentions.len() > limits::MENTIONS {
            return Err(CborError::Shape("the text is too long, or there are too many mentions".into()));
        }
        Ok(body)
    }
}

/// The commitment to a body (spec 5.2).
#[must_use]
pub fn commitment(salt: Salt, body: &[u8]) -> Hash {
    sha256(&[&salt.0, body])
}

record! {
    /// An entry with what travels beside it: how it is stored and sent (spec 5.2).
    pub struct Stored {
        /// The entry.
        pub entry: Entry,
        /// Salt and body; null once deleted.
        pub body: Option<Sealed>,
    }
}

record! {
    /// A body and the salt of its commitment.
    pub struct Sealed {
        /// Random.
        pub salt: Salt,
        /// The encoded [`Body`].
        pub body: Blob,
    }
}

impl Sealed {
    /// What stays where the text is gone. No body is empty.
    #[must_use]
    pub fn shredded() -> Self {
        Self { salt: Salt([0; 16]), body: Blob::from(Vec::new()) }
    }

    /// Whether the text is gone.
    #[must_use]
    pub fn is_shredded(&self) -> bool {
        self.body.is_empty()
    }

    /// The commitment of exactly these bytes.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        commitment(self.salt, &self.body)
    }
}
