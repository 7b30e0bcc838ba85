//! Removal and leaving (spec 8; P7): the reductions, which never fail for a stale epoch or a quota.
//!
//! Duty: ending memberships here and abroad, and the receipts. Never: needing anybody's consent.

use std::collections::BTreeSet;

use super::{
    Draft, Mark, Reject, Reply, State, claim,
    command::RejectCode,
    consent, gate, invite, leaving, membership, moving, parting, people, policy, request,
    row::{Removal, Row, RowKey},
};
use crate::{
    ids::{GroupId, ScopeId, ThreadId, UserId, WorkspaceId},
    limits,
    wire::{
        AuditLine, Blob, Proof, Verified,
        frames::Item,
        objects::{Op, Receipt, Statement, ThreadKind, Word},
    },
};

/// An admin (or starter) removes a member; `everywhere` ends the other paths to the same content too (P7.8).
///
/// # Errors
/// The actor may not, or nobody of that id is a member.
pub fn remove(
    draft: &mut Draft<'_>,
    actor: UserId,
    id: ScopeId,
    user: UserId,
    everywhere: bool,
) -> Result<Reply, Reject> {
    let scope = policy::own_scope(&draft.state, actor, id)?;
    policy::may_administer(&draft.state, actor, &scope)?;
    if scope.head.kind == Some(ThreadKind::Dm) {
        return Err(Reject::new(RejectCode::Invalid, "a DM has no removal: block the person or leave"));
    }
    if !scope.members.contains_key(&user) {
        return Err(Reject::not_found());
    }
    let threads = related(&draft.state, id);
    let address = addresses(&draft.state, id, &BTreeSet::from([user]));
    let epoch = end(draft, actor, id, user, Op::Remove { user })?;
    if everywhere {
        for thread in threads.iter().filter(|thread| ScopeId::Thread(**thread) != id) {
            let direct = draft.state.scope(*thread).is_some_and(|scope| scope.members.contains_key(&user));
            if direct && draft.state.owns(*thread) {
                end(draft, actor, (*thread).into(), user, Op::Remove { user })?;
            } else {
                void_offers(draft, (*thread).into(), &BTreeSet::from([user]), &address);
            }
        }
    }
    let paths = threads.into_iter().flat_map(|thread| gate::ways(&draft.state, user, thread));
    let mut remaining: Vec<ScopeId> = paths.map(|path| path.scope).collect();
    remaining.sort_unstable();
    remaining.dedup();
    Ok(Reply::Removed { epoch, remaining })
}

/// Threads whose content the scope grants.
#[must_use]
pub fn related(state: &State, id: ScopeId) -> Vec<ThreadId> {
    match id {
        ScopeId::Thread(thread) => vec![thread],
        ScopeId::Group(group) => state.addressed.get(&group).into_iter().flatten().copied().collect(),
    }
}

/// What ends in one scope by one decision: an act carries it out, a preview shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where.
    pub scope: ScopeId,
    /// Whose places.
    pub users: Vec<UserId>,
    /// Which recipient groups of a thread.
    pub groups: Vec<GroupId>,
}

/// Carries operations out that end access, in as few events as the limit allows. Open invitations of and by those who
/// lose their place are void (spec 6.5).
///
/// # Errors
/// The scope is unknown or over.
pub fn cut(draft: &mut Draft<'_>, actor: UserId, id: ScopeId, ops: &[Op]) -> Result<u64, Reject> {
    let scope = draft.state.scope(id).cloned().ok_or_else(Reject::not_found)?;
    let gone: BTreeSet<UserId> = ops.iter().filter_map(Op::ends_place_of).collect();
    let addresses = addresses(&draft.state, id, &gone);
    let mut epoch = scope.head.epoch;
    for ops in ops.chunks(limits::OPS_PER_EVENT) {
        epoch = membership::append(draft, id, actor, ops.to_vec())?;
        note_ended(draft, actor, id, ops);
    }
    for op in ops {
        if let (Op::RemoveGroup { group }, Some(thread)) = (op, id.thread()) {
            draft.delete(RowKey::GroupLink((*group, thread)));
        }
    }
    leaving::drop_copies(draft, id);
    request::sweep(draft, id);
    void_offers(draft, id, &gone, &addresses);
    Ok(epoch)
}

/// The audit lines of places that ended, with the event that ended them.
fn note_ended(draft: &mut Draft<'_>, actor: UserId, id: ScopeId, ops: &[Op]) {
    let proof = draft.event_proof(id, draft.me());
    for op in ops {
        if let Some(user) = op.ends_place_of() {
            let act = if matches!(op, Op::Leave { .. }) { "member.left" } else { "member.removed" };
            let line = AuditLine::of(act).with(user.home()).at(id).by(actor).saying(user.to_string());
            draft.note(line.proven(proof.clone()));
        }
    }
}

