//! Invitations to addresses at a peer, of people who exist and of nobody (P2.3): the answer comes before anything leaves, so
//! that its time tells nothing.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::{
    measure::{millis, now, percentiles},
    pair::Pair,
};
use crate::cli::person::text;

/// One after the other, taking turns, each address into a group of its own kind.
pub(super) async fn run(pair: &Pair, count: usize) -> Result<Value> {
    let mut admin = pair.bob.client().await?;
    for n in 0..count {
        let user = json!({ "local": format!("exists{n}"), "name": "Somebody" });
        admin.post("/users", &user).await?;
    }
    let group = pair.alice.post("/groups", json!({ "name": "Look-ups" })).await?;
    let path = format!("/groups/{}/members", text(&group, "/id")?);
    let mut client = pair.alice.client().await?;
    let mut times = [Vec::new(), Vec::new()];
    let mut bodies = Vec::new();
    for n in 0..count {
        for (which, local) in ["exists", "nobody"].into_iter().enumerate() {
            let body = json!({ "address": format!("{local}{n}@globex.example") });
            let begin = now();
            let answer = client.send(Method::POST, &path, Some(&body), None).await?;
            let taken = millis(begin.elapsed());
            times.get_mut(which).context("two kinds")?.push(taken);
            let status = answer.body.get("status").cloned();
            bodies.push((answer.status, status));
        }
    }
    let first = bodies.first().context("nothing was measured")?;
    ensure!(bodies.iter().all(|body| body == first), "the answers differ");
    let [exists, nobody] = times;
    Ok(json!({ "each": count, "exists_ms": percentiles(exists), "nobody_ms": percentiles(nobody) }))
}
