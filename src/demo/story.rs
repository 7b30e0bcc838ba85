//! The story that `comity demo --script` plays: each step is a promise that can fail.
//!
//! Duty: what a user would do and see, over the public API. Never: a look behind it, except for the search on disk.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, script::Script};
use crate::cli::person::{Person, invitation, join, text};

/// Peers two workspaces by ticket, both sides approving.
pub(crate) async fn peer(from: &Person, to: &Person) -> Result<String> {
    let ticket = text(&from.post("/peers/tickets", json!({})).await?, "/ticket")?;
    to.post("/peers", json!({ "ticket": ticket })).await?;
    let waiting = |answer: &Value| statuses(answer).iter().any(|(_, status)| status == "waiting");
    let peers = from.until("/peers", waiting).await?;
    let found = statuses(&peers).into_iter().find(|(_, status)| status == "waiting");
    let (id, _) = found.context("nobody waits")?;
    from.post(&format!("/peers/{id}/approve"), json!({})).await?;
    let me = text(&from.get("/me").await?, "/workspace/id")?;
    to.until("/peers", |answer| statuses(answer).contains(&(me.clone(), "active".into()))).await?;
    Ok(id)
}

fn statuses(peers: &Value) -> Vec<(String, String)> {
    let all = peers.get("peers").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|peer| Some((text(peer, "/workspace/id").ok()?, text(peer, "/status").ok()?))).collect()
}

/// What a thread shows to somebody, oldest first.
pub(crate) fn texts(page: &Value) -> Vec<String> {
    let all = page.get("messages").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|message| text(message, "/text").ok()).collect()
}

pub(super) async fn write(author: &Person, thread: &str, body: &str) -> Result<Value> {
    author.post(&format!("/threads/{thread}/messages"), json!({ "text": body })).await
}

pub(super) async fn reads(reader: &Person, thread: &str, expected: &[&str]) -> Result<()> {
    reader.until(&format!("/threads/{thread}/messages"), |page| texts(page) == expected).await.map(drop)
}

pub(super) async fn sees_nothing(reader: &Person, path: &str) -> Result<()> {
    let mut client = reader.client().await?;
    let answer = client.send(hyper::Method::GET, path, None, None).await?;
    ensure!(answer.status.as_u16() == 404, "{path} answers {} {}", answer.status, answer.body);
    Ok(())
}

/// Who and where.
struct Scene {
    alice: Person,
    bob: Person,
    carol: Person,
    anna: Person,
    bea: Person,
    group: String,
    chat: String,
}

/// The whole story.
pub(super) async fn play(script: &mut Script, stage: &mut Stage) -> Result<()> {
    let scene = beginning(script, stage).await?;
    conversation(script, &scene).await?;
    trouble(script, stage, &scene).await?;
    removal(script, &scene).await
}

async fn beginning(script: &mut Script, stage: &mut Stage) -> Result<Scene> {
    let (alice, bob, carol) = (stage.admin(0).await?, stage.admin(1).await?, stage.admin(2).await?);
    let peering = async {
        peer(&alice, &bob).await?;
        peer(&alice, &carol).await?;
        peer(&bob, &carol).await?;
        Ok(((), "tickets, approval on both sides".into()))
    };
    script.step("peer three workspaces by ticket", peering).await?;
    let writing = async {
        let seen = stage.catcher.count();
        let body = json!({ "to": "dora@hooli.example", "queue": true });
        alice.post("/mail/test", body).await?;
        let letter = stage.catcher.next("dora@hooli.example", seen).await?;
        let text = letter.text()?;
        ensure!(text.contains("from Acme"), "the letter says: {text}");
        Ok(((), letter.subject().unwrap_or_default()))
    };
    script.step("a letter leaves by SMTP", writing).await?;
    let (anna, bea) = (stage.add(0, "anna", "Anna").await?, stage.add(1, "bea", "Bea").await?);
    let creating = async {
        let group = alice.post("/groups", json!({ "name": "Launch" })).await?;
        Ok(((text(&group, "/id")?, text(&group, "/chat")?), text(&group, "/id")?))
    };
    let (group, chat) = script.step("acme creates a group", creating).await?;
    let inviting = async {
        sees_nothing(&bob, &format!("/groups/{group}")).await?;
        join(&alice, "groups", &group, &bob).await?;
        sees_nothing(&bea, &format!("/groups/{group}")).await?;
        Ok(((), "bob of globex sees the group, bea of globex does not".into()))
    };
    script.step("invite across workspaces, with consent", inviting).await?;
    Ok(Scene { alice, bob, carol, anna, bea, group, chat })
}

async fn conversation(script: &mut Script, scene: &Scene) -> Result<()> {
    let Scene { alice, bob, carol, anna, bea, group, chat } = scene;
    let posting = async {
        write(alice, chat, "welcome, bob").await?;
        reads(bob, chat, &["welcome, bob"]).await?;
        write(bob, chat, "glad to be here").await?;
        reads(alice, chat, &["welcome, bob", "glad to be here"]).await?;
        reads(bob, chat, &["welcome, bob", "glad to be here"]).await?;
        Ok(((), "both read both".into()))
    };
    script.step("post from both sides", posting).await?;
    script.step("a topic for one external only", topic(alice, bea, bob, anna)).await?;
    script.step("a thread to groups of two owners", two_owners(alice, group, bob, carol)).await
}

