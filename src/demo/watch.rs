//! Looking at the same places again and again while a story goes on.
//!
//! Duty: what somebody was shown, and when he had asked for it. Never: a judgement that depends on who looked first.

use std::time::Duration;

use anyhow::{Result, ensure};
use hyper::Method;
use serde_json::Value;

use crate::{
    cli::person::{PATIENCE, Person},
    node::clock,
    time::Millis,
};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(40);
/// How long after a deadline an answer may still be on its way (spec 11.2).
pub(super) const SLACK: u64 = 1000;

/// One look.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) asked: Millis,
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Look {
    pub(super) fn is_read(&self) -> bool {
        self.status == 200
    }

    /// The answer while an owner's lease is over: it says whose.
    pub(super) fn waits_for(&self, domain: &str) -> bool {
        let detail = self.body.get("detail").and_then(Value::as_str).unwrap_or_default();
        self.status == 503 && self.is("waiting") && detail.starts_with(&format!("waiting for {domain} since"))
    }

    pub(super) fn is(&self, code: &str) -> bool {
        self.body.get("code").and_then(Value::as_str) == Some(code)
    }
}

/// Asks, whatever the answer.
pub(super) async fn look(person: &Person, path: &str) -> Result<Look> {
    let asked = clock::now();
    let mut client = person.client().await?;
    let answer = tokio::time::timeout(PATIENCE, client.send(Method::GET, path, None, None)).await??;
    Ok(Look { asked, status: answer.status.as_u16(), body: answer.body })
}

/// Looks at all the places by turns while the work goes on, and once after it.
pub(super) async fn while_looking<T>(
    person: &Person,
    paths: &[String],
    work: impl Future<Output = Result<T>>,
) -> Result<(T, Vec<Look>)> {
    let mut seen = Vec::new();
    let done = {
        let looking = async {
            for path in paths.iter().cycle() {
                seen.push(look(person, path).await?);
                tokio::time::sleep(PAUSE).await;
            }
            Err(anyhow::anyhow!("nowhere to look"))
        };
        tokio::select! {
            done = work => done?,
            failed = looking => failed?,
        }
    };
    for path in paths {
        seen.push(look(person, path).await?);
    }
    Ok((done, seen))
}

/// Read up to the deadline and never after it: then it waits for its owner, and at last it does not exist. How long after
/// the deadline it was read last, in milliseconds; negative is before.
pub(super) fn ended_by(seen: &[Look], deadline: Millis, owner: &str) -> Result<i128> {
    let first = seen.iter().position(|look| !look.is_read()).unwrap_or(seen.len());
    let (before, after) = seen.split_at(first);
    let last = before.last().map(|look| look.asked).unwrap_or_default();
    ensure!(!before.is_empty(), "nothing could be read at the beginning: {:?}", seen.first());
    ensure!(last <= deadline.plus(SLACK), "read at {last}, after the deadline {deadline}");
    let again = after.iter().find(|look| look.is_read());
    ensure!(again.is_none(), "readable again: {again:?}");
    ensure!(after.iter().any(|look| look.waits_for(owner)), "it never said that it waits for {owner}");
    let odd = after.iter().find(|look| !look.waits_for(owner) && look.status != 404);
    ensure!(odd.is_none(), "neither waiting nor absent: {odd:?}");
    Ok(i128::from(last.0) - i128::from(deadline.0))
}

/// Not one look was answered with something to read, and none with anything but absence.
pub(super) fn never_read(seen: &[Look]) -> Result<usize> {
    let odd = seen.iter().find(|look| look.status != 404);
    ensure!(odd.is_none() && !seen.is_empty(), "not absent: {odd:?}");
    Ok(seen.len())
}

/// Waits for a moment of the wall clock.
pub(super) async fn until(moment: Millis) {
    tokio::time::sleep(Duration::from_millis(moment.since(clock::now()))).await;
}

/// Does something that the node may refuse as long as it asks its partners what they hold.
pub(super) async fn patiently(person: &Person, method: Method, path: &str) -> Result<(Value, usize)> {
    let mut refused = 0;
    let asking = async {
        loop {
            let answer = person.client().await?.send(method.clone(), path, None, None).await?;
            if answer.body.get("code").and_then(Value::as_str) != Some("checking") {
                ensure!(answer.status.is_success(), "{path} answers {} {}", answer.status, answer.body);
                return Ok((answer.body, refused));
            }
            refused += 1;
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await?
}
