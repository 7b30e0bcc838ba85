//! An export's conversations over three workspaces, each person through his own home node.
//!
//! Duty: after it, every workspace with a reader shows the same, and all that was acknowledged, once. Never: a comparison
//! of anything but what the API shows.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{Stage, cluster::Workspace, story};
use crate::{
    cli::person::Person,
    import::{self, Author, Cast, Expected, Export},
};

/// Between two kills.
const BETWEEN_KILLS: Duration = Duration::from_millis(1500);
/// Messages of one page.
const PAGE: usize = 200;

/// Replays, and compares.
pub(super) async fn run(stage: &mut Stage, export: &Export, kill: bool, as_json: bool) -> Result<()> {
    let owners = [stage.admin(0).await?, stage.admin(1).await?, stage.admin(2).await?];
    for (from, to) in [(0, 1), (0, 2), (1, 2)] {
        if let (Some(from), Some(to)) = (owners.get(from), owners.get(to)) {
            story::peer(from, to).await?;
        }
    }
    let [owner, ..] = owners;
    let cast = Cast { owner, people: people(stage, &export.authors()).await? };
    let progress = import::bar("messages", export.messages());
    #[expect(clippy::disallowed_methods, reason = "how long it took, for people")]
    let begin = std::time::Instant::now();
    let playing = import::play(export, &cast, &progress);
    let (summary, kills) = if kill { beside_kills(stage, playing).await? } else { (playing.await?, 0) };
    let seconds = begin.elapsed().as_secs_f64();
    progress.finish_and_clear();
    let compared = compare(export, &cast, &summary.expected).await?;
    let (messages, threads) = (summary.messages, summary.threads);
    if as_json {
        println!(
            "{}",
            json!({ "messages": messages, "threads": threads, "seconds": seconds, "kills": kills,
            "people": cast.people.len(), "copies_compared": compared, "ok": true })
        );
    } else {
        println!(
            "{messages} messages of {} people in {threads} threads in {seconds:.1} s, {kills} kills: nothing is missing, \
             nothing is doubled, and {compared} copies are equal to their owner's.",
            cast.people.len()
        );
    }
    Ok(())
}

/// Spread over the three workspaces in turn.
async fn people(stage: &mut Stage, authors: &[&Author]) -> Result<BTreeMap<String, Person>> {
    let mut people = BTreeMap::new();
    let progress = import::bar("people", authors.len());
    for (at, author) in authors.iter().enumerate() {
        let home: &Workspace = stage.at(at % super::CAST.len())?;
        let local = format!("{}-{at}", author.local.get(..40).unwrap_or(&author.local));
        people.insert(author.id.clone(), home.add(&local, &author.name).await?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(people)
}

/// Lets nodes die one after the other until the play is over.
async fn beside_kills<T>(stage: &mut Stage, playing: impl Future<Output = Result<T>>) -> Result<(T, usize)> {
    tokio::pin!(playing);
    let mut kills = 0;
    loop {
        tokio::select! {
            played = &mut playing => return Ok((played?, kills)),
            () = tokio::time::sleep(BETWEEN_KILLS) => {}
        }
        let victim = kills % super::CAST.len();
        stage.kill(victim).await?;
        stage.start(victim).await?;
        kills += 1;
    }
}

/// Every thread at its owner and at one reader of each other workspace; how many copies were compared.
async fn compare(export: &Export, cast: &Cast, expected: &BTreeMap<String, Expected>) -> Result<usize> {
    let mut copies = 0;
    for (thread, Expected { channel, texts }) in expected {
        let at_owner = all(&cast.owner, thread, texts.len()).await?;
        ensure!(sorted(&at_owner) == sorted(texts), "{thread} shows something else than was acknowledged");
        for reader in readers(export, cast, channel) {
            let copy = all(reader, thread, texts.len()).await?;
            ensure!(copy == at_owner, "{thread} differs for {}", reader.address);
            copies += 1;
        }
    }
    Ok(copies)
}

fn sorted(texts: &[String]) -> Vec<&String> {
    let mut all: Vec<&String> = texts.iter().collect();
    all.sort();
    all
}

/// One author of the channel in each workspace but the owner's.
fn readers<'a>(export: &Export, cast: &'a Cast, channel: &str) -> Vec<&'a Person> {
    let mut found = BTreeMap::new();
    let messages = export.channels.iter().filter(|at| at.id == channel).flat_map(|at| &at.messages);
    for person in messages.filter_map(|message| cast.people.get(&message.author)) {
        if person.http != cast.owner.http {
            found.entry(person.http).or_insert(person);
        }
    }
    found.into_values().collect()
}

/// Every text of a thread, oldest first, as soon as there are as many as expected.
async fn all(reader: &Person, thread: &str, count: usize) -> Result<Vec<String>> {
    let path = format!("/threads/{thread}/messages");
    let last = |page: &Value| story::texts(page).len() >= count.min(PAGE) && last_seq(page) >= count;
    reader.until(&format!("{path}?limit={PAGE}"), last).await.with_context(|| reader.address.clone())?;
    let mut client = reader.client().await?;
    let mut texts: Vec<String> = Vec::new();
    let mut before = String::new();
    loop {
        let page = client.get(&format!("{path}?limit={PAGE}{before}")).await?;
        let mut older = story::texts(&page);
        older.append(&mut texts);
        texts = older;
        match page.get("next").and_then(Value::as_u64) {
            Some(next) => before = format!("&before={next}"),
            None => return Ok(texts),
        }
    }
}

fn last_seq(page: &Value) -> usize {
    let last = page.get("messages").and_then(Value::as_array).and_then(|all| all.last());
    let seq = last.and_then(|message| message.get("seq")).and_then(Value::as_u64);
    seq.and_then(|seq| usize::try_from(seq).ok()).unwrap_or(0)
}
