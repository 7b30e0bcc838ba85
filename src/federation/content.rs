//! Live content (spec 9.7): the owner's pump, and the follower's side.
//!
//! Duty: whatever is new in threads for which the peer has a reader, from the journal; a peer costs one position. Never:
//! an entry past the gate, a queue per peer, more on the way than the window.

use std::collections::{BTreeMap, VecDeque};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Duration, interval},
};

use super::{
    LinkError,
    frame::{FrameReader, FrameWriter},
    link::Shared,
};
use crate::{
    ids::{ScopeId, ThreadId},
    limits,
    node::{Answer, AskError, Snapshot},
    protocol::{Command, Mark, gate, serve},
    wire::frames::{ContentFrame, Control, StreamKind},
};

/// Positions are persisted after so many frames, or when a second has passed.
const FRAMES_PER_POSITION: u64 = 256;
/// Where nothing was sent, the position is persisted once half of the commits have passed that a return may be behind.
/// That is a commit as well: at each change it would keep every peer's pump, and the disk, busy for ever.
const COMMITS_PER_POSITION: u64 = 512;
const _: () = assert!(limits::RECENT_COMMITS == 1024);

fn gone(error: impl std::fmt::Display) -> LinkError {
    LinkError::Transport(error.to_string())
}

/// The owner's side.
struct Pump {
    shared: Shared,
    writer: FrameWriter,
    acked: watch::Receiver<Option<u64>>,
    /// Everything up to this commit was sent.
    position: u64,
    /// The last frame.
    number: u64,
    /// Number, position that its acknowledgement stands for, bytes.
    on_the_way: VecDeque<(u64, u64, usize)>,
    /// What the last acknowledgement stands for, and what of that was persisted.
    durable: (u64, u64),
    persisted: (u64, u64),
}

/// What happened in some commits, as far as it concerns one peer.
#[derive(Default)]
struct Round {
    threads: BTreeMap<ThreadId, Option<(u64, u64)>>,
    unsigned: Vec<ThreadId>,
    cut: bool,
}

/// Sends until the link ends.
pub(super) async fn pump(shared: Shared) -> Result<(), LinkError> {
    let mut acked = shared.content_acked.subscribe();
    let theirs = loop {
        if let Some(number) = *acked.borrow_and_update() {
            break number;
        }
        acked.changed().await.map_err(gone)?;
    };
    let writer = open(&shared).await?;
    let durable = (0, 0);
    let mut pump = Pump {
        shared,
        writer,
        acked,
        position: 0,
        number: theirs,
        on_the_way: VecDeque::new(),
        durable,
        persisted: durable,
    };
    pump.resume(theirs).await?;
    let mut view = pump.shared.handle.watch();
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        let snapshot = view.now();
        pump.send(&snapshot).await?;
        tokio::select! {
            changed = view.changed() => changed.map_err(gone)?,
            changed = pump.acked.changed() => {
                changed.map_err(gone)?;
                pump.note_acks();
            }
            _ = seconds.tick() => pump.persist().await?,
        }
        if pump.durable.0 >= pump.persisted.0 + FRAMES_PER_POSITION {
            pump.persist().await?;
        }
    }
}

async fn open(shared: &Shared) -> Result<FrameWriter, LinkError> {
    let stream = shared.connection.open_uni().await.map_err(gone)?;
    if let Err(error) = stream.set_priority(-1) {
        tracing::trace!(%error, "the stream was closed already");
    }
    let mut writer = FrameWriter::new(stream);
    writer.begin(StreamKind::Content);
    Ok(writer)
}

impl Pump {
    /// Goes on where the peer stands, with repetitions if need be; after a long absence the peer fetches history
    /// instead, newest first.
    async fn resume(&mut self, theirs: u64) -> Result<(), LinkError> {
        let snapshot = self.shared.handle.snapshot();
        let row = snapshot.state.peers.get(&self.shared.peer);
        let (number, position) = row.map_or((0, 0), |row| row.content_acked);
        let behind = snapshot.position.saturating_sub(position);
        let recent = u64::try_from(limits::RECENT_COMMITS).unwrap_or(0);
        if position > 0 && theirs >= number && behind < recent {
            self.position = position;
        } else {
            self.number = theirs.max(number);
            self.position = snapshot.position;
            self.shared.tell(Control::ContentReset { number: self.number }).await?;
        }
        (self.durable, self.persisted) = ((self.number, self.position), (number, position));
        Ok(())
    }

