//! The loop: whatever queued while the last commit ran is the next batch (group commit).
//!
//! Duty: decide in order, seal, one commit, then answers and the new view: nothing leaves before it is durable
//! (invariant 5). Never: IO besides the store, waiting for a peer.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    clock,
    handle::{AskError, Ends, Input},
    journal::Journal,
    overlay::Overlay,
    snapshot::Snapshot,
};
use crate::{
    crypto::{Random, SecretKey},
    ids::ThreadId,
    limits,
    protocol::{
        Change, Command, Ctx, Mark, Records, Reject, Reply, State, decide, journal,
        row::{Node, Row},
        seal,
        uptime::Promise,
    },
    store::{Committed, Fault, Store},
    time::{Boot, Millis},
};

type Asked = (Result<Reply, AskError>, oneshot::Sender<Result<Reply, AskError>>);

/// The loop's own things.
pub(super) struct Loop {
    store: Store,
    journal: Option<Journal>,
    keys: Vec<SecretKey>,
    view: Arc<Snapshot>,
    ends: Ends,
    halt: CancellationToken,
}

/// One batch while it grows.
struct Batch<'a> {
    now: Millis,
    boot: Boot,
    random: Random,
    state: State,
    changes: Vec<Change>,
    overlay: Overlay<'a>,
    answers: Vec<Asked>,
}

impl Loop {
    pub(super) fn new(
        store: Store,
        journal: Option<Journal>,
        keys: Vec<SecretKey>,
        ends: Ends,
        halt: CancellationToken,
    ) -> Self {
        let view = ends.view.borrow().clone();
        Self { store, journal, keys, view, ends, halt }
    }

    /// Runs until it is told to halt or the disk fails. What queued before the halt is still done.
    pub(super) async fn run(mut self) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            let mut inputs = Vec::new();
            let Ends { control, content, .. } = &mut self.ends;
            let halt = tokio::select! {
                biased;
                Some(input) = control.recv() => hold(&mut inputs, input),
                Some(input) = content.recv() => hold(&mut inputs, input),
                _ = tick.tick() => hold(&mut inputs, Input::Ask(Command::Tick, oneshot::channel().0)),
                () = self.halt.cancelled() => true,
            };
            fill(control, &mut inputs);
            fill(content, &mut inputs);
            if let Err(fault) = self.batch(inputs) {
                tracing::error!(%fault, "the store failed: the node stops");
                return;
            }
            if halt && self.ends.control.is_empty() && self.ends.content.is_empty() {
                return;
            }
        }
    }

    fn batch(&mut self, inputs: Vec<Input>) -> Result<(), Fault> {
        let seed = clock::seed().map_err(|error| Fault::Damaged(format!("no random bytes: {error}")))?;
        let view = self.view.clone();
        let mut batch = Batch {
            now: clock::now(),
            boot: clock::boot(),
            random: Random::from_seed(seed),
            state: view.state.clone(),
            changes: Vec::new(),
            overlay: Overlay::over(view.reader()),
            answers: Vec::new(),
        };
        for input in inputs {
            match input {
                Input::Key(key) => self.keys.push(key),
                Input::Ask(command, asked) => {
                    let answer = self.decide(&mut batch, command);
                    batch.answers.push((answer.map_err(AskError::from), asked));
                }
            }
        }
        self.seal(&mut batch);
        self.finish(batch)
    }

    fn decide(&self, batch: &mut Batch<'_>, command: Command) -> Result<Reply, Reject> {
        let random = Random::from_seed(batch.random.bytes());
        let (now, boot, key) = (batch.now, batch.boot, self.key(&batch.state)?);
        let ctx = Ctx { now, boot, random, key, records: &batch.overlay };
        let decision = decide(&batch.state, command, ctx)?;
        batch.take(decision.changes);
        Ok(decision.reply)
    }

    /// The key that the own manifest names first.
    fn key(&self, state: &State) -> Result<&SecretKey, Reject> {
        let manifest = state.me().and_then(|me| state.homes.get(&me)).map(|home| &home.manifest);
        let named = manifest.and_then(|manifest| manifest.sign.first()).copied();
        let held = self.keys.iter().rev().find(|key| Some(key.public()) == named);
        held.ok_or_else(|| {
            let why = "the signing key on disk is not the one of the manifest: restore keys/sign.key";
            Reject::new(crate::protocol::command::RejectCode::Invalid, why)
        })
    }

    /// Heads of the threads that the batch touched, for their followers (spec 5.4).
    fn seal(&self, batch: &mut Batch<'_>) {
        let touched: BTreeSet<ThreadId> = batch.changes.iter().filter_map(touched).collect();
        let touched: Vec<ThreadId> = touched.into_iter().collect();
        let Ok(key) = self.key(&batch.state) else { return };
        let records: &dyn Records = &batch.overlay;
        let random = Random::from_seed(batch.random.bytes());
        let (now, boot) = (batch.now, batch.boot);
        let heads = seal(&batch.state, &touched, Ctx { now, boot, random, key, records });
        batch.take(heads);
    }

    fn finish(&mut self, batch: Batch<'_>) -> Result<(), Fault> {
        if batch.changes.is_empty() {
            dispatch(batch.answers, None);
            return Ok(());
        }
        let Batch { mut state, mut changes, answers, .. } = batch;
        if !changes.iter().any(Change::is_durable) {
            self.view = Arc::new(self.view.with(state));
            let (newest, news) = (self.view.clone(), changes.iter().any(Change::is_news));
            // Else each lease would wake every task of every link.
            self.ends.view.send_if_modified(|view| {
                *view = newest;
                news
            });
            dispatch(answers, None);
            return Ok(());
        }
        let committed = match self.write(&mut state, &mut changes) {
            Ok(committed) => committed,
            Err(fault) => {
                for (_, asked) in answers {
                    drop(asked.send(Err(AskError::Stopped(fault.to_string()))));
                }
                return Err(fault);
            }
        };
        let marks = changes.into_iter().filter_map(|change| match change {
            Change::Mark(mark) => Some(mark),
            _ => None,
        });
        let marks = crate::protocol::change::joined(marks);
        let reader = self.store.reader()?;
        self.view = Arc::new(self.view.next(state, committed.position(), reader, marks));
        self.ends.view.send_replace(self.view.clone());
        dispatch(answers, Some(committed));
        Ok(())
    }
}

