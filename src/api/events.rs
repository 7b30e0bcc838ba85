//! Live events (server-sent): what happens in what the viewer may see now.
//!
//! Duty: every event through the gate at the moment of sending; a position to resume from. Never: a queue per stream,
//! content that waits for a slow reader.

use std::{collections::BTreeMap, collections::VecDeque, convert::Infallible, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::sse::{Event, KeepAlive, Sse},
};
use futures_util::{Stream, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::{Api, problem::Problem, viewer::Viewer};
use crate::{
    ids::{ScopeId, ThreadId, WorkspaceId},
    limits,
    node::{Notice, Snapshot, View},
    protocol::{Mark, State, gate},
    view::{inbox, messages, removals, scopes},
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
    /// What comes next, each with the position from which to resume behind it.
    ready: VecDeque<(Coming, u64)>,
}

/// An event that waits until the reader takes it; what it shows is decided then.
enum Coming {
    /// Of the viewer himself.
    Own(&'static str, Value),
    /// Of a scope.
    Of(ScopeId, &'static str, Value),
    /// How a removal fares: for those who see the scope, and for admins.
    Removal(ScopeId, u64, &'static str),
    /// An entry of a thread.
    Entry(ThreadId, u64),
}

/// The position from which a stream resumes.
pub(super) struct LastEvent(Option<u64>);

impl FromRequestParts<Api> for LastEvent {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Infallible> {
        // A browser's own word, on connecting again, is the newer one.
        let id = parts.headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let pairs = parts.uri.query().into_iter().flat_map(|query| query.split('&'));
        let after = pairs.into_iter().find_map(|pair| pair.strip_prefix("after="));
        std::future::ready(Ok(Self(id.or(after).and_then(|position| position.parse().ok())))).await
    }
}

pub(super) async fn stream(
    viewer: Viewer,
    LastEvent(last): LastEvent,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let snapshot = viewer.snapshot();
    let recent = u64::try_from(limits::RECENT_COMMITS).unwrap_or(0);
    let resumed = last.filter(|last| *last <= snapshot.position && snapshot.position - last < recent);
    let hello = Coming::Own("hello", json!({ "position": snapshot.position }));
    let mut ready = VecDeque::from([(hello, snapshot.position)]);
    if last.is_some() && resumed.is_none() {
        let reset = Coming::Own("reset", json!({ "reason": "too long ago: load everything anew" }));
        ready.push_back((reset, snapshot.position));
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
    // An event, not a comment: a browser shows no comment to its page, which has to know that it is still told (P7.4).
    let alive = KeepAlive::new().interval(KEEP_ALIVE).event(Event::default().event("alive").data("{}"));
    std::future::ready(Ok(Sse::new(events).keep_alive(alive))).await
}

impl Live {
    async fn next(&mut self) -> Option<Event> {
        let stop = self.viewer.handle.tasks().stop_signal().clone();
        loop {
            let snapshot = self.view.now();
            self.signed_in(&snapshot)?;
            if let Some((coming, position)) = self.ready.pop_front() {
                if let Some((name, data)) = self.shown(&snapshot, coming) {
                    return Event::default().event(name).id(position.to_string()).json_data(data).ok();
                }
                continue;
            }
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

    /// `None` ends the stream: the session is over, or the viewer may no longer sign in.
    fn signed_in(&self, snapshot: &Snapshot) -> Option<()> {
        let user = snapshot.state.users.get(&self.viewer.user)?;
        let session = snapshot.state.sessions.get(&self.viewer.token())?;
        let good = session.user == user.id && session.is_good(self.viewer.handle.now());
        (good && user.role.has_access()).then_some(())
    }

    /// The event as the gate lets it pass now.
    fn shown(&self, snapshot: &Snapshot, coming: Coming) -> Option<(&'static str, Value)> {
        let (state, me) = (&snapshot.state, self.viewer.user);
        match coming {
            Coming::Own(name, data) => Some((name, data)),
            Coming::Of(scope, name, data) => gate::sees_scope(state, me, scope).then_some((name, data)),
            Coming::Removal(scope, epoch, name) => {
                let removal = state.removals.get(&(scope, epoch))?;
                let sees = self.viewer.is_admin() || gate::sees_scope(state, me, scope);
                let view = removals::removal(state, removal, self.viewer.handle.now());
                Some((name, serde_json::to_value(view).ok().filter(|_| sees)?))
            }
            Coming::Entry(thread, seq) => {
                let message = messages::about(state, snapshot, me, thread, seq)?;
                let fresh = message.seq == seq;
                let concern = fresh.then(|| inbox::concern(state, me, &message)).flatten();
                Some(("message", json!({ "entry": seq, "message": message, "concern": concern })))
            }
        }
    }

    /// Looks at the next commits. `None`: the store failed.
    fn advance(&mut self, snapshot: &Snapshot) -> Option<()> {
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
        let coming = match mark {
            Mark::Content { thread, from, .. } => {
                return self.content(snapshot, *thread, Some(*from), position);
            }
            Mark::Covered(thread) => return self.content(snapshot, *thread, None, position),
            Mark::Scope(scope) if gate::frozen(&snapshot.state, me, *scope).is_some() => {
                Coming::Own("frozen", json!({ "id": scope }))
            }
            Mark::Scope(scope) => Coming::Of(*scope, "scope", json!({ "id": scope })),
            Mark::Lost(scope, users) if users.contains(&me) => Coming::Own("lost", json!({ "id": scope })),
            Mark::Invited(user, id) if *user == me => Coming::Own("invitation", json!({ "id": id })),
            Mark::Claim(user) if *user == me => Coming::Own("claim", json!({})),
            Mark::Outbox(user, thread) if *user == me => Coming::Own("pending", json!({ "thread": thread })),
            Mark::Lease(owner) => return self.lease(snapshot, *owner, position),
            Mark::Receipt(scope, epoch) => Coming::Removal(*scope, *epoch, "receipt"),
            Mark::Effective(scope, epoch) => Coming::Removal(*scope, *epoch, "effective"),
            Mark::Peer(peer) if self.viewer.is_admin() => Coming::Own("peer", json!({ "workspace": peer })),
            _ => return,
        };
        self.ready.push_back((coming, position));
    }

    /// What the viewer is in of this owner's waits now, or is there again, with what came meanwhile.
    fn lease(&mut self, snapshot: &Snapshot, owner: WorkspaceId, position: u64) {
        let (state, me) = (&snapshot.state, self.viewer.user);
        for place in scopes::places(state, me) {
            let Some(scope) = state.scope(place).filter(|scope| scope.head.owner == owner) else { continue };
            let waiting = scopes::waiting(state, me, place);
            let name = if waiting.is_some() { "waiting" } else { "resumed" };
            let data = json!({ "id": scope.head.id, "waiting_for": waiting });
            self.ready.push_back((Coming::Own(name, data), position));
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
        let first = (before + 1).max((to + 1).saturating_sub(page));
        if first > before + 1 {
            let reset =
                json!({ "thread": thread, "reason": "more than a page at once: load the thread anew" });
            self.ready.push_back((Coming::Own("reset", reset), position));
        }
        self.ready.extend((first..=to).map(|seq| (Coming::Entry(thread, seq), position)));
    }

    fn hear(&mut self, notice: Result<Notice, broadcast::error::RecvError>) {
        let Ok(notice) = notice else { return };
        let (Notice::Typing { thread, user } | Notice::Read { thread, user, .. }) = notice;
        if user == self.viewer.user {
            return;
        }
        let (name, data) = match notice {
            Notice::Typing { .. } => ("typing", json!({ "thread": thread, "user": user })),
            Notice::Read { seq, .. } => ("read", json!({ "thread": thread, "user": user, "seq": seq })),
        };
        self.ready.push_back((Coming::Of(thread.into(), name, data), self.position));
    }
}

/// The last entry that the viewer may be shown.
fn shown_to(state: &State, live: &Live, thread: ThreadId) -> u64 {
    gate::paths(state, live.viewer.user, thread).iter().map(|path| path.to).max().unwrap_or(0)
}
