//! Submissions and acts (spec 9.9): the outbox of a home, and the owner's answers.
//!
//! Duty: in order, a bounded number without an answer; everything again after a break, which the owner recognises.
//! Never: taking a message out of the outbox before the owner's answer.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, oneshot},
    time::{Duration, Instant},
};

use super::{
    Federation, LinkError,
    frame::{FrameReader, FrameWriter},
    link::Shared,
};
use crate::{
    ids::SubmissionId,
    limits,
    node::{Answer, AskError, Forward, Snapshot},
    protocol::{Command, Reject, Reply, command::RejectCode, recovery, row::PeerStatus},
    wire::{
        envelope,
        frames::{StreamKind, Submit, SubmitAnswer},
        objects::{Act, Submission},
    },
};

/// After an answer that says "later" the outbox is sent again after this time.
const AGAIN: Duration = Duration::from_secs(5);
/// How long the posts of one link wait for the comparison after a start, before their home is told to ask again.
const COMPARED: Duration = Duration::from_millis(limits::RECOVERY_MILLIS);

fn gone(error: impl std::fmt::Display) -> LinkError {
    LinkError::Transport(error.to_string())
}

/// Hands acts of local users to the link of their owner; without one the asker hears so at once.
pub(super) async fn forwards(federation: Arc<Federation>) {
    let Some(mut forwards) = federation.handle.take_forwards() else { return };
    while let Some(forward) = forwards.recv().await {
        let sent = federation.registry.acts(forward.owner).map(|acts| acts.try_send(forward));
        if !matches!(sent, Some(Ok(()))) {
            tracing::debug!("an act for a peer that is not connected, or does not keep up");
        }
    }
}

/// Whose answer comes next.
enum Expected {
    Post(SubmissionId),
    Act(oneshot::Sender<SubmitAnswer>),
}

/// The home's side: sends until the link ends.
pub(super) async fn outgoing(shared: Shared, mut acts: mpsc::Receiver<Forward>) -> Result<(), LinkError> {
    let mut resumed = shared.content_acked.subscribe();
    while resumed.borrow_and_update().is_none() {
        resumed.changed().await.map_err(gone)?;
    }
    let (send, receive) = shared.connection.open_bi().await.map_err(gone)?;
    let mut writer = FrameWriter::new(send);
    writer.begin(StreamKind::Submit);
    let (expect, expected) = mpsc::channel(limits::SUBMISSIONS_IN_FLIGHT);
    let (later, mut again) = mpsc::channel(1);
    let sending = async {
        let mut view = shared.handle.watch();
        let mut sent = 0;
        loop {
            let snapshot = view.now();
            posts(&shared, &snapshot, &mut sent, &mut writer, &expect).await?;
            writer.flush().await?;
            tokio::select! {
                changed = view.changed() => changed.map_err(gone)?,
                Some(Forward { act, answer, .. }) = acts.recv() => {
                    expect.send(Expected::Act(answer)).await.map_err(gone)?;
                    writer.push(&Submit::Act { signed: act })?;
                }
                Some(()) = again.recv() => sent = 0,
            }
        }
    };
    tokio::select! {
        ended = sending => ended,
        ended = answers(&shared, FrameReader::new(receive), expected, later) => ended,
    }
}

/// What the outbox holds for this owner beyond what was sent on this link.
async fn posts(
    shared: &Shared,
    snapshot: &Snapshot,
    sent: &mut u64,
    writer: &mut FrameWriter,
    expect: &mpsc::Sender<Expected>,
) -> Result<(), LinkError> {
    let active = |status| status == PeerStatus::Active;
    if !snapshot.state.peers.get(&shared.peer).is_some_and(|row| active(row.status)) {
        return Ok(());
    }
    let waiting = snapshot.state.outbox.range((shared.peer, *sent + 1)..=(shared.peer, u64::MAX));
    for ((_, number), pending) in waiting {
        if pending.refused.is_none() {
            let expected = Expected::Post(pending.submission);
            if let Err(full) = expect.try_send(expected) {
                writer.flush().await?;
                expect.send(full.into_inner()).await.map_err(gone)?;
            }
            writer.push(&Submit::Post { signed: pending.signed.clone(), sealed: pending.sealed.clone() })?;
        }
        *sent = *number;
    }
    Ok(())
}

