//! Writing an export's conversations through the API, each person in his own name.
//!
//! Duty: channels as groups, threads as topics, messages in their order; every request under a key that follows from the
//! export, so that running again continues and doubles nothing. Never: giving up because a node is away for a moment.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use hyper::{Method, StatusCode};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::slack::{Channel, Export, Message};
use crate::cli::{
    client::{Answer, Client},
    person::{PATIENCE, Person, join, text},
};

/// Connections that one channel keeps open.
const CONNECTIONS: usize = 64;
/// Bytes of a message that make the subject of its thread.
const SUBJECT_CHARS: usize = 60;

/// Who plays: the owner of the groups, and everybody by Slack's id.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) owner: Person,
    pub(crate) people: BTreeMap<String, Person>,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    pub(crate) groups: usize,
    pub(crate) threads: usize,
    pub(crate) messages: usize,
    pub(crate) reactions: usize,
    /// What each thread must show.
    pub(crate) expected: BTreeMap<String, Expected>,
}

/// What a thread must show to the authors of its channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// Slack's id of the channel.
    pub(crate) channel: String,
    /// Texts, oldest first.
    pub(crate) texts: Vec<String>,
}

impl Summary {
    /// For people or programs, with what was left out.
    pub(super) fn print(&self, export: &Export, as_json: bool) {
        let Self { groups, threads, messages, reactions, .. } = self;
        let times = "original times: messages carry the time of the import";
        if as_json {
            println!(
                "{}",
                json!({ "groups": groups, "threads": threads, "messages": messages, "reactions": reactions,
                "left_out": export.left_out, "not_kept": [times] })
            );
            return;
        }
        println!(
            "{messages} messages and {reactions} reactions in {groups} groups and {threads} threads are there."
        );
        for (reason, count) in &export.left_out {
            println!("left out: {count} {reason}");
        }
        println!("not kept: {times}");
    }
}

/// Writes everything; channels beside each other, each in its order.
///
/// # Errors
/// A node refuses something, or stays away.
pub(crate) async fn play(export: &Export, cast: &Cast, progress: &ProgressBar) -> Result<Summary> {
    let cast = Arc::new(cast.clone());
    let mut channels = JoinSet::new();
    let mut all = Summary::default();
    for channel in &export.channels {
        let stage = Stage::new(channel, cast.clone(), progress.clone());
        let messages = channel.messages.iter().map(clone).collect::<Vec<_>>();
        channels.spawn(stage.play(messages));
    }
    while let Some(done) = channels.join_next().await {
        let Summary { groups, threads, messages, reactions, expected } = done??;
        all.groups += groups;
        all.threads += threads;
        all.messages += messages;
        all.reactions += reactions;
        all.expected.extend(expected);
    }
    Ok(all)
}

fn clone(message: &Message) -> Message {
    let Message { ts, author, text, thread, reactions } = message;
    Message {
        ts: ts.clone(),
        author: author.clone(),
        text: text.clone(),
        thread: thread.clone(),
        reactions: reactions.clone(),
    }
}

/// One channel.
struct Stage {
    id: String,
    name: String,
    authors: BTreeSet<String>,
    /// Messages that began a thread.
    parents: BTreeSet<String>,
    cast: Arc<Cast>,
    clients: HashMap<String, Client>,
    progress: ProgressBar,
}

impl Stage {
    fn new(channel: &Channel, cast: Arc<Cast>, progress: ProgressBar) -> Self {
        let authors = channel.messages.iter().map(|message| message.author.clone()).collect();
        let parents = channel.messages.iter().filter_map(|message| message.thread.clone()).collect();
        let (id, name) = (channel.id.clone(), channel.name.clone());
        Self { id, name, authors, parents, cast, clients: HashMap::new(), progress }
    }

