//! A follower's copy of a thread (spec 5.5, 9.7, 9.8): one contiguous range of the owner's chain.
//!
//! Duty: taking entries and heads in after checking links and signatures; saying what is still wanted.
//! Never: believing an entry's author without his home's signature, showing anything (the gate does).

use super::{
    Change, Draft, Mark, Reject, Reply, State, attention,
    command::RejectCode,
    evidence, fanout, gate, heads, moving, policy, posting, reign, request,
    row::{Cover, Log, PeerStatus, Row},
    witness,
};
use crate::{
    ids::{Hash, ThreadId, WorkspaceId},
    limits,
    wire::{
        Blob, Body, Entry, Stored, Verified, envelope,
        frames::{ContentFrame, Covering, HistoryPage, HistoryRequest},
        objects::{EntryKind, Head, Submission},
    },
};

/// What to ask an owner for: gaps first, then older history down to the floor of our readers.
#[must_use]
pub fn wanted(state: &State, owner: WorkspaceId) -> Vec<HistoryRequest> {
    if state.peers.get(&owner).is_none_or(|peer| peer.status != PeerStatus::Active) {
        return Vec::new();
    }
    let limit = u64::try_from(limits::PAGE_ENTRIES).unwrap_or(u64::MAX);
    let lost = witness::to_fetch(state, owner);
    let mut gaps: Vec<_> = lost
        .map(|(thread, high)| HistoryRequest { thread, before: None, after: Some(high), limit })
        .collect();
    gaps.extend(state.logs.values().filter_map(|log| {
        let reign = reign::lacking(state, log.thread).filter(|reign| reign.from == owner)?;
        Some(HistoryRequest { thread: reign.scope.thread()?, before: None, after: Some(log.high), limit })
    }));
    let mut older: Vec<HistoryRequest> = state
        .logs
        .keys()
        .filter_map(|thread| reign::headless(state, *thread))
        .filter(|log| fanout::followers(state, log.thread.into()).contains(&owner))
        .map(|log| HistoryRequest { thread: log.thread, before: Some(log.low), after: None, limit })
        .collect();
    for log in state.logs.values().filter(|log| log.stale || log.low > 1 || !log.bottom) {
        let thread = log.thread;
        let followed =
            state.scope(thread).is_some_and(|scope| scope.head.owner == owner && !scope.head.ended);
        if !followed || !has_reader(state, thread) || policy::is_shut(state, thread) {
            continue;
        }
        let request = |before, after| HistoryRequest { thread, before, after, limit };
        match (log.high, log.stale) {
            (0, _) => gaps.push(request(None, None)),
            (high, true) => gaps.push(request(None, Some(high))),
            (_, false)
                if log.low > 1
                    && (!log.bottom || below_held(state, log) || moving::wants_all(state, thread)) =>
            {
                older.push(request(Some(log.low), None))
            }
            _ => {}
        }
    }
    gaps.append(&mut older);
    gaps
}

/// Whether a user of ours may read older entries than are held, whatever the owner said before he joined.
fn below_held(state: &State, log: &Log) -> bool {
    gate::own_floor(state, log.thread).is_some_and(|floor| floor.max(1) < log.low)
}

/// Whether any user of this home reaches the thread.
#[must_use]
pub fn has_reader(state: &State, thread: ThreadId) -> bool {
    let Some(me) = state.me() else { return false };
    let alive = state.granting(thread).filter(|scope| !scope.head.ended);
    alive.into_iter().any(|scope| scope.homes.contains_key(&me))
}

/// Live content of an owner. What does not fit is fetched as history later: nothing stalls the feed.
///
/// # Errors
/// Never for a gap; only content that contradicts its signatures is refused.
pub fn content(draft: &mut Draft<'_>, peer: WorkspaceId, frame: ContentFrame) -> Result<Reply, Reject> {
    for entries in frame.entries.chunk_by(|a, b| a.entry.thread == b.entry.thread) {
        if heads::is_early(draft, peer, entries, &frame.heads) {
            continue;
        }
        let (state, changes) = (draft.state.clone(), draft.changes.len());
        match take_ascending(draft, peer, entries) {
            // The author's home may have a new key, of which the manifest is on its way: control does not wait for content.
            Err(reject) if reject.code == RejectCode::Signature => {
                draft.state = state;
                draft.changes.truncate(changes);
                ask_again(draft, peer, entries);
            }
            taken => taken?,
        }
    }
    for covering in &frame.heads {
        take_head(draft, peer, covering)?;
    }
    if let Some(mut row) = draft.state.peers.get(&peer).map(|row| (**row).clone()) {
        row.content_in = frame.number;
        draft.put(Row::Peer(row));
    }
    Ok(Reply::Done)
}

