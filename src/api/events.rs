//! Live events (server-sent): what happens in what the viewer may see now.
//!
//! Duty: every event through the gate at the moment of sending; a position to resume from. Never: a queue per stream.

use std::{collections::BTreeMap, collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    http::HeaderMap,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::{problem::Problem, viewer::Viewer};
use crate::{
    ids::{ScopeId, ThreadId, WorkspaceId},
    limits,
    node::{Notice, Snapshot, View},
    protocol::{Mark, State, gate},
    view::{messages, scopes},
};

/// How often an idle stream says that it lives.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Commits that one step of a stream looks at.
const COMMITS: usize = 64;

/// One live stream.
struct Live {
    viewer: Viewer,
    view: View,
    notices: broadcast::Receiver<Notice>,
    position: u64,
    /// The state when the stream began: what was shown then is not sent again. None when it resumes.
    base: Option<State>,
    sent: BTreeMap<ThreadId, u64>,
    ready: VecDeque<(&'static str, Value, u64)>,
}

pub(super) async fn stream(
    viewer: Viewer,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let snapshot = viewer.snapshot();
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
    let recent = u64::try_from(limits::RECENT_COMMITS).unwrap_or(0);
    let resumed = last.filter(|last| *last <= snapshot.position && snapshot.position - last < recent);
    let mut ready = VecDeque::from([("hello", json!({ "position": snapshot.position }), snapshot.position)]);
    if last.is_some() && resumed.is_none() {
        ready.push_back((
            "reset",
            json!({ "reason": "too long ago: load everything anew" }),
            snapshot.position,
        ));
    }
    let live = Live {
        view: viewer.handle.watch(),
        notices: viewer.handle.notices(),
        position: resumed.unwrap_or(snapshot.position),
        base: resumed.is_none().then(|| snapshot.state.clone()),
        sent: BTreeMap::new(),
        ready,
        viewer,
    };
    let events =
        stream::unfold(live, |mut live| async move { live.next().await.map(|event| (Ok(event), live)) });
    std::future::ready(Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))).await
}

impl Live {
    async fn next(&mut self) -> Option<Event> {
        let stop = self.viewer.handle.tasks().stop_signal().clone();
        loop {
            if let Some((name, data, position)) = self.ready.pop_front() {
                if !self.still_shown(&data) {
                    continue;
                }
                let event = Event::default().event(name).id(position.to_string());
                return event.json_data(data).ok();
            }
            let snapshot = self.view.now();
            if self.position < snapshot.position {
                self.advance(&snapshot)?;
                continue;
            }
            tokio::select! {
                changed = self.view.changed() => changed.ok()?,
                notice = self.notices.recv() => self.hear(notice),
                () = stop.cancelled() => return None,
            }
        }
    }

    /// Every frame is judged again when it leaves: it may have waited for a slow reader (spec 11.2).
    fn still_shown(&self, data: &Value) -> bool {
        let thread = data.pointer("/message/thread").and_then(Value::as_str);
        let Some(thread) = thread.and_then(|thread| thread.parse::<ThreadId>().ok()) else { return true };
        gate::reaches(&self.viewer.snapshot().state, self.viewer.user, thread)
    }

    /// Looks at the next commits. `None` ends the stream: the viewer may no longer sign in, or the store failed.
    fn advance(&mut self, snapshot: &Snapshot) -> Option<()> {
        let user = snapshot.state.users.get(&self.viewer.user)?;
        if !user.role.has_access() {
            return None;
        }
        let happened = snapshot.marks(self.position, COMMITS).ok()?;
        for (position, marks) in happened {
            for mark in marks.iter() {
                self.mark(snapshot, mark, position);
            }
            self.position = position;
        }
        Some(())
    }

