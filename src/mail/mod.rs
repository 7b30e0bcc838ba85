//! The mail shell: letters that wait in the state go to an SMTP server, one at a time.
//!
//! Duty: a letter leaves the state after the server has taken it: it may go twice at worst, under the same Message-ID, never
//! not at all. Never: a rule of who gets what; content of messages; a secret in the log.

mod message;
mod server;
mod words;

use std::{sync::Arc, time::Duration};

use tokio::sync::mpsc;

use crate::{
    crypto::Secret,
    limits,
    node::{AskError, Handle, Mailing, Snapshot, Trial, clock},
    protocol::{
        Command,
        address::Address,
        letter::{Letter, What},
    },
};

use self::{
    message::Envelope,
    server::{Failure, Server},
};

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte.
    Required,
    /// Begun in the clear, nothing said before TLS is there.
    StartTls,
    /// None: only for a server on this machine.
    None,
}

/// Where mail goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// The only certificates that are trusted, as PEM; else those of the system.
    pub roots: Option<Vec<u8>>,
    /// The sender.
    pub from: Address,
    /// What stands before the paths of links, without a slash at its end.
    pub base: String,
}

/// Why mail cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The certificates, or the system's, cannot be used.
    #[error("[mail] ca_file: {0}")]
    Certificates(String),
    /// There is a mail shell already.
    #[error("mail is sent already")]
    Twice,
}

/// The longest wait for a letter's time by the wall clock, which may be set meanwhile.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

struct Mail {
    handle: Handle,
    server: Server,
    mailing: Mailing,
}

/// Sends what waits, and what comes, until the node stops.
///
/// # Errors
/// The certificates cannot be used.
pub fn start(handle: &Handle, settings: &Settings) -> Result<(), MailError> {
    let server = Server::new(settings)?;
    let (from, base) = (settings.from.clone(), settings.base.clone());
    let mailing = Mailing { from, base, server: server.name().to_owned() };
    let trials = handle.use_mail(mailing.clone()).ok_or(MailError::Twice)?;
    let mail = Arc::new(Mail { handle: handle.clone(), server, mailing });
    handle.tasks().spawn(try_out(mail.clone(), trials));
    handle.tasks().spawn(async move {
        if let Err(error) = send(&mail).await {
            tracing::error!(%error, "no more mail is sent until the node starts again");
        }
    });
    Ok(())
}

/// One letter after the other, each when it is due.
async fn send(mail: &Mail) -> Result<(), AskError> {
    let mut view = mail.handle.watch();
    loop {
        let (snapshot, now) = (view.now(), mail.handle.now());
        let changed = match snapshot.state.letters.next(now) {
            Some(Ok(letter)) => {
                deliver(mail, &snapshot, &letter).await?;
                continue;
            }
            Some(Err(at)) => {
                let wait = Duration::from_millis(at.since(now)).min(LOOK_AGAIN);
                tokio::time::timeout(wait, view.changed()).await.unwrap_or(Ok(()))
            }
            None => view.changed().await,
        };
        if changed.is_err() {
            return Ok(());
        }
    }
}

async fn deliver(mail: &Mail, snapshot: &Snapshot, letter: &Letter) -> Result<(), AskError> {
    let envelope = Envelope { id: &letter.id, to: &letter.to, time: letter.queued };
    let sent = mail.send(snapshot, &envelope, &letter.what).await;
    let number = letter.number;
    let command = match sent {
        Ok(answer) => {
            tracing::info!(number, kind = letter.what.kind(), %answer, "letter sent");
            Command::LetterSent(number)
        }
        Err(Failure { words, permanent }) => {
            tracing::warn!(number, kind = letter.what.kind(), permanent, error = %words, "letter not sent");
            Command::LetterFailed { number, error: words, permanent }
        }
    };
    mail.handle.ask(command).await.map(drop)
}

/// Letters that admins send to try the server out; they wait for nothing that is queued.
async fn try_out(mail: Arc<Mail>, mut trials: mpsc::Receiver<Trial>) {
    while let Some(Trial { to, by, answer }) = trials.recv().await {
        let id = clock::seed().map(|seed| data_encoding::HEXLOWER.encode(&seed)).unwrap_or_default();
        let (to, time) = (to.to_string(), mail.handle.now());
        let envelope = Envelope { id: &id, to: &to, time };
        let sent = mail.send(&mail.handle.snapshot(), &envelope, &What::Trial { by }).await;
        drop(answer.send(sent.map_err(|failure| failure.words)));
    }
}

impl Mail {
    async fn send(
        &self,
        snapshot: &Snapshot,
        envelope: &Envelope<'_>,
        what: &What,
    ) -> Result<String, Failure> {
        let home = snapshot.state.homes.get(&self.handle.me());
        let name = home.map(|home| home.manifest.name.as_str()).unwrap_or_default();
        let message = message::compose(&self.mailing, name, envelope, what)?;
        let patience = Duration::from_secs(limits::MAIL_SECONDS);
        let sent = tokio::time::timeout(patience, self.server.send(message)).await;
        sent.unwrap_or_else(|_| Err(self.server.silent()))
    }
}
