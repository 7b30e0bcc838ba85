//! What an act would end, as the API previews it (P7.5, P8.2), and how the question is put.
//!
//! Duty: the same words for everything that ends something, wherever it is asked. Never: the act.

use serde::Deserialize;

use super::admin::{Home, Person};

/// What would end, as the API previews it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ends {
    pub(super) losses: Vec<Loss>,
    pub(super) left_out: usize,
    pub(super) lowered: Vec<Lowered>,
    counts: Counts,
    pub(super) told: Vec<Home>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Loss {
    pub(super) scope: String,
    pub(super) name: Option<String>,
    pub(super) owner: Home,
    pub(super) user: Person,
    pub(super) remaining: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Lowered {
    pub(super) name: String,
    pub(super) user: Person,
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Debug, Default, Deserialize)]
struct Counts {
    people: usize,
    scopes: usize,
    losses: usize,
    groups: usize,
    invitations: usize,
    messages: usize,
    conversations: usize,
    lowered: usize,
}

impl Ends {
    /// One person leaves one group or thread.
    pub(super) fn one_place() -> Self {
        let counts = Counts { people: 1, scopes: 1, losses: 1, ..Counts::default() };
        Self { counts, ..Self::default() }
    }

    /// Whether nobody loses anything.
    pub(super) fn is_nothing(&self) -> bool {
        self.parts().is_empty()
    }

    /// How much it is, one line each.
    pub(super) fn parts(&self) -> Vec<String> {
        let Counts { people, scopes, losses, groups, invitations, messages, conversations, lowered } =
            self.counts;
        let all = [
            (
                losses,
                format!(
                    "{} of {}, in {}",
                    of(losses, "place", "places"),
                    of(people, "person", "people"),
                    of(scopes, "group or thread", "groups and threads")
                ),
            ),
            (groups, format!("{} taken off threads", of(groups, "group is", "groups are"))),
            (lowered, format!("{} with fewer rights", of(lowered, "place stays", "places stay"))),
            (invitations, of(invitations, "open invitation ends", "open invitations end")),
            (
                messages,
                format!("{} not delivered", of(messages, "waiting message is", "waiting messages are")),
            ),
            (
                conversations,
                format!(
                    "{} nothing new",
                    of(conversations, "direct conversation takes", "direct conversations take")
                ),
            ),
        ];
        all.into_iter().filter(|(count, _)| *count > 0).map(|(_, line)| line).collect()
    }
}

/// A number with its noun.
fn of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