fn void_offers(draft: &mut Draft<'_>, id: ScopeId, gone: &BTreeSet<UserId>, addresses: &BTreeSet<String>) {
    let open = draft.state.open_offers(id);
    let stale =
        open.filter(|sent| addresses.contains(&sent.address.to_lowercase()) || gone.contains(&sent.by));
    let stale: Vec<_> = stale.cloned().collect();
    stale.into_iter().for_each(|sent| invite::void(draft, (*sent).clone()));
}

/// The open invitations of a user into a scope stop counting, and those that he sent.
pub fn void_invitations(draft: &mut Draft<'_>, id: ScopeId, user: UserId) {
    let gone = BTreeSet::from([user]);
    let addresses = addresses(&draft.state, id, &gone);
    void_offers(draft, id, &gone, &addresses);
}

/// The addresses of members, in lower case.
fn addresses(state: &State, id: ScopeId, users: &BTreeSet<UserId>) -> BTreeSet<String> {
    let places = users.iter().filter_map(|user| state.scope(id)?.members.get(user));
    places.map(|member| member.profile.address.to_lowercase()).collect()
}

/// One place ends.
///
/// # Errors
/// The scope is unknown or over.
pub fn end(draft: &mut Draft<'_>, actor: UserId, id: ScopeId, user: UserId, op: Op) -> Result<u64, Reject> {
    debug_assert_eq!(op.ends_place_of(), Some(user));
    cut(draft, actor, id, &[op])
}

/// A user leaves: here by an event, elsewhere cut off at once and stated to the owner (P5.2).
///
/// # Errors
/// The user is no direct member.
pub fn leave(draft: &mut Draft<'_>, user: UserId, id: ScopeId) -> Result<Reply, Reject> {
    let scope = policy::known_scope(&draft.state, user, id)?;
    if !scope.members.contains_key(&user) {
        return Err(Reject::new(RejectCode::Invalid, "you are here through a group: leave the group"));
    }
    if scope.head.owner == draft.me() {
        let epoch = end(draft, user, id, user, Op::Leave { user })?;
        return Ok(Reply::Removed { epoch, remaining: Vec::new() });
    }
    leaving::withdraw(draft, scope.head.owner, id, user);
    Ok(Reply::Done)
}

/// A statement for a peer, on its way and in the audit log.
pub fn state(draft: &mut Draft<'_>, peer: WorkspaceId, word: Word) {
    let detail = said(&word);
    let statement = draft.sign(Statement { word, time: draft.ctx.now }, Some(peer));
    let proof = Proof::of(&statement, draft.me(), Some(peer));
    draft.note(AuditLine::of("statement.sent").with(peer).saying(detail).proven(proof));
    draft.feed(peer, &Item::Statement { statement: statement.bytes().clone() });
}

/// A word as the audit log shows it.
fn said(word: &Word) -> String {
    match word {
        Word::Leave { user, scope } => format!("leave {user} {scope}"),
        Word::Offboard { user } => format!("offboard {user}"),
        Word::Decline { invite } => format!("decline {invite}"),
        Word::EndPeering {} => "end of peering".into(),
        Word::Profile { user, .. } => format!("profile {user}"),
        Word::Revoke { invite } => format!("revoke {invite}"),
        Word::NotHere { scope } => format!("not here {scope}"),
        Word::OfferMove { offer, group, by } => format!("offer {offer} {group} by {by}"),
        Word::WantMove { offer } => format!("want {offer}"),
        Word::EndMove { offer } => format!("end {offer}"),
        Word::Claim { user, .. } => format!("claim by {user}"),
        Word::ClaimAnswer { user, stand, .. } => format!("claim by {user}: {}", stand.name()),
        Word::Lookups { allowed } => format!("look-ups {}", if *allowed { "allowed" } else { "not allowed" }),
        Word::Request { request, scope, status, .. } => {
            format!("request {request} {scope} {}", status.name())
        }
    }
}

/// A peer's statement about its own users (spec 8.5). What it may not say is ignored, and audited.
///
/// # Errors
/// The signature does not hold.
pub fn stated(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let statement: Verified<Statement> = draft.open(bytes, Some(draft.me()), peer)?;
    let proof = Proof::of(&statement, peer, Some(draft.me()));
    let line = AuditLine::of("statement.received").with(peer).saying(said(&statement.object().word));
    if !matches!(statement.object().word, Word::Profile { .. }) {
        draft.note(line.proven(proof));
    }
    match statement.into_object().word {
        Word::Leave { user, scope } if user.home() == peer => withdraw(draft, user, scope),
        Word::Offboard { user } if user.home() == peer => {
            let places: Vec<ScopeId> = draft.state.places.get(&user).into_iter().flatten().copied().collect();
            places.into_iter().try_for_each(|scope| withdraw(draft, user, scope))
        }
        Word::Decline { invite } => {
            invite::declined(draft, peer, invite);
            Ok(())
        }
        Word::Revoke { invite } => {
            consent::revoked(draft, peer, invite);
            Ok(())
        }
        Word::EndPeering {} => super::ending::ended(draft, peer),
        Word::OfferMove { offer, group, by } => {
            moving::offered(draft, peer, offer, group, by);
            Ok(())
        }
        Word::WantMove { offer } => {
            moving::wanted(draft, peer, offer);
            Ok(())
        }
        Word::EndMove { offer } => {
            moving::ended(draft, peer, offer);
            Ok(())
        }
        Word::Claim { link, user, profile } if user.home() == peer => {
            claim::heard(draft, peer, link, user, profile);
            Ok(())
        }
        Word::ClaimAnswer { link, user, invite, stand } => {
            claim::answered(draft, peer, (link, user), invite, stand);
            Ok(())
        }
        Word::Lookups { allowed } => {
            super::peering::resolves(draft, peer, allowed);
            Ok(())
        }
        word @ Word::Request { .. } => {
            request::heard(draft, peer, word);
            Ok(())
        }
        Word::NotHere { scope } => {
            super::follow::not_here(draft, peer, scope, bytes);
            Ok(())
        }
        Word::Profile { user, profile }
            if user.home() == peer && people::may_vouch(&draft.state, peer, &profile.address) =>
        {
            people::shown(draft, user, &profile)
        }
        _ => {
            draft.audit("statement.refused", None, Some(peer), None, "about a user of another home".into());
            Ok(())
        }
    }
}

