//! Acts on groups and threads (spec 4, 7.6; P5, P6): creating, changing, ending, by users here and abroad.
//!
//! Duty: one path for local users and for acts that a home forwards. Never: people's places (`invite`,
//! `removal`) beyond handing over to them.

use super::{
    Draft, Reject, Reply,
    command::RejectCode,
    contacts, grouplink,
    invite::{self, Offer},
    lease,
    lookup::beginning,
    membership, once, people, policy, recovery, removal, request, resolve,
    row::PeerStatus,
    tighten,
    words::fold,
};
use crate::{
    crypto::sha256,
    ids::{GroupId, Hash, ScopeId, SubmissionId, UserId, WorkspaceId},
    limits,
    wire::{
        AuditLine, Blob, Proof, Verified, cbor,
        objects::{Act, Action, Floor, Grade, GroupRecipient, Op, Settings, ThreadKind},
    },
};

/// A user of this home creates a group, with its chat (P5).
///
/// # Errors
/// The settings break a bound.
pub fn create_group(draft: &mut Draft<'_>, actor: UserId, settings: Settings) -> Result<Reply, Reject> {
    policy::as_member(&draft.state, actor, "create groups")?;
    check_settings(&settings)?;
    let member = invite::local_member(draft, actor, actor, Grade::Admin, Floor::All, 0)?;
    let nonce = Hash(draft.random());
    let first = Op::CreateGroup { settings: settings.clone(), nonce };
    let group = membership::create(draft, actor, first, vec![member]);
    let nonce = Hash(draft.random());
    let settings = Settings { open: false, ..settings };
    let chat = Op::CreateThread { kind: ThreadKind::Chat, settings, nonce };
    let chat = membership::create(draft, actor, chat, Vec::new());
    if let Some(group) = group.group() {
        let recipient = GroupRecipient { group, owner: draft.me(), added: 1, by: actor, from: 0 };
        membership::append(draft, chat, actor, vec![Op::AddGroup { recipient, consent: None }])?;
    }
    draft.audit("group.created", Some(actor), None, Some(group), String::new());
    Ok(Reply::Scope(group, Vec::new()))
}

fn check_settings(settings: &Settings) -> Result<(), Reject> {
    let name = &settings.name;
    if name.trim().is_empty() || name.len() > limits::NAME_BYTES || name.chars().any(char::is_control) {
        let rule = format!("name: 1 to {} bytes without control characters", limits::NAME_BYTES);
        return Err(Reject::new(RejectCode::Invalid, rule));
    }
    Ok(())
}

/// Only groups are joined by who wants to (P5.1).
fn joined_by_itself(settings: &Settings) -> Result<(), Reject> {
    if settings.open {
        return Err(Reject::new(RejectCode::Invalid, "open: only a group can be open to join"));
    }
    Ok(())
}

/// A user starts a topic thread: owned by its first group's owner, else here (P6.1).
///
/// # Errors
/// A group is unknown to the user or does not let him start threads, an address has no home.
pub fn create_thread(
    draft: &mut Draft<'_>,
    actor: UserId,
    settings: Settings,
    groups: Vec<GroupId>,
    addresses: Vec<String>,
) -> Result<Reply, Reject> {
    check_settings(&settings)?;
    if groups.is_empty() || !addresses.is_empty() {
        policy::as_member(
            &draft.state,
            actor,
            "start a thread with people: address a group that you are in",
        )?;
    }
    joined_by_itself(&settings)?;
    if groups.len() > limits::GROUPS_PER_THREAD || addresses.len() > limits::GROUPS_PER_THREAD * 8 {
        return Err(Reject::new(RejectCode::TooLarge, "too many recipients"));
    }
    // Whoever may not know of a group hears so here: the way to its owner would tell that it exists (P3.1).
    let first =
        groups.first().map(|group| policy::known_scope(&draft.state, actor, (*group).into())).transpose()?;
    let owner = first.map(|scope| scope.head.owner);
    if let Some(owner) = owner.filter(|owner| *owner != draft.me()) {
        return forward(draft, actor, owner, Action::StartThread { settings, groups, addresses });
    }
    start_thread(draft, actor, settings, &groups, addresses)
}