fn ask_again(draft: &mut Draft<'_>, peer: WorkspaceId, entries: &[Stored]) {
    let log = entries.first().and_then(|first| followed_log(draft, peer, first.entry.thread));
    if let Some(log) = log {
        draft.put(Row::Log(Log { stale: true, ..log }));
    }
}

/// The owner's content feed begins anew: every copy may lack entries.
pub fn reset(draft: &mut Draft<'_>, peer: WorkspaceId, number: u64) -> Reply {
    let mine = |thread: &ThreadId| draft.state.scope(*thread).is_some_and(|scope| scope.head.owner == peer);
    let logs: Vec<Log> =
        draft.state.logs.values().filter(|log| mine(&log.thread)).map(|log| (**log).clone()).collect();
    for log in logs {
        draft.put(Row::Log(Log { stale: true, ..log }));
    }
    if let Some(mut row) = draft.state.peers.get(&peer).map(|row| (**row).clone()) {
        row.content_in = number;
        draft.put(Row::Peer(row));
    }
    Reply::Done
}

/// A page of history that was asked for.
///
/// # Errors
/// The page does not belong where it claims to, or contradicts its signatures.
pub fn history(draft: &mut Draft<'_>, peer: WorkspaceId, page: HistoryPage) -> Result<Reply, Reject> {
    if reign::tail(draft, peer, &page)? {
        return Ok(Reply::Done);
    }
    if draft.state.owns(page.thread) {
        return witness::content(draft, peer, &page);
    }
    let Some(log) = followed_log(draft, peer, page.thread) else {
        return Ok(Reply::Already);
    };
    let below = page.entries.last().is_some_and(|last| last.entry.seq < log.low) && log.high > 0;
    if below {
        take_below(draft, peer, &log, &page.entries)?;
    } else {
        if heads::is_early(draft, peer, &page.entries, &page.heads) {
            draft.put(Row::Log(Log { stale: true, ..log }));
            return Ok(Reply::Already);
        }
        take_ascending(draft, peer, &page.entries)?;
    }
    for covering in &page.heads {
        take_head(draft, peer, covering)?;
    }
    settle(draft, &page, below);
    moving::progress(draft);
    Ok(Reply::Done)
}

fn settle(draft: &mut Draft<'_>, page: &HistoryPage, below: bool) {
    let Some(mut log) = draft.state.logs.get(&page.thread).map(|log| (**log).clone()) else {
        return;
    };
    let known = log.covers.iter().chain(&log.pending).map(|(_, cover)| cover.seq).max();
    if !below {
        log.stale = known.is_some_and(|seq| seq > log.high) && !page.entries.is_empty();
    }
    let at_floor = page.entries.first().is_none_or(|first| first.entry.seq <= log.low);
    log.bottom |= (page.bottom && at_floor) || log.low <= 1;
    draft.put(Row::Log(log));
}

fn followed_log(draft: &Draft<'_>, peer: WorkspaceId, thread: ThreadId) -> Option<Log> {
    let scope = draft.state.scope(thread).filter(|scope| scope.head.owner == peer && !scope.head.ended)?;
    let readable = scope.head.frozen.is_none() && has_reader(&draft.state, thread);
    let readable = readable && !policy::is_shut(&draft.state, thread);
    draft.state.logs.get(&thread).filter(|_| readable).map(|log| (**log).clone())
}

