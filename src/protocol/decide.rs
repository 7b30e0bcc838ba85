//! The dispatch of commands to the rules that decide them.
//!
//! Duty: one arm per command, and what passing time brings. Never: a rule of its own.

use super::{
    Change, Command, Ctx, Decision, Draft, Mark, Reject, State, account, acts, approval, attention, claim,
    command::Reply,
    consent, ending, feed, handover, heads, identity, invite, joining, journal, lease, leaving, letter,
    moving, once, peering, people, policy, posting,
    posting::Writing,
    recovery, removal, replica,
    row::{Node, Origin, ReadMark, Row, RowKey},
    uptime::Promise,
    witness,
};
use crate::{
    ids::{Hash, ThreadId, UserId},
    wire::{Body, objects::AuditSeal},
};

/// Decides a command on a state that stays as it is.
///
/// # Errors
/// Who asked is at fault: the rule that refuses, and what to do.
pub fn decide(state: &State, command: Command, ctx: Ctx<'_>) -> Result<Decision, Reject> {
    let mut draft = Draft::new(state, ctx)?;
    let reply = arm(&mut draft, command)?;
    Ok(Decision { changes: draft.changes, reply })
}

/// The heads that a batch owes the followers of the threads that it touched (spec 5.4); before the commit.
pub fn seal(state: &State, touched: &[ThreadId], ctx: Ctx<'_>) -> Vec<Change> {
    let Ok(mut draft) = Draft::new(state, ctx) else {
        return Vec::new();
    };
    for thread in touched {
        heads::sign(&mut draft, *thread);
    }
    draft.changes
}

/// One command on a draft.
///
/// # Errors
/// As [`decide`].
pub(super) fn arm(draft: &mut Draft<'_>, command: Command) -> Result<Reply, Reject> {
    match command {
        Command::Boot { trusted } => Ok(boot(draft, trusted)),
        Command::Recorded(record) => journal::taken_back(draft, &record),
        Command::TrustJournal => Ok(recovery::trust(draft)),
        Command::Tick => tick(draft),
        Command::AddUser { local, name, role } => people::add(draft, &local, name, role),
        Command::SetTitle(user, title) => people::set_title(draft, user, title),
        Command::SetTold(user, told) => people::set_told(draft, user, told),
        Command::Rename(user, name) => people::rename(draft, user, name),
        Command::SetRole(user, role) => people::set_role(draft, user, role),
        Command::RemoveUser(user) => people::remove(draft, user),
        Command::Withdraw { admin, user, scope } => leaving::take_back(draft, admin, user, scope),
        Command::CreateGroup(actor, settings) => acts::create_group(draft, actor, settings),
        Command::CreateThread { actor, settings, groups, addresses } => {
            acts::create_thread(draft, actor, settings, groups, addresses)
        }
        Command::SetPolicy(actor, policy, confirmed) => {
            policy::set_workspace(draft, actor, *policy, confirmed)
        }
        Command::SetGroupPolicy(actor, policy, confirmed) => {
            policy::set_group(draft, actor, *policy, confirmed)
        }
        Command::SetPeerPolicy(actor, policy, confirmed) => {
            policy::set_peer(draft, actor, *policy, confirmed)
        }
        Command::Approval(invite, approve) => approval::decide(draft, invite, approve),
        Command::Block(user, other, on) => policy::block(draft, user, other, on),
        Command::OpenDm(actor, address) => acts::open_dm(draft, actor, &address),
        Command::AddMembers { actor, scope, users, grade, floor } => {
            invite::add_members(draft, actor, scope, users, grade, floor)
        }
        Command::Act(actor, action) => acts::act(draft, actor, action),
        Command::Tighten(actor, scope, settings) => acts::set_settings(draft, actor, scope, settings, true),
        Command::OfferMove(actor, group, to) => moving::offer(draft, actor, group, to),
        Command::WantMove(admin, id) => moving::want(draft, admin, id),
        Command::TakeHandover(admin, handovers) => handover::take(draft, admin, &handovers),
        Command::EndMove(actor, id) => moving::end(draft, actor, id),
        Command::Follow(user, thread, on) => attention::follow(draft, user, thread, on),
        Command::Archive(user, thread, on) => attention::archive(draft, user, thread, on),
        Command::Refer { user, thread, from, seq } => {
            attention::refer(draft, Origin { thread, by: user, from, seq })
        }
        Command::JoinGroup(user, group) => joining::join(draft, user, group),
        Command::Leave(user, scope) => removal::leave(draft, user, scope),
        Command::AnswerInvite(user, id, accept) => consent::answer(draft, user, id, accept),
        Command::RevokeInvite(actor, id) => invite::revoke(draft, actor, id),
        Command::Post { author, thread, id, kind, target, text, mentions } => {
            posting::write(draft, Writing { author, thread, id, kind, body: Body { target, text, mentions } })
        }
        Command::MarkRead(user, thread, seq) => mark_read(draft, user, thread, seq),
        Command::ForgetPending(author, id) => posting::forget(draft, author, id),
        Command::Once { key, user, asked, command } => once::run(draft, key, user, asked, *command),
        Command::By(user, command) => {
            draft.actor = Some(user);
            arm(draft, *command)
        }
        Command::LetterSent(number) => letter::sent(draft, number),
        Command::LetterFailed { number, error, permanent } => {
            letter::failed(draft, number, &error, permanent)
        }
        Command::LetterRetry(number) => letter::retry(draft, number),
        Command::LetterDropped(number) => letter::dropped(draft, number),
        Command::LetterTrial(by, to) => letter::trial(draft, by, &to),
        other => account_arm(draft, other),
    }
}

