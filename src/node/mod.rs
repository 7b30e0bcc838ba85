//! The node: identity on disk, the loop, and the one place for clocks, random sources and tasks.
//!
//! Duty: what lies between the pure core and the machine. Never: a rule of the protocol.

mod claims;
pub mod clock;
mod handle;
pub mod identity;
pub mod journal;
pub mod key_file;
mod mailing;
mod overlay;
pub mod realm;
mod run;
mod snapshot;
mod tasks;

use std::path::Path;

use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use claims::Claim;
pub use handle::{Answer, AskError, Forward, Handle, Link, Notice};
pub use mailing::{Mailing, Trial};
pub use snapshot::{Happened, Snapshot, View};
pub use tasks::Tasks;

use self::{identity::IdentityError, run::Loop};
use crate::{crypto::SecretKey, protocol::Command};

/// A node that runs.
#[derive(Debug)]
pub struct Node {
    /// Its door.
    pub handle: Handle,
    /// The key of its TLS certificate.
    pub tls: SecretKey,
    halt: DropGuard,
    ended: oneshot::Receiver<()>,
    trusted: bool,
}

impl Node {
    /// Opens the folder's store and keys and starts the loop on a thread of its own. Within a tokio runtime.
    ///
    /// # Errors
    /// The folder holds no workspace, a key file is missing or exposed, or the store cannot be opened.
    pub fn start(dir: &Path) -> Result<Self, IdentityError> {
        Self::with_journal(dir, None)
    }

    /// The same with a journal outside the folder (spec 12.6): what it has and the store lacks is taken back first.
    ///
    /// # Errors
    /// As [`Node::start`], or the journal cannot be used.
    pub fn with_journal(dir: &Path, path: Option<&Path>) -> Result<Self, IdentityError> {
        let mut opened = identity::open_all(dir)?;
        let (journal, trusted) = match path {
            Some(path) => identity::take_back(&mut opened, path)?,
            None => (None, true),
        };
        let tasks = Tasks::default();
        let snapshot = Snapshot::new(opened.state, opened.store.position(), opened.store.reader()?);
        let (handle, ends) = Handle::new(opened.home.id, (dir, path), snapshot, tasks.clone());
        let halt = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| IdentityError::Io(dir.to_owned(), error))?;
        let running = Loop::new(opened.store, journal, vec![opened.sign], ends, halt.clone());
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("comity-loop".into());
        thread
            .spawn(move || {
                runtime.block_on(running.run());
                tasks.stop_signal().cancel();
                end.send(()).unwrap_or_default();
            })
            .map_err(|error| IdentityError::Io(dir.to_owned(), error))?;
        Ok(Self { handle, tls: opened.tls, halt: halt.drop_guard(), ended, trusted })
    }

    /// Whether the journal was there and not older than the store, or is switched off; else partners wait (spec 12.6).
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Counts the start, and begins to ask the followers what they hold; before anybody else asks.
    ///
    /// # Errors
    /// The store failed.
    pub async fn boot(&self) -> Result<(), AskError> {
        self.handle.ask(Command::Boot { trusted: self.trusted }).await.map(drop)
    }

    /// Stops tasks first, then the loop, and returns when the store is closed.
    pub async fn stop(self) {
        self.handle.tasks().stop().await;
        drop(self.halt);
        if self.ended.await.is_err() {
            tracing::error!("the loop ended by a panic");
        }
    }
}
