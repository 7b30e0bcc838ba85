//! Identifiers: who and what, as fixed-size bytes with a text form.
//!
//! Duty: one newtype per kind of name, so that none can be mistaken for another; text forms are
//! lower-case base32 without padding behind a kind prefix (spec 2.1). Never: making random ids or
//! hashing anything; bytes come in as arguments.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text lacks the prefix of its kind.
    #[error("expected an identifier that starts with `{expected}_`, got `{got}`")]
    Prefix {
        /// The prefix of the kind that was asked for.
        expected: &'static str,
        /// What came, shortened.
        got: String,
    },
    /// The rest is no base32, or not of the right length.
    #[error("`{got}` is cut short or mistyped: copy the whole identifier, `{expected}_` and what follows")]
    Body {
        /// The prefix of the kind that was asked for.
        expected: &'static str,
        /// What came, shortened.
        got: String,
    },
}

fn parse<const N: usize>(text: &str, prefix: &'static str) -> Result<[u8; N], IdError> {
    let got = || text.chars().take(24).collect::<String>();
    let body = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .ok_or_else(|| IdError::Prefix { expected: prefix, got: got() })?;
    let wrong = || IdError::Body { expected: prefix, got: got() };
    if body.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(wrong());
    }
    let bytes =
        data_encoding::BASE32_NOPAD.decode(body.to_ascii_uppercase().as_bytes()).ok().ok_or_else(wrong)?;
    bytes.try_into().ok().ok_or_else(wrong)
}

fn text(prefix: &str, bytes: &[u8]) -> String {
    format!("{prefix}_{}", data_encoding::BASE32_NOPAD.encode(bytes).to_ascii_lowercase())
}

struct BytesVisitor<const N: usize>;

impl<const N: usize> de::Visitor<'_> for BytesVisitor<N> {
    type Value = [u8; N];
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N} bytes")
    }
    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        <[u8; N]>::try_from(bytes).ok().ok_or_else(|| E::invalid_length(bytes.len(), &self))
    }
}

macro_rules! id {
    ($(#[doc = $doc:literal])* $name:ident, $len:literal, $prefix:literal) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&text($prefix, &self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&text($prefix, self.0.get(..6).unwrap_or(&self.0)))
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { s.serialize_bytes(&self.0) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    String::deserialize(d)?.parse().map_err(de::Error::custom)
                } else {
                    d.deserialize_bytes(BytesVisitor).map(Self)
                }
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let description = [$($doc),*].map(str::trim).join(" ");
                json_schema!({
                    "description": description, "type": "string",
                    "pattern": format!("^{}_[a-z2-7]{{{}}}$", $prefix, ($len * 8_usize).div_ceil(5)),
                })
            }
        }
        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}

id! {
    /// A workspace (or a realm of free accounts): the hash of its first manifest (spec 2.1).
    WorkspaceId, 32, "ws"
}
id! {
    /// A user: the home's id and 16 random bytes that are never used again (spec 2.1).
    UserId, 48, "us"
}
id! {
    /// A group: the hash of its creation event (spec 2.1).
    GroupId, 32, "gr"
}
id! {
    /// A thread: the hash of its creation event (spec 2.1).
    ThreadId, 32, "th"
}
id! {
    /// A SHA-256 hash.
    Hash, 32, "h"
}
id! {
    /// The author's home's name for a submission or an act: the key of idempotency (spec 7.2).
    SubmissionId, 16, "sb"
}
id! {
    /// An invitation (spec 6.1).
    InviteId, 16, "in"
}
id! {
    /// A request to add somebody to a locked thread (spec 6.11).
    RequestId, 16, "rq"
}
id! {
    /// An offer to move a group to another workspace (spec 14.1).
    MoveId, 16, "mv"
}
id! {
    /// One life of a control feed (spec 9.1).
    FeedId, 16, "fd"
}
id! {
    /// The first 8 bytes of the SHA-256 of a public key: a hint, never a proof (spec 3.4).
    KeyId, 8, "k"
}
id! {
    /// Random bytes that hide a body's content behind its commitment (spec 5.2).
    Salt, 16, "sa"
}

