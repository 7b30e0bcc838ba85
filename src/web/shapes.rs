//! Answers of the API as far as pages show them.

use serde::Deserialize;

use crate::time::Millis;

/// A workspace.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Home {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) domain: String,
}

/// Something with a name.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    pub(super) id: String,
    pub(super) name: Option<String>,
}

/// A person with the facts of his badge, for the places that P4.1 names.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) address: String,
    #[serde(default)]
    pub(super) title: String,
    pub(super) external: bool,
    pub(super) free: bool,
    pub(super) verified: bool,
    pub(super) home: String,
}

/// A member of a group, or a direct recipient of a thread.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Member {
    #[serde(flatten)]
    pub(super) person: Person,
    pub(super) grade: String,
    pub(super) until: Option<Millis>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Members {
    pub(super) members: Vec<Member>,
    pub(super) next: Option<String>,
}

/// An invitation that went out.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) address: String,
    pub(super) status: String,
    pub(super) time: Millis,
    pub(super) expires: Option<Millis>,
    pub(super) by_link: bool,
    pub(super) claimant: Option<Person>,
}

/// The settings of a group or thread.
#[derive(Clone, Debug, Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "as the API has them")]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) externals: bool,
    pub(super) open_invites: bool,
    pub(super) replies_off: bool,
    pub(super) locked: bool,
    pub(super) closed: bool,
    pub(super) open: bool,
}

/// A group or thread.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Scope {
    pub(super) id: String,
    pub(super) kind: Option<String>,
    pub(super) settings: Settings,
    pub(super) owner: Home,
    pub(super) external: bool,
    pub(super) has_externals: bool,
    pub(super) rights: Rights,
    pub(super) lease: u64,
    pub(super) followed: Option<bool>,
    pub(super) groups: Vec<Recipient>,
    pub(super) chat: Option<String>,
    pub(super) waiting_for: Option<Waiting>,
    pub(super) frozen: Option<String>,
}

/// What the viewer may do in a group or thread.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Rights {
    pub(super) administers: bool,
    pub(super) invites: bool,
    pub(super) silent: Option<String>,
}

/// Whose word is awaited.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Waiting {
    pub(super) workspace: Home,
    pub(super) since: Millis,
}

/// A group to which a thread is addressed.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Recipient {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) owner: Home,
}

/// A group of the directory.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) owner: Home,
    pub(super) external: bool,
    pub(super) has_externals: bool,
    pub(super) members: usize,
    pub(super) open: bool,
    pub(super) closed: bool,
    pub(super) joined: bool,
    pub(super) waiting_for: Option<Waiting>,
}