    fn mark(&mut self, snapshot: &Snapshot, mark: &Mark, position: u64) {
        let me = self.viewer.user;
        match mark {
            Mark::Content { thread, from, .. } => self.content(snapshot, *thread, Some(*from), position),
            Mark::Covered(thread) => self.content(snapshot, *thread, None, position),
            Mark::Scope(scope) if gate::sees_scope(&snapshot.state, me, *scope) => {
                self.ready.push_back(("scope", json!({ "id": scope }), position));
            }
            Mark::Lost(scope, users) if users.contains(&me) => {
                self.ready.push_back(("lost", json!({ "id": scope }), position));
            }
            Mark::Invited(user, id) if *user == me => {
                self.ready.push_back(("invitation", json!({ "id": id }), position));
            }
            Mark::Outbox(user, thread) if *user == me => {
                self.ready.push_back(("pending", json!({ "thread": thread }), position));
            }
            Mark::Lease(owner) => self.lease(snapshot, *owner, position),
            Mark::Effective(scope, epoch) if self.may_follow(snapshot, *scope) => {
                self.ready.push_back(("effective", json!({ "scope": scope, "epoch": epoch }), position));
            }
            Mark::Receipt(scope, epoch) if self.may_follow(snapshot, *scope) => {
                self.ready.push_back(("receipt", json!({ "scope": scope, "epoch": epoch }), position));
            }
            Mark::Peer(peer) if self.viewer.is_admin() => {
                self.ready.push_back(("peer", json!({ "workspace": peer }), position));
            }
            _ => {}
        }
    }

    /// Whether the viewer is told how a removal fares.
    fn may_follow(&self, snapshot: &Snapshot, scope: ScopeId) -> bool {
        self.viewer.is_admin() || gate::sees_scope(&snapshot.state, self.viewer.user, scope)
    }

    /// What the viewer is in of this owner's waits now, or is there again, with what came meanwhile.
    fn lease(&mut self, snapshot: &Snapshot, owner: WorkspaceId, position: u64) {
        let (state, me) = (&snapshot.state, self.viewer.user);
        for place in scopes::places(state, me) {
            let Some(scope) = state.scope(place).filter(|scope| scope.head.owner == owner) else { continue };
            let waiting = scopes::waiting(state, me, place);
            let name = if waiting.is_some() { "waiting" } else { "resumed" };
            self.ready.push_back((name, json!({ "id": scope.head.id, "waiting_for": waiting }), position));
            if let Some(thread) = place.thread() {
                self.content(snapshot, thread, None, position);
            }
        }
    }

    /// Messages that may be shown now and were not sent: of a followed thread as far as heads cover it.
    fn content(&mut self, snapshot: &Snapshot, thread: ThreadId, from: Option<u64>, position: u64) {
        let to = shown_to(&snapshot.state, self, thread);
        let before = match (self.sent.get(&thread), &self.base, from) {
            (Some(sent), _, _) => *sent,
            (None, Some(base), _) if shown_to(base, self, thread) > 0 => shown_to(base, self, thread),
            (None, _, Some(from)) => from.saturating_sub(1),
            (None, _, None) => to,
        };
        if to <= before {
            return;
        }
        self.sent.insert(thread, to);
        let page = u64::try_from(limits::API_PAGE).unwrap_or(1);
        for seq in (before + 1).max((to + 1).saturating_sub(page))..=to {
            let message = messages::about(&snapshot.state, snapshot, self.viewer.user, thread, seq);
            if let Some(message) = message {
                self.ready.push_back(("message", json!({ "entry": seq, "message": message }), position));
            }
        }
    }

    fn hear(&mut self, notice: Result<Notice, broadcast::error::RecvError>) {
        let Ok(notice) = notice else { return };
        let (Notice::Typing { thread, user } | Notice::Read { thread, user, .. }) = notice;
        let state = &self.viewer.snapshot().state;
        if user == self.viewer.user || !gate::reaches(state, self.viewer.user, thread) {
            return;
        }
        let event = match notice {
            Notice::Typing { .. } => ("typing", json!({ "thread": thread, "user": user }), self.position),
            Notice::Read { seq, .. } => {
                ("read", json!({ "thread": thread, "user": user, "seq": seq }), self.position)
            }
        };
        self.ready.push_back(event);
    }
}

/// The last entry that the viewer may be shown.
fn shown_to(state: &State, live: &Live, thread: ThreadId) -> u64 {
    gate::paths(state, live.viewer.user, thread).iter().map(|path| path.to).max().unwrap_or(0)
}
