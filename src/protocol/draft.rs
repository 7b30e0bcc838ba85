//! A decision in the making: a private copy of the state, and the changes that led to it.
//!
//! Duty: reading one's own writes; the feed rows, marks and audit lines that belong to a change. Dropped
//! on a refusal, so that a decision is all or nothing. Never: IO.

use super::{
    State,
    change::{Change, Mark},
    command::{Reject, RejectCode},
    row::{Peer, Row, RowKey},
    words::tokens,
};
use crate::{
    crypto::{PublicKey, Random, SecretKey, sha256},
    ids::{Hash, KeyId, ScopeId, SubmissionId, ThreadId, UserId, WorkspaceId},
    time::{Boot, Millis},
    wire::{
        AuditLine, Blob, Body, Entry, Object, Proof, Stored, Verified, cbor, envelope,
        frames::Item,
        objects::{EntryKind, Event},
    },
};

/// What the core reads beyond [`State`]. Implemented by the store's snapshots, with what the running
/// batch has added laid over it, and by the simulator's disk.
pub trait Records {
    /// An entry, with its body unless deleted.
    fn stored(&self, thread: ThreadId, seq: u64) -> Option<Stored>;
    /// An entry without its body: who did what, and when.
    fn entry(&self, thread: ThreadId, seq: u64) -> Option<Entry> {
        self.stored(thread, seq).map(|stored| stored.entry)
    }
    /// Where a submission of a home was sequenced: (hash of the entry's submission, thread, seq).
    fn submitted(&self, home: WorkspaceId, id: SubmissionId) -> Option<(ThreadId, u64)>;
    /// The entries about a message (edits, deletions, reactions), ascending.
    fn refs(&self, thread: ThreadId, target: u64) -> Vec<u64>;
    /// How many messages a thread has after one entry and up to another, at most so many; deleted ones and those of one
    /// author do not count.
    fn messages(&self, thread: ThreadId, after: u64, to: u64, but: Option<UserId>, most: usize) -> usize {
        let stored = (after.saturating_add(1)..=to).filter_map(|seq| self.stored(thread, seq));
        let counts = stored.filter(|stored| {
            let entry = &stored.entry;
            entry.kind == EntryKind::Message && stored.body.is_some() && Some(entry.author) != but
        });
        counts.take(most).count()
    }
    /// Messages between two entries, the newest first, at most so many, that may have all of these words (`words::tokens`).
    fn with_words(
        &self,
        thread: ThreadId,
        words: &[String],
        (from, to): (u64, u64),
        most: usize,
    ) -> Vec<u64> {
        let has = |seq: &u64| {
            let versions = self.refs(thread, *seq).into_iter().chain([*seq]);
            let bodies = versions.filter_map(|seq| self.stored(thread, seq)?.body);
            let texts = bodies.filter_map(|sealed| Body::parse(&sealed.body).ok());
            let mut kept = texts.map(|body| tokens(&body.text));
            kept.any(|kept| words.iter().all(|word| kept.contains(word)))
        };
        (from..=to).rev().filter(has).take(most).collect()
    }
    /// A row of our control feed to a peer.
    fn feed(&self, peer: WorkspaceId, number: u64) -> Option<Blob>;
    /// A membership event as signed.
    fn event(&self, scope: ScopeId, incarnation: u64, epoch: u64) -> Option<Blob>;
    /// The membership events of a scope from this epoch on, by incarnation and epoch.
    fn events(&self, scope: ScopeId, epoch: u64) -> Vec<Blob>;
    /// The snapshot by which a followed scope began.
    fn base(&self, scope: ScopeId) -> Option<Blob>;
}

/// What a decision gets from outside.
pub struct Ctx<'a> {
    /// Now.
    pub now: Millis,
    /// The same moment on the clock that runs through suspend.
    pub boot: Boot,
    /// For ids and salts.
    pub random: Random,
    /// The signing key in use.
    pub key: &'a SecretKey,
    /// Content and chains.
    pub records: &'a dyn Records,
}

/// The private copy.
pub struct Draft<'a> {
    /// As it will be.
    pub state: State,
    /// What was changed so far.
    pub changes: Vec<Change>,
    /// From outside.
    pub ctx: Ctx<'a>,
    /// Who gave the command, where the command itself does not say.
    pub actor: Option<UserId>,
    me: WorkspaceId,
}

impl<'a> Draft<'a> {
    /// Begins with a copy of `state`.
    ///
    /// # Errors
    /// The node has no identity yet.
    pub fn new(state: &State, ctx: Ctx<'a>) -> Result<Self, Reject> {
        let me = state.me().ok_or_else(|| {
            Reject::new(RejectCode::NotFound, "this node has no identity: run `comity init`")
        })?;
        let mut state = state.clone();
        (state.uptime.now, state.uptime.wall) = (ctx.boot, ctx.now);
        Ok(Self { state, changes: Vec::new(), ctx, actor: None, me })
    }

    /// The own workspace.
    #[must_use]
    pub fn me(&self) -> WorkspaceId {
        self.me
    }

