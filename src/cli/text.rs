//! Answers of the API as text for people: lists as one line per item, objects as one line per field.
//!
//! Duty: short lines. Never: control characters of strangers on a terminal.

use serde_json::{Map, Value};

use crate::time::Millis;

/// The lists that answers hold, with the fields of a line.
const LISTS: [(&str, &[&str]); 18] = [
    ("users", &["id", "address", "name", "role"]),
    ("peers", PEER),
    ("contacts", &["id", "address", "name", "home", "external"]),
    ("directory", &["id", "name", "owner.name", "members", "open", "joined", "external", "has_externals"]),
    ("groups", &["id", "settings.name", "owner.name", "members", "chat"]),
    ("threads", &["id", "settings.name", "kind", "owner.name", "last", "unread", "why"]),
    ("members", &["id", "address", "name", "grade", "home"]),
    ("invitations", &["id", "name", "from.name", "inviter"]),
    ("externals", &["id", "address", "name", "home", "last_seen"]),
    ("abroad", &["scope", "name", "owner.name", "waiting_since"]),
    ("pending", &["id", "thread", "owner", "text", "refused"]),
    ("paths", &["scope", "name", "direct", "by.name", "grade"]),
    ("evidence", &["id", "accused.name", "scope", "noticed"]),
    ("moves", &["id", "group", "name", "from.name", "to.name", "status", "by.address"]),
    ("keys", &["use", "state", "fingerprint", "since"]),
    ("accounts", &["id", "address", "name", "role", "places", "signed_in"]),
    ("letters", &["number", "to", "what", "state", "tries", "next", "error"]),
    ("lines", &["number", "line.time", "line.act", "line.actor", "line.peer", "line.scope", "line.detail"]),
];

/// What stands beside a list for programs.
const BESIDE: [&str; 2] = ["people", "realm"];

/// Fields of a line that are moments.
const MOMENTS: [&str; 3] = ["since", "last_seen", "signed_in"];

const PEER: &[&str] = &["workspace.id", "workspace.name", "status", "connected_since", "last_error.what"];

/// Somebody who says that he is a peer: perhaps a peering that a restore forgot.
fn claim(claim: &Value) -> String {
    let at = |name: &str| plain(claim.get(name));
    let when = claim.get("at").and_then(Value::as_u64).map_or_else(String::new, |at| Millis(at).to_string());
    let advice =
        "unknown here, unproven: if it was a partner before a restore, redeem a new ticket of theirs";
    let (who, from) = (at("workspace"), at("from"));
    clean(&format!("{who}  claims to be a peer, from {from} at {when}; {advice}")) + "\n"
}

/// An answer.
pub(super) fn of(answer: &Value) -> String {
    let Some(object) = answer.as_object() else { return String::new() };
    if let Some(messages) = object.get("messages").and_then(Value::as_array) {
        return messages.iter().map(|message| format!("{}\n", self::message(message))).collect::<String>()
            + &waiting(object);
    }
    if let Some(losses) = object.get("losses").and_then(Value::as_array) {
        return preview(losses, object);
    }
    if let Some(claims) = object.get("claims").and_then(Value::as_array) {
        let peers = object.get("peers").and_then(Value::as_array).into_iter().flatten();
        let peers = peers.map(|peer| line(peer, PEER));
        return peers.chain(claims.iter().map(claim)).collect();
    }
    let list = LISTS.iter().find_map(|(name, fields)| Some((object.get(*name)?.as_array()?, fields)));
    match list {
        Some((items, fields))
            if object.keys().filter(|name| !BESIDE.contains(&name.as_str())).count() <= 2 =>
        {
            items.iter().map(|item| line(item, fields)).collect()
        }
        _ => fields("", object),
    }
}

/// What an act would end: who loses what, whom it is told, how much it is.
fn preview(losses: &[Value], object: &Map<String, Value>) -> String {
    let lost =
        losses.iter().map(|loss| line(loss, &["user.address", "user.home", "scope", "name", "remaining"]));
    let told = object.get("told").and_then(Value::as_array).into_iter().flatten();
    let told: Vec<String> = told.map(|home| plain(home.get("domain"))).collect();
    let told = if told.is_empty() { "nobody".into() } else { told.join(", ") };
    let counts = object.get("counts").and_then(Value::as_object).into_iter().flatten();
    let counts = counts.map(|(name, count)| format!("{name}: {}\n", plain(Some(count))));
    lost.chain([clean(&format!("told: {told}")) + "\n"]).chain(counts).collect()
}

/// A live event.
pub(super) fn event(name: &str, data: &Value) -> String {
    match data.get("message") {
        Some(message) => self::message(message),
        None => clean(&format!("* {name} {data}")),
    }
}

fn message(message: &Value) -> String {
    let at = |path| plain(message.pointer(path));
    let text =
        if message.get("deleted") == Some(&Value::Bool(true)) { "(deleted)".into() } else { at("/text") };
    clean(&format!("{:>5}  {}: {text}", at("/seq"), at("/author/name")))
}

fn waiting(object: &Map<String, Value>) -> String {
    let pending = object.get("pending").and_then(Value::as_array).into_iter().flatten();
    let shown = pending.map(|row| {
        let at = |path| plain(row.pointer(path));
        clean(&format!("    -  (waiting for {}) {}", at("/owner"), at("/text"))) + "\n"
    });
    shown.collect()
}

fn line(item: &Value, fields: &[&str]) -> String {
    let cells = fields.iter().map(|field| {
        let value = item.pointer(&format!("/{}", field.replace('.', "/")));
        let moment = value.and_then(Value::as_u64).filter(|_| MOMENTS.contains(field));
        moment.map_or_else(|| plain(value), |at| Millis(at).to_string())
    });
    clean(&cells.collect::<Vec<_>>().join("  ")) + "\n"
}

fn fields(prefix: &str, object: &Map<String, Value>) -> String {
    let lines = object.iter().map(|(name, value)| match value {
        Value::Object(inner) => fields(&format!("{prefix}{name}."), inner),
        other => format!("{prefix}{name}: {}\n", clean(&plain(Some(other)))),
    });
    lines.collect()
}

fn plain(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
