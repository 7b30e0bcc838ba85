//! The control stream (spec 9.3 to 9.6): greetings, both control feeds, acknowledgements, ephemeral notices.
//!
//! Duty: one task that reads its frames in order and answers. Never: waiting behind content.

use tokio::sync::{broadcast::error::RecvError, mpsc};

use super::{
    LinkError,
    feed::Cursor,
    frame::{FrameReader, FrameWriter},
    greet::{self, Greeted, Told},
    lease::{Asking, Grant},
    link::Shared,
    recall::Recalling,
};
use crate::{
    ids::FeedId,
    limits,
    node::{AskError, Notice, Snapshot},
    protocol::{
        Command, Reply,
        command::RejectCode,
        gate, identity, policy, recovery,
        row::{Peer, PeerStatus},
        witness,
    },
    wire::{
        Blob,
        frames::{Control, FeedFrame, FeedPosition, Hello, LeaseAsk, Witness},
    },
};

/// The stream's state.
struct Stream {
    shared: Shared,
    writer: FrameWriter,
    cursor: Cursor,
    /// Whether the other side has approved the peering.
    approved: bool,
    resumed: bool,
    /// The own greeting as it was sent last: sent again when status or manifest change.
    told: Option<Told>,
    /// The feed for which a comparison was asked.
    compared: Option<FeedId>,
    asking: Asking,
    grant: Grant,
    recalling: Recalling,
}

/// Runs until the stream ends.
pub(super) async fn run(
    shared: Shared,
    greeted: Greeted,
    mut outgoing: mpsc::Receiver<Control>,
) -> Result<(), LinkError> {
    let (frames, mut incoming) = mpsc::channel(limits::LINK_QUEUE);
    let Greeted { hello, told, writer, reader, .. } = greeted;
    let mut stream = Stream {
        told,
        approved: false,
        shared,
        writer,
        cursor: Cursor::default(),
        resumed: false,
        compared: None,
        asking: Asking::default(),
        grant: Grant::default(),
        recalling: Recalling::default(),
    };
    let mut view = stream.shared.handle.watch();
    let mut notices = stream.shared.handle.notices();
    stream.greeted(&hello).await?;
    let reading = read(reader, frames);
    let working = async {
        loop {
            let snapshot = view.now();
            stream.catch_up(&snapshot).await?;
            let due = stream.asking.due();
            tokio::select! {
                frame = incoming.recv() => match frame {
                    Some(frame) => stream.take(frame).await?,
                    None => return Ok(()),
                },
                Some(frame) = outgoing.recv() => drop(stream.writer.push(&frame)?),
                changed = view.changed() => {
                    changed.map_err(|gone| LinkError::Transport(gone.to_string()))?;
                }
                notice = notices.recv() => stream.pass_on(notice)?,
                () = until(due) => {}
            }
            while let Ok(frame) = outgoing.try_recv() {
                stream.writer.push(&frame)?;
            }
            stream.writer.flush().await?;
        }
    };
    tokio::select! {
        ended = reading => ended,
        ended = working => ended,
    }
}

/// Until a request for a lease is due; forever if none is.
async fn until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn read(mut reader: FrameReader, frames: mpsc::Sender<Control>) -> Result<(), LinkError> {
    while let Some(frame) = reader.next().await? {
        if frames.send(frame).await.is_err() {
            break;
        }
    }
    Ok(())
}

impl Stream {
    /// What the state asks for: a new greeting, the position, rows of the feed.
    async fn catch_up(&mut self, snapshot: &Snapshot) -> Result<(), LinkError> {
        let state = &snapshot.state;
        let Some(row) = state.peers.get(&self.shared.peer) else {
            return Err(LinkError::Stranger("the peering is gone".into()));
        };
        let now = greet::told(snapshot, self.shared.peer);
        if now != self.told {
            self.greet_again(snapshot, now)?;
        }
        let ready = self.approved && !matches!(row.status, PeerStatus::Requested | PeerStatus::Waiting);
        if ready && !self.resumed {
            self.resumed = true;
            let feed = row.inbound.map(|(feed, number, hash)| FeedPosition { feed, number, hash });
            self.writer.push(&Control::Resume { feed, content: row.content_in })?;
        }
        if self.resumed {
            for frame in self.recalling.next(snapshot, self.shared.peer) {
                self.writer.push(&frame)?;
            }
        }
        if recovery::feeds(state, self.shared.peer) {
            self.rows_and_grant(snapshot)?;
        }
        if self.resumed
            && let Some(ask) = self.asking.next(snapshot, self.shared.peer)
        {
            self.writer.push(&Control::AskLease { ask })?;
        }
        self.writer.flush().await
    }

