//! The first page of the administration: what waits for an admin, and the federation as a map.
//!
//! Duty: numbers and a picture of what other pages have in full; the check after a start. Never: a list of its own.

use askama::Template;
use axum::{http::Method, response::Response};
use serde::Deserialize;
use serde_json::Value;

use super::{
    At, Home, answer, ask, go,
    map::Map,
    open,
    peers::{Peer, Peers},
};
use crate::{
    time::Millis,
    web::{
        desk::Refusal,
        page::{Failure, Frame},
        visitor::Visitor,
    },
};

/// This workspace, for its admins.
#[derive(Deserialize)]
pub(super) struct Workspace {
    #[serde(flatten)]
    pub(super) home: Home,
    pub(super) fingerprint: String,
    check: Option<Check>,
}

/// The check after a start.
#[derive(Deserialize)]
struct Check {
    running: bool,
    awaited: Vec<Home>,
    journal: Journal,
    advice: Option<String>,
}

#[derive(Deserialize)]
struct Journal {
    state: String,
}

#[derive(Deserialize)]
struct Removals {
    removals: Vec<Removal>,
}

#[derive(Deserialize)]
struct Removal {
    homes: Vec<Obeys>,
}

#[derive(Deserialize)]
struct Obeys {
    workspace: Home,
    state: String,
    effective_at_latest: Option<Millis>,
}

/// Removals that a peer has not confirmed, and when the last of them is in force anyway (P7.4).
#[derive(Clone, Copy, Default)]
pub(super) struct Open {
    pub(super) count: usize,
    pub(super) latest: Option<Millis>,
}

/// A peer on the map and in the table beside it.
pub(super) struct Row {
    pub(super) peer: Peer,
    pub(super) open: Open,
}

/// Something that waits for an admin, and where it is answered.
struct Task {
    text: String,
    path: &'static str,
}

#[derive(Template)]
#[template(path = "web/admin/overview.html")]
struct Overview {
    frame: Frame,
    at: At,
    workspace: Workspace,
    tasks: Vec<Task>,
    map: Map,
    rows: Vec<Row>,
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Failure> {
    page(&visitor, None).await
}

async fn page(visitor: &Visitor, no: Option<&Refusal>) -> Result<Response, Failure> {
    let (frame, at) = open(visitor, "overview", no).await?;
    let workspace: Workspace = visitor.read("/workspace").await?;
    let peers: Peers = visitor.read("/peers").await?;
    let removals: Removals = visitor.read("/removals").await?;
    let tasks = tasks(visitor, &peers).await?;
    let row = |peer: Peer| Row { open: open_removals(&removals, &peer.workspace.id), peer };
    let rows: Vec<Row> = peers.peers.into_iter().filter(|peer| peer.status != "ended").map(row).collect();
    let map = Map::of(&workspace.home, &rows);
    Ok(answer(no, Overview { frame, at, workspace, tasks, map, rows }))
}

fn open_removals(removals: &Removals, peer: &str) -> Open {
    let all = removals.removals.iter().flat_map(|removal| &removal.homes);
    let waiting = all.filter(|home| home.workspace.id == peer && home.state == "waiting");
    waiting.fold(Open::default(), |open, home| Open {
        count: open.count + 1,
        latest: open.latest.max(home.effective_at_latest),
    })
}

async fn count(
    visitor: &Visitor,
    path: &str,
    list: &str,
    counts: fn(&Value) -> bool,
) -> Result<usize, Failure> {
    let found: Value = visitor.read(path).await?;
    let all = found.get(list).and_then(Value::as_array);
    Ok(all.map_or(0, |all| all.iter().filter(|one| counts(one)).count()))
}

fn is(row: &Value, name: &str, value: &str) -> bool {
    row.get(name).and_then(Value::as_str) == Some(value)
}

async fn tasks(visitor: &Visitor, peers: &Peers) -> Result<Vec<Task>, Failure> {
    let held = count(visitor, "/invitations/approvals", "approvals", |_| true).await?;
    let wanted = count(visitor, "/claims/peerings", "claims", |_| true).await?;
    let moves = count(visitor, "/moves", "moves", |row| is(row, "status", "offered")).await?;
    let letters = count(visitor, "/mail?limit=200", "letters", |row| is(row, "state", "given-up")).await?;
    let evidence = count(visitor, "/evidence", "evidence", |_| true).await?;
    let asks = peers.peers.iter().filter(|peer| peer.status == "waiting").count();
    let all = [
        (asks, "a workspace asks for a partnership", "workspaces ask for a partnership", "/admin/peers"),
        (
            held,
            "invitation waits for your approval",
            "invitations wait for your approval",
            "/admin/approvals",
        ),
        (
            wanted,
            "invitation needs a partnership first",
            "invitations need a partnership first",
            "/admin/approvals",
        ),
        (moves, "offer of a group is open", "offers of groups are open", "/admin/approvals"),
        (letters, "letter could not be sent", "letters could not be sent", "/admin/mail"),
        (evidence, "partner contradicted itself", "partners contradicted themselves", "/admin/audit"),
    ];
    let some = all.into_iter().filter(|(count, ..)| *count > 0);
    let task = |(count, one, many, path): (usize, &str, &str, &'static str)| {
        let number = if one.starts_with("a ") && count == 1 { String::new() } else { format!("{count} ") };
        Task { text: format!("{number}{}", if count == 1 { one } else { many }), path }
    };
    Ok(some.map(task).collect())
}

/// Partners may be served again: an admin has looked whether somebody is in a group who was removed.
pub(super) async fn trust(visitor: Visitor) -> Result<Response, Failure> {
    match ask(&visitor, Method::POST, "/workspace/journal/confirm", None).await? {
        Ok(_) => Ok(go("/admin")),
        Err(no) => page(&visitor, Some(&no)).await,
    }
}