/// Signing in, links, and what comes of invitations by e-mail.
fn account_arm(draft: &mut Draft<'_>, command: Command) -> Result<Reply, Reject> {
    match command {
        Command::OpenSession(session) => account::open(draft, session),
        Command::TradeSession(token, session) => account::trade(draft, token, session),
        Command::EndSession(user, token) => account::end(draft, user, token),
        Command::EndSessions(user, which) => account::end_all(draft, user, which),
        Command::SetPassword(user, password, which) => {
            account::set_password(draft, user, password.reveal().to_owned(), which)
        }
        Command::PasswordLink(user, by, to) => account::password_link(draft, user, by, to),
        Command::Forgot(address) => Ok(account::forgot(draft, &address)),
        Command::AskCode(user) => account::ask_code(draft, user),
        Command::ShowCode(user, code) => account::show_code(draft, user, code),
        Command::AddFree(free) => people::add_free(draft, free),
        Command::Claim(user, code) => claim::claim(draft, user, code),
        Command::DecideClaim(actor, id, accept) => claim::decide(draft, actor, id, accept),
        Command::ResendInvite(actor, id) => invite::resend(draft, actor, id),
        Command::WantPeering(id) => peering::wanted(draft, id),
        Command::Mails(on) => {
            recovery::promise(draft, Promise::Mails(on));
            Ok(Reply::Done)
        }
        Command::UsePasswordLink { link, password, token, agent } => {
            account::use_password_link(draft, link, password.reveal().to_owned(), token, agent)
        }
        other => link_arm(draft, other),
    }
}

