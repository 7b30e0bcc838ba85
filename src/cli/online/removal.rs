//! Removals, and how they take effect everywhere (P7.4).
//!
//! Duty: per partner when it confirmed, or by when it takes effect at the latest; receipts as files. Never: a verdict of
//! its own: the moments are the owner's.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::super::{
    client::{Client, Events},
    text::clean,
};
use crate::{node::clock, time::Millis};

/// How often the countdown is looked at.
const SECOND: Duration = Duration::from_secs(1);
/// Between two lines of a countdown, in seconds; near its end every second has one.
const FAR: u64 = 10;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Removal {
    /// Removals that other workspaces have to obey, newest first.
    List,
    /// One of them.
    Show {
        /// The group or thread.
        scope: String,
        /// Its epoch, as the removal's answer and the list name it.
        epoch: u64,
        /// Write the signed receipts there, a file per workspace.
        #[arg(long, value_name = "DIR")]
        receipts: Option<PathBuf>,
    },
    /// Count down until it is effective everywhere.
    Watch {
        /// The group or thread.
        scope: String,
        /// Its epoch.
        epoch: u64,
    },
}

/// Carries it out, and prints.
pub(super) async fn run(client: &mut Client, command: Removal, as_json: bool) -> Result<()> {
    match command {
        Removal::List => {
            let answer = client.get("/removals").await?;
            let all = answer.get("removals").and_then(Value::as_array).into_iter().flatten();
            let text: String = all.map(|removal| whole(removal, clock::now())).collect();
            print(&answer, text.trim_end(), as_json);
        }
        Removal::Show { scope, epoch, receipts } => {
            let removal = client.get(&format!("/removals/{scope}/{epoch}")).await?;
            print(&removal, whole(&removal, clock::now()).trim_end(), as_json);
            if let Some(dir) = receipts {
                write(&removal, &dir)?;
            }
        }
        Removal::Watch { scope, epoch } => {
            let events = client.again().await?.events().await?;
            watch(client, events, &format!("/removals/{scope}/{epoch}"), as_json).await?;
        }
    }
    Ok(())
}

fn print(answer: &Value, text: &str, as_json: bool) {
    match as_json {
        true => println!("{answer}"),
        false if text.is_empty() => {}
        false => println!("{text}"),
    }
}

/// Asks again with every event and every second, and says what is new, until the removal is effective everywhere.
async fn watch(client: &mut Client, mut events: Events, path: &str, as_json: bool) -> Result<()> {
    let mut said: Vec<String> = Vec::new();
    loop {
        let removal = client.get(path).await?;
        let (homes, now) = (homes(&removal), clock::now());
        for home in &homes {
            let line = spoken(home, now);
            if said.contains(&line) {
                continue;
            }
            if as_json {
                println!("{home}");
            } else {
                println!("{}", self::home(home, &removal, now));
            }
            said.push(line);
        }
        if removal.get("state").and_then(Value::as_str) == Some("effective") {
            let at = millis(&removal, "/effective_at").unwrap_or_default();
            let end = json!({ "state": "effective", "effective_at": at });
            print(&end, &format!("effective everywhere since {}", clock_time(at)), as_json);
            return Ok(());
        }
        if let Ok(event) = tokio::time::timeout(SECOND, events.next()).await {
            event?.context("the node ended the live events")?;
        }
    }
}

/// What makes a new line: another state, or the next step of the countdown.
fn spoken(home: &Value, now: Millis) -> String {
    let left = left(home, now).map(|left| if left > FAR { left / FAR * FAR } else { left });
    let state = home.get("state").and_then(Value::as_str).unwrap_or_default();
    format!("{} {state} {:?}", domain(home), left.filter(|_| state == "waiting"))
}

/// A removal: a line for itself, one for every home.
fn whole(removal: &Value, now: Millis) -> String {
    let field = |name: &str| removal.get(name).and_then(Value::as_str).unwrap_or_default();
    let (scope, state) = (field("scope"), field("state"));
    let epoch = removal.get("epoch").and_then(Value::as_u64).unwrap_or(0);
    let at = millis(removal, "/effective_at").unwrap_or_default();
    let state = match state {
        "effective" => "effective everywhere since",
        _ => "waiting, effective everywhere at the latest at",
    };
    let head = clean(&format!("{scope}  {epoch}  {state} {}", clock_time(at)));
    let homes: String =
        homes(removal).iter().map(|home| format!("  {}\n", self::home(home, removal, now))).collect();
    format!("{head}\n{homes}")
}