impl UserId {
    /// Makes the id from the home and the user's own random bytes.
    #[must_use]
    pub fn new(home: WorkspaceId, random: [u8; 16]) -> Self {
        let mut bytes = [0; 48];
        let (left, right) = bytes.split_at_mut(32);
        left.copy_from_slice(&home.0);
        right.copy_from_slice(&random);
        Self(bytes)
    }

    /// The home that alone vouches for this user (P1.1).
    #[must_use]
    pub fn home(&self) -> WorkspaceId {
        let mut home = [0; 32];
        home.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        WorkspaceId(home)
    }
}

impl Hash {
    /// The predecessor of a chain's first link.
    pub const ZERO: Self = Self([0; 32]);
}

/// What has a membership chain of its own: a group or a thread (spec 4.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeId {
    /// A group's roster and settings.
    Group(GroupId),
    /// A thread's recipients and settings.
    Thread(ThreadId),
}

impl ScopeId {
    /// The group, if it is one.
    #[must_use]
    pub fn group(self) -> Option<GroupId> {
        match self {
            Self::Group(id) => Some(id),
            Self::Thread(_) => None,
        }
    }

    /// The thread, if it is one.
    #[must_use]
    pub fn thread(self) -> Option<ThreadId> {
        match self {
            Self::Thread(id) => Some(id),
            Self::Group(_) => None,
        }
    }

    /// The 32 bytes of either.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        match self {
            Self::Group(id) => &id.0,
            Self::Thread(id) => &id.0,
        }
    }
}

impl From<GroupId> for ScopeId {
    fn from(id: GroupId) -> Self {
        Self::Group(id)
    }
}

impl From<ThreadId> for ScopeId {
    fn from(id: ThreadId) -> Self {
        Self::Thread(id)
    }
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => id.fmt(f),
            Self::Thread(id) => id.fmt(f),
        }
    }
}

impl fmt::Debug for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => fmt::Debug::fmt(id, f),
            Self::Thread(id) => fmt::Debug::fmt(id, f),
        }
    }
}

impl FromStr for ScopeId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.starts_with("gr_") { text.parse().map(Self::Group) } else { text.parse().map(Self::Thread) }
    }
}

impl JsonSchema for ScopeId {
    fn schema_name() -> Cow<'static, str> {
        "ScopeId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A group or a thread.", "type": "string", "pattern": "^(gr|th)_[a-z2-7]{52}$" })
    }
}

/// On the wire 33 bytes: 0 (group) or 1 (thread), then the id (spec 2.1).
impl Serialize for ScopeId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            return s.collect_str(self);
        }
        let mut bytes = [0; 33];
        let (kind, rest) = bytes.split_at_mut(1);
        kind.fill(u8::from(self.thread().is_some()));
        rest.copy_from_slice(self.bytes());
        s.serialize_bytes(&bytes)
    }
}

impl<'de> Deserialize<'de> for ScopeId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return String::deserialize(d)?.parse().map_err(de::Error::custom);
        }
        let [kind, rest @ ..] = d.deserialize_bytes(BytesVisitor::<33>)?;
        match kind {
            0 => Ok(Self::Group(GroupId(rest))),
            1 => Ok(Self::Thread(ThreadId(rest))),
            other => {
                Err(de::Error::custom(format!("scope kind {other} is neither group (0) nor thread (1)")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_are_read_back_and_mistakes_are_named() {
        let user = UserId::new(WorkspaceId([7; 32]), [9; 16]);
        assert_eq!(user.to_string().parse::<UserId>(), Ok(user));
        assert_eq!(user.home(), WorkspaceId([7; 32]));
        let scope = ScopeId::Group(GroupId([1; 32]));
        assert_eq!(scope.to_string().parse::<ScopeId>(), Ok(scope));
        assert!(matches!("th_abc".parse::<GroupId>(), Err(IdError::Prefix { expected: "gr", .. })));
        assert!(matches!("gr_abc".parse::<GroupId>(), Err(IdError::Body { .. })));
        assert!(matches!(
            scope.to_string().to_uppercase().replace("GR_", "gr_").parse::<ScopeId>(),
            Err(IdError::Body { .. })
        ));
    }
}