    /// Rows in order, and a grant right behind the last row that it counts (spec 11.1).
    fn rows_and_grant(&mut self, snapshot: &Snapshot) -> Result<(), LinkError> {
        loop {
            while let Some(frame) = self.cursor.next(snapshot, self.shared.peer, self.grant.until())? {
                self.writer.push(&Control::Feed { frame })?;
            }
            let Some(lease) = self.grant.release(self.cursor.sent()) else { return Ok(()) };
            self.writer.push(&Control::Lease { lease })?;
        }
    }

    /// A follower asks: the grant is recorded by the loop, and leaves behind the rows.
    async fn lease_asked(&mut self, ask: LeaseAsk) -> Result<(), LinkError> {
        match self.shared.handle.ask(Command::LeaseAsked(self.shared.peer, ask)).await {
            Ok(Reply::Lease(number, lease)) => self.grant.hold(number, lease),
            Err(AskError::Reject(reject)) => {
                self.writer.push(&Control::NoLease { code: reject.code.code() })?;
            }
            other => self.asked(other)?,
        }
        Ok(())
    }

    /// The owner's answer to the last request.
    async fn lease_came(&mut self, lease: Blob) -> Result<(), LinkError> {
        let Some((nonce, asked)) = self.asking.last() else {
            tracing::debug!(peer = %self.shared.peer, "a lease that nobody asked for");
            return Ok(());
        };
        let owner = self.shared.peer;
        match self.shared.handle.ask(Command::LeaseGranted { owner, nonce, asked, lease }).await {
            Ok(_) => self.asking.granted(),
            Err(AskError::Reject(reject)) => self.no_lease(reject.code).await?,
            other => self.asked(other)?,
        }
        Ok(())
    }

    /// A follower says what it holds; after the last frame it is served (spec 12.2).
    async fn witnessed(&mut self, frame: Witness) -> Result<(), LinkError> {
        let (peer, handle) = (self.shared.peer, self.shared.handle.clone());
        if !self.recalling.is_open() {
            tracing::debug!(%peer, "an answer to a question that was not asked");
            return Ok(());
        }
        let held = self.recalling.answered(&frame)?;
        self.asked(handle.ask(Command::Witness(peer, frame)).await)?;
        if let Some(held) = held {
            self.grant.void();
            self.asked(handle.ask(Command::Compared(peer, held)).await)?;
        }
        Ok(())
    }

    /// Tells the owner what we hold; its next feed is the one to take (spec 9.6).
    async fn compare(&mut self) -> Result<(), LinkError> {
        let peer = self.shared.peer;
        self.asked(self.shared.handle.ask(Command::Comparing(peer)).await)?;
        let scopes = witness::held(&self.shared.handle.snapshot().state, peer);
        self.writer.push(&Control::Compare { scopes })?;
        Ok(())
    }

    /// Without a lease because the two sides do not hold the same: compare.
    async fn no_lease(&mut self, code: RejectCode) -> Result<(), LinkError> {
        self.asking.refused();
        if code == RejectCode::FeedGap {
            self.compare().await?;
        }
        Ok(())
    }

    fn greet_again(&mut self, snapshot: &Snapshot, now: Option<Told>) -> Result<(), LinkError> {
        let before = self.told.map(|(_, revision)| revision);
        if let (Some(before), Some((_, revision))) = (before, now)
            && revision > before
        {
            self.writer.push(&Control::Manifests { chain: greet::lacking(snapshot, Some(before)) })?;
        }
        if let Some(hello) = greet::hello(snapshot, self.shared.peer, self.shared.handle.now()) {
            self.writer.push(&Control::Hello { hello: Hello { ticket: None, ..hello } })?;
        }
        self.told = now;
        Ok(())
    }

    async fn greeted(&mut self, hello: &Hello) -> Result<(), LinkError> {
        self.approved = hello.approved;
        let snapshot = self.shared.handle.snapshot();
        let requested = |row: &Peer| row.status == PeerStatus::Requested;
        if hello.approved && snapshot.state.peers.get(&self.shared.peer).is_some_and(|row| requested(row)) {
            self.shared.handle.ask(Command::PeerApproved(self.shared.peer)).await?;
        }
        Ok(())
    }

