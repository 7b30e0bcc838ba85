//! Requests to add somebody to a locked thread (spec 6.11; P2.4, P6.3): others ask, the starter and admins answer.
//!
//! Duty: the owner's rows, and its word on them at the homes of who asked and of who may answer. Never: a request that
//! outlives the lock or the place of the one who asked.

use std::collections::BTreeSet;

use super::{
    Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    fanout, gate,
    invite::{self, Offer},
    policy, removal,
    row::{Request, Row, RowKey},
    state::Scope,
};
use crate::{
    ids::{RequestId, ScopeId, UserId, WorkspaceId},
    limits,
    wire::objects::{Grade, RequestStatus, ThreadKind, Word},
};

/// Where a request stands now: it is void without the lock, and without the place of the one who asked.
#[must_use]
pub fn standing(state: &State, request: &Request) -> RequestStatus {
    let locked =
        state.scope(request.scope).is_some_and(|scope| scope.head.settings.locked && !scope.head.ended);
    let open = request.status == RequestStatus::Open;
    if open && !(locked && gate::knows_scope(state, request.by, request.scope)) {
        return RequestStatus::Void;
    }
    request.status
}

/// A recipient asks. The owner's side.
///
/// # Errors
/// The thread is not locked, he may only read, or there are too many.
pub fn ask(draft: &mut Draft<'_>, actor: UserId, id: RequestId, offer: Offer) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, offer.scope)?;
    if let Some(held) = draft.state.rules.requests.get(&id) {
        let same = held.by == actor && held.scope == offer.scope && held.address == offer.address;
        return if same {
            Ok(Reply::Already)
        } else {
            Err(Reject::new(RejectCode::Conflict, "request: taken"))
        };
    }
    may_ask(draft, actor, &scope, &offer)?;
    let same = |held: &Request| held.by == actor && held.address.eq_ignore_ascii_case(&offer.address);
    if draft.state.rules.requests_in(offer.scope).any(|held| same(held) && is_open(&draft.state, held)) {
        return Ok(Reply::Already);
    }
    make_room(draft, actor, offer.scope)?;
    let Offer { scope, address, grade, floor, .. } = offer;
    let request = Request {
        id,
        scope,
        by: actor,
        address,
        grade,
        floor,
        time: draft.ctx.now,
        status: RequestStatus::Open,
    };
    draft.audit("request.made", Some(actor), None, Some(scope), format!("{id}: {}", request.address));
    set(draft, request);
    Ok(Reply::Done)
}

fn is_open(state: &State, request: &Request) -> bool {
    standing(state, request) == RequestStatus::Open
}

fn may_ask(draft: &Draft<'_>, actor: UserId, scope: &Scope, offer: &Offer) -> Result<(), Reject> {
    if policy::may_invite(&draft.state, actor, scope).is_ok() {
        return Err(Reject::new(RejectCode::Invalid, "you may add people here yourself: do that"));
    }
    if scope.head.kind != Some(ThreadKind::Topic) || !scope.head.settings.locked {
        return Err(Reject::new(RejectCode::Invalid, "requests are for locked threads"));
    }
    if policy::grade(&draft.state, actor, scope) < Some(Grade::Post) || offer.grade > Grade::Post {
        return Err(policy::forbidden(
            "ask for this: you may only read, or it is more than the right to write",
        ));
    }
    let address = &offer.address;
    let whole =
        address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if !whole || address.len() > limits::ADDRESS_BYTES || address.chars().any(char::is_control) {
        return Err(Reject::new(RejectCode::Invalid, "address: looks like name@domain"));
    }
    Ok(())
}

/// Answered requests of this user and of this thread go, the oldest first, so that there is room for one more.
fn make_room(draft: &mut Draft<'_>, by: UserId, scope: ScopeId) -> Result<(), Reject> {
    let full = || Reject::new(RejectCode::Quota, "too many requests wait for an answer here");
    let rules = &draft.state.rules;
    let of_user: Vec<_> = rules.requests_of(by).cloned().collect();
    let in_scope: Vec<_> = rules.requests_in(scope).cloned().collect();
    for (held, most) in [(of_user, limits::REQUESTS_PER_USER), (in_scope, limits::REQUESTS_PER_SCOPE)] {
        if held.len() < most {
            continue;
        }
        let over = held.iter().filter(|held| !is_open(&draft.state, held)).min_by_key(|held| held.time);
        let over = over.map(|held| held.id).ok_or_else(full)?;
        draft.delete(RowKey::Request(over));
    }
    Ok(())
}

