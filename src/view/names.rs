//! Pages of people and groups in the order of their names (P2.2, P4.1, P5.2): contacts, members of a scope, the directory.
//!
//! Duty: who of the sorted names is shown, once each, and where to go on. Never: anybody whom the gate does not show.

use std::fmt::Display;

use data_encoding::BASE32_NOPAD;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    people::{self, Home, Person},
    scopes::{self, MemberView, Waiting},
};
use crate::{
    ids::{GroupId, ScopeId, ThreadId, UserId},
    limits,
    protocol::{
        State, contacts, gate,
        lookup::{beginning, group_keys, person_keys},
        policy,
        state::Scope,
        words::{Typed, fold},
    },
};

/// Where a page ended: the key and the id of what was looked at last.
pub type After<I> = (String, I);

/// The text form of [`After`]: letters, digits, a hyphen and an underscore.
#[must_use]
pub fn after_text<I: Display>((key, id): &After<I>) -> String {
    format!("{}-{id}", BASE32_NOPAD.encode(key.as_bytes()).to_lowercase())
}

/// Reads the text form; `None`: it is not one.
#[must_use]
pub fn parse_after<I: std::str::FromStr>(text: &str) -> Option<After<I>> {
    let (key, id) = text.split_once('-')?;
    let key = BASE32_NOPAD.decode(key.to_uppercase().as_bytes()).ok()?;
    Some((String::from_utf8(key).ok()?, id.parse().ok()?))
}

/// A page, and where the next one begins. It may be short though there are more: a request looks at a bounded number of
/// names.
#[derive(Clone, Debug)]
pub struct Page<T, I> {
    /// What is shown.
    pub rows: Vec<T>,
    /// What the next page comes after; `None`: there is none.
    pub next: Option<After<I>>,
}

/// Somebody whom the viewer may find by name.
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Found {
    /// The person.
    #[serde(flatten)]
    pub person: Person,
    /// The home of an external; null for colleagues.
    pub workspace: Option<Home>,
}

/// A group of the directory, with the facts of both badges (P4.1, P4.3).
#[derive(Clone, Debug, JsonSchema, Serialize)]
pub struct Listed {
    /// Which.
    pub id: GroupId,
    /// Its name; empty while it waits for its owner.
    pub name: String,
    /// Who owns it.
    pub owner: Home,
    /// Whether another workspace owns it.
    pub external: bool,
    /// Whether it has members of other workspaces than its owner's.
    pub has_externals: bool,
    /// How many members it has.
    pub members: usize,
    /// Whether any member of the owner's workspace may join.
    pub open: bool,
    /// Whether it is archived.
    pub closed: bool,
    /// Whether the viewer is in it.
    pub joined: bool,
    /// Its chat, for who is in it.
    pub chat: Option<ThreadId>,
    /// Whom it waits for, if nothing of it may be shown now.
    pub waiting_for: Option<Waiting>,
}

/// Goes through keys in their order until the page is full. Each candidate is shown at one key only: the first of its keys
/// that begins as typed.
fn collect<'a, T, I: Copy + 'a>(
    keys: impl Iterator<Item = &'a After<I>>,
    limit: usize,
    show: impl Fn(&str, I) -> Option<T>,
) -> Page<T, I> {
    let (mut rows, mut last): (_, Option<&After<I>>) = (Vec::new(), None);
    for (looked, at) in keys.enumerate() {
        if rows.len() == limit || looked == limits::NAMES_SCAN {
            return Page { rows, next: last.cloned() };
        }
        rows.extend(show(&at.0, at.1));
        last = Some(at);
    }
    Page { rows, next: None }
}

fn is_first(keys: &[String], beginning: &str, key: &str) -> bool {
    keys.iter().find(|key| key.starts_with(beginning)).is_some_and(|first| first == key)
}

/// Whether somebody is to be shown at this key: it is the first one, and he matches all that was typed.
fn matches(typed: &Typed, beginning: &str, key: &str, (name, address): (&str, &str)) -> bool {
    is_first(&person_keys(name, address), beginning, key)
        && typed.matches(&[&fold(name), fold(address).as_str()])
}