    fn note_acks(&mut self) {
        let acked = self.acked.borrow_and_update().unwrap_or(0);
        while let Some((number, position, _)) =
            self.on_the_way.front().filter(|(number, ..)| *number <= acked)
        {
            self.durable = (*number, *position);
            self.on_the_way.pop_front();
        }
    }

    async fn persist(&mut self) -> Result<(), LinkError> {
        let (sent, passed) =
            (self.durable.0 != self.persisted.0, self.durable.1.saturating_sub(self.persisted.1));
        if sent || passed >= COMMITS_PER_POSITION {
            let (number, position) = self.durable;
            drop(
                self.shared.handle.enqueue(Command::ContentAcked(self.shared.peer, number, position)).await?,
            );
            self.persisted = self.durable;
        }
        Ok(())
    }

    /// Everything up to the snapshot. Each frame is of what the peer may read when it leaves: this may wait for the peer.
    async fn send(&mut self, snapshot: &Snapshot) -> Result<(), LinkError> {
        let round = self.collect(snapshot)?;
        for thread in round.unsigned {
            drop(self.shared.handle.enqueue(Command::SignHeads(thread)).await?);
        }
        if round.cut {
            self.cut().await?;
        }
        let before = self.position;
        let mut frame = ContentFrame { number: 0, entries: Vec::new(), heads: Vec::new() };
        let mut bytes = 0;
        for (thread, range) in round.threads {
            let mut next = range.map_or(u64::MAX, |(from, _)| from);
            let to = range.map_or(0, |(_, to)| to);
            while next <= to {
                let now = self.shared.handle.snapshot();
                let entries = serve::entries(&now.state, &*now, self.shared.peer, thread, next, to);
                let Some(last) = entries.last() else { break };
                next = last.entry.seq + 1;
                bytes += entries.iter().map(size).sum::<usize>();
                frame.entries.extend(entries);
                if next <= to || bytes >= limits::PAGE_BYTES / 2 {
                    self.frame(&mut frame, before).await?;
                    bytes = 0;
                }
            }
            if range.is_none()
                || frame.entries.iter().any(|stored| stored.entry.thread == thread)
                || next > to
            {
                // The heads of these entries, not newer ones: those would cover nothing that is here.
                if serve::serves(&self.shared.handle.snapshot().state, self.shared.peer, thread) {
                    frame.heads.extend(serve::heads(&snapshot.state, self.shared.peer, thread));
                }
            }
            if frame.heads.len() >= limits::PAGE_ENTRIES {
                self.frame(&mut frame, before).await?;
            }
        }
        self.position = snapshot.position;
        if !frame.entries.is_empty() || !frame.heads.is_empty() {
            self.frame(&mut frame, snapshot.position).await?;
        } else if self.on_the_way.is_empty() {
            self.durable.1 = snapshot.position;
        }
        self.writer.flush().await
    }

    async fn frame(&mut self, frame: &mut ContentFrame, position: u64) -> Result<(), LinkError> {
        self.number += 1;
        frame.number = self.number;
        let bytes = self.writer.push(frame)?;
        self.on_the_way.push_back((self.number, position, bytes));
        (frame.entries, frame.heads) = (Vec::new(), Vec::new());
        self.writer.flush().await?;
        while self.on_the_way.iter().map(|(_, _, bytes)| bytes).sum::<usize>() > limits::CONTENT_WINDOW_BYTES
        {
            self.acked.changed().await.map_err(gone)?;
            self.note_acks();
        }
        Ok(())
    }

    /// The peer lost its last reader of something: what is on the way is dropped (P7.2), and the rest is fetched again.
    async fn cut(&mut self) -> Result<(), LinkError> {
        self.writer.reset();
        self.writer = open(&self.shared).await?;
        self.on_the_way.clear();
        self.shared.tell(Control::ContentReset { number: self.number }).await
    }

    fn collect(&self, snapshot: &Snapshot) -> Result<Round, LinkError> {
        let mut round = Round::default();
        let mut after = self.position;
        while after < snapshot.position {
            let happened = snapshot.marks(after, limits::RECENT_COMMITS).map_err(gone)?;
            let Some((last, _)) = happened.last() else { break };
            after = *last;
            for mark in happened.iter().flat_map(|(_, marks)| marks.iter()) {
                round.add(&self.shared, snapshot, mark);
            }
        }
        Ok(round)
    }
}