/// What comes over links, and the peerings themselves.
fn link_arm(draft: &mut Draft<'_>, command: Command) -> Result<Reply, Reject> {
    if let Command::Content(peer, _) | Command::ContentReset(peer, _) | Command::History(peer, _) = &command {
        ending::refuse_ended(&draft.state, *peer)?;
    }
    peering::refuse_unapproved(&draft.state, &command)?;
    match command {
        Command::Manifest(manifest) => identity::renew(draft, &manifest),
        Command::OpenTicket(secret, expires) => peering::open_ticket(draft, secret, expires),
        Command::RedeemTicket { peer, endpoints, secret } => peering::redeem(draft, peer, endpoints, secret),
        Command::PeerRequest { manifests, secret } => peering::requested(draft, &manifests, &secret),
        Command::Manifests(chain) => identity::adopt(draft, &chain).map(|_| Reply::Done),
        Command::PeerApproved(peer) => peering::approved(draft, peer),
        Command::Approve(peer) => peering::approve(draft, peer),
        Command::Pause(peer) => peering::pause(draft, peer),
        Command::EndPeer(admin, peer) => ending::end(draft, admin, peer),
        Command::SetInvitePolicy(peer, policy) => peering::set_invites(draft, peer, policy),
        Command::Submitted { peer, signed, sealed } => posting::submitted(draft, peer, &signed, sealed),
        Command::Acted(peer, act) => acts::acted(draft, peer, &act),
        Command::Answered(owner, id, answer) => Ok(posting::answered(draft, owner, id, answer)),
        Command::Feed(peer, frame) => feed::rows(draft, peer, &frame),
        Command::FeedAcked(peer, feed, number) => feed::acked(draft, peer, feed, number),
        Command::Compare(peer, held) => feed::compare(draft, peer, &held),
        Command::Content(peer, frame) => {
            let reply = replica::content(draft, peer, frame)?;
            moving::progress(draft);
            Ok(reply)
        }
        Command::ContentReset(peer, number) => Ok(replica::reset(draft, peer, number)),
        Command::ContentAcked(peer, number, position) => Ok(content_acked(draft, peer, number, position)),
        Command::History(peer, page) => replica::history(draft, peer, page),
        Command::SealAudit { first, last, count, hash } => Ok(seal_audit(draft, (first, last), count, hash)),
        Command::SignHeads(thread) => {
            if heads::sign(draft, thread) {
                draft.mark(Mark::Covered(thread));
            }
            Ok(Reply::Done)
        }
        Command::Comparing(peer) => {
            recovery::promise(draft, Promise::Comparing(peer, true));
            Ok(Reply::Done)
        }
        Command::Witness(peer, frame) => witness::taken(draft, peer, &frame),
        Command::Compared(peer, held) => recovery::compared(draft, peer, &held),
        Command::LeaseAsked(peer, ask) => lease::asked(draft, peer, &ask),
        Command::LeaseGranted { owner, nonce, asked, lease } => {
            lease::granted(draft, owner, nonce, asked, &lease)
        }
        _ => Ok(Reply::Already),
    }
}

/// The workspace's word on a part of its audit log (spec 13.3).
fn seal_audit(draft: &Draft<'_>, (first, last): (u64, u64), count: u64, hash: Hash) -> Reply {
    let (workspace, time) = (draft.me(), draft.ctx.now);
    let seal = draft.sign(AuditSeal { workspace, first, last, count, hash, time }, None);
    Reply::Sealed(seal.bytes().clone())
}

fn boot(draft: &mut Draft<'_>, trusted: bool) -> Reply {
    recovery::promise(draft, Promise::Started(draft.ctx.boot, trusted));
    if let Some(node) = draft.state.node.clone() {
        let boots = node.boots + 1;
        draft.put(Row::Node(Node { boots, ..node }));
    }
    Reply::Done
}

/// Memberships with an end date end, as signed events (P2.8); tickets run out. Costs what is due, nothing else.
fn tick(draft: &mut Draft<'_>) -> Result<Reply, Reject> {
    recovery::tick(draft);
    let now = draft.ctx.now;
    let due: Vec<_> = draft.state.expiring.iter().take_while(|(until, ..)| *until <= now).copied().collect();
    let over = due.iter().filter(|(_, scope, user)| removal::expire(draft, *scope, *user).is_ok()).count();
    let expired: Vec<_> = draft
        .state
        .tickets
        .values()
        .filter(|ticket| ticket.expires <= now)
        .map(|ticket| ticket.secret)
        .collect();
    for secret in &expired {
        draft.delete(RowKey::Ticket(*secret));
    }
    let (lapsed, letters) = (account::lapse(draft), letter::tick(draft));
    let idle = over == 0 && expired.is_empty() && !lapsed && !letters;
    Ok(if idle { Reply::Already } else { Reply::Done })
}

fn mark_read(draft: &mut Draft<'_>, user: UserId, thread: ThreadId, seq: u64) -> Result<Reply, Reject> {
    let shown = super::gate::paths(&draft.state, user, thread).iter().map(|path| path.to).max();
    let seq = shown.ok_or_else(Reject::not_found)?.min(seq);
    if draft.state.reads.get(&(user, thread)).is_some_and(|held| *held >= seq) {
        return Ok(Reply::Already);
    }
    draft.put(Row::ReadMark(ReadMark { user, thread, seq }));
    Ok(Reply::Done)
}

fn content_acked(draft: &mut Draft<'_>, peer: crate::ids::WorkspaceId, number: u64, position: u64) -> Reply {
    let Some(mut row) = draft.state.peers.get(&peer).map(|row| (**row).clone()) else {
        return Reply::Already;
    };
    row.content_acked = (number, position);
    draft.put(Row::Peer(row));
    Reply::Done
}
