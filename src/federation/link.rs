//! One link while it is up: its tasks live and die together.
//!
//! Duty: the streams of a connection, each with its task. Never: outliving the connection.

use std::sync::Arc;

use quinn::Connection;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use super::{
    Federation, LinkError, content, control,
    frame::{FrameReader, FrameWriter},
    greet::Greeted,
    history,
    registry::Entry,
    submit,
};
use crate::{
    ids::WorkspaceId,
    limits,
    node::{Handle, Link},
    wire::frames::{Control, StreamKind},
};

/// What the tasks of one link share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) handle: Handle,
    pub(super) connection: Connection,
    pub(super) peer: WorkspaceId,
    /// Frames for the control stream.
    pub(super) control: mpsc::Sender<Control>,
    /// The last content frame that the peer holds durably; `None` until it has said where it stands.
    pub(super) content_acked: Arc<watch::Sender<Option<u64>>>,
}

impl Shared {
    /// Sends a control frame.
    pub(super) async fn tell(&self, frame: Control) -> Result<(), LinkError> {
        let sent = self.control.send(frame).await;
        sent.map_err(|gone| LinkError::Transport(gone.to_string()))
    }
}

/// Runs the link until it is down.
pub(super) async fn run(
    federation: &Arc<Federation>,
    connection: Connection,
    greeted: Greeted,
    dialler: WorkspaceId,
) {
    let (peer, handle) = (greeted.peer, federation.handle.clone());
    let (acts, acts_end) = mpsc::channel(limits::SUBMISSIONS_IN_FLIGHT);
    let entry = Entry { connection: connection.clone(), dialler, boots: greeted.hello.boots, acts };
    if !federation.registry.admit(handle.me(), peer, entry) {
        return;
    }
    handle.report(peer, Link { up: Some(handle.now()), error: None });
    tracing::info!(%peer, from = %connection.remote_address(), "link up");
    let (control_sender, outgoing) = mpsc::channel(limits::LINK_QUEUE);
    let content_acked = Arc::new(watch::channel(None).0);
    let shared = Shared {
        handle: handle.clone(),
        connection: connection.clone(),
        peer,
        control: control_sender,
        content_acked,
    };
    let mut tasks: JoinSet<Result<(), LinkError>> = JoinSet::new();
    tasks.spawn(control::run(shared.clone(), greeted, outgoing));
    tasks.spawn(content::pump(shared.clone()));
    tasks.spawn(content::incoming(shared.clone()));
    tasks.spawn(submit::outgoing(shared.clone(), acts_end));
    tasks.spawn(history::fetch(shared.clone()));
    tasks.spawn(streams(shared));
    let ended = tasks.join_next().await;
    connection.close(quinn::VarInt::from_u32(0), b"");
    tasks.shutdown().await;
    federation.registry.leave(peer, &connection);
    let error = match ended {
        Some(Ok(Err(error))) => error.to_string(),
        Some(Err(panic)) => panic.to_string(),
        _ => "closed".into(),
    };
    tracing::info!(%peer, %error, "link down");
    if !federation.registry.is_up(peer) {
        handle.report(peer, Link { up: None, error: Some((handle.now(), error)) });
    }
}

/// Bidirectional streams that the other side opens: submissions and requests for history.
async fn streams(shared: Shared) -> Result<(), LinkError> {
    let mut tasks: JoinSet<()> = JoinSet::new();
    loop {
        let accepted = shared.connection.accept_bi().await;
        let (send, receive) = accepted.map_err(|error| LinkError::Transport(error.to_string()))?;
        while tasks.try_join_next().is_some() {}
        let serving = shared.clone();
        tasks.spawn(async move {
            let (writer, reader) = (FrameWriter::new(send), FrameReader::new(receive));
            if let Err(error) = serve(&serving, writer, reader).await {
                tracing::debug!(peer = %serving.peer, %error, "a stream ended");
            }
        });
    }
}

async fn serve(shared: &Shared, writer: FrameWriter, mut reader: FrameReader) -> Result<(), LinkError> {
    match reader.kind().await? {
        StreamKind::Submit => submit::incoming(shared, writer, reader).await,
        StreamKind::History => history::serve(shared, writer, reader).await,
        kind => Err(LinkError::Protocol(format!("a second stream of kind {kind:?}"))),
    }
}
