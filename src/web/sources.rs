//! Where external people may come from, in policies of the workspace and of a group (P2.5).
//!
//! Duty: the choice of partners as a form has it and as the API takes it. Never: a rule on who is admitted.

use serde::{Deserialize, Serialize};

use super::admin::Home;

/// What a form sent: a list of names and values, as `peer` comes more than once.
pub(super) type Sent = Vec<(String, String)>;

/// The first value of a name.
pub(super) fn text(sent: &Sent, name: &str) -> String {
    let found = sent.iter().find(|(held, _)| held == name);
    found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// Whether what it ends was shown.
pub(super) fn is_confirmed(sent: &Sent) -> bool {
    text(sent, "confirm") == "true"
}

/// The same form, to be sent again from the page that shows what it ends.
pub(super) fn again(sent: Sent) -> Sent {
    sent.into_iter().chain([("confirm".to_owned(), "true".to_owned())]).collect()
}

/// Where external people may come from: the word `all`, or a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Sources {
    All(String),
    Only(Vec<String>),
}

/// A partner to choose.
pub(super) struct Choice {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) chosen: bool,
}

impl Sources {
    /// As a form has it.
    pub(super) fn of(sent: &Sent) -> Self {
        let named = sent.iter().filter(|(name, _)| name == "peer").map(|(_, value)| value.clone());
        if text(sent, "from") == "only" { Self::Only(named.collect()) } else { Self::All("all".into()) }
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::Only(_))
    }

    pub(super) fn names(&self, peer: &str) -> bool {
        matches!(self, Self::Only(listed) if listed.iter().any(|id| id == peer))
    }

    /// A line of the form.
    pub(super) fn choice(&self, peer: &Home) -> Choice {
        let name = format!("{} ({})", peer.title(), peer.domain);
        Choice { id: peer.id.clone(), name, chosen: self.names(&peer.id) }
    }
}
