//! The audit log for admins (P8.3): pages with filters, and the export that anybody can check (spec 13.4).

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Json,
    body::{Body, Bytes},
    http::StatusCode,
};
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::JsonLines,
    problem::Problem,
    viewer::{Query, Viewer},
};
use crate::{
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    limits,
    node::Snapshot,
    protocol::{
        Command, Reply,
        audit::{Header, Record, Trailer, referred},
    },
    store::Fault,
    time::Millis,
    view::people::{self, Person},
    wire::AuditLine,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    before: Option<u64>,
    limit: Option<usize>,
    /// The beginning of the act's name: `member.` or `peer.ended`.
    act: Option<String>,
    peer: Option<WorkspaceId>,
    scope: Option<ScopeId>,
    actor: Option<UserId>,
    /// From this moment on.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
}

fn moment(name: &str, text: Option<&str>) -> Result<Option<Millis>, Problem> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|error| Problem::invalid(format!("{name}: {error}")))
}

impl Wanted {
    fn filter(&self) -> Result<impl Fn(&AuditLine) -> bool, Problem> {
        let (from, to) = (moment("from", self.from.as_deref())?, moment("to", self.to.as_deref())?);
        Ok(move |line: &AuditLine| {
            self.act.as_ref().is_none_or(|act| line.act.starts_with(act.as_str()))
                && self.peer.is_none_or(|peer| line.peer == Some(peer))
                && self.scope.is_none_or(|scope| line.scope == Some(scope))
                && self.actor.is_none_or(|actor| line.actor == Some(actor))
                && from.is_none_or(|from| line.time >= from)
                && to.is_none_or(|to| line.time < to)
        })
    }
}

fn unreadable(fault: &Fault) -> Problem {
    tracing::error!(%fault, "the audit log cannot be read");
    let detail = "the audit log cannot be read: see the node's log";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", detail)
}

/// A page of the log.
#[derive(Serialize, JsonSchema)]
pub(super) struct Lines {
    /// Newest first.
    lines: Vec<Numbered>,
    /// The `before` of the next page; also there when this one looked at many lines and found few.
    next: Option<u64>,
    /// Who is named in the lines, as far as this node knows or knew him.
    people: Vec<Person>,
}

/// A line with its place in the chain.
#[derive(Serialize, JsonSchema)]
struct Numbered {
    number: u64,
    line: Line,
}

/// What was done.
#[derive(Serialize, JsonSchema)]
struct Line {
    time: Millis,
    /// Who acted; null: a peer's node, or time.
    actor: Option<UserId>,
    /// The peer concerned.
    peer: Option<WorkspaceId>,
    /// The group or thread concerned.
    scope: Option<ScopeId>,
    /// What: a short stable name such as `member.removed`.
    act: String,
    /// The rest, for people.
    detail: String,
    /// The signed object that did it, or that it led to; the export has its bytes.
    object: Option<Signed>,
}

/// What was signed.
#[derive(Serialize, JsonSchema)]
struct Signed {
    /// The object type (spec 3.2).
    kind: u64,
    signer: WorkspaceId,
}

/// Newest first. `next` is also there when a page looked at many lines and found few.
pub(super) async fn list(viewer: Viewer, Query(wanted): Query<Wanted>) -> Result<Json<Lines>, Problem> {
    let limit = wanted.limit.unwrap_or(50).clamp(1, limits::AUDIT_PAGE);
    let before = wanted.before.unwrap_or(u64::MAX);
    let snapshot = viewer.snapshot();
    let page = snapshot.audit(before, limit, wanted.filter()?);
    let page = page.map_err(|fault| unreadable(&fault))?;
    let named: BTreeSet<UserId> = page.records.iter().flat_map(|record| named(&record.line)).collect();
    let people = named.into_iter().map(|user| people::person(&snapshot.state, user));
    let people = people.filter(|person| !person.name.is_empty() || !person.address.is_empty()).collect();
    let lines = page.records.into_iter().map(|record| shown(record.number, record.line)).collect();
    std::future::ready(Ok(Json(Lines { lines, next: page.next, people }))).await
}

/// Who acted, and whom the detail names.
fn named(line: &AuditLine) -> impl Iterator<Item = UserId> {
    let words = line.detail.split([' ', ':']).filter_map(|word| word.parse().ok());
    line.actor.into_iter().chain(words)
}

fn shown(number: u64, line: AuditLine) -> Numbered {
    let AuditLine { time, actor, peer, scope, act, detail, object } = line;
    let object = object.map(|object| Signed { kind: object.kind, signer: object.signer });
    Numbered { number, line: Line { time, actor, peer, scope, act, detail, object } }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    first: Option<u64>,
    last: Option<u64>,
}