impl Round {
    fn add(&mut self, shared: &Shared, snapshot: &Snapshot, mark: &Mark) {
        let state = &snapshot.state;
        let concerns =
            |thread: ThreadId| state.owns(thread) && gate::peer_floor(state, shared.peer, thread).is_some();
        match mark {
            Mark::Content { thread, from, to } if concerns(*thread) => {
                let range = self.threads.entry(*thread).or_default();
                let (low, high) = range.unwrap_or((*from, *to));
                *range = Some((low.min(*from), high.max(*to)));
            }
            Mark::Covered(thread) if concerns(*thread) => drop(self.threads.entry(*thread).or_default()),
            Mark::Scope(scope) => {
                let addressed = scope.group().and_then(|group| state.addressed.get(&group));
                let threads = scope.thread().into_iter().chain(addressed.into_iter().flatten().copied());
                let unsigned = |thread: &ThreadId| concerns(*thread) && lacks_head(shared, snapshot, *thread);
                self.unsigned.extend(threads.filter(unsigned));
            }
            Mark::Cut(_, peer) => self.cut |= *peer == shared.peer,
            _ => {}
        }
    }
}

/// Whether the peer reads through a scope for which no head was signed yet.
fn lacks_head(shared: &Shared, snapshot: &Snapshot, thread: ThreadId) -> bool {
    let Some(log) = snapshot.state.logs.get(&thread).filter(|log| log.high > 0) else { return false };
    let covered = |scope: ScopeId| log.covers.iter().any(|(of, _)| *of == scope);
    gate::peer_scopes(&snapshot.state, shared.peer, thread).any(|scope| !covered(scope.head.id))
}

fn size(stored: &crate::wire::Stored) -> usize {
    let signed = stored.entry.signed.as_ref().map_or(0, |signed| signed.len());
    320 + signed + stored.body.as_ref().map_or(0, |sealed| sealed.body.len())
}

/// The follower's side: frames in order to the loop, acknowledged when they are durable.
pub(super) async fn incoming(shared: Shared) -> Result<(), LinkError> {
    let (taken, acks) = mpsc::channel(limits::LINK_QUEUE);
    let mut streams: JoinSet<()> = JoinSet::new();
    let accepting = async {
        loop {
            let stream = shared.connection.accept_uni().await.map_err(gone)?;
            while streams.try_join_next().is_some() {}
            let (shared, taken) = (shared.clone(), taken.clone());
            streams.spawn(async move {
                if let Err(error) = frames(&shared, FrameReader::new(stream), taken).await {
                    tracing::debug!(peer = %shared.peer, %error, "a content stream ended");
                }
            });
        }
    };
    tokio::select! {
        ended = accepting => ended,
        ended = acknowledge(&shared, acks) => ended,
    }
}

async fn frames(
    shared: &Shared,
    mut reader: FrameReader,
    taken: mpsc::Sender<(u64, Answer)>,
) -> Result<(), LinkError> {
    if reader.kind().await? != StreamKind::Content {
        return Err(LinkError::Protocol("a one-way stream carries content".into()));
    }
    while let Some(frame) = reader.next::<ContentFrame>().await? {
        let number = frame.number;
        let answer = shared.handle.enqueue(Command::Content(shared.peer, frame)).await?;
        taken.send((number, answer)).await.map_err(gone)?;
    }
    Ok(())
}

async fn acknowledge(shared: &Shared, mut acks: mpsc::Receiver<(u64, Answer)>) -> Result<(), LinkError> {
    while let Some((mut number, answer)) = acks.recv().await {
        durable(shared, answer).await?;
        while let Ok((next, answer)) = acks.try_recv() {
            durable(shared, answer).await?;
            number = next;
        }
        shared.tell(Control::ContentAck { number }).await?;
    }
    Ok(())
}

async fn durable(shared: &Shared, answer: Answer) -> Result<(), LinkError> {
    match answer.await {
        Ok(Err(AskError::Reject(reject))) => {
            tracing::warn!(peer = %shared.peer, %reject, "content was refused");
            Ok(())
        }
        Ok(Err(error)) => Err(error.into()),
        Ok(Ok(_)) => Ok(()),
        Err(error) => Err(gone(error)),
    }
}