fn start_thread(
    draft: &mut Draft<'_>,
    actor: UserId,
    settings: Settings,
    groups: &[GroupId],
    addresses: Vec<String>,
) -> Result<Reply, Reject> {
    for group in groups {
        may_start(draft, actor, *group)?;
    }
    let home = actor.home() == draft.me();
    if groups.is_empty() && !home {
        return Err(Reject::new(
            RejectCode::NotOwner,
            "a thread without a group is owned by its starter's home",
        ));
    }
    let direct = if groups.is_empty() {
        vec![invite::local_member(draft, actor, actor, Grade::Admin, Floor::All, 0)?]
    } else {
        Vec::new()
    };
    let nonce = Hash(draft.random());
    let id = membership::create(
        draft,
        actor,
        Op::CreateThread { kind: ThreadKind::Topic, settings, nonce },
        direct,
    );
    for group in groups {
        grouplink::add(draft, actor, id, *group, Floor::All)?;
    }
    let mut invites = Vec::new();
    for address in addresses {
        let offer = Offer { scope: id, address, grade: Grade::Post, floor: Floor::All, until: None };
        if let Reply::Invited(invite) = invite::invite(draft, actor, offer)? {
            invites.push(invite);
        }
    }
    draft.audit("thread.started", Some(actor), None, Some(id), String::new());
    Ok(Reply::Scope(id, invites))
}

/// A member who may write may start threads in the group (P2.7).
fn may_start(draft: &Draft<'_>, actor: UserId, group: GroupId) -> Result<(), Reject> {
    let scope = policy::known_scope(&draft.state, actor, group.into())?;
    let may = policy::grade(&draft.state, actor, &scope) >= Some(Grade::Post)
        || policy::administers(&draft.state, actor, &scope);
    if may && !scope.head.settings.closed {
        Ok(())
    } else {
        Err(policy::forbidden("start threads in this group"))
    }
}

/// A user opens the DM with somebody, or finds it. A colleague is in it at once; others are invited, and at the home of a
/// contact that is accepted for him (P2.4). Who has blocked the user never hears of it.
///
/// # Errors
/// There is no such colleague, no active peer has the domain, or a policy forbids it.
pub fn open_dm(draft: &mut Draft<'_>, actor: UserId, address: &str) -> Result<Reply, Reject> {
    let known = contact(draft, actor, address);
    // A free account talks to its contacts (P1.3).
    if known.is_none() && people::is_realm(&draft.state) {
        return Err(Reject::not_found());
    }
    let (colleague, home) = match known {
        Some(other) => (None, other.home()),
        None => resolve::home_of(&draft.state, address)?,
    };
    let other = known.or(colleague);
    if other == Some(actor) || (other.is_none() && home == draft.me()) {
        return Err(Reject::not_found());
    }
    if let Some(id) = existing_dm(draft, actor, other, address) {
        return Ok(Reply::Scope(id, Vec::new()));
    }
    policy::may_talk(draft, actor, home, known.is_some())?;
    let mut members = vec![invite::local_member(draft, actor, actor, Grade::Post, Floor::All, 0)?];
    let joins =
        other.filter(|other| draft.state.is_local(*other) && !policy::blocks(&draft.state, *other, actor));
    if let Some(other) = joins {
        members.push(invite::local_member(draft, other, actor, Grade::Post, Floor::All, 0)?);
    }
    let settings = Settings { name: "dm".into(), ..membership::empty_settings() };
    let nonce = Hash(draft.random());
    let id =
        membership::create(draft, actor, Op::CreateThread { kind: ThreadKind::Dm, settings, nonce }, members);
    let mut invites = Vec::new();
    if joins.is_none() {
        let invite = invite::invite_to_dm(draft, actor, id, address.to_owned(), home)?;
        invites.extend((home != draft.me()).then_some(invite));
    }
    let with = other.map_or_else(|| address.to_owned(), |other| other.to_string());
    draft.audit("dm.opened", Some(actor), Some(home), Some(id), with);
    Ok(Reply::Scope(id, invites))
}

/// Somebody with whom the user shares a scope, by his address: a contact (P2.2).
fn contact(draft: &Draft<'_>, actor: UserId, address: &str) -> Option<UserId> {
    let state = &draft.state;
    let folded = fold(address);
    let keys = state.lookup.people(beginning(&folded), None).take(limits::NAMES_SCAN);
    let has = |user: &UserId| {
        let mut places = state.places.get(user).into_iter().flatten().filter_map(|scope| state.scope(*scope));
        places.any(|scope| {
            scope.members.get(user).is_some_and(|member| member.profile.address.eq_ignore_ascii_case(address))
        })
    };
    keys.map(|(_, user)| *user).find(|user| has(user) && contacts::may_find(state, actor, *user))
}