fn withdraw(draft: &mut Draft<'_>, user: UserId, id: ScopeId) -> Result<(), Reject> {
    let member =
        draft.state.scope(id).is_some_and(|scope| scope.members.contains_key(&user) && !scope.head.ended);
    if member && draft.state.owns(id) {
        end(draft, user, id, user, Op::Leave { user })?;
    }
    Ok(())
}

/// A receipt: the home's word that a removal is in force there (spec 8.3, P7.6).
///
/// # Errors
/// The signature does not hold.
pub fn receipt(draft: &mut Draft<'_>, peer: WorkspaceId, bytes: &Blob) -> Result<(), Reject> {
    let receipt: Verified<Receipt> = draft.open(bytes, Some(draft.me()), peer)?;
    let proof = Proof::of(&receipt, peer, Some(draft.me()));
    let receipt = receipt.into_object();
    parting::confirmed(draft, peer, &receipt, bytes, &proof);
    let of_scope = (receipt.scope, 0)..=(receipt.scope, u64::MAX);
    let found = draft.state.removals.range(of_scope).map(|(_, removal)| removal);
    let answered: Vec<Removal> = found
        .filter(|removal| answers(&draft.state, removal, peer, &receipt))
        .map(|removal| (**removal).clone())
        .collect();
    for mut removal in answered {
        for (home, at) in removal.homes.iter_mut().filter(|(home, at)| *home == peer && at.is_none()) {
            *at = Some((draft.ctx.now, bytes.clone()));
            debug_assert_eq!(*home, peer);
        }
        let (scope, epoch) = (removal.scope, removal.epoch);
        draft.put(Row::Removal(removal));
        draft.mark(Mark::Receipt(scope, epoch));
        let line = AuditLine::of("removal.confirmed").with(peer).at(scope);
        draft.note(line.saying(format!("applied at {}", receipt.applied)).proven(proof.clone()));
    }
    Ok(())
}

/// By the event's hash; a later position that includes the removal answers it as well (spec 8.3), the event of an earlier
/// removal does not: its receipt may come again.
fn answers(state: &State, removal: &Removal, peer: WorkspaceId, receipt: &Receipt) -> bool {
    let mut earlier = state.removals.range((removal.scope, 0)..(removal.scope, removal.epoch));
    if earlier.any(|(_, earlier)| earlier.event == receipt.event) {
        return false;
    }
    let open = removal.homes.iter().any(|(home, at)| *home == peer && at.is_none());
    let mut theirs = removal.users.iter().filter(|user| user.home() == peer).peekable();
    let later = theirs.peek().is_some() && theirs.all(|user| receipt.users.contains(user));
    open && (removal.event == receipt.event || later)
}

/// Removals that nobody can miss any more: every follower that has not confirmed has no lease left (P7.4).
pub fn pass_deadlines(draft: &mut Draft<'_>) {
    let now = draft.ctx.now;
    let due: Vec<(ScopeId, u64)> =
        draft.state.awaited.iter().take_while(|(at, ..)| *at <= now).map(|(_, id, at)| (*id, *at)).collect();
    for (scope, epoch) in due {
        if let Some(removal) = draft.state.removals.get(&(scope, epoch)).map(|removal| (**removal).clone()) {
            draft.put(Row::Removal(Removal { passed: true, ..removal }));
            draft.mark(Mark::Effective(scope, epoch));
            draft.audit("removal.effective", None, None, Some(scope), format!("epoch {epoch}"));
        }
    }
}

/// A membership reached its end date (P2.8).
///
/// # Errors
/// The scope is over.
pub fn expire(draft: &mut Draft<'_>, id: ScopeId, user: UserId) -> Result<(), Reject> {
    let by =
        draft.state.scope(id).and_then(|scope| scope.members.get(&user)).map_or(user, |member| member.by);
    end(draft, by, id, user, Op::Remove { user })?;
    draft.audit("member.expired", None, Some(user.home()), Some(id), user.to_string());
    Ok(())
}