async fn answers(
    shared: &Shared,
    mut reader: FrameReader,
    mut expected: mpsc::Receiver<Expected>,
    later: mpsc::Sender<()>,
) -> Result<(), LinkError> {
    while let Some(answer) = reader.next::<SubmitAnswer>().await? {
        match expected.recv().await {
            Some(Expected::Act(asked)) => {
                asked.send(answer).unwrap_or_else(|_| tracing::debug!("an act's asker left"))
            }
            Some(Expected::Post(id)) => match posted(id, answer)? {
                Err(reject) if is_for_later(reject.code) => {
                    let later = later.clone();
                    shared.handle.tasks().spawn(async move {
                        tokio::time::sleep(AGAIN).await;
                        later.try_send(()).unwrap_or_else(|_| tracing::trace!("asked to send again already"));
                    });
                }
                answer => {
                    drop(shared.handle.enqueue(Command::Answered(shared.peer, id, answer)).await?);
                }
            },
            None => return Err(LinkError::Protocol("an answer to nothing".into())),
        }
    }
    Err(LinkError::Transport("the submit stream was closed".into()))
}

fn posted(asked: SubmissionId, answer: SubmitAnswer) -> Result<Result<u64, Reject>, LinkError> {
    match answer {
        SubmitAnswer::Posted { id, seq } if id == asked => Ok(Ok(seq)),
        SubmitAnswer::Refused { id, code, detail } if id == asked => {
            let code = RejectCode::from_code(code).unwrap_or(RejectCode::Invalid);
            Ok(Err(Reject::new(code, detail)))
        }
        other => Err(LinkError::Protocol(format!("{other:?} answers another submission"))),
    }
}

/// Refusals that pass by themselves (spec 9.9).
fn is_for_later(code: RejectCode) -> bool {
    matches!(code, RejectCode::PeerInactive | RejectCode::Quota | RejectCode::Stale | RejectCode::Checking)
}

/// The owner's side: to the loop in the order of arrival, answers in the same order after their commit.
pub(super) async fn incoming(
    shared: &Shared,
    mut writer: FrameWriter,
    mut reader: FrameReader,
) -> Result<(), LinkError> {
    let (asked, mut answers) = mpsc::channel::<(SubmissionId, Answer)>(limits::SUBMISSIONS_IN_FLIGHT);
    let reading = async {
        let patience = Instant::now() + COMPARED;
        while let Some(submit) = reader.next::<Submit>().await? {
            if matches!(submit, Submit::Post { .. }) {
                compared(shared, patience).await;
            }
            let (id, command) = command(shared, submit);
            let answer = shared.handle.enqueue(command).await?;
            asked.send((id, answer)).await.map_err(gone)?;
        }
        Ok(())
    };
    let answering = async {
        while let Some((id, answer)) = answers.recv().await {
            writer.push(&outcome(id, answer.await.map_err(gone)?)?)?;
            while let Ok((id, answer)) = answers.try_recv() {
                writer.push(&outcome(id, answer.await.map_err(gone)?)?)?;
            }
            writer.flush().await?;
        }
        Ok(())
    };
    tokio::select! {
        ended = reading => ended,
        ended = answering => ended,
    }
}

/// Right after a start posts wait for the comparison that is under way: were the first ones told to come later and the next
/// ones taken, their order would be lost.
async fn compared(shared: &Shared, patience: Instant) {
    let mut view = shared.handle.watch();
    let done = view
        .wait_for(|now| recovery::is_compared(&now.state, shared.peer) || !recovery::is_trusted(&now.state));
    if tokio::time::timeout_at(patience, done).await.is_err() {
        tracing::debug!(peer = %shared.peer, "posts do not wait for the comparison any longer");
    }
}

fn command(shared: &Shared, submit: Submit) -> (SubmissionId, Command) {
    let unknown = SubmissionId([0; 16]);
    match submit {
        Submit::Post { signed, sealed } => {
            let id = envelope::peek::<Submission>(&signed).map_or(unknown, |submission| submission.id);
            (id, Command::Submitted { peer: shared.peer, signed, sealed })
        }
        Submit::Act { signed } => {
            let id = envelope::peek::<Act>(&signed).map_or(unknown, |act| act.id);
            (id, Command::Acted(shared.peer, signed))
        }
    }
}

fn outcome(id: SubmissionId, answer: Result<Reply, AskError>) -> Result<SubmitAnswer, LinkError> {
    let done = |scope, epoch| SubmitAnswer::Done { id, scope, epoch };
    match answer {
        Ok(Reply::Posted(seq)) => Ok(SubmitAnswer::Posted { id, seq }),
        Ok(Reply::Scope(scope, _)) => Ok(done(Some(scope), None)),
        Ok(Reply::Removed { epoch, .. }) => Ok(done(None, Some(epoch))),
        Ok(_) => Ok(done(None, None)),
        Err(AskError::Reject(reject)) => {
            Ok(SubmitAnswer::Refused { id, code: reject.code.code(), detail: reject.detail })
        }
        Err(error) => Err(error.into()),
    }
}
