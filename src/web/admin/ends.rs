//! What an act would end (P7.5, P8.2), and the page that asks whether it is wanted.
//!
//! Duty: the same page for everything that ends something. Never: the act.

use askama::Template;
use serde::Deserialize;

use super::{At, Home, Person};
use crate::web::page::Frame;

/// What would end, as the API previews it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Ends {
    losses: Vec<Loss>,
    left_out: usize,
    lowered: Vec<Lowered>,
    counts: Counts,
    told: Vec<Home>,
}

#[derive(Debug, Deserialize)]
struct Loss {
    scope: String,
    name: Option<String>,
    owner: Home,
    user: Person,
    remaining: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Lowered {
    name: String,
    user: Person,
    from: String,
    to: String,
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
    fn parts(&self) -> Vec<String> {
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

/// The page that shows it.
#[derive(Template)]
#[template(path = "web/admin/ends.html")]
pub(super) struct Confirm {
    pub(super) frame: Frame,
    pub(super) at: At,
    /// The question.
    pub(super) title: String,
    /// What the act does, beside what it ends.
    pub(super) about: String,
    pub(super) ends: Ends,
    /// Where the form goes.
    pub(super) action: String,
    /// Its hidden fields.
    pub(super) fields: Vec<(String, String)>,
    pub(super) button: &'static str,
    /// Where one goes who does not want it.
    pub(super) back: String,
}