/// What an export covers.
struct Cut {
    first: u64,
    last: u64,
    /// The chain hash before the first record.
    before: Hash,
    /// The chain hash of the last one.
    hash: Hash,
}

impl Cut {
    fn of(snapshot: &Snapshot, part: &Part) -> Result<Self, Problem> {
        let (end, tip) = snapshot.audit_tip().map_err(|fault| unreadable(&fault))?;
        let (first, last) = (part.first.unwrap_or(1), part.last.unwrap_or(end));
        if first == 0 || last > end || first > last.saturating_add(1) {
            return Err(Problem::invalid(format!("first, last: a range within 1 to {end}")));
        }
        let hash_of = |number: u64| {
            if number == end {
                return Ok(tip);
            }
            let found = if number == 0 { Ok(Vec::new()) } else { snapshot.audit_from(number, 1) };
            found.map(|links| links.first().map_or(Hash::ZERO, |(hash, _)| *hash))
        };
        let both = hash_of(first - 1).and_then(|before| Ok((before, hash_of(last)?)));
        let (before, hash) = both.map_err(|fault| unreadable(&fault))?;
        Ok(Self { first, last, before, hash })
    }

    fn count(&self) -> u64 {
        (self.last + 1).saturating_sub(self.first)
    }
}

/// The export, as it is read from one view of the store. One that ends without its trailer is cut short.
pub(super) async fn export(viewer: Viewer, Query(part): Query<Part>) -> Result<JsonLines, Problem> {
    let snapshot = viewer.snapshot();
    let cut = Cut::of(&snapshot, &part)?;
    let Cut { first, last, hash, .. } = cut;
    let seal = Command::SealAudit { first, last, count: cut.count(), hash };
    let Reply::Sealed(seal) = viewer.handle.ask(seal).await? else { return Err(Problem::not_found()) };
    let view = (snapshot.clone(), viewer.handle.me());
    let header = tokio::task::spawn_blocking(move || head(&view.0, view.1, &cut)).await;
    let header = header
        .map_err(|error| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", error.to_string()))?;
    let header = line(&header.map_err(|fault| unreadable(&fault))?);
    let trailer = line(&Trailer::new((last + 1).saturating_sub(first), hash, seal));
    let steps = Step::Head(header, trailer);
    let lines = stream::unfold(steps, move |step| std::future::ready(next(&snapshot, (first, last), step)));
    Ok(JsonLines(Body::from_stream(lines)))
}

fn line<T: Serialize>(value: &T) -> Bytes {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// The header, with the manifests of every workspace that the records name.
fn head(snapshot: &Snapshot, me: WorkspaceId, cut: &Cut) -> Result<Header, Fault> {
    let (mut named, mut from) = (BTreeSet::from([me]), cut.first);
    while from <= cut.last {
        let links = snapshot.audit_from(from, limits::AUDIT_PAGE)?;
        let Some((_, end)) = links.last() else { break };
        from = end.number + 1;
        links.iter().for_each(|(_, record)| referred(&record.line, &mut named));
    }
    let homes = named.iter().filter_map(|home| snapshot.state.homes.get(home)).map(|home| &**home);
    Ok(Header::new(me, (cut.first, cut.last), cut.before, homes))
}

enum Step {
    Head(Bytes, Bytes),
    From(u64, Bytes),
    Done,
}

type Chunk = Result<Bytes, std::io::Error>;

fn next(snapshot: &Arc<Snapshot>, (first, last): (u64, u64), step: Step) -> Option<(Chunk, Step)> {
    match step {
        Step::Head(header, trailer) => Some((Ok(header), Step::From(first, trailer))),
        Step::From(from, trailer) if from > last => Some((Ok(trailer), Step::Done)),
        Step::From(from, trailer) => match records(snapshot, from, last) {
            Ok((text, end)) => Some((Ok(text), Step::From(end + 1, trailer))),
            Err(fault) => Some((Err(std::io::Error::other(fault)), Step::Done)),
        },
        Step::Done => None,
    }
}

fn records(snapshot: &Snapshot, from: u64, last: u64) -> Result<(Bytes, u64), Fault> {
    let links = snapshot.audit_from(from, limits::AUDIT_PAGE)?;
    let (mut text, mut end) = (Vec::new(), from);
    for (hash, record) in links.into_iter().filter(|(_, record)| record.number <= last) {
        end = record.number;
        text.extend(line(&Record::new(record, hash)));
    }
    Ok((text.into(), end))
}
