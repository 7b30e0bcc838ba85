//! The one door of the node: what shells ask, and what they see.
//!
//! Duty: bounded queues to the loop, the latest view, ephemeral notices, acts for peers. Never: a rule, a write.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    claims::{Claim, Claims},
    clock,
    mailing::{Mailbox, Mailing, Trial},
    snapshot::{Snapshot, View},
    tasks::Tasks,
};
use crate::{
    crypto::SecretKey,
    ids::{ThreadId, UserId, WorkspaceId},
    limits,
    protocol::{Command, Reject, Reply, address::Address, command::RejectCode, recovery},
    time::Millis,
    wire::{Blob, frames::SubmitAnswer},
};

/// How long an act for a peer may take before the asker is told to try again, in seconds.
const PEER_ANSWER_SECONDS: u64 = 15;

/// Why a command was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AskError {
    /// At fault is the one who asked.
    #[error(transparent)]
    Reject(#[from] Reject),
    /// The owner's node cannot be reached now.
    #[error("{0} cannot be reached now: try again later")]
    Unreachable(WorkspaceId),
    /// The node stops, or its disk failed.
    #[error("the node is stopping: {0}")]
    Stopped(String),
}

/// What the loop gets.
pub(super) enum Input {
    /// A command and where its answer goes.
    Ask(Command, oneshot::Sender<Result<Reply, AskError>>),
    /// A signing key that a coming manifest will name.
    Key(SecretKey),
}

/// The answer to a command that is on its way; resolves after the commit.
pub type Answer = oneshot::Receiver<Result<Reply, AskError>>;

/// Something that is worth showing now and never stored (spec 10.1, 10.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Somebody writes.
    Typing {
        /// Where.
        thread: ThreadId,
        /// Who.
        user: UserId,
    },
    /// Somebody has read.
    Read {
        /// Where.
        thread: ThreadId,
        /// Who.
        user: UserId,
        /// Up to which entry.
        seq: u64,
    },
}

/// An act of a user of ours for a scope of a peer.
#[derive(Debug)]
pub struct Forward {
    /// The owner.
    pub owner: WorkspaceId,
    /// The act, signed.
    pub act: Blob,
    /// Where the owner's answer goes; dropped when it cannot be asked.
    pub answer: oneshot::Sender<SubmitAnswer>,
}

/// The link to a peer as an operator sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Since when it is up.
    pub up: Option<Millis>,
    /// Why the last attempt failed, and when.
    pub error: Option<(Millis, String)>,
}

/// The door. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    me: WorkspaceId,
    dir: PathBuf,
    journal: Option<PathBuf>,
    claims: Claims,
    neighbours: Mutex<BTreeMap<WorkspaceId, SocketAddr>>,
    control: mpsc::Sender<Input>,
    content: mpsc::Sender<Input>,
    view: watch::Receiver<Arc<Snapshot>>,
    notices: broadcast::Sender<Notice>,
    forward: mpsc::Sender<Forward>,
    forwards: Mutex<Option<mpsc::Receiver<Forward>>>,
    links: watch::Sender<BTreeMap<WorkspaceId, Link>>,
    dials: broadcast::Sender<WorkspaceId>,
    tls: watch::Sender<Option<SecretKey>>,
    mail: Mailbox,
    tasks: Tasks,
}

/// The loop's ends of the queues.
pub(super) struct Ends {
    pub(super) control: mpsc::Receiver<Input>,
    pub(super) content: mpsc::Receiver<Input>,
    pub(super) view: watch::Sender<Arc<Snapshot>>,
}

