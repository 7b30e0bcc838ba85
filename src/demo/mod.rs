//! `comity demo`: three workspaces as three processes on loopback, and the story of what they can do.
//!
//! Duty: a newcomer types one command and sees them work together. Never: a feature that only the demo reaches.

mod backup;
mod catcher;
pub(crate) mod cluster;
mod forgetting_story;
mod paths_story;
mod people_story;
mod relay;
mod removal_story;
mod replay;
mod script;
pub(crate) mod story;
mod watch;

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::person::{Person, join, text};
use backup::{Backup, Restored};
use catcher::Catcher;
use cluster::{Workspace, free_udp};
use relay::Relay;
use script::Script;

/// The workspaces, with their first admins.
const CAST: [(&str, &str); 3] = [("acme", "alice"), ("globex", "bob"), ("initech", "carol")];

/// Everything that runs.
pub(crate) struct Stage {
    workspaces: Vec<Workspace>,
    relay: Relay,
    catcher: Catcher,
    _root: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Result<Self> {
        let root = tempfile::tempdir()?;
        let links = CAST.iter().map(|_| free_udp()).collect::<Result<Vec<_>>>()?;
        let (relay, catcher) = (Relay::start(links.clone()).await?, Catcher::start().await?);
        let mut workspaces = Vec::new();
        for (at, ((name, admin), link)) in CAST.iter().zip(links).enumerate() {
            let endpoint = relay.address(at).context("the relay's address")?;
            let mut workspace = Workspace::make(root.path(), name, admin, link, endpoint).await?;
            workspace.configure(&catcher.config(&format!("comity@{name}.example")))?;
            workspace.start().await?;
            workspaces.push(workspace);
        }
        Ok(Self { workspaces, relay, catcher, _root: root })
    }

    fn at(&mut self, index: usize) -> Result<&mut Workspace> {
        self.workspaces.get_mut(index).context("no such workspace")
    }

    async fn admin(&mut self, index: usize) -> Result<Person> {
        self.at(index)?.admin().await
    }

    async fn add(&mut self, index: usize, local: &str, name: &str) -> Result<Person> {
        self.at(index)?.add(local, name).await
    }

    async fn start(&mut self, index: usize) -> Result<()> {
        self.at(index)?.start().await
    }

    async fn stop(&mut self, index: usize) -> Result<()> {
        self.at(index)?.stop().await
    }

    async fn kill(&mut self, index: usize) -> Result<()> {
        self.at(index)?.kill().await
    }

    fn at_ref(&self, index: usize) -> Result<&Workspace> {
        self.workspaces.get(index).context("no such workspace")
    }

    /// A copy of a workspace as it is now, made while it is stopped.
    async fn save(&mut self, index: usize) -> Result<Backup> {
        self.stop(index).await?;
        let backup = Backup::of(&self.at_ref(index)?.dir)?;
        self.start(index).await?;
        Ok(backup)
    }

    /// Kills a workspace, and starts it from a copy.
    async fn restore(&mut self, index: usize, backup: &Backup, what: Restored) -> Result<()> {
        self.kill(index).await?;
        backup.restore(what)?;
        self.start(index).await
    }

    async fn strike(mut self) -> Result<()> {
        for workspace in &mut self.workspaces {
            workspace.stop().await?;
        }
        Ok(())
    }
}

/// Plays the story without a person.
///
/// # Errors
/// A step was not as promised.
pub(crate) async fn script(as_json: bool) -> Result<()> {
    let mut stage = Stage::set().await?;
    let mut script = Script::new(as_json);
    let played = async {
        story::play(&mut script, &mut stage).await?;
        people_story::play(&mut script, &mut stage).await?;
        removal_story::play(&mut script, &mut stage).await
    };
    let played = played.await;
    let ok = script.finish(&played);
    stage.strike().await?;
    played?;
    if ok { Ok(()) } else { bail!("the story was not as promised") }
}

/// Replays an export's conversations over three workspaces; with `kill`, nodes die on the way.
///
/// # Errors
/// A workspace does not show what was acknowledged.
pub(crate) async fn replay(file: &std::path::Path, kill: bool, as_json: bool) -> Result<()> {
    let export = crate::import::read(file)?;
    let mut stage = Stage::set().await?;
    let played = replay::run(&mut stage, &export, kill, as_json).await;
    stage.strike().await?;
    played
}

