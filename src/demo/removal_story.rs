//! The hard story: a removal while the partner cannot be reached, and what remains of it afterwards (P7.2 to P7.6).
//!
//! Duty: each step is a promise that can fail, against the deadline that acme named. Never: a look behind the API, except
//! for the search on disk.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::{
    Stage, backup, cluster, forgetting_story, paths_story,
    script::Script,
    story::{reads, sees_nothing, write},
    watch::{self, Look},
};
use crate::{
    cli::{
        client::Events,
        person::{PATIENCE, Person, join, text},
    },
    node::clock,
    time::Millis,
};

/// The lease of the groups of this story, in seconds.
pub(super) const LEASE: u64 = 5;
const ACME: usize = 0;
const GLOBEX: usize = 1;

/// The whole of it.
pub(super) async fn play(script: &mut Script, stage: &mut Stage) -> Result<()> {
    let (alice, bob) = (stage.admin(ACME).await?, stage.admin(GLOBEX).await?);
    script.step("removed while the link is cut", link_cut(stage, &alice, &bob)).await?;
    script
        .step("removed while the partner's process is stopped", process_stopped(stage, &alice, &bob))
        .await?;
    script.step("after a purge nothing is left on the disk", nothing_on_disk(stage, &alice, &bob)).await?;
    forgetting_story::play(script, stage).await?;
    paths_story::play(script, stage).await
}

/// A group with a short lease, and what its chat holds.
pub(super) struct Place {
    pub(super) group: String,
    pub(super) chat: String,
}

impl Place {
    /// With these members, who all read the first message.
    pub(super) async fn make(owner: &Person, name: &str, members: &[&Person], words: &str) -> Result<Self> {
        let made = owner.post("/groups", json!({ "name": name, "lease": LEASE })).await?;
        let place = Self { group: text(&made, "/id")?, chat: text(&made, "/chat")? };
        for member in members {
            join(owner, "groups", &place.group, member).await?;
        }
        write(owner, &place.chat, words).await?;
        for member in members {
            reads(member, &place.chat, &[words]).await?;
        }
        Ok(place)
    }

    /// Ways to read something of it.
    pub(super) fn ways(&self) -> Vec<String> {
        let Self { group, chat } = self;
        vec![
            format!("/threads/{chat}/messages"),
            format!("/threads/{chat}/messages/1"),
            format!("/threads/{chat}/members"),
            format!("/groups/{group}/members"),
        ]
    }

    pub(super) fn member(&self, person: &Person) -> String {
        format!("/groups/{}/members/{}", self.group, person.id)
    }

    /// The people of it, as somebody sees them.
    pub(super) async fn members(&self, viewer: &Person) -> Result<Vec<String>> {
        let answer = viewer.get(&format!("/groups/{}/members", self.group)).await?;
        let all = answer.get("members").and_then(Value::as_array).into_iter().flatten();
        all.map(|member| text(member, "/id")).collect()
    }
}

/// A removal as its answer describes it.
pub(super) struct Removed {
    path: String,
    epoch: u64,
    /// The moment at which it is effective at the latest.
    deadline: Millis,
}

impl Removed {
    /// Removes, and reads what the answer promises for globex.
    pub(super) async fn by(owner: &Person, place: &Place, user: &Person) -> Result<Self> {
        let asked = clock::now();
        let path = format!("{}?everywhere=true", place.member(user));
        let (answer, _) = watch::patiently(owner, Method::DELETE, &path).await?;
        let epoch = answer.get("epoch").and_then(Value::as_u64).context("no epoch")?;
        let removal = answer.get("removal").context("no removal")?;
        let deadline = latest(removal).with_context(|| format!("no deadline: {removal}"))?;
        let longest = clock::now().plus(LEASE * 1010);
        ensure!(deadline > asked && deadline <= longest, "{deadline} is not within {LEASE} s of {asked}");
        ensure!(text(removal, "/homes/0/workspace/domain")? == "globex.example", "not globex: {removal}");
        Ok(Self { path: format!("/removals/{}/{epoch}", place.group), epoch, deadline })
    }