impl Handle {
    pub(super) fn new(
        me: WorkspaceId,
        (dir, journal): (&Path, Option<&Path>),
        snapshot: Snapshot,
        tasks: Tasks,
    ) -> (Self, Ends) {
        let (control, control_end) = mpsc::channel(limits::CONTROL_QUEUE);
        let (content, content_end) = mpsc::channel(limits::CONTENT_QUEUE);
        let (view_end, view) = watch::channel(Arc::new(snapshot));
        let (forward, forwards) = mpsc::channel(limits::SUBMISSIONS_IN_FLIGHT);
        let shared = Shared {
            me,
            dir: dir.to_owned(),
            journal: journal.map(Path::to_owned),
            claims: Claims::default(),
            neighbours: Mutex::default(),
            control,
            content,
            view,
            notices: broadcast::channel(limits::NOTICES).0,
            forward,
            forwards: Mutex::new(Some(forwards)),
            links: watch::channel(BTreeMap::new()).0,
            dials: broadcast::channel(limits::NOTICES).0,
            tls: watch::channel(None).0,
            mail: Mailbox::default(),
            tasks,
        };
        let ends = Ends { control: control_end, content: content_end, view: view_end };
        (Self(Arc::new(shared)), ends)
    }

    /// Asks, and waits until the change is on disk.
    ///
    /// # Errors
    /// The command is refused, or the node stops.
    pub async fn ask(&self, command: Command) -> Result<Reply, AskError> {
        let answer = self.enqueue(command).await?;
        answer.await.map_err(|gone| AskError::Stopped(gone.to_string()))?
    }

    /// The same, again while the followers are asked what they hold (spec 12.1), until this moment: a removal right after
    /// a start just takes some seconds.
    ///
    /// # Errors
    /// As [`Handle::ask`].
    pub async fn ask_checked(&self, command: Command, until: Instant) -> Result<Reply, AskError> {
        let mut view = self.watch();
        loop {
            let seen = view.now();
            match self.ask(command.clone()).await {
                Err(AskError::Reject(reject)) if reject.code == RejectCode::Checking => {
                    // Nobody tells when silence begins to count as an answer: that is a matter of the clock alone.
                    let silent = Duration::from_millis(recovery::patience(&seen.state));
                    if Instant::now() >= until || silent.is_zero() {
                        return Err(reject.into());
                    }
                    let learned = view.wait_for(|now| now.state.uptime.check != seen.state.uptime.check);
                    drop(tokio::time::timeout_at(until.min(Instant::now() + silent), learned).await);
                }
                answer => return answer,
            }
        }
    }

    /// Hands a command over; the answer comes after its commit. Commands of one kind keep their order.
    ///
    /// # Errors
    /// The node stops.
    pub async fn enqueue(&self, command: Command) -> Result<Answer, AskError> {
        let (sender, answer) = oneshot::channel();
        let queue = if is_content(&command) { &self.0.content } else { &self.0.control };
        let sent = queue.send(Input::Ask(command, sender)).await;
        sent.map_err(|gone| AskError::Stopped(gone.to_string()))?;
        Ok(answer)
    }

    /// Gives the loop a signing key; it is used from the commit of the manifest that names it first.
    ///
    /// # Errors
    /// The node stops.
    pub async fn add_key(&self, key: SecretKey) -> Result<(), AskError> {
        let sent = self.0.control.send(Input::Key(key)).await;
        sent.map_err(|gone| AskError::Stopped(gone.to_string()))
    }

    /// The own workspace.
    #[must_use]
    pub fn me(&self) -> WorkspaceId {
        self.0.me
    }

    /// The node's folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// Where the journal belongs; `None`: it is switched off.
    #[must_use]
    pub fn journal(&self) -> Option<&Path> {
        self.0.journal.as_deref()
    }

    /// A node of this very process: where it listens, whatever its manifest says to others.
    pub fn meet(&self, neighbour: WorkspaceId, at: SocketAddr) {
        if let Ok(mut neighbours) = self.0.neighbours.lock() {
            neighbours.insert(neighbour, at);
        }
    }

    /// Where a node of this process listens.
    #[must_use]
    pub fn neighbour(&self, workspace: WorkspaceId) -> Option<SocketAddr> {
        self.0.neighbours.lock().ok()?.get(&workspace).copied()
    }

    /// Somebody says that he is a peer, whom we do not know.
    pub fn claimed(&self, workspace: WorkspaceId, from: SocketAddr) {
        self.0.claims.note(Claim { workspace, at: self.now(), from });
    }