    async fn play(mut self, messages: Vec<Message>) -> Result<Summary> {
        let cast = self.cast.clone();
        let key = format!("slack group {}", self.id);
        let group = self.ask(&cast.owner, "/groups", &json!({ "name": self.name }), &key).await?;
        let (group, chat) = (text(&group, "/id")?, text(&group, "/chat")?);
        for author in std::mem::take(&mut self.authors) {
            let person = cast.people.get(&author).context("an author who is not in the cast")?;
            if person.id != cast.owner.id {
                patiently(|| join(&cast.owner, "groups", &group, person)).await?;
            }
        }
        let mut summary = Summary { groups: 1, ..Summary::default() };
        let mut threads: HashMap<String, String> = HashMap::new();
        for message in messages {
            let person = cast.people.get(&message.author).context("an author who is not in the cast")?;
            let root = message.thread.as_ref().unwrap_or(&message.ts);
            if *root == message.ts && self.parents.contains(root) {
                threads.insert(root.clone(), self.start(person, &group, &message).await?);
                summary.threads += 1;
            }
            let thread = threads.get(root).unwrap_or(&chat).clone();
            self.write(person, &thread, &message, &mut summary).await?;
            let channel = self.id.clone();
            let expected = summary.expected.entry(thread);
            expected.or_insert_with(|| Expected { channel, texts: Vec::new() }).texts.push(message.text);
            self.progress.inc(1);
        }
        Ok(summary)
    }

    async fn start(&mut self, person: &Person, group: &str, message: &Message) -> Result<String> {
        let line = message.text.lines().find(|line| !line.trim().is_empty()).unwrap_or("Thread");
        let subject: String = line.chars().filter(|c| !c.is_control()).take(SUBJECT_CHARS).collect();
        let subject = if subject.trim().is_empty() { "Thread".to_owned() } else { subject };
        let key = format!("slack thread {} {}", self.id, message.ts);
        let thread =
            self.ask(person, "/threads", &json!({ "subject": subject, "groups": [group] }), &key).await?;
        text(&thread, "/id")
    }

    async fn write(
        &mut self,
        person: &Person,
        thread: &str,
        message: &Message,
        summary: &mut Summary,
    ) -> Result<()> {
        let key = format!("slack {} {}", self.id, message.ts);
        let path = format!("/threads/{thread}/messages");
        let posted = self.ask(person, &path, &json!({ "text": message.text }), &key).await?;
        summary.messages += 1;
        let Some(seq) = posted.get("seq").and_then(Value::as_u64) else { return Ok(()) };
        for (emoji, by) in &message.reactions {
            let cast = self.cast.clone();
            let Some(by_person) = cast.people.get(by) else { continue };
            let key = format!("slack reaction {} {} {emoji} {by}", self.id, message.ts);
            self.ask(by_person, &format!("{path}/{seq}/reactions"), &json!({ "emoji": emoji }), &key).await?;
            summary.reactions += 1;
        }
        Ok(())
    }

    /// Asks until there is an answer: a node that is away comes back, and what its owner just made arrives.
    async fn ask(&mut self, person: &Person, path: &str, body: &Value, key: &str) -> Result<Value> {
        let asking = async {
            loop {
                match self.send(person, path, body, key).await {
                    Ok(Answer { status, body }) if status.is_success() => return Ok(body),
                    Ok(Answer { status, body }) if !passes(status) => {
                        bail!("{path}: {}", body.get("detail").and_then(Value::as_str).unwrap_or("refused"))
                    }
                    Ok(_) => {}
                    Err(_) => drop(self.clients.remove(&person.id)),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.with_context(|| format!("no answer to {path}"))?
    }

    async fn send(&mut self, person: &Person, path: &str, body: &Value, key: &str) -> Result<Answer> {
        if !self.clients.contains_key(&person.id) {
            if self.clients.len() >= CONNECTIONS {
                self.clients.clear();
            }
            self.clients.insert(person.id.clone(), person.client().await?);
        }
        let client = self.clients.get_mut(&person.id).context("a client that was just made")?;
        client.send(Method::POST, path, Some(body), Some(key)).await
    }
}

/// Not known yet at the author's home, or a node that is away.
fn passes(status: StatusCode) -> bool {
    matches!(status, StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE)
}

/// Tries again until it works or patience is over.
async fn patiently<F: Future<Output = Result<()>>>(work: impl Fn() -> F) -> Result<()> {
    let trying = async {
        loop {
            match work().await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%error, "again"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE * 2, trying).await.context("a member could not be added")
}