    /// The receipt is there, and says what was deleted.
    pub(super) async fn confirmed(&self, owner: &Person) -> Result<Value> {
        let confirmed = |removal: &Value| standing(removal) == Some("confirmed");
        let removal = owner.until(&self.path, confirmed).await?;
        let threads = removal.pointer("/homes/0/purged/threads").and_then(Value::as_u64);
        ensure!(threads.is_some_and(|threads| threads > 0), "no purge receipt: {removal}");
        ensure!(removal.pointer("/homes/0/receipt").is_some_and(Value::is_string), "no receipt: {removal}");
        Ok(removal)
    }
}

fn latest(removal: &Value) -> Option<Millis> {
    removal.pointer("/homes/0/effective_at_latest").and_then(Value::as_u64).map(Millis)
}

fn standing(removal: &Value) -> Option<&str> {
    removal.pointer("/homes/0/state").and_then(Value::as_str)
}

async fn link_cut(stage: &mut Stage, alice: &Person, bob: &Person) -> Result<((), String)> {
    let place = Place::make(alice, "Cut off", &[bob], "the figures of spring").await?;
    stage.relay.set(ACME, GLOBEX, false);
    let removed = Removed::by(alice, &place, bob).await?;
    let work = async {
        let (counted, printed) =
            tokio::try_join!(countdown(alice, &removed), printed(alice, &place, &removed))?;
        hidden_at_globex(bob, &place).await?;
        ensure!(
            standing(&alice.get(&removed.path).await?) == Some("effective"),
            "a receipt through a cut link"
        );
        let mut events = alice.events().await?;
        stage.relay.set(ACME, GLOBEX, true);
        let told = heard(&mut events, "receipt", &removed).await?;
        let receipt = removed.confirmed(alice).await?;
        ensure!(told == receipt, "the live event is not what the answer is: {told}");
        for way in place.ways() {
            sees_nothing(bob, &way).await?;
        }
        Ok((counted, printed, receipt))
    };
    let ((late, lines, receipt), seen) = watch::while_looking(bob, &place.ways(), work).await?;
    let last = watch::ended_by(&seen, removed.deadline, "acme.example")?;
    let entries = receipt.pointer("/homes/0/purged/entries").cloned().unwrap_or_default();
    let detail = format!(
        "last read {last:+} ms from the deadline; acme said effective {late} ms after it ({lines} lines of `removal watch`); \
         {} looks; then a receipt for {entries} entries",
        seen.len()
    );
    Ok(((), detail))
}

/// Acme's answer counts down, and its live event says when it is over; how late that came.
async fn countdown(alice: &Person, removed: &Removed) -> Result<u64> {
    let mut events = alice.events().await?;
    let removal = alice.get(&removed.path).await?;
    ensure!(standing(&removal) == Some("waiting"), "not counting down: {removal}");
    ensure!(latest(&removal) == Some(removed.deadline), "the moment moved: {removal}");
    let said = heard(&mut events, "effective", removed).await?;
    ensure!(clock::now() >= removed.deadline, "effective before the deadline: {said}");
    ensure!(said == alice.get(&removed.path).await?, "the live event is not what the answer is: {said}");
    ensure!(standing(&said) == Some("effective"), "not effective: {said}");
    Ok(clock::now().since(removed.deadline))
}

/// The next live event of this name about the removal.
async fn heard(events: &mut Events, name: &str, removed: &Removed) -> Result<Value> {
    let hearing = async {
        loop {
            let (said, data) = events.next().await?.context("no more events")?;
            if said == name && data.get("epoch").and_then(Value::as_u64) == Some(removed.epoch) {
                return Ok(data);
            }
        }
    };
    tokio::time::timeout(PATIENCE, hearing).await.with_context(|| format!("no event `{name}`"))?
}