async fn trouble(script: &mut Script, stage: &mut Stage, scene: &Scene) -> Result<()> {
    let Scene { alice, bob, chat, .. } = scene;
    let page = format!("/threads/{chat}/messages");
    let last = |text: &'static str| move |page: &Value| texts(page).last().is_some_and(|last| last == text);
    let restarting = async {
        stage.stop(1).await?;
        write(alice, chat, "while you were away").await?;
        stage.start(1).await?;
        reads(bob, chat, &["welcome, bob", "glad to be here", "while you were away"]).await?;
        Ok(((), "by itself".into()))
    };
    script.step("a partner restarts and catches up", restarting).await?;
    let waiting = async {
        stage.kill(0).await?;
        pending(bob, chat, "are you there?").await?;
        stage.start(0).await?;
        let all = ["welcome, bob", "glad to be here", "while you were away", "are you there?"];
        reads(alice, chat, &all).await?;
        reads(bob, chat, &all).await?;
        Ok(((), "acme killed; delivered when it was back".into()))
    };
    script.step("the outbox of a home whose owner is away", waiting).await?;
    let cutting = async {
        stage.relay.set(0, 1, false);
        pending(bob, chat, "behind the wall").await?;
        let seen = texts(&alice.get(&page).await?);
        ensure!(seen.last().is_some_and(|last| last == "are you there?"), "the link is not cut: {seen:?}");
        stage.relay.set(0, 1, true);
        alice.until(&page, last("behind the wall")).await?;
        bob.until(&page, last("behind the wall")).await?;
        Ok(((), "at the demo's relay".into()))
    };
    script.step("a cut link mends by itself", cutting).await
}

/// The owner is not reached: the message waits.
pub(super) async fn pending(author: &Person, thread: &str, body: &str) -> Result<()> {
    let answer = write(author, thread, body).await?;
    ensure!(answer.get("status").and_then(Value::as_str) == Some("pending"), "not pending: {answer}");
    Ok(())
}

async fn removal(script: &mut Script, scene: &Scene) -> Result<()> {
    let Scene { alice, bob, group, chat, .. } = scene;
    let removing = async {
        let path = format!("/groups/{group}/members/{}?everywhere=true", bob.id);
        let removed = alice.delete(&path).await?;
        ensure!(removed.get("epoch").is_some(), "no epoch: {removed}");
        let confirmed =
            |answer: &Value| answer.pointer("/removals/0/homes/0/confirmed_at").is_some_and(Value::is_u64);
        let removals = alice.until("/removals", confirmed).await?;
        let at = |pointer: &str| removals.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        let millis = at("/removals/0/homes/0/confirmed_at").saturating_sub(at("/removals/0/time"));
        Ok(((), format!("globex confirmed after {millis} ms")))
    };
    script.step("removal, and its receipt", removing).await?;
    let reading = async {
        let (group, thread) = (format!("/groups/{group}"), format!("/threads/{chat}"));
        for (place, rest) in [
            (&group, ""),
            (&group, "/members"),
            (&thread, ""),
            (&thread, "/messages"),
            (&thread, "/messages/1"),
            (&thread, "/why"),
        ] {
            sees_nothing(bob, &format!("{place}{rest}")).await?;
        }
        ensure!(write(bob, chat, "still here?").await.is_err(), "the removed could write");
        Ok(((), "six ways of reading, one of writing".into()))
    };
    script.step("what the removed can still read: nothing", reading).await
}

async fn topic(alice: &Person, bea: &Person, bob: &Person, anna: &Person) -> Result<((), String)> {
    let body = json!({ "subject": "Contract", "people": [bea.address, anna.address] });
    let topic = text(&alice.post("/threads", body).await?, "/id")?;
    let waiting = bea.until("/invitations", |answer| invitation(answer, &topic).is_some()).await?;
    let id = invitation(&waiting, &topic).context("no invitation")?;
    bea.post(&format!("/invitations/{id}/accept"), json!({})).await?;
    write(alice, &topic, "only for bea").await?;
    reads(bea, &topic, &["only for bea"]).await?;
    reads(anna, &topic, &["only for bea"]).await?;
    sees_nothing(bob, &format!("/threads/{topic}/messages")).await?;
    Ok(((), "bea and anna read it, bob of globex does not".into()))
}

async fn two_owners(alice: &Person, group: &str, bob: &Person, carol: &Person) -> Result<((), String)> {
    let theirs = carol.post("/groups", json!({ "name": "Initech legal" })).await?;
    let legal = text(&theirs, "/id")?;
    join(carol, "groups", &legal, alice).await?;
    let body = json!({ "subject": "Terms", "groups": [group] });
    let thread = text(&alice.post("/threads", body).await?, "/id")?;
    alice.post(&format!("/threads/{thread}/groups"), json!({ "group": legal })).await?;
    carol.until(&format!("/threads/{thread}"), |_| true).await?;
    write(alice, &thread, "the terms").await?;
    reads(carol, &thread, &["the terms"]).await?;
    reads(bob, &thread, &["the terms"]).await?;
    write(carol, &thread, "accepted").await?;
    reads(alice, &thread, &["the terms", "accepted"]).await?;
    reads(bob, &thread, &["the terms", "accepted"]).await?;
    Ok(((), "carol reads through initech's group, bob through acme's".into()))
}
