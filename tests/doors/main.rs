//! Every door, tried by the removed: each endpoint and each request between nodes, over real QUIC and HTTP (P7.2, P7.3).
//!
//! Duty: a door that is not in the tables fails the build or the test. Never: a row that was not shown to work before.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;

use comity::api;
use stage::{Person, Stage};
use table::{After, Row, TABLE};

#[path = "../harness/mod.rs"]
mod harness;
mod peer;
mod restored;
mod stage;
mod table;

#[test]
fn every_endpoint_is_in_the_table() {
    let listed: BTreeSet<String> =
        api::endpoints().into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let tried: BTreeSet<String> = TABLE.iter().map(|row| row.endpoint.to_owned()).collect();
    let untried: Vec<_> = listed.difference(&tried).collect();
    assert!(untried.is_empty(), "add a row to tests/doors/table.rs for {untried:?}");
    let gone: Vec<_> = tried.difference(&listed).collect();
    assert!(gone.is_empty(), "no such endpoints: {gone:?}");
    assert!(TABLE.iter().all(|row| row.before.iter().any(|status| *status != 0)), "a row that nobody tries");
}

/// Every call of a row: once, or once per thread.
fn calls(row: &Row) -> Vec<(String, String)> {
    let threads: &[&str] = if row.path.contains("{thread}") { &["chat", "direct", "started"] } else { &[""] };
    let call = |thread: &&str| (row.path.replace("{thread}", &format!("{{{thread}}}")), row.body.to_owned());
    threads.iter().map(call).collect()
}

/// What a member gets: so no row passes because it never worked.
async fn before(stage: &Stage, person: &Person, rows: impl Iterator<Item = &Row>) {
    for row in rows.filter(|row| row.before[person.column] != 0) {
        let places = if row.spare { &person.spare } else { &person.places };
        for (path, body) in calls(row) {
            let answer = person.call(row, &path, &body, places).await;
            let what = format!("{} as {}, {path}: {}", row.endpoint, person.name, answer.text);
            // On a slow machine the owner's answer may come after the home's own.
            let late = answer.status == 202 && row.before[person.column] == 201;
            if late {
                stage.globex.until("the owner's answer", |view| view.state.outbox.is_empty()).await;
            }
            assert!(late || answer.status == row.before[person.column], "before: {what}");
            assert!(late || answer.text.contains(&places.fill(row.shows)), "before: {what}");
            stage.sign_in(person).await;
        }
    }
}

/// What the removed gets.
async fn after(stage: &Stage, person: &Person, rows: impl Iterator<Item = &Row>) {
    let nowhere = person.places.nowhere();
    for row in rows.filter(|row| row.before[person.column] != 0) {
        for (path, body) in calls(row) {
            let answer = person.call(row, &path, &body, &person.places).await;
            let what = format!("{} as {}, {path}: {}", row.endpoint, person.name, answer.text);
            assert!(!answer.text.contains("SECRET"), "P7.2: {what}");
            match row.after {
                After::Missing => {
                    assert_eq!(answer.status, 404, "P3.1: {what}");
                    assert_eq!(answer, person.call(row, &path, &body, &nowhere).await, "P3.1: {what}");
                }
                After::Without => {
                    assert_eq!(answer.status, row.before[person.column], "{what}");
                    let found = person.places.lost().find(|id| answer.text.contains(id.as_str()));
                    assert_eq!(found, None, "P7.2: {what}");
                }
                After::Repeated => assert_eq!(answer.status, row.before[person.column], "{what}"),
            }
            stage.sign_in(person).await;
        }
    }
}

fn is_last(row: &Row) -> bool {
    row.endpoint.contains("/pending") || row.endpoint.contains("/token")
}

/// P7.3: where nobody stays, no list shows even the admin what was there.
async fn lists_of_an_admin(stage: &Stage) {
    let whole = |row: &&Row| !row.endpoint.contains('{') && !row.path.contains('{');
    let lists = TABLE.iter().filter(|row| row.endpoint.starts_with("GET")).filter(whole);
    for row in lists.filter(|row| row.endpoint != "GET /events" && !stage.stays()) {
        let head = format!("GET {}", row.path);
        let answer = harness::http::ask(&stage.globex.host, &stage.globex.admin, &head, "", &[]).await;
        assert_eq!(answer.status, 200, "{head}: {}", answer.text);
        assert!(!answer.text.contains("SECRET"), "{head}: {}", answer.text);
    }
}

async fn every_endpoint(stays: bool) {
    let mut stage = Stage::new(stays).await;
    for person in &stage.people {
        before(&stage, person, TABLE.iter().filter(|row| !is_last(row))).await;
    }
    stage.let_two_wait().await;
    for person in &stage.people {
        before(&stage, person, TABLE.iter().filter(|row| is_last(row))).await;
    }
    let mut streams = Vec::new();
    for person in &stage.people {
        let mut live = person.live(&[]).await;
        live.until("hello").await;
        streams.push((live.position(), live));
    }
    stage.remove().await;
    let held = stage.held();
    stage.go_on("fence one").await;
    for (person, (position, live)) in stage.people.iter().zip(&mut streams) {
        live.until("fence one").await;
        person.is_cut(&live.seen);
        let mut resumed = person.live(&[("last-event-id", position)]).await;
        resumed.until("fence one").await;
        person.is_cut(&resumed.seen);
    }
    for person in &stage.people {
        after(&stage, person, TABLE.iter()).await;
    }
    lists_of_an_admin(&stage).await;
    stage.bea_brings_nobody_back().await;
    let mut fresh = Vec::new();
    for person in &stage.people {
        let mut live = person.live(&[]).await;
        live.until("hello").await;
        fresh.push(live);
    }
    stage.go_on("fence two").await;
    for (live, (_, old)) in fresh.iter_mut().zip(&mut streams) {
        live.until("fence two").await;
        old.end().await;
        assert!(!live.seen.contains("SECRET"), "{}", live.seen);
        assert!(!old.seen.contains("fence two"), "the session of this stream was ended: {}", old.seen);
    }
    stage.unchanged(&held);
    // Whether the owner can be reached must not tell what exists.
    stage.acme.stop().await;
    after(&stage, &stage.people[0], TABLE.iter().filter(|row| row.after == After::Missing)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_2_every_endpoint_as_the_removed_while_a_colleague_stays() {
    every_endpoint(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_3_every_endpoint_as_the_removed_where_nobody_stays() {
    every_endpoint(false).await;
}
