//! Access: every endpoint as every kind of caller against one matrix, and bad input with its own errors.
//!
//! Duty: an endpoint without a row fails, and so does an answer that tells a missing from a forbidden object. Never: a
//! status; those stand in `matrix.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeSet;

use comity::api;
use harness::http::Answer;
use matrix::{MATRIX, Row};
use stage::{At, Person, Stage};

#[path = "../harness/mod.rs"]
mod harness;
mod input;
mod matrix;
mod stage;

#[test]
fn every_endpoint_is_in_the_matrix() {
    let listed: BTreeSet<String> =
        api::endpoints().into_iter().map(|(method, path, _)| format!("{method} {path}")).collect();
    let rows: BTreeSet<String> = MATRIX.iter().map(|row| row.endpoint.to_owned()).collect();
    let missing: Vec<_> = listed.difference(&rows).collect();
    assert!(missing.is_empty(), "add a row to tests/access/matrix.rs for {missing:?}");
    let gone: Vec<_> = rows.difference(&listed).collect();
    assert!(gone.is_empty(), "no such endpoints: {gone:?}");
}

/// Those who may not come first, so that a call that ends something was refused to all others before.
const ORDER: [usize; 7] = [0, 3, 1, 2, 4, 5, 6];

/// Whether a call names a group, a thread or an invitation: something that others are in.
fn names_a_scope(row: &Row) -> bool {
    ["{group}", "{spare}", "{left}", "{chat}", "{topic}", "{spare_topic}", "{sent}"]
        .iter()
        .any(|name| row.path.contains(name) || row.body.contains(name))
}

/// Whether an id of nothing has to be answered with the same bytes.
fn is_uniform(row: &Row, status: u16) -> bool {
    matches!(status, 401 | 404) || row.endpoint == "POST /forgotten"
}

/// What is wrong with the answers to one row.
async fn check(person: &Person, row: &Row, unsigned: &mut Option<Answer>) -> Vec<String> {
    let mut wrong = Vec::new();
    let expected = row.statuses[person.column];
    let answer = person.call(row, &person.places).await;
    let what = format!("{} {} as {}", row.endpoint, row.path, person.role);
    // On a slow machine the owner's answer may come after the home's own.
    let late = answer.status == 202 && expected == 201 && matches!(person.at, At::Globex | At::Realm);
    if answer.status != expected && !late {
        let body = answer.text.split_once("\r\n\r\n").unwrap().1;
        wrong.push(format!("{what}: {} instead of {expected}: {body}", answer.status));
    }
    if matches!(person.column, 0 | 3) && answer.text.contains("SECRET") {
        wrong.push(format!("{what} shows what is lost (P7.2): {}", answer.text));
    }
    if person.column == 0 && answer.status == 401 && row.endpoint != "POST /sessions" {
        let first = unsigned.get_or_insert_with(|| answer.clone());
        if *first != answer {
            wrong.push(format!("{what}: another 401: {}", answer.text));
        }
    }
    let nowhere = person.places.nowhere();
    if is_uniform(row, answer.status) && (person.column != 0 || names_a_scope(row) || expected != 401) {
        let nothing = person.call(row, &nowhere).await;
        if nothing != answer {
            wrong.push(format!("P3.1: {what}: {} but of nothing {}", answer.text, nothing.text));
        }
    }
    // The admin is the one who is in the hidden group.
    if names_a_scope(row) && !matches!(person.column, 0 | 6) {
        let (hidden, nothing) = (person.places.hidden(), &nowhere);
        let (hidden, nothing) = (person.call(row, &hidden).await, person.call(row, nothing).await);
        if hidden != nothing || hidden.status < 400 {
            wrong.push(format!("P3.1: {what}, hidden: {} but of nothing {}", hidden.text, nothing.text));
        }
    }
    wrong
}

/// P2.4: whom another workspace has is told neither by the answer to asking him nor by its size.
async fn asks_alike(stage: &Stage) {
    for person in [&stage.people[2], &stage.people[3]] {
        let ask = async |address: &str| {
            let body = format!(r#"{{"address":"{address}"}}"#);
            let answer = person.ask("POST /dms", &body, &[]).await;
            (answer.status, answer.text.len())
        };
        assert_eq!(ask("nora@acme.example").await, ask("none@acme.example").await, "P2.4: {}", person.role);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p3_1_every_endpoint_as_everybody() {
    let stage = Stage::new().await;
    let (mut wrong, mut unsigned) = (Vec::new(), None);
    asks_alike(&stage).await;
    for row in MATRIX {
        for person in ORDER.map(|column| &stage.people[column]) {
            wrong.extend(check(person, row, &mut unsigned).await);
            stage.sign_in(person).await;
        }
    }
    assert!(wrong.is_empty(), "{} surprises:\n{}", wrong.len(), wrong.join("\n"));
}