/// Entries at the upper end of the copy; an empty copy begins wherever they begin.
fn take_ascending(draft: &mut Draft<'_>, peer: WorkspaceId, entries: &[Stored]) -> Result<(), Reject> {
    let Some(first) = entries.first() else {
        return Ok(());
    };
    let Some(mut log) = followed_log(draft, peer, first.entry.thread) else {
        return Ok(());
    };
    let from = log.high + 1;
    let held = log.high;
    for stored in entries.iter().filter(|stored| stored.entry.seq > held) {
        let entry = &stored.entry;
        if log.high == 0 {
            (log.low, log.below) = (entry.seq, entry.previous);
        } else if entry.seq != log.high + 1 {
            log.stale = true;
            break;
        } else if entry.previous != log.hash {
            if held == log.high && drop_tail(draft, &log) {
                return Ok(());
            }
            return Err(contradiction("an entry does not continue the chain"));
        }
        check_entry(draft, peer, stored)?;
        (log.high, log.hash, log.time) = (entry.seq, entry.hash(), log.time.max(entry.time));
        keep(draft, stored);
    }
    let (thread, to) = (log.thread, log.high);
    let from = from.max(log.low);
    draft.put(Row::Log(log));
    if to >= from {
        draft.mark(Mark::Content { thread, from, to });
    }
    Ok(())
}

/// Entries below the copy, checked backwards from what a head already covers.
pub(super) fn take_below(
    draft: &mut Draft<'_>,
    peer: WorkspaceId,
    log: &Log,
    entries: &[Stored],
) -> Result<(), Reject> {
    let mut log = log.clone();
    let held = log.low;
    for stored in entries.iter().rev().skip_while(|stored| stored.entry.seq >= held) {
        let entry = &stored.entry;
        if entry.seq + 1 != log.low || entry.hash() != log.below {
            return Err(contradiction("older entries do not lead to those held"));
        }
        check_entry(draft, peer, stored)?;
        (log.low, log.below) = (entry.seq, entry.previous);
        keep(draft, stored);
    }
    draft.mark(Mark::Covered(log.thread));
    draft.put(Row::Log(log));
    Ok(())
}

fn contradiction(what: &str) -> Reject {
    Reject::new(RejectCode::Contradiction, what)
}

fn keep(draft: &mut Draft<'_>, stored: &Stored) {
    draft.changes.push(Change::Content(stored.clone()));
    let body = stored.body.as_ref().and_then(|sealed| Body::parse(&sealed.body).ok());
    let Some(body) = body else { return };
    attention::note(draft, &stored.entry, &body);
    let deletes = stored.entry.kind == EntryKind::Delete;
    if let Some(target) = body.target.filter(|_| deletes) {
        posting::redact(draft, stored.entry.thread, target);
    }
}

/// Body and author of an entry (spec 5.2, 7.2): nobody is quoted without his home's signature.
pub(super) fn check_entry(draft: &Draft<'_>, owner: WorkspaceId, stored: &Stored) -> Result<(), Reject> {
    let entry = &stored.entry;
    if let Some(sealed) = &stored.body {
        if sealed.commitment() != entry.commitment {
            return Err(contradiction("a body is not the one that its entry commits to"));
        }
        Body::parse(&sealed.body).map_err(|error| Reject::new(RejectCode::Malformed, error.to_string()))?;
    }
    reign::check_end(&draft.state, stored)?;
    let home = entry.author.home();
    let vouching = || reign::vouching(&draft.state, entry.thread, entry.seq).chain([owner]);
    match &entry.signed {
        None if vouching().any(|owner| home == owner) => Ok(()),
        None => Err(Reject::new(
            RejectCode::Signature,
            "an entry of another home's user lacks that home's signature",
        )),
        Some(signed) => {
            let mut answers = vouching().map(|owner| check_author(&draft.state, owner, entry, signed));
            let first = answers.next().unwrap_or(Ok(()));
            if first.is_ok() { first } else { answers.find(Result::is_ok).unwrap_or(first) }
        }
    }
}

fn check_author(state: &State, owner: WorkspaceId, entry: &Entry, signed: &Blob) -> Result<(), Reject> {
    let home = entry.author.home();
    let opened: Verified<Submission> = envelope::open(signed, Some(owner), |hint| state.ever_key(home, hint))
        .map_err(|error| Reject::new(RejectCode::Signature, error.to_string()))?;
    let Submission { id, thread, author, kind, commitment, time: _ } = opened.object().clone();
    let same = (id, thread, author, kind, commitment)
        == (entry.submission, entry.thread, entry.author, entry.kind, entry.commitment);
    if same { Ok(()) } else { Err(contradiction("an entry says otherwise than its author's signature")) }
}