/// Contacts of the viewer, and his colleagues where he is a member of a workspace (P2.2): nobody else, whatever is typed.
#[must_use]
pub fn contacts(
    state: &State,
    viewer: UserId,
    typed: &Typed,
    after: Option<&After<UserId>>,
    limit: usize,
) -> Page<Found, UserId> {
    let beginning = beginning(typed.longest());
    collect(state.lookup.people(beginning, after), limit, |key, user| {
        let person = people::person(state, user);
        let found = matches(typed, beginning, key, (&person.name, &person.address))
            && contacts::may_find(state, viewer, user);
        let workspace = Some(user.home()).filter(|_| person.external).map(|home| people::home(state, home));
        found.then_some(Found { person, workspace })
    })
}

/// Members of a scope by name (P5.2); `None`: the scope does not exist for the viewer.
#[must_use]
pub fn members(
    state: &State,
    viewer: UserId,
    id: ScopeId,
    typed: &Typed,
    after: Option<&After<UserId>>,
    limit: usize,
) -> Option<Page<MemberView, UserId>> {
    let sees = |scope: &Scope| gate::sees_scope(state, viewer, id) || policy::oversees(state, viewer, scope);
    let scope = state.scope(id).filter(|scope| sees(scope))?;
    let beginning = beginning(typed.longest());
    Some(collect(state.lookup.people(beginning, after), limit, |key, user| {
        let member = scope.members.get(&user)?;
        // A colleague is found by his name of today, which the owner's chain may lack for a while.
        let local = state.users.get(&user).map(|user| &user.name);
        let (name, address) = (local.unwrap_or(&member.profile.name), &member.profile.address);
        let found = matches(typed, beginning, key, (name, address));
        found.then(|| scopes::member(state, member))
    }))
}

/// The directory (P4.1, P4.3): own groups that are open, or that the viewer is in or may administer, and groups of other
/// workspaces that he is in.
#[must_use]
pub fn directory(
    state: &State,
    viewer: UserId,
    typed: &Typed,
    after: Option<&After<GroupId>>,
    limit: usize,
) -> Page<Listed, GroupId> {
    let beginning = beginning(typed.longest());
    collect(state.lookup.groups(beginning, after), limit, |key, group| {
        let scope = state.scope(group).filter(|_| gate::lists(state, viewer, group))?;
        let name = &scope.head.settings.name;
        let found = is_first(&group_keys(name), beginning, key) && typed.matches(&[&fold(name)]);
        if found { listed(state, viewer, scope, group, typed) } else { None }
    })
}

/// Groups by name that the viewer is in or may join; free accounts have those that they are in (P1.3).
#[must_use]
pub fn groups(state: &State, viewer: UserId, typed: &Typed, limit: usize) -> Vec<Listed> {
    let beginning = beginning(typed.longest());
    let found = collect(state.lookup.groups(beginning, None), limit, |key, group| {
        let shown = gate::sees_scope(state, viewer, group.into()) || gate::lists(state, viewer, group);
        let scope = state.scope(group).filter(|_| shown)?;
        let name = &scope.head.settings.name;
        let found = is_first(&group_keys(name), beginning, key) && typed.matches(&[&fold(name)]);
        if found { listed(state, viewer, scope, group, typed) } else { None }
    });
    found.rows
}

fn listed(state: &State, viewer: UserId, scope: &Scope, id: GroupId, typed: &Typed) -> Option<Listed> {
    let joined = gate::knows_scope(state, viewer, id.into());
    let waiting_for = scopes::waiting(state, viewer, id.into());
    let (head, shown) = (&scope.head, waiting_for.is_none());
    if !shown && !typed.is_empty() {
        return None;
    }
    Some(Listed {
        id,
        name: if shown { head.settings.name.clone() } else { String::new() },
        owner: people::home(state, head.owner),
        external: Some(head.owner) != state.me(),
        has_externals: shown && scope.homes.keys().any(|home| *home != head.owner),
        members: if shown { scope.members.len() } else { 0 },
        open: shown && head.settings.open,
        closed: shown && head.settings.closed,
        joined,
        chat: Some(id).filter(|_| joined).and_then(|group| scopes::chat(state, group)),
        waiting_for,
    })
}