    /// Who said so, the newest first, without those who are peers by now.
    #[must_use]
    pub fn claims(&self) -> Vec<Claim> {
        let peers = &self.snapshot().state.peers;
        self.0.claims.all().into_iter().filter(|claim| !peers.contains_key(&claim.workspace)).collect()
    }

    /// The clock of the node.
    #[must_use]
    pub fn now(&self) -> Millis {
        clock::now()
    }

    /// The view after the last commit, as of now.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        View::new(self.0.view.clone()).now()
    }

    /// The view, its changes, and each as of the moment at which it is looked at.
    #[must_use]
    pub fn watch(&self) -> View {
        View::new(self.0.view.clone())
    }

    /// The node's tasks and its stop signal.
    #[must_use]
    pub fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Ephemeral notices from now on. A slow receiver loses the oldest.
    #[must_use]
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.0.notices.subscribe()
    }

    /// Tells everybody who listens; nobody listening is fine.
    pub fn notify(&self, notice: Notice) {
        drop(self.0.notices.send(notice));
    }

    /// An operator does not want to wait until the next attempt to connect is due.
    pub fn dial(&self, peer: WorkspaceId) {
        drop(self.0.dials.send(peer));
    }

    /// Peers that are to be dialled now. A slow receiver loses the oldest.
    #[must_use]
    pub fn dials(&self) -> broadcast::Receiver<WorkspaceId> {
        self.0.dials.subscribe()
    }

    /// Asks a peer to carry out a signed act.
    ///
    /// # Errors
    /// The peer cannot be reached, or does not answer in time.
    pub async fn ask_peer(&self, owner: WorkspaceId, act: Blob) -> Result<SubmitAnswer, AskError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.forward.send(Forward { owner, act, answer }).await;
        sent.map_err(|gone| AskError::Stopped(gone.to_string()))?;
        match tokio::time::timeout(Duration::from_secs(PEER_ANSWER_SECONDS), answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(AskError::Unreachable(owner)),
        }
    }

    /// The acts for peers; the one shell that carries them takes them once.
    #[must_use]
    pub fn take_forwards(&self) -> Option<mpsc::Receiver<Forward>> {
        self.0.forwards.lock().ok()?.take()
    }

    /// A TLS key that replaces the one that the node began with.
    #[must_use]
    pub fn tls_key(&self) -> watch::Receiver<Option<SecretKey>> {
        self.0.tls.subscribe()
    }

    /// New connections use this TLS key.
    pub fn use_tls_key(&self, key: SecretKey) {
        self.0.tls.send_replace(Some(key));
    }

    /// How mail leaves this node; `None`: it does not, and links have to be shown to be passed on.
    #[must_use]
    pub fn mail(&self) -> Option<&Mailing> {
        self.0.mail.mailing()
    }

    /// The mail shell begins; it gets the letters that admins try out. `None`: there is one already.
    #[must_use]
    pub fn use_mail(&self, mailing: Mailing) -> Option<mpsc::Receiver<Trial>> {
        self.0.mail.open(mailing)
    }

    /// Sends a letter for a trial right now. The server's words, or what went wrong; `None`: no mail leaves this node.
    pub async fn try_mail(&self, to: Address, by: String) -> Option<Result<String, String>> {
        self.0.mail.try_out(to, by).await
    }

    /// Links to peers, and their changes.
    #[must_use]
    pub fn links(&self) -> watch::Receiver<BTreeMap<WorkspaceId, Link>> {
        self.0.links.subscribe()
    }

    /// The state of a link changed.
    pub fn report(&self, peer: WorkspaceId, link: Link) {
        self.0.links.send_modify(|links| drop(links.insert(peer, link)));
    }
}

/// Content waits behind control: a removal never queues behind messages (protocol: control first).
fn is_content(command: &Command) -> bool {
    matches!(
        command,
        Command::Post { .. }
            | Command::Submitted { .. }
            | Command::Content(..)
            | Command::ContentAcked(..)
            | Command::History(..)
            | Command::Answered(..)
            | Command::MarkRead(..)
    )
}