fn existing_dm(draft: &Draft<'_>, a: UserId, b: Option<UserId>, address: &str) -> Option<ScopeId> {
    let places = draft.state.places.get(&a)?;
    let asked = |id| draft.state.open_offers(id).any(|sent| sent.address.eq_ignore_ascii_case(address));
    places.iter().copied().find(|id| {
        draft.state.scope(*id).is_some_and(|scope| {
            scope.head.kind == Some(ThreadKind::Dm)
                && !scope.head.ended
                && !scope.head.settings.closed
                && (b.is_some_and(|b| scope.members.contains_key(&b)) || asked(*id))
        })
    })
}

/// A user of this home acts. On scopes of other owners the act is signed and goes there.
///
/// # Errors
/// The rule that refuses.
pub fn act(draft: &mut Draft<'_>, actor: UserId, action: Action) -> Result<Reply, Reject> {
    let target = match &action {
        Action::Invite { scope, .. }
        | Action::Remove { scope, .. }
        | Action::Grade { scope, .. }
        | Action::Settings { scope, .. }
        | Action::End { scope }
        | Action::Lease { scope, .. }
        | Action::RequestMember { scope, .. }
        | Action::AnswerRequest { scope, .. } => *scope,
        Action::AddGroup { thread, .. } | Action::RemoveGroup { thread, .. } => (*thread).into(),
        Action::StartThread { settings, groups, addresses } => {
            return create_thread(draft, actor, settings.clone(), groups.clone(), addresses.clone());
        }
    };
    let scope = policy::known_scope(&draft.state, actor, target)?;
    if scope.head.owner == draft.me() {
        carry_out(draft, actor, action)
    } else {
        forward(draft, actor, scope.head.owner, action)
    }
}

fn forward(draft: &mut Draft<'_>, user: UserId, owner: WorkspaceId, action: Action) -> Result<Reply, Reject> {
    if draft.state.peers.get(&owner).is_none_or(|peer| peer.status != PeerStatus::Active) {
        return Err(Reject::new(RejectCode::PeerInactive, "the owner's workspace is no active peer now"));
    }
    let act = Act { id: SubmissionId(draft.random()), user, action, time: draft.ctx.now };
    let act = draft.sign(act, Some(owner));
    let proof = Proof::of(&act, draft.me(), Some(owner));
    draft.note(AuditLine::of("act.sent").by(user).with(owner).proven(proof));
    Ok(Reply::Forward(owner, act.bytes().clone()))
}