fn home(home: &Value, removal: &Value, now: Millis) -> String {
    let latest = millis(home, "/effective_at_latest").unwrap_or_default();
    let what = match (millis(home, "/confirmed_at"), left(home, now)) {
        (Some(at), _) => {
            let after = at.since(millis(removal, "/time").unwrap_or_default());
            format!("confirmed after {after} ms{}", purged(home))
        }
        (None, Some(left)) if home.get("state").and_then(Value::as_str) == Some("waiting") => {
            format!("effective at the latest at {}, in {left} s", clock_time(latest))
        }
        (None, _) => format!("effective since {}", clock_time(latest)),
    };
    clean(&format!("{}: {what}", domain(home)))
}

fn purged(home: &Value) -> String {
    let number = |name: &str| home.pointer(&format!("/purged/{name}")).and_then(Value::as_u64);
    match (number("threads"), number("entries")) {
        (Some(threads), Some(entries)) => format!(", {entries} entries of {threads} threads deleted"),
        _ => String::new(),
    }
}

/// Seconds until the last lease is over, begun ones as whole ones.
fn left(home: &Value, now: Millis) -> Option<u64> {
    Some(millis(home, "/effective_at_latest")?.since(now).div_ceil(1000))
}

fn homes(removal: &Value) -> Vec<Value> {
    removal.get("homes").and_then(Value::as_array).cloned().unwrap_or_default()
}

fn domain(home: &Value) -> &str {
    home.pointer("/workspace/domain").and_then(Value::as_str).unwrap_or("-")
}

fn millis(value: &Value, pointer: &str) -> Option<Millis> {
    value.pointer(pointer).and_then(Value::as_u64).map(Millis)
}

/// The time of day in UTC.
fn clock_time(at: Millis) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned() + " UTC"
}

/// One file per receipt, as signed: a COSE_Sign1 (spec 8.3).
fn write(removal: &Value, dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    for home in homes(removal) {
        let text = |pointer| home.pointer(pointer).and_then(Value::as_str);
        let (Some(id), Some(receipt)) = (text("/workspace/id"), text("/receipt")) else { continue };
        let bytes =
            data_encoding::BASE64.decode(receipt.as_bytes()).context("a receipt that is not base64")?;
        let id: crate::ids::WorkspaceId = id.parse().context("a workspace without an id")?;
        let path = dir.join(format!("{id}.receipt"));
        fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P7.4: "effective by 14:03:20 at the latest", then "confirmed after 38 ms", or "effective".
    #[test]
    fn p7_4_a_countdown_names_the_moment_and_what_is_left() {
        let at = "2026-11-24T14:03:20Z".parse::<Millis>().unwrap();
        let time = Millis(at.0 - 60_000);
        let home = |state: &str, confirmed: Option<u64>| {
            json!({ "workspace": { "domain": "globex.example" }, "state": state, "effective_at_latest": at,
                    "confirmed_at": confirmed, "purged": confirmed.map(|_| json!({ "threads": 1, "entries": 7 })) })
        };
        let removal = json!({ "time": time });
        let line = |home: &Value, now: u64| self::home(home, &removal, Millis(now));
        assert_eq!(
            line(&home("waiting", None), at.0 - 41_500),
            "globex.example: effective at the latest at 14:03:20 UTC, in 42 s"
        );
        assert_eq!(
            line(&home("confirmed", Some(time.0 + 38)), at.0),
            "globex.example: confirmed after 38 ms, 7 entries of 1 threads deleted"
        );
        assert_eq!(line(&home("effective", None), at.0 + 5), "globex.example: effective since 14:03:20 UTC");
    }

    /// Far from the deadline a line every ten seconds, near it one every second, and one for every new state.
    #[test]
    fn a_countdown_is_said_in_steps() {
        let home = |state: &str| json!({ "state": state, "effective_at_latest": 100_000 });
        let said = |state: &str, now| spoken(&home(state), Millis(now));
        assert_eq!(said("waiting", 51_000), said("waiting", 59_000));
        assert_ne!(said("waiting", 51_000), said("waiting", 61_000));
        assert_ne!(said("waiting", 95_000), said("waiting", 96_000));
        assert_ne!(said("waiting", 95_000), said("confirmed", 95_000));
    }
}