/// `comity removal watch` beside it: ends by itself, and successfully.
async fn printed(alice: &Person, place: &Place, removed: &Removed) -> Result<usize> {
    let mut command = cluster::binary()?;
    command.args(["--api", &alice.http.to_string(), "--token", &alice.token]);
    command.args(["removal", "watch", &place.group, &removed.epoch.to_string()]);
    let output =
        tokio::time::timeout(PATIENCE, command.output()).await.context("the countdown does not end")??;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = lines.lines().next().unwrap_or_default();
    ensure!(output.status.success(), "the countdown ended by {}: {lines}", output.status);
    ensure!(first.starts_with("globex.example: effective at the latest at "), "no countdown: {lines}");
    ensure!(
        lines.lines().last().is_some_and(|last| last.starts_with("effective everywhere since ")),
        "no end: {lines}"
    );
    Ok(lines.lines().count())
}

/// What remains is that it exists, and whom it waits for; what is written waits.
async fn hidden_at_globex(bob: &Person, place: &Place) -> Result<()> {
    let place_of = |path: String| async move {
        let seen = bob.until(&path, |seen| seen.pointer("/waiting_for/workspace").is_some()).await?;
        ensure!(text(&seen, "/waiting_for/workspace/domain")? == "acme.example", "waits for another: {seen}");
        ensure!(seen.pointer("/settings/name") == Some(&json!("")), "its name is shown: {seen}");
        Ok(())
    };
    place_of(format!("/groups/{}", place.group)).await?;
    place_of(format!("/threads/{}", place.chat)).await
}

async fn process_stopped(stage: &mut Stage, alice: &Person, bob: &Person) -> Result<((), String)> {
    let place = Place::make(alice, "Stopped", &[bob], "the figures of autumn").await?;
    stage.at(GLOBEX)?.freeze().await?;
    let removed = Removed::by(alice, &place, bob).await?;
    let messages = format!("/threads/{}/messages", place.chat);
    let later = async {
        watch::until(removed.deadline.plus(watch::SLACK / 5)).await;
        let effective = |removal: &Value| standing(removal) == Some("effective");
        alice.until(&removed.path, effective).await?;
        stage.at(GLOBEX)?.thaw()
    };
    let (first, ()): (Look, ()) = tokio::try_join!(watch::look(bob, &messages), later)?;
    ensure!(first.asked < removed.deadline, "asked too late");
    ensure!(
        first.waits_for("acme.example") || first.status == 404,
        "the first answer is no refusal: {first:?}"
    );
    removed.confirmed(alice).await?;
    let (_, seen) = watch::while_looking(bob, &place.ways(), std::future::ready(Ok(()))).await?;
    watch::never_read(&seen)?;
    let waited = clock::now().since(first.asked);
    Ok(((), format!("asked while it was stopped, answered {} after it went on ({waited} ms)", first.status)))
}

async fn nothing_on_disk(stage: &mut Stage, alice: &Person, bob: &Person) -> Result<((), String)> {
    let words = ["the figures of winter", "the figures of summer"];
    let place = Place::make(alice, "Searched", &[bob], words[0]).await?;
    write(bob, &place.chat, words[1]).await?;
    reads(alice, &place.chat, &words).await?;
    reads(bob, &place.chat, &words).await?;
    Removed::by(alice, &place, bob).await?.confirmed(alice).await?;
    bob.post("/groups", json!({ "name": "A control text in the clear" })).await?;
    let (acme, globex) = (stage.at_ref(ACME)?.dir.clone(), stage.at_ref(GLOBEX)?.dir.clone());
    ensure!(backup::is_found("A control text in the clear", &globex)?, "the search finds nothing at globex");
    ensure!(backup::is_found("Searched", &acme)?, "the search finds nothing at acme");
    let all = words.into_iter().chain(["the figures of spring", "the figures of autumn"]);
    for word in all {
        ensure!(!backup::is_found(word, &globex)?, "`{word}` lies in globex's folder");
    }
    reads(alice, &place.chat, &words).await?;
    Ok((
        (),
        "4 texts searched for in globex's folder, none there; a name stored in the clear is found".into(),
    ))
}