/// An act of a peer's user. The same act again gets the same answer (spec 7.6).
///
/// # Errors
/// The signature does not hold, or the rule that refuses.
pub fn acted(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<Reply, Reject> {
    if draft.state.peers.get(&peer).is_none_or(|row| row.status != PeerStatus::Active) {
        return Err(Reject::new(RejectCode::PeerInactive, "the peering is not active"));
    }
    if !recovery::is_compared(&draft.state, peer) {
        return Err(recovery::checking());
    }
    let act: Verified<Act> = draft.open(bytes, Some(draft.me()), peer)?;
    let proof = Proof::of(&act, peer, Some(draft.me()));
    let act = act.into_object();
    if act.user.home() != peer {
        return Err(Reject::new(
            RejectCode::WrongHome,
            "the user's home is not the workspace on this channel",
        ));
    }
    let asked = sha256(&[&cbor::encode(&act.action)]);
    if let Some(answer) = once::recall(draft, act.id, act.user, asked)? {
        return Ok(answer);
    }
    let answer = carry_out(draft, act.user, act.action)?;
    draft.note(AuditLine::of("act.received").by(act.user).with(peer).proven(proof));
    once::remember(draft, act.id, act.user, asked, answer.clone());
    Ok(answer)
}

fn carry_out(draft: &mut Draft<'_>, actor: UserId, action: Action) -> Result<Reply, Reject> {
    match action {
        Action::Invite { scope, address, grade, floor, until } => {
            invite::invite(draft, actor, Offer { scope, address, grade, floor, until })
        }
        Action::Remove { scope, user, everywhere } => removal::remove(draft, actor, scope, user, everywhere),
        Action::Grade { scope, user, grade } => set_grade(draft, actor, scope, user, grade),
        Action::Settings { scope, settings } => set_settings(draft, actor, scope, settings, false),
        Action::StartThread { settings, groups, addresses } => {
            check_settings(&settings)?;
            joined_by_itself(&settings)?;
            start_thread(draft, actor, settings, &groups, addresses)
        }
        Action::AddGroup { thread, group, floor } => {
            let scope = policy::own_scope(&draft.state, actor, thread.into())?;
            policy::may_invite(&draft.state, actor, &scope)?;
            may_start(draft, actor, group)?;
            grouplink::add(draft, actor, thread.into(), group, floor)
        }
        Action::RemoveGroup { thread, group } => {
            let scope = policy::own_scope(&draft.state, actor, thread.into())?;
            policy::may_administer(&draft.state, actor, &scope)?;
            grouplink::remove(draft, actor, thread, group)
        }
        Action::End { scope } => end(draft, actor, scope),
        Action::Lease { scope, ttl } => lease::set_ttl(draft, actor, scope, ttl),
        Action::RequestMember { request: id, scope, address, grade, floor } => {
            request::ask(draft, actor, id, Offer { scope, address, grade, floor, until: None })
        }
        Action::AnswerRequest { scope, request: id, approve } => {
            request::answer(draft, actor, scope, id, approve)
        }
    }
}

fn set_grade(
    draft: &mut Draft<'_>,
    actor: UserId,
    id: ScopeId,
    user: UserId,
    grade: Grade,
) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, id)?;
    policy::may_administer(&draft.state, actor, &scope)?;
    if !scope.members.contains_key(&user) {
        return Err(Reject::not_found());
    }
    policy::may_hold(&draft.state, &scope, user, grade)?;
    membership::append(draft, id, actor, vec![Op::Grade { user, grade }])?;
    draft.audit("member.grade", Some(actor), None, Some(id), format!("{user}: {}", grade.name()));
    Ok(Reply::Done)
}

/// Settings of an own scope change; `confirmed`: whoever they exclude goes at once (P8.2).
///
/// # Errors
/// The actor may not, or they exclude somebody and nobody has confirmed it.
pub fn set_settings(
    draft: &mut Draft<'_>,
    actor: UserId,
    id: ScopeId,
    settings: Settings,
    confirmed: bool,
) -> Result<Reply, Reject> {
    check_settings(&settings)?;
    let scope = policy::own_scope(&draft.state, actor, id)?;
    policy::may_set(&draft.state, actor, &scope, &settings)?;
    if id.thread().is_some() {
        joined_by_itself(&settings)?;
    }
    if tighten::is_tightened(&scope, &settings) {
        tighten::apply(draft, actor, &scope, settings, confirmed)?;
    } else {
        membership::append(draft, id, actor, vec![Op::Settings { settings }])?;
    }
    request::sweep(draft, id);
    draft.audit("settings.changed", Some(actor), None, Some(id), String::new());
    Ok(Reply::Done)
}

/// A group ends with its chat; topics addressed to it lose it as a recipient.
fn end(draft: &mut Draft<'_>, actor: UserId, id: ScopeId) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, id)?;
    policy::may_administer(&draft.state, actor, &scope)?;
    let threads: Vec<_> = id
        .group()
        .and_then(|group| draft.state.addressed.get(&group))
        .into_iter()
        .flatten()
        .copied()
        .collect();
    let epoch = membership::append(draft, id, actor, vec![Op::End {}])?;
    for thread in threads {
        let chat = draft.state.scope(thread).is_some_and(|scope| scope.head.kind == Some(ThreadKind::Chat));
        match id.group() {
            Some(_) if chat => {
                membership::append(draft, thread.into(), actor, vec![Op::End {}])?;
                over(draft, actor, thread.into());
            }
            Some(group) if draft.state.owns(thread) => drop(grouplink::remove(draft, actor, thread, group)?),
            _ => {}
        }
    }
    over(draft, actor, id);
    Ok(Reply::Removed { epoch, remaining: Vec::new() })
}

fn over(draft: &mut Draft<'_>, actor: UserId, id: ScopeId) {
    request::sweep(draft, id);
    let proof = draft.event_proof(id, draft.me());
    draft.note(AuditLine::of("scope.ended").by(actor).at(id).proven(proof));
}