/// Sets the stage, and leaves it to the person until Ctrl-C.
///
/// # Errors
/// The stage cannot be set.
pub(crate) async fn open(as_json: bool) -> Result<()> {
    let mut stage = Stage::set().await?;
    let people = [stage.admin(0).await?, stage.admin(1).await?, stage.admin(2).await?];
    let chat = furnish(&people).await?;
    if as_json {
        let mut shown = Vec::new();
        for (workspace, person) in stage.workspaces.iter().zip(&people) {
            let Person { address, http, token, .. } = person;
            shown.push(
                json!({ "address": address, "http": http, "token": token, "enter": enter(person).await?,
                "dir": workspace.dir, "pid": workspace.pid() }),
            );
        }
        println!("{}", json!({ "people": shown, "thread": chat }));
    } else {
        show(&stage, &people, &chat).await?;
    }
    // Whoever stops it, its nodes do not stay behind.
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        ended = tokio::signal::ctrl_c() => ended?,
        _ = terminate.recv() => {}
        shown = mail(&stage.catcher, as_json) => shown?,
    }
    stage.strike().await
}

/// Shows each letter that a workspace sends: nobody has a mailbox here.
async fn mail(catcher: &Catcher, as_json: bool) -> Result<()> {
    let mut seen = 0;
    loop {
        let letter = catcher.any(seen).await?;
        seen += 1;
        let (to, about, link) =
            (letter.to.join(", "), letter.subject().unwrap_or_default(), letter.link().ok());
        if as_json {
            println!("{}", json!({ "letter": { "to": to, "subject": about, "link": link } }));
        } else {
            println!("\nA letter to {to}: {about}\n  {}", link.unwrap_or_default());
        }
    }
}

/// A group of each workspace with a member of the next one, and a first message in it.
async fn furnish(people: &[Person; 3]) -> Result<String> {
    let [alice, bob, carol] = people;
    for (from, to) in [(alice, bob), (alice, carol), (bob, carol)] {
        story::peer(from, to).await?;
    }
    let mut first = None;
    for (owner, guest, name) in [(alice, bob, "Launch"), (bob, carol, "Support"), (carol, alice, "Audit")] {
        let group = owner.post("/groups", json!({ "name": name })).await?;
        let (id, chat) = (text(&group, "/id")?, text(&group, "/chat")?);
        join(owner, "groups", &id, guest).await?;
        owner
            .post(&format!("/threads/{chat}/messages"), json!({ "text": format!("Welcome to {name}!") }))
            .await?;
        first.get_or_insert(chat);
    }
    first.context("no chat")
}

/// A link that signs somebody in with one click, once: a token of its own in the part of the address that browsers keep to
/// themselves. By name: without TLS every browser that takes a cookie marked `Secure` at all takes it from `localhost`.
async fn enter(person: &Person) -> Result<String> {
    let token = json!({ "name": "link to sign in", "scope": "admin", "days": 1 });
    let token = text(&person.post(&format!("/users/{}/tokens", person.id), token).await?, "/token")?;
    Ok(format!("http://localhost:{}/enter#{token}", person.http.port()))
}

async fn show(stage: &Stage, people: &[Person; 3], chat: &str) -> Result<()> {
    println!("Three workspaces federate. Each has a group with a member of another one.");
    println!("Open these links in a browser; each signs in once, side by side if you like:\n");
    for person in people {
        println!("  {:<20} {}", person.address, enter(person).await?);
    }
    println!("\nFor scripts:\n");
    for (workspace, person) in stage.workspaces.iter().zip(people) {
        let Workspace { name, http, .. } = workspace;
        println!("  {name:<8} http://{name}.localhost:{}/api/v1   (command line: --api {http})", http.port());
        println!("           {} --token {}", person.address, person.token);
    }
    let [alice, bob, _] = people;
    let on = |person: &Person| format!("--api {} --token {}", person.http, person.token);
    println!("\nTry, in another terminal:\n");
    println!("  comity {} watch", on(bob));
    println!("  comity {} post {chat} 'hello, bob'", on(alice));
    println!("  comity {} read {chat}\n\nCtrl-C stops all.", on(bob));
    Ok(())
}
