//! History (spec 9.8): pages on request, newest first.
//!
//! Duty: a bounded number of requests at a time, never two for one thread; answers through the gate. Never: asking on
//! and on for what the owner does not give.

use std::collections::{BTreeMap, BTreeSet};

use tokio::{task::JoinSet, time::Duration};

use super::{
    LinkError,
    frame::{FrameReader, FrameWriter},
    link::Shared,
};
use crate::{
    ids::ThreadId,
    limits,
    node::{AskError, Snapshot},
    protocol::{Command, gate, replica, row::Log, serve},
    time::Millis,
    wire::frames::{HistoryPage, HistoryRequest, StreamKind},
};

/// A thread of which a page brought nothing is asked for again after this time, in milliseconds.
const NOTHING_NEW_MILLIS: u64 = 5_000;

/// Fetches what is wanted of the peer's threads, until the link ends.
pub(super) async fn fetch(shared: Shared) -> Result<(), LinkError> {
    let mut view = shared.handle.watch();
    let mut resumed = shared.content_acked.subscribe();
    let mut running: BTreeSet<ThreadId> = BTreeSet::new();
    let mut later: BTreeMap<ThreadId, Millis> = BTreeMap::new();
    let mut tasks: JoinSet<(ThreadId, Result<bool, LinkError>)> = JoinSet::new();
    loop {
        let now = shared.handle.now();
        later.retain(|_, at| *at > now);
        if resumed.borrow_and_update().is_some() {
            let snapshot = view.now();
            for request in replica::wanted(&snapshot.state, shared.peer) {
                let thread = request.thread;
                if running.len() < limits::HISTORY_REQUESTS
                    && !later.contains_key(&thread)
                    && running.insert(thread)
                {
                    let shared = shared.clone();
                    tasks.spawn(async move { (thread, page(&shared, request).await) });
                }
            }
        }
        tokio::select! {
            changed = view.changed() => changed.map_err(|gone| LinkError::Transport(gone.to_string()))?,
            changed = resumed.changed() => changed.map_err(|gone| LinkError::Transport(gone.to_string()))?,
            Some(done) = tasks.join_next() => {
                let (thread, result) = done.map_err(|panic| LinkError::Transport(panic.to_string()))?;
                running.remove(&thread);
                if !result? {
                    later.insert(thread, shared.handle.now().plus(NOTHING_NEW_MILLIS));
                }
            }
            () = tokio::time::sleep(Duration::from_millis(NOTHING_NEW_MILLIS)), if !later.is_empty() => {}
        }
    }
}

/// One page; whether it brought anything.
async fn page(shared: &Shared, request: HistoryRequest) -> Result<bool, LinkError> {
    let stream = shared.connection.open_bi().await;
    let (send, receive) = stream.map_err(|error| LinkError::Transport(error.to_string()))?;
    let (mut writer, mut reader) = (FrameWriter::new(send), FrameReader::new(receive));
    writer.begin(StreamKind::History);
    writer.push(&request)?;
    writer.flush().await?;
    writer.finish();
    let page = match reader.next::<HistoryPage>().await {
        Ok(Some(page)) => page,
        Ok(None) => return Ok(false),
        // The owner takes its answer back when the access ends while it is on the way.
        Err(LinkError::Transport(_)) if shared.connection.close_reason().is_none() => return Ok(false),
        Err(error) => return Err(error),
    };
    if page.thread != request.thread {
        return Err(LinkError::Protocol("a page of another thread than was asked for".into()));
    }
    let before = log(&shared.handle.snapshot(), request.thread);
    match shared.handle.ask(Command::History(shared.peer, page)).await {
        Ok(_) => Ok(before != log(&shared.handle.snapshot(), request.thread)),
        Err(AskError::Reject(reject)) => {
            tracing::warn!(peer = %shared.peer, %reject, "a page of history was refused");
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

fn log(snapshot: &Snapshot, thread: ThreadId) -> Option<std::sync::Arc<Log>> {
    snapshot.state.logs.get(&thread).cloned()
}

/// Answers one request of the peer; no page when it has nothing to ask for there.
pub(super) async fn serve(
    shared: &Shared,
    mut writer: FrameWriter,
    mut reader: FrameReader,
) -> Result<(), LinkError> {
    let Some(request) = reader.next::<HistoryRequest>().await? else { return Ok(()) };
    let mut snapshot = shared.handle.snapshot();
    if unsigned(shared, &snapshot, request.thread) {
        shared.handle.ask(Command::SignHeads(request.thread)).await?;
        snapshot = shared.handle.snapshot();
    }
    if let Some(page) = serve::page(&snapshot.state, &*snapshot, shared.peer, &request) {
        writer.push(&page)?;
        tokio::select! {
            biased;
            () = cut(shared, request.thread) => {
                writer.reset();
                return Ok(());
            }
            sent = writer.flush() => sent?,
        }
    }
    writer.finish();
    Ok(())
}

/// Until the peer may not read the thread any more: a page that it does not take off the stream does not wait for that.
async fn cut(shared: &Shared, thread: ThreadId) {
    let mut view = shared.handle.watch();
    let gone = view.wait_for(|now| !serve::serves(&now.state, shared.peer, thread)).await.is_ok();
    if !gone {
        std::future::pending::<()>().await;
    }
}

/// Whether a head that the peer needs is missing or does not reach the end of the thread.
fn unsigned(shared: &Shared, snapshot: &Snapshot, thread: ThreadId) -> bool {
    let Some(log) = snapshot.state.logs.get(&thread) else { return false };
    gate::peer_scopes(&snapshot.state, shared.peer, thread).any(|scope| {
        let cover = log.covers.iter().find(|(of, _)| *of == scope.head.id);
        cover.is_none_or(|(_, cover)| cover.seq < log.high || cover.epoch < scope.head.epoch)
    })
}
