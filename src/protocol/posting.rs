//! Writing (spec 7): the numbered checks, the owner's sequencing, and the outbox of a home.
//!
//! Duty: one path for local and remote authors. Never: content without its author's home's signature.

use super::{
    Change, Draft, Mark, Reject, Reply, State, attention,
    command::RejectCode,
    gate::{self, Path},
    policy, recovery, reign,
    row::{Log, PeerStatus, Pending, Row, RowKey},
    sabotage::{Switch, broken},
    state::Scope,
};
use crate::{
    ids::{Salt, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    limits,
    wire::{
        Blob, Body, Entry, Sealed, Stored, Verified, envelope,
        objects::{EntryKind, Grade, Submission, ThreadKind},
    },
};

/// What a user of this home writes.
pub struct Writing {
    /// Who.
    pub author: UserId,
    /// Where.
    pub thread: ThreadId,
    /// The key of idempotency.
    pub id: SubmissionId,
    /// What.
    pub kind: EntryKind,
    /// The body.
    pub body: Body,
}

/// A user of this home writes: sequenced at once if the thread is ours, else signed and put in the outbox.
///
/// # Errors
/// The first check of spec 7.3 that fails.
pub fn write(draft: &mut Draft<'_>, writing: Writing) -> Result<Reply, Reject> {
    let Writing { author, thread, id, kind, body } = writing;
    let body_blob = body.to_blob();
    parse_body(&body_blob)?;
    let sealed = Sealed { salt: Salt(draft.random()), body: body_blob };
    let time = draft.ctx.now;
    let submission = Submission { id, thread, author, kind, commitment: sealed.commitment(), time };
    let scope = policy::known_scope(&draft.state, author, thread.into())?;
    if scope.head.owner == draft.me() {
        if let Some(seq) = repeated_at_home(draft, &submission, &body)? {
            return Ok(Reply::Posted(seq));
        }
        if !recovery::is_ready(&draft.state, thread.into()) {
            return queue(draft, draft.me(), submission, sealed, &body);
        }
        recovery::own_posts(draft);
        return sequence(draft, submission, sealed, body, None).map(Reply::Posted);
    }
    queue(draft, scope.head.owner, submission, sealed, &body)
}

/// The same words again get the same answer; the salt is ours, so bodies are compared (spec 7.2).
fn repeated_at_home(draft: &Draft<'_>, submission: &Submission, body: &Body) -> Result<Option<u64>, Reject> {
    let Some((thread, seq)) = draft.ctx.records.submitted(draft.me(), submission.id) else {
        return Ok(None);
    };
    let same = thread == submission.thread
        && draft.ctx.records.stored(thread, seq).is_some_and(|stored| {
            stored.entry.author == submission.author
                && stored.body.is_none_or(|sealed| sealed.body == body.to_blob())
        });
    if same { Ok(Some(seq)) } else { Err(conflict()) }
}

fn conflict() -> Reject {
    Reject::new(RejectCode::Conflict, "this idempotency key was used for something else: take a new one")
}

fn parse_body(bytes: &Blob) -> Result<Body, Reject> {
    Body::parse(bytes).map_err(|error| Reject::new(RejectCode::TooLarge, error.to_string()))
}

fn queue(
    draft: &mut Draft<'_>,
    owner: WorkspaceId,
    submission: Submission,
    sealed: Sealed,
    body: &Body,
) -> Result<Reply, Reject> {
    let mine = draft.state.outbox.range((owner, 0)..=(owner, u64::MAX));
    let mut waiting = 0;
    for (_, pending) in mine {
        if pending.submission == submission.id {
            return Ok(Reply::Pending(owner));
        }
        waiting += usize::from(pending.author == submission.author);
    }
    if let Some((thread, seq)) = draft.ctx.records.submitted(draft.me(), submission.id) {
        return if thread == submission.thread { Ok(Reply::Posted(seq)) } else { Err(conflict()) };
    }
    if waiting >= limits::OUTBOX_PER_OWNER {
        return Err(Reject::new(
            RejectCode::Quota,
            "the outbox is full until the owner of this thread is reachable again",
        ));
    }
    check_locally(&draft.state, &submission, body)?;
    let number = next_number(draft);
    let signed = draft.sign(submission.clone(), Some(owner)).bytes().clone();
    let Submission { id, thread, author, kind, time, .. } = submission;
    draft.put(Row::Pending(Pending {
        owner,
        number,
        signed,
        submission: id,
        thread,
        author,
        kind,
        sealed,
        time,
        refused: None,
    }));
    draft.mark(Mark::Outbox(author, thread));
    Ok(Reply::Pending(owner))
}

/// What the home can already tell its user without asking the owner. It may wait for a lease: the outbox takes it.
fn check_locally(state: &State, submission: &Submission, body: &Body) -> Result<(), Reject> {
    let own = state.scope(submission.thread).ok_or_else(Reject::not_found)?;
    let ways = gate::ways(state, submission.author, submission.thread);
    writing_path(state, submission.author, own, submission.kind, body.target, ways).map(|_| ())
}

/// The next number for rows that are kept in order.
pub fn next_number(draft: &mut Draft<'_>) -> u64 {
    let Some(mut node) = draft.state.node.clone() else {
        return 0;
    };
    node.numbers += 1;
    let number = node.numbers;
    draft.put(Row::Node(node));
    number
}

/// A submission that came over the link (spec 7.3), the checks in their order.
///
/// # Errors
/// The first check that fails.
pub fn submitted(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    signed: &Blob,
    sealed: Sealed,
) -> Result<Reply, Reject> {
    let body = parse_body(&sealed.body)?;
    if draft.state.peers.get(&peer).is_none_or(|peer| peer.status != PeerStatus::Active) {
        return Err(Reject::new(RejectCode::PeerInactive, "the peering is not active"));
    }
    if !recovery::is_compared(&draft.state, peer) {
        return Err(recovery::checking());
    }
    let claimed: Submission =
        envelope::peek(signed).map_err(|error| Reject::new(RejectCode::Malformed, error.to_string()))?;
    if claimed.author.home() != peer {
        return Err(Reject::new(
            RejectCode::WrongHome,
            "the author's home is not the workspace on this channel",
        ));
    }
    // Before anything that depends on the thread: the answer must not tell that it exists (P3.1).
    if sealed.commitment() != claimed.commitment {
        return Err(Reject::new(RejectCode::Malformed, "the body is not the one that was committed to"));
    }
    if !draft.state.owns(claimed.thread) {
        if reign::is_in_motion(&draft.state, claimed.thread, peer) {
            let why = "the thread moves to another workspace: what comes from there says where to send this";
            return Err(Reject::new(RejectCode::Stale, why));
        }
        return Err(Reject::not_found());
    }
    let known = draft.ctx.records.submitted(peer, claimed.id).filter(|_| !broken(Switch::Repetition));
    if let Some((thread, seq)) = known {
        let stored = draft.ctx.records.stored(thread, seq);
        let same = stored.is_some_and(|stored| stored.entry.commitment == claimed.commitment);
        return if same { Ok(Reply::Posted(seq)) } else { Err(conflict()) };
    }
    sequence(draft, claimed, sealed, body, Some((peer, signed))).map(Reply::Posted)
}

/// An own message that waited while its thread was not ready (spec 12.1).
pub(super) fn sequence_own(draft: &mut Draft<'_>, pending: &Pending) {
    let Pending { submission: id, thread, author, kind, time, .. } = pending.clone();
    // A restored disk may hold the message as waiting while it was sequenced, forgotten, and is brought back.
    if let Some(seq) = sequenced(draft, thread, id) {
        answered(draft, pending.owner, id, Ok(seq));
        return;
    }
    let commitment = pending.sealed.commitment();
    let submission = Submission { id, thread, author, kind, commitment, time };
    let body = parse_body(&pending.sealed.body);
    let done = body.and_then(|body| sequence(draft, submission, pending.sealed.clone(), body, None));
    answered(draft, pending.owner, id, done);
}

/// Where an own submission was sequenced, this decision included.
fn sequenced(draft: &Draft<'_>, thread: ThreadId, id: SubmissionId) -> Option<u64> {
    let me = draft.me();
    let before = draft.ctx.records.submitted(me, id).filter(|(of, _)| *of == thread).map(|(_, seq)| seq);
    before.or_else(|| {
        draft.changes.iter().find_map(|change| match change {
            Change::Content(Stored { entry, .. }) if entry.submission == id && entry.author.home() == me => {
                Some(entry.seq)
            }
            _ => None,
        })
    })
}

/// Membership, settings, signature; then the entry (spec 7.3).
fn sequence(
    draft: &mut Draft<'_>,
    submission: Submission,
    sealed: Sealed,
    body: Body,
    signed: Option<(WorkspaceId, &Blob)>,
) -> Result<u64, Reject> {
    let own = draft.state.scope(submission.thread).cloned().ok_or_else(Reject::not_found)?;
    let paths = gate::paths(&draft.state, submission.author, submission.thread);
    if paths.is_empty() && !gate::ways(&draft.state, submission.author, submission.thread).is_empty() {
        let what = "the owner of the group through which this is written is not heard of: try again later";
        return Err(Reject::new(RejectCode::Checking, what));
    }
    let path = writing_path(&draft.state, submission.author, &own, submission.kind, body.target, paths)?;
    check_target(draft, &own, &submission, &body, &path)?;
    if let Some((peer, bytes)) = signed {
        let verified: Verified<Submission> = draft.open(bytes, Some(draft.me()), peer)?;
        if *verified.object() != submission {
            return Err(Reject::new(RejectCode::Malformed, "the submission is ambiguous"));
        }
    }
    recovery::ready(draft, submission.thread.into())?;
    let epoch = draft.state.scope(path.scope).map_or(0, |scope| scope.head.epoch);
    Ok(append(draft, &submission, sealed, &body, (path.scope, epoch), signed.map(|(_, bytes)| bytes.clone())))
}

/// Whether somebody may write a message in a thread now (spec 7.3).
///
/// # Errors
/// Why not.
pub fn may_say(state: &State, author: UserId, own: &Scope) -> Result<(), Reject> {
    let paths = own.head.id.thread().map(|thread| gate::paths(state, author, thread)).unwrap_or_default();
    writing_path(state, author, own, EntryKind::Message, None, paths).map(drop)
}

/// The path by which the author may write this (spec 7.3).
fn writing_path(
    state: &State,
    author: UserId,
    own: &Scope,
    kind: EntryKind,
    target: Option<u64>,
    paths: Vec<Path>,
) -> Result<Path, Reject> {
    if paths.is_empty() {
        return Err(Reject::not_found());
    }
    policy::may_write(state, author, own)?;
    let needs_target = kind != EntryKind::Message;
    if needs_target != target.is_some() {
        return Err(Reject::new(
            RejectCode::Invalid,
            "a message has no target; an edit, delete or reaction needs one",
        ));
    }
    let groups = own.head.groups.iter().filter_map(|at| state.scope(at.group));
    if own.head.settings.closed
        || groups.clone().any(|group| group.head.settings.closed && own.head.kind == Some(ThreadKind::Chat))
    {
        return Err(policy::closed());
    }
    let quiet = own.head.settings.replies_off
        || groups
            .clone()
            .any(|group| group.head.settings.replies_off && own.head.kind == Some(ThreadKind::Chat));
    let mut writes =
        paths.into_iter().filter(|path| target.is_none_or(|target| path.shows(target))).peekable();
    if writes.peek().is_none() {
        return Err(Reject::not_found());
    }
    let mut allowed = writes.filter(|path| path.grade >= Grade::Post);
    let path = allowed.next().ok_or_else(|| policy::forbidden("write here: you may only read"))?;
    let reaction = matches!(kind, EntryKind::React | EntryKind::Unreact | EntryKind::Delete);
    if quiet && !reaction && !policy::administers(state, author, own) {
        return Err(policy::forbidden("write here: replies are for admins only"));
    }
    Ok(path)
}

/// Edits and deletes are judged by the original entry's author, local and remote alike (spec 7.3).
fn check_target(
    draft: &Draft<'_>,
    own: &Scope,
    submission: &Submission,
    body: &Body,
    path: &Path,
) -> Result<(), Reject> {
    if submission.kind == EntryKind::React
        && (body.text.is_empty() || body.text.len() > limits::REACTION_BYTES)
    {
        return Err(Reject::new(RejectCode::Invalid, "a reaction is one emoji"));
    }
    if submission.kind == EntryKind::Message && body.text.trim().is_empty() {
        return Err(Reject::new(RejectCode::Invalid, "the text is empty"));
    }
    let Some(target) = body.target else { return Ok(()) };
    let stored = draft
        .ctx
        .records
        .stored(submission.thread, target)
        .filter(|_| path.shows(target))
        .ok_or_else(Reject::not_found)?;
    if stored.entry.kind != EntryKind::Message {
        return Err(Reject::new(RejectCode::Invalid, "only messages are edited, deleted or reacted to"));
    }
    let author = stored.entry.author == submission.author;
    let allowed = match submission.kind {
        EntryKind::Edit => author,
        EntryKind::Delete => author || policy::administers(&draft.state, submission.author, own),
        _ => true,
    };
    if !allowed {
        return Err(policy::forbidden("change a message of somebody else"));
    }
    if stored.body.is_none() && submission.kind != EntryKind::Delete {
        return Err(Reject::new(RejectCode::Closed, "the message was deleted"));
    }
    Ok(())
}

fn append(
    draft: &mut Draft<'_>,
    submission: &Submission,
    sealed: Sealed,
    body: &Body,
    admitted: (ScopeId, u64),
    signed: Option<Blob>,
) -> u64 {
    let thread = submission.thread;
    let Some(log) = draft.state.logs.get(&thread).cloned() else {
        return 0;
    };
    let mut log = (*log).clone();
    let (seq, time) = (log.high + 1, draft.ctx.now.max(log.time));
    let entry = Entry {
        thread,
        seq,
        previous: if broken(Switch::ChainLink) { crate::ids::Hash::ZERO } else { log.hash },
        author: submission.author,
        kind: submission.kind,
        time,
        scope: admitted.0,
        epoch: admitted.1,
        commitment: submission.commitment,
        submission: submission.id,
        signed: signed.filter(|_| !broken(Switch::Signature)),
    };
    (log.high, log.hash, log.time) = (seq, entry.hash(), time);
    note_marks(&draft.state, &mut log);
    draft.put(Row::Log(log));
    attention::note(draft, &entry, body);
    draft.changes.push(Change::Content(Stored { entry, body: Some(sealed) }));
    if let (EntryKind::Delete, Some(target)) = (submission.kind, body.target) {
        redact(draft, thread, target);
    }
    draft.mark(Mark::Content { thread, from: seq, to: seq });
    seq
}

/// A deletion takes the text of the message and of its edits away (spec 5.2).
pub fn redact(draft: &mut Draft<'_>, thread: ThreadId, target: u64) {
    draft.changes.push(Change::Redact(thread, target));
    for seq in draft.ctx.records.refs(thread, target) {
        let kind = draft.ctx.records.stored(thread, seq).map(|stored| stored.entry.kind);
        if kind == Some(EntryKind::Edit) {
            draft.changes.push(Change::Redact(thread, seq));
        }
    }
}

/// Where `from-now` begins for joins up to now: the first entry at each epoch (spec 5.6).
pub(super) fn note_marks(state: &State, log: &mut Log) {
    for scope in state.granting(log.thread) {
        let (id, epoch, seq) = (scope.head.id, scope.head.epoch, log.high);
        match log.marks.iter_mut().find(|(of, _)| *of == id) {
            Some((_, marks)) if marks.last().is_some_and(|(last, _)| *last >= epoch) => {}
            Some((_, marks)) => marks.push((epoch, seq)),
            None => log.marks.push((id, vec![(epoch, seq)])),
        }
    }
}

/// The owner's answer to a message of our outbox: gone when sequenced, kept with the reason when refused.
pub fn answered(
    draft: &mut Draft<'_>,
    owner: WorkspaceId,
    id: SubmissionId,
    answer: Result<u64, Reject>,
) -> Reply {
    let found = draft
        .state
        .outbox
        .range((owner, 0)..=(owner, u64::MAX))
        .find(|(_, pending)| pending.submission == id);
    let Some(mut pending) = found.map(|(_, pending)| (**pending).clone()) else {
        return Reply::Already;
    };
    draft.mark(Mark::Outbox(pending.author, pending.thread));
    match answer {
        Ok(seq) => {
            draft.delete(RowKey::Pending((owner, pending.number)));
            Reply::Posted(seq)
        }
        Err(reject) => {
            pending.refused = Some(reject.to_string());
            draft.put(Row::Pending(pending));
            Reply::Done
        }
    }
}

/// A message that waits is signed anew for another owner, under the same id.
pub(super) fn readdress(draft: &mut Draft<'_>, pending: &Pending, owner: WorkspaceId) {
    draft.delete(RowKey::Pending((pending.owner, pending.number)));
    let Pending { submission: id, thread, author, kind, time, .. } = pending.clone();
    let commitment = pending.sealed.commitment();
    let submission = Submission { id, thread, author, kind, commitment, time };
    let signed = draft.sign(submission, Some(owner)).bytes().clone();
    let number = next_number(draft);
    draft.put(Row::Pending(Pending { owner, number, signed, ..pending.clone() }));
    draft.mark(Mark::Outbox(author, thread));
}

/// Why a message of somebody without a place any more goes nowhere. The owner may have sequenced it just before.
const WITHDRAWN: &str =
    "your place there ended before the owner answered: it was not sent, or came just before that";

/// Messages for a thread whose authors have no place in it any more: they will not be sent, and their text goes (P7.3).
/// That they wrote something stays until they have seen what became of it (spec 7.5).
pub fn withdraw(draft: &mut Draft<'_>, thread: ThreadId) {
    let state = &draft.state;
    let placed = |author: &UserId| {
        let mut alive = state.granting(thread).filter(|scope| !scope.head.ended);
        alive.any(|scope| scope.members.contains_key(author))
    };
    let lost = |row: &&Pending| row.thread == thread && !row.sealed.is_shredded() && !placed(&row.author);
    let lost: Vec<Pending> = state.outbox.values().map(|row| &**row).filter(lost).cloned().collect();
    for row in lost {
        draft.mark(Mark::Outbox(row.author, thread));
        let refused = row.refused.clone().or_else(|| Some(WITHDRAWN.to_owned()));
        draft.put(Row::Pending(Pending { sealed: Sealed::shredded(), refused, ..row }));
    }
}

/// The author has seen the refusal, or gives the message up.
///
/// # Errors
/// There is no such message of this author.
pub fn forget(draft: &mut Draft<'_>, author: UserId, id: SubmissionId) -> Result<Reply, Reject> {
    let mut rows = draft.state.outbox.values();
    let found = rows.find(|pending| pending.author == author && pending.submission == id);
    let key = found.map(|pending| (pending.owner, pending.number)).ok_or_else(Reject::not_found)?;
    draft.delete(RowKey::Pending(key));
    Ok(Reply::Done)
}