    /// A part of a decision that may be refused without the rest: then nothing of it stays.
    ///
    /// # Errors
    /// As the part.
    pub fn attempt<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, Reject>) -> Result<T, Reject> {
        let (state, changes) = (self.state.clone(), self.changes.len());
        let done = part(self);
        if done.is_err() {
            self.state = state;
            self.changes.truncate(changes);
        }
        done
    }

    /// Writes a row.
    pub fn put(&mut self, row: Row) {
        self.state.put(row.clone());
        self.changes.push(Change::Put(row));
    }

    /// Deletes a row.
    pub fn delete(&mut self, key: RowKey) {
        self.state.delete(&key);
        self.changes.push(Change::Delete(key));
    }

    /// Notes for pumps and live streams.
    pub fn mark(&mut self, mark: Mark) {
        self.changes.push(Change::Mark(mark));
    }

    /// Writes an audit line.
    pub fn audit(
        &mut self,
        act: &str,
        actor: Option<UserId>,
        peer: Option<WorkspaceId>,
        scope: Option<ScopeId>,
        detail: String,
    ) {
        let (act, object, time) = (act.into(), None, self.ctx.now);
        self.note(AuditLine { time, actor, peer, scope, act, detail, object });
    }

    /// Writes an audit line that holds more than [`Draft::audit`] takes. The time is now; without an actor of its own
    /// it is by who gave the command.
    pub fn note(&mut self, line: AuditLine) {
        let (time, actor) = (self.ctx.now, line.actor.or(self.actor));
        self.changes.push(Change::Audit(AuditLine { time, actor, ..line }));
    }

    /// The newest event of a scope that this decision wrote, as what proves an act.
    #[must_use]
    pub fn event_proof(&self, id: ScopeId, signer: WorkspaceId) -> Option<Proof> {
        self.changes.iter().rev().find_map(|change| match change {
            Change::Event { scope, bytes, .. } if *scope == id => {
                Some(Proof { kind: Event::TYPE, signer, audience: None, bytes: bytes.clone() })
            }
            _ => None,
        })
    }

    /// Signs with the online key.
    pub fn sign<T: Object>(&self, object: T, audience: Option<WorkspaceId>) -> Verified<T> {
        envelope::sign(object, audience, self.ctx.key)
    }

    /// Opens an object that `signer` must have signed.
    ///
    /// # Errors
    /// The check that failed, by its name.
    pub fn open<T: Object>(
        &self,
        bytes: &Blob,
        audience: Option<WorkspaceId>,
        signer: WorkspaceId,
    ) -> Result<Verified<T>, Reject> {
        self.open_with(bytes, audience, |hint| self.state.signing_key(signer, hint))
    }

    /// Opens an object of ours that may be older than the keys of today; a revoked key counts for nothing (spec 2.4).
    ///
    /// # Errors
    /// As [`Draft::open`].
    pub fn open_own<T: Object>(&self, bytes: &Blob) -> Result<Verified<T>, Reject> {
        self.open_with(bytes, None, |hint| {
            let revoked = self.state.homes.get(&self.me).map(|home| &home.manifest.revoked);
            let known = self.state.ever_key(self.me, hint);
            known.filter(|key| revoked.is_none_or(|revoked| !revoked.contains(key)))
        })
    }

    fn open_with<T: Object>(
        &self,
        bytes: &Blob,
        audience: Option<WorkspaceId>,
        key: impl Fn(KeyId) -> Option<PublicKey>,
    ) -> Result<Verified<T>, Reject> {
        envelope::open(bytes, audience, key).map_err(|error| {
            let code = match error {
                envelope::EnvelopeError::Signature | envelope::EnvelopeError::UnknownKey(_) => {
                    RejectCode::Signature
                }
                envelope::EnvelopeError::Size(_) => RejectCode::TooLarge,
                _ => RejectCode::Malformed,
            };
            Reject::new(code, error.to_string())
        })
    }

    /// Appends a row to our control feed to a peer (spec 9.4). Nobody is kept waiting: the pump reads the store.
    pub fn feed(&mut self, peer: WorkspaceId, item: &Item) {
        let Some(row) = self.state.peers.get(&peer) else {
            return;
        };
        let mut row = (**row).clone();
        let item: Blob = cbor::encode(item).into();
        row.queued += 1;
        row.queued_hash = running_hash(row.queued_hash, &item);
        self.changes.push(Change::Feed { peer, number: row.queued, item });
        self.put(Row::Peer(row));
    }

    /// The next `N` random bytes.
    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        self.ctx.random.bytes()
    }
}

/// The peering with a workspace.
///
/// # Errors
/// There is none.
pub(super) fn linked(draft: &Draft<'_>, peer: WorkspaceId) -> Result<Peer, Reject> {
    let row =
        draft.state.peers.get(&peer).ok_or_else(|| Reject::new(RejectCode::PeerInactive, "no peering"))?;
    Ok((**row).clone())
}

/// The hash over a feed up to and including a row (spec 9.4).
#[must_use]
pub fn running_hash(before: Hash, item: &[u8]) -> Hash {
    sha256(&[b"comity/1 feed", &before.0, item])
}
