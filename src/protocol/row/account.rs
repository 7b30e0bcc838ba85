//! Accounts: how somebody signs in (P1).
//!
//! Duty: sessions, passwords and links as they are kept. Never: a secret; of tokens and links only the hash is here.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{Hash, InviteId, UserId},
    time::Millis,
};

/// What a token may be used for; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenScope {
    /// Reads.
    Read,
    /// Also writes, as a member may.
    Write,
    /// Also administers the workspace, if its user does.
    Admin,
}

/// How a session came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Somebody signed in.
    SignedIn {
        /// What the client calls itself, shortened.
        agent: String,
    },
    /// A token for programs.
    Token {
        /// What it is for.
        name: String,
        /// What it may be used for.
        scope: TokenScope,
    },
}

/// A session of a person or a program: whoever shows the token acts as the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// SHA-256 of the bearer token.
    pub token: Hash,
    /// Who.
    pub user: UserId,
    /// How it came about.
    pub way: Way,
    /// When it began.
    pub made: Millis,
    /// When it ends by itself.
    pub expires: Option<Millis>,
}

impl Session {
    /// Whether it is good at this moment.
    #[must_use]
    pub fn is_good(&self, now: Millis) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    /// What it may be used for; who signed in may do all that the user may.
    #[must_use]
    pub fn scope(&self) -> TokenScope {
        match self.way {
            Way::SignedIn { .. } => TokenScope::Admin,
            Way::Token { scope, .. } => scope,
        }
    }
}

/// The password of a user.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Whose.
    pub user: UserId,
    /// Its argon2id hash with salt and parameters, as a PHC string.
    pub password: String,
    /// When it was set.
    pub changed: Millis,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To set the user's first or next password, and to sign in with that.
    Password(UserId),
    /// To answer an invitation into a group or thread (P2.3).
    Join(InviteId),
    /// To show that the user's address is his.
    Verify(UserId),
}

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkStatus {
    /// Good until it expires.
    Open,
    /// Used: it works once.
    Used,
    /// Taken back, or replaced by a newer one.
    Withdrawn,
}

/// A link that works once. Kept for a while after that, so that who comes late hears why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// SHA-256 of its secret.
    pub secret: Hash,
    /// What it is for.
    pub purpose: Purpose,
    /// Where it stands.
    pub status: LinkStatus,
    /// When it stops being good.
    pub expires: Millis,
    /// The address to which it was sent, and to nobody else: who shows it has that mailbox.
    pub mailed: Option<String>,
}