impl Loop {
    /// Memberships and peerings go to the journal first: a crash in between leaves it ahead, never behind (spec 12.6).
    fn write(&mut self, state: &mut State, changes: &mut Vec<Change>) -> Result<Committed, Fault> {
        let confirmed = changes.iter().any(|change| matches!(change, Change::Promise(Promise::Trusted)));
        if let Some(journal) = self.journal.as_mut().filter(|_| confirmed) {
            journal.confirm().map_err(|error| Fault::Journal(error.to_string()))?;
        }
        let records = journal::records(&self.view.state, changes);
        if let (Some(journal), Some(node), false) =
            (&mut self.journal, state.node.clone(), records.is_empty())
        {
            let position = journal.append(&records).map_err(|error| Fault::Journal(error.to_string()))?;
            let change = Change::Put(Row::Node(Node { journal: position, ..node }));
            state.apply(&change);
            changes.push(change);
        }
        self.store.commit(changes)
    }
}

impl Batch<'_> {
    fn take(&mut self, changes: Vec<Change>) {
        for change in &changes {
            self.state.apply(change);
            self.overlay.add(change);
        }
        self.changes.extend(changes);
    }
}

/// Answers leave with the proof that what they speak of is on disk; `None`: nothing that belongs there was changed.
fn dispatch(answers: Vec<Asked>, _proof: Option<Committed>) {
    for (answer, asked) in answers {
        drop(asked.send(answer));
    }
}

fn hold(inputs: &mut Vec<Input>, input: Input) -> bool {
    inputs.push(input);
    false
}

fn fill(queue: &mut mpsc::Receiver<Input>, inputs: &mut Vec<Input>) {
    while inputs.len() < limits::BATCH_INPUTS {
        match queue.try_recv() {
            Ok(input) => inputs.push(input),
            Err(_) => return,
        }
    }
}

fn touched(change: &Change) -> Option<ThreadId> {
    match change {
        Change::Mark(Mark::Content { thread, .. }) => Some(*thread),
        _ => None,
    }
}