/// A head that its owner has signed.
///
/// # Errors
/// It has not.
pub(super) fn head_of(draft: &Draft<'_>, owner: WorkspaceId, bytes: &Blob) -> Result<Head, Reject> {
    let head: Verified<Head> = draft.open(bytes, None, owner)?;
    Ok(head.into_object())
}

/// A head by the owner, or by one before it for entries of its own time (spec 14.6).
fn head_of_its_time(draft: &Draft<'_>, owner: WorkspaceId, bytes: &Blob) -> Result<Head, Reject> {
    let refused = match head_of(draft, owner, bytes) {
        Ok(head) => return Ok(head),
        Err(refused) => refused,
    };
    let Ok(claimed) = envelope::peek::<Head>(bytes) else { return Err(refused) };
    let mut before = reign::vouching(&draft.state, claimed.thread, claimed.seq);
    before.find_map(|owner| head_of(draft, owner, bytes).ok()).ok_or(refused)
}

/// A head with its marks: covers at once if its epoch is applied, else waits for it (spec 5.5).
fn take_head(draft: &mut Draft<'_>, peer: WorkspaceId, covering: &Covering) -> Result<(), Reject> {
    let head = head_of_its_time(draft, peer, &covering.head)?;
    let Some(mut log) = followed_log(draft, peer, head.thread) else {
        return Ok(());
    };
    let Some(scope) = draft.state.scope(head.scope).cloned() else {
        return Ok(());
    };
    if covering.marks.len() > limits::PAGE_ENTRIES {
        return Err(Reject::new(RejectCode::TooLarge, "too many marks beside a head"));
    }
    heads::add_marks(&mut log, head.scope, &covering.marks);
    let cover = Cover { seq: head.seq, epoch: head.epoch, head: covering.head.clone() };
    let applied = head.incarnation == scope.head.incarnation && head.epoch <= scope.head.epoch;
    if head.seq > log.high || !applied {
        log.stale |= head.seq > log.high;
        log.pending.retain(|(of, waiting)| *of != head.scope || waiting.seq > head.seq);
        if log.pending.iter().all(|(of, _)| *of != head.scope) {
            log.pending.push((head.scope, cover));
        }
    } else {
        if let Err(reject) = check_head(draft, &log, &head) {
            if drop_tail(draft, &log) {
                return Ok(());
            }
            if heads::is_later(&log, &head) {
                draft.put(Row::Log(Log { stale: true, ..log }));
                return Ok(());
            }
            return contradicted(draft, &log, &head, &covering.head).ok_or(reject);
        }
        heads::cover_by(&mut log, head.scope, cover);
        draft.mark(Mark::Covered(head.thread));
    }
    draft.put(Row::Log(log));
    Ok(())
}

/// Entries that no head covers yet prove nothing: an owner that forgot them went on otherwise (spec 12.3). They go, and are
/// asked for anew; `false`: there are none.
fn drop_tail(draft: &mut Draft<'_>, log: &Log) -> bool {
    let covered = log.covers.iter().map(|(_, cover)| cover.seq).max().unwrap_or(0);
    if log.high <= covered {
        return false;
    }
    let below = covered.max(log.low.saturating_sub(1));
    let hash = if below >= log.low { entry_hash(draft, log.thread, below) } else { None };
    let mut log = log.clone();
    match hash {
        Some(hash) => {
            draft.changes.push(Change::Truncate(log.thread, below));
            (log.high, log.hash) = (below, hash);
            log.pending.clear();
        }
        None => {
            draft.changes.push(Change::Purge(log.thread));
            log = Log { marks: log.marks, ..Log::empty(log.thread, false) };
        }
    }
    log.stale = true;
    draft.put(Row::Log(log));
    true
}