    async fn take(&mut self, frame: Control) -> Result<(), LinkError> {
        let (peer, handle) = (self.shared.peer, self.shared.handle.clone());
        match frame {
            Control::Hello { hello } => self.greeted(&hello).await?,
            Control::Manifests { chain } => {
                let home = identity::verified(&handle.snapshot().state, &chain);
                if home.is_ok_and(|home| home.id == peer) {
                    self.asked(handle.ask(Command::Manifests(chain)).await)?;
                } else {
                    tracing::warn!(%peer, "manifests that are not the peer's");
                }
            }
            Control::Resume { feed, content } => {
                self.cursor.resume(&handle.snapshot(), peer, feed.as_ref());
                self.shared.content_acked.send_replace(Some(content));
            }
            Control::Feed { frame } => self.rows(frame).await?,
            Control::FeedAck { feed, number } => {
                self.cursor.acked(number);
                self.asked(handle.ask(Command::FeedAcked(peer, feed, number)).await)?;
            }
            Control::Compare { scopes } => {
                self.grant.void();
                self.asked(handle.ask(Command::Compare(peer, scopes)).await)?;
            }
            Control::Recall { scopes, more } => {
                if let Some(theirs) = self.recalling.asked(scopes, more)? {
                    self.asked(handle.ask(Command::Comparing(peer)).await)?;
                    let snapshot = handle.snapshot();
                    for frame in witness::answer(&snapshot.state, &*snapshot, peer, &theirs) {
                        self.writer.push(&Control::Witness { frame })?;
                    }
                }
            }
            Control::Witness { frame } => self.witnessed(frame).await?,
            Control::AskLease { ask } => self.lease_asked(ask).await?,
            Control::Lease { lease } => self.lease_came(lease).await?,
            Control::NoLease { code } => {
                self.no_lease(RejectCode::from_code(code).unwrap_or(RejectCode::Invalid)).await?;
            }
            Control::ContentAck { number } => {
                self.shared.content_acked.send_modify(|acked| *acked = (*acked).max(Some(number)));
            }
            Control::ContentReset { number } => {
                self.asked(handle.ask(Command::ContentReset(peer, number)).await)?;
            }
            Control::Typing { thread, user } => self.heard(Notice::Typing { thread, user }),
            Control::Read { thread, user, seq } => self.heard(Notice::Read { thread, user, seq }),
            Control::Bye { reason } => return Err(LinkError::Transport(reason)),
        }
        Ok(())
    }

    /// A refusal is the other side's affair; only our own failure ends the link.
    fn asked<T>(&self, answer: Result<T, AskError>) -> Result<(), LinkError> {
        match answer {
            Err(AskError::Reject(reject)) => {
                tracing::warn!(peer = %self.shared.peer, %reject, "a control frame was refused");
                Ok(())
            }
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        }
    }

    /// Rows are acknowledged after they are durable; a gap asks for a comparison, once.
    async fn rows(&mut self, frame: FeedFrame) -> Result<(), LinkError> {
        let (feed, first) = (frame.feed, frame.first);
        let items = u64::try_from(frame.items.len()).unwrap_or(0);
        let last = first.saturating_add(items).saturating_sub(1);
        match self.shared.handle.ask(Command::Feed(self.shared.peer, frame)).await {
            Ok(_) => drop(self.writer.push(&Control::FeedAck { feed, number: last })?),
            Err(AskError::Reject(reject)) if reject.code == RejectCode::FeedGap => {
                // A grant that waits behind these rows goes with their feed.
                self.asking.refused();
                if self.compared != Some(feed) {
                    self.compared = Some(feed);
                    self.compare().await?;
                }
            }
            other => self.asked(other)?,
        }
        Ok(())
    }

    /// A notice of the peer, through the gate (spec 10.1): its own users here, anybody in a thread that it owns.
    fn heard(&self, notice: Notice) {
        let snapshot = self.shared.handle.snapshot();
        if !gate::peer_active(&snapshot.state, self.shared.peer)
            || !policy::presence(&snapshot.state, self.shared.peer)
        {
            return;
        }
        let (Notice::Typing { thread, user } | Notice::Read { thread, user, .. }) = notice;
        let owner = snapshot.state.scope(thread).map(|scope| scope.head.owner);
        let may_say = user.home() == self.shared.peer || owner == Some(self.shared.peer);
        if may_say && user.home() != self.shared.handle.me() && gate::reaches(&snapshot.state, user, thread) {
            self.shared.handle.notify(notice);
        }
    }

    /// Own users' notices go to the owner; an owner passes all on to every other home with a reader.
    fn pass_on(&mut self, notice: Result<Notice, RecvError>) -> Result<(), LinkError> {
        let Ok(notice) = notice else { return Ok(()) };
        let snapshot = self.shared.handle.snapshot();
        let (Notice::Typing { thread, user } | Notice::Read { thread, user, .. }) = notice;
        let (me, peer) = (self.shared.handle.me(), self.shared.peer);
        let owner = snapshot.state.scope(thread).map(|scope| scope.head.owner);
        let wanted = match owner {
            _ if !gate::peer_active(&snapshot.state, peer) || !policy::presence(&snapshot.state, peer) => {
                false
            }
            Some(owner) if owner == me => {
                user.home() != peer && gate::peer_floor(&snapshot.state, peer, thread).is_some()
            }
            Some(owner) => owner == peer && user.home() == me,
            None => false,
        };
        if wanted {
            self.writer.push(&match notice {
                Notice::Typing { thread, user } => Control::Typing { thread, user },
                Notice::Read { thread, user, seq } => Control::Read { thread, user, seq },
            })?;
        }
        Ok(())
    }
}