/// The starter or an admin answers; approved, it is an invitation in his name.
///
/// # Errors
/// He may not, there is no such request, or the invitation is refused.
pub fn answer(
    draft: &mut Draft<'_>,
    actor: UserId,
    scope: ScopeId,
    id: RequestId,
    approve: bool,
) -> Result<Reply, Reject> {
    let thread = policy::own_scope(&draft.state, actor, scope)?;
    policy::may_administer(&draft.state, actor, &thread)?;
    let held = draft.state.rules.requests.get(&id).filter(|held| held.scope == scope).cloned();
    let held = held.ok_or_else(Reject::not_found)?;
    if !is_open(&draft.state, &held) {
        return Ok(Reply::Already);
    }
    let detail = format!("{id}: {} asked for by {}", held.address, held.by);
    let (status, act, reply) = if approve {
        let Request { address, grade, floor, .. } = (*held).clone();
        let reply = invite::invite(draft, actor, Offer { scope, address, grade, floor, until: None })?;
        (RequestStatus::Approved, "request.approved", reply)
    } else {
        (RequestStatus::Declined, "request.declined", Reply::Done)
    };
    draft.audit(act, Some(actor), None, Some(scope), detail);
    set(draft, Request { status, ..(*held).clone() });
    Ok(reply)
}

/// Requests that are over with a lock or with places go for good.
pub fn sweep(draft: &mut Draft<'_>, id: ScopeId) {
    if draft.state.rules.in_scope.is_empty() {
        return;
    }
    for thread in removal::related(&draft.state, id) {
        let held = draft.state.rules.requests_in(thread.into());
        let over = held.filter(|held| {
            held.status == RequestStatus::Open && standing(&draft.state, held) == RequestStatus::Void
        });
        for request in over.cloned().collect::<Vec<_>>() {
            if draft.state.owns(thread) {
                set(draft, Request { status: RequestStatus::Void, ..(*request).clone() });
            } else {
                draft.put(Row::Request(Request { status: RequestStatus::Void, ..(*request).clone() }));
            }
        }
    }
}

/// Nothing of a thread that is gone here is kept.
pub fn forget(draft: &mut Draft<'_>, scope: ScopeId) {
    let held: Vec<RequestId> = draft.state.rules.requests_in(scope).map(|held| held.id).collect();
    held.into_iter().for_each(|id| draft.delete(RowKey::Request(id)));
}

/// Writes a request, and tells the homes of who asked and of who may answer, as long as they have a reader.
fn set(draft: &mut Draft<'_>, request: Request) {
    let Request { id, scope, by, ref address, grade, floor, status, .. } = request;
    let followers = fanout::followers(&draft.state, scope);
    let mut homes = draft.state.scope(scope).map(|at| admins(&draft.state, at)).unwrap_or_default();
    if gate::knows_scope(&draft.state, by, scope) {
        homes.insert(by.home());
    }
    for home in homes.into_iter().filter(|home| followers.contains(home)) {
        let address = address.clone();
        removal::state(draft, home, Word::Request { request: id, scope, by, address, grade, floor, status });
    }
    draft.put(Row::Request(request));
    draft.mark(Mark::Scope(scope));
}

/// Homes of people who may answer.
fn admins(state: &State, scope: &Scope) -> BTreeSet<WorkspaceId> {
    let groups = scope.head.groups.iter().filter_map(|at| state.scope(at.group));
    let of_groups = groups.flat_map(|group| group.members.values());
    let all = scope.members.values().chain(of_groups).filter(|member| member.grade == Grade::Admin);
    all.map(|member| member.user.home()).chain([scope.head.starter.home()]).collect()
}

/// An owner's word on a request in its thread: kept if it is about one of our users, or one of them may answer.
pub fn heard(draft: &mut Draft<'_>, peer: WorkspaceId, word: Word) {
    let Word::Request { request: id, scope, by, address, grade, floor, status } = word else { return };
    let Some(thread) = draft.state.scope(scope).filter(|at| at.head.owner == peer).cloned() else { return };
    let me = draft.me();
    let ours = draft.state.is_local(by) || admins(&draft.state, &thread).contains(&me);
    let held = draft.state.rules.requests.get(&id).cloned();
    if !ours || held.as_ref().is_some_and(|held| held.scope != scope || held.by != by) {
        return;
    }
    if held.is_none() && make_room(draft, by, scope).is_err() {
        return;
    }
    let time = held.map_or(draft.ctx.now, |held| held.time);
    draft.put(Row::Request(Request { id, scope, by, address, grade, floor, time, status }));
    draft.mark(Mark::Scope(scope));
}
