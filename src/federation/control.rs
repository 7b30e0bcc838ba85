//! The control stream (spec 9.3 to 9.6): greetings, both control feeds, acknowledgements, ephemeral notices.
//!
//! Duty: one task that reads its frames in order and answers. Never: waiting behind content.

use tokio::sync::{broadcast::error::RecvError, mpsc};

use super::{
    LinkError,
    feed::Cursor,
    frame::{FrameReader, FrameWriter},
    greet::{self, Greeted},
    link::Shared,
};
use crate::{
    ids::FeedId,
    limits,
    node::{AskError, Notice, Snapshot},
    protocol::{
        Command, State,
        command::RejectCode,
        gate,
        row::{Peer, PeerStatus},
    },
    wire::frames::{Control, FeedFrame, FeedPosition, Hello, ScopeState},
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
    told: Option<(PeerStatus, u64)>,
    /// The feed for which a comparison was asked.
    compared: Option<FeedId>,
}

/// Runs until the stream ends.
pub(super) async fn run(
    shared: Shared,
    greeted: Greeted,
    mut outgoing: mpsc::Receiver<Control>,
) -> Result<(), LinkError> {
    let (frames, mut incoming) = mpsc::channel(limits::LINK_QUEUE);
    let Greeted { hello, writer, reader, .. } = greeted;
    let mut stream = Stream {
        told: None,
        approved: false,
        shared,
        writer,
        cursor: Cursor::default(),
        resumed: false,
        compared: None,
    };
    let mut view = stream.shared.handle.watch();
    let mut notices = stream.shared.handle.notices();
    stream.told = told(&view.borrow().state, &stream.shared);
    stream.greeted(&hello).await?;
    let reading = read(reader, frames);
    let working = async {
        loop {
            let snapshot = view.borrow_and_update().clone();
            stream.catch_up(&snapshot).await?;
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

async fn read(mut reader: FrameReader, frames: mpsc::Sender<Control>) -> Result<(), LinkError> {
    while let Some(frame) = reader.next().await? {
        if frames.send(frame).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn told(state: &State, shared: &Shared) -> Option<(PeerStatus, u64)> {
    let revision = state.homes.get(&shared.handle.me())?.manifest.revision;
    Some((state.peers.get(&shared.peer)?.status, revision))
}

impl Stream {
    /// What the state asks for: a new greeting, the position, rows of the feed.
    async fn catch_up(&mut self, snapshot: &Snapshot) -> Result<(), LinkError> {
        let state = &snapshot.state;
        let Some(row) = state.peers.get(&self.shared.peer) else {
            return Err(LinkError::Stranger("the peering is gone".into()));
        };
        let now = told(state, &self.shared);
        if now != self.told {
            self.greet_again(snapshot, now)?;
        }
        let ready = self.approved && !matches!(row.status, PeerStatus::Requested | PeerStatus::Waiting);
        if ready && !self.resumed {
            self.resumed = true;
            let feed = row.inbound.map(|(feed, number, hash)| FeedPosition { feed, number, hash });
            self.writer.push(&Control::Resume { feed, content: row.content_in })?;
        }
        while let Some(frame) = self.cursor.next(snapshot, self.shared.peer)? {
            self.writer.push(&Control::Feed { frame })?;
        }
        self.writer.flush().await
    }

    fn greet_again(&mut self, snapshot: &Snapshot, now: Option<(PeerStatus, u64)>) -> Result<(), LinkError> {
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
            Control::Manifests { chain } => self.asked(handle.ask(Command::Manifests(chain)).await)?,
            Control::Resume { feed, content } => {
                self.cursor.resume(&handle.snapshot(), peer, feed.as_ref());
                self.shared.content_acked.send_replace(Some(content));
            }
            Control::Feed { frame } => self.rows(frame).await?,
            Control::FeedAck { feed, number } => {
                self.cursor.acked(number);
                self.asked(handle.ask(Command::FeedAcked(peer, feed, number)).await)?;
            }
            Control::Compare { scopes } => self.asked(handle.ask(Command::Compare(peer, scopes)).await)?,
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
        let last = (first + u64::try_from(frame.items.len()).unwrap_or(0)).saturating_sub(1);
        match self.shared.handle.ask(Command::Feed(self.shared.peer, frame)).await {
            Ok(_) => drop(self.writer.push(&Control::FeedAck { feed, number: last })?),
            Err(AskError::Reject(reject)) if reject.code == RejectCode::FeedGap => {
                if self.compared != Some(feed) {
                    self.compared = Some(feed);
                    let scopes = held(&self.shared.handle.snapshot().state, &self.shared);
                    self.writer.push(&Control::Compare { scopes })?;
                }
            }
            other => self.asked(other)?,
        }
        Ok(())
    }

    /// A notice of the peer, through the gate (spec 10.1): its own users here, anybody in a thread that it owns.
    fn heard(&self, notice: Notice) {
        let snapshot = self.shared.handle.snapshot();
        if !gate::peer_active(&snapshot.state, self.shared.peer) {
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
            _ if !gate::peer_active(&snapshot.state, peer) => false,
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

/// What we hold of the peer's scopes (spec 9.6).
fn held(state: &State, shared: &Shared) -> Vec<ScopeState> {
    let theirs = state.scopes.values().filter(|scope| scope.head.owner == shared.peer);
    let states = theirs.map(|scope| {
        let head = &scope.head;
        ScopeState { scope: head.id, incarnation: head.incarnation, epoch: head.epoch, hash: head.hash }
    });
    states.collect()
}
