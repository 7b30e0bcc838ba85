//! Whom a text names: `@` and a display name (P3.3).
//!
//! Duty: names as they are typed, and the people behind those in a text. Never: adding anybody: a mention gives nothing.

use askama::Template;
use axum::extract::Query;
use serde::Deserialize;

use super::path::Path;
use super::{
    desk::escape,
    page::Page,
    thread::{Person, Thread},
    visitor::Visitor,
};

/// Names that are offered while one is typed.
const OFFERED: usize = 6;
/// Names in a text that are looked up.
const MENTIONS: usize = 20;

/// Whom a text names by `@name`: members, and contacts who are none (P3.3). Looks at a bounded number of names.
pub(super) async fn mentioned(visitor: &Visitor, id: &str, text: &str) -> Vec<String> {
    if !text.contains('@') {
        return Vec::new();
    }
    named(visitor, &lists(visitor, id).await, text).await
}

/// The same for a thread that is about to be started for these groups.
pub(super) async fn mentioned_in_new(visitor: &Visitor, groups: &[String], text: &str) -> Vec<String> {
    let members = groups.iter().map(|group| format!("/groups/{}/members", escape(group)));
    let lists: Vec<String> = members.chain(["/contacts".to_owned()]).collect();
    named(visitor, &lists, text).await
}

async fn named(visitor: &Visitor, lists: &[String], text: &str) -> Vec<String> {
    let words = text.split('@').skip(1).filter_map(|after| after.split_whitespace().next());
    let words: Vec<String> =
        words.map(|word| escape(word.trim_end_matches(['.', ',', '!', '?', ':']))).collect();
    let mut named = Vec::new();
    for word in words.into_iter().filter(|word| !word.is_empty()).take(MENTIONS) {
        for list in lists {
            let found = visitor.desk.get::<People>(&format!("{list}?q={word}&limit=10")).await;
            let found = found.map(People::all).unwrap_or_default();
            let fits = |person: &Person| text.contains(&format!("@{}", person.name));
            named.extend(found.into_iter().filter(fits).map(|person| person.id));
        }
    }
    named.sort_unstable();
    named.dedup();
    named
}

/// Where those are listed whom a text in the thread may name.
async fn lists(visitor: &Visitor, id: &str) -> Vec<String> {
    let thread = visitor.desk.get::<Thread>(&format!("/threads/{id}")).await;
    let groups = thread.map(|thread| thread.groups).unwrap_or_default();
    let mut lists = vec![format!("/threads/{id}/members")];
    lists.extend(groups.into_iter().map(|group| format!("/groups/{}/members", group.id)));
    lists.push("/contacts".into());
    lists
}

#[derive(Deserialize)]
pub(super) struct Typed {
    q: String,
}

#[derive(Template)]
#[template(path = "web/names.html")]
struct NamesPart {
    people: Vec<Person>,
}

/// People whose names begin as typed.
pub(super) async fn typed_names(
    visitor: Visitor,
    Path(id): Path<String>,
    Query(Typed { q }): Query<Typed>,
) -> Page<impl Template> {
    let mut people: Vec<Person> = Vec::new();
    for list in lists(&visitor, &escape(&id)).await {
        let found = visitor.desk.get::<People>(&format!("{list}?q={}&limit={OFFERED}", escape(&q))).await;
        for person in found.map(People::all).unwrap_or_default() {
            if people.len() < OFFERED && people.iter().all(|held| held.id != person.id) {
                people.push(person);
            }
        }
    }
    Page(NamesPart { people })
}

/// People in whichever list.
#[derive(Deserialize)]
struct People {
    #[serde(default)]
    members: Vec<Person>,
    #[serde(default)]
    contacts: Vec<Person>,
}

impl People {
    fn all(self) -> Vec<Person> {
        self.members.into_iter().chain(self.contacts).collect()
    }
}