/// A head for the entry that another head of the owner covers, with another hash: evidence, and the thread freezes (spec
/// 12.7). `None`: what is held may as well be wrong.
fn contradicted(draft: &mut Draft<'_>, log: &Log, head: &Head, bytes: &Blob) -> Option<()> {
    let held = log.covers.iter().chain(&log.pending).filter(|(of, _)| *of == head.scope);
    let held = held.map(|(_, cover)| &cover.head).find(|held| evidence::contradict(held, bytes)).cloned()?;
    let thread = draft.state.scope(head.thread)?.head.clone();
    let why = "the owner signed two different ends of the thread";
    evidence::freeze(draft, &thread, why, Some((held, bytes.clone())));
    Some(())
}

fn check_head(draft: &Draft<'_>, log: &Log, head: &Head) -> Result<(), Reject> {
    if head.seq < log.low {
        return Ok(());
    }
    let held = if head.seq == log.high { Some(log.hash) } else { entry_hash(draft, head.thread, head.seq) };
    if held == Some(head.hash) {
        Ok(())
    } else {
        Err(contradiction("a head covers other entries than those held"))
    }
}

fn entry_hash(draft: &Draft<'_>, thread: ThreadId, seq: u64) -> Option<Hash> {
    let added = draft.changes.iter().rev().find_map(|change| match change {
        Change::Content(stored) if stored.entry.thread == thread && stored.entry.seq == seq => {
            Some(stored.entry.hash())
        }
        _ => None,
    });
    added.or_else(|| draft.ctx.records.stored(thread, seq).map(|stored| stored.entry.hash()))
}

/// After an epoch was applied or entries came: heads that waited may cover now.
pub fn promote(draft: &mut Draft<'_>, thread: ThreadId) {
    let Some(mut log) = draft.state.logs.get(&thread).map(|log| (**log).clone()) else {
        return;
    };
    for (scope, cover) in std::mem::take(&mut log.pending) {
        let epoch = draft.state.scope(scope).map(|scope| scope.head.epoch);
        let ready = epoch.is_some_and(|epoch| cover.epoch <= epoch) && cover.seq <= log.high;
        let head = envelope::peek::<Head>(&cover.head).ok();
        match head {
            Some(head) if ready => {
                if check_head(draft, &log, &head).is_ok() {
                    heads::cover_by(&mut log, scope, cover);
                }
            }
            _ => log.pending.push((scope, cover)),
        }
    }
    if draft.state.logs.get(&thread).is_some_and(|held| **held != log) {
        draft.put(Row::Log(log));
        draft.mark(Mark::Covered(thread));
    }
}

/// The owner goes on after this entry (spec 12.3): a copy that has more lets it go; one that has something else begins anew.
pub fn truncate(draft: &mut Draft<'_>, thread: ThreadId, high: u64, hash: Hash) {
    let Some(mut log) = draft.state.logs.get(&thread).map(|log| (**log).clone()) else { return };
    let fits = log.high <= high
        || (log.low <= high && entry_hash(draft, thread, high) == Some(hash))
        || (high == 0 && log.low == 1);
    if fits && log.high <= high {
        return;
    }
    let lost = log.high.saturating_sub(high.max(log.low.saturating_sub(1)));
    if fits && high > 0 {
        draft.changes.push(Change::Truncate(thread, high));
        (log.high, log.hash) = (high, hash);
        log.covers.retain(|(_, cover)| cover.seq <= high);
        log.pending.clear();
        for (_, marks) in &mut log.marks {
            marks.retain(|(_, seq)| *seq <= high);
        }
    } else {
        draft.changes.push(Change::Purge(thread));
        log = Log::empty(thread, false);
    }
    log.stale = true;
    draft.put(Row::Log(log));
    draft.mark(Mark::Covered(thread));
    draft.audit(
        "content.let-go",
        None,
        None,
        Some(thread.into()),
        format!("{lost} entries its owner forgot"),
    );
}

/// Deletes the copy of a thread that has no reader here any more (spec 8.2); how many entries it had.
pub fn purge(draft: &mut Draft<'_>, thread: ThreadId) -> u64 {
    request::forget(draft, thread.into());
    draft.changes.push(Change::Purge(thread));
    attention::forget(draft, thread);
    let Some(log) = draft.state.logs.get(&thread).cloned() else {
        return 0;
    };
    let entries = if log.high == 0 { 0 } else { log.high + 1 - log.low };
    draft.delete(super::row::RowKey::Log(thread));
    entries
}
