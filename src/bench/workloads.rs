//! The workloads, each from the first request to what a user sees at the other end.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use hyper::Method;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use super::{
    Sizes, Workload,
    measure::{cpu_seconds, millis, now, percentiles, resident_mib, rounded},
    pair::{Pair, Shared},
};
use crate::cli::{
    client::Events,
    person::{Person, join, join_with_history, text},
};

/// Requests that are on the way at a time.
const IN_FLIGHT: usize = 64;
/// How long one workload may take.
const LONGEST: Duration = Duration::from_secs(240);

pub(super) async fn run(
    which: Workload,
    pair: &mut Pair,
    sizes: Sizes,
    all: &mut Map<String, Value>,
) -> Result<()> {
    let measured = match which {
        Workload::Throughput => throughput(pair, sizes).await?,
        Workload::Latency => latency(pair, sizes).await?,
        Workload::Removal => removal(pair, sizes).await?,
        Workload::Join => newcomer(pair, sizes).await?,
        Workload::Outage => outage(pair, sizes).await?,
        Workload::FanOut => fan_out(pair, sizes).await?,
        Workload::Library => super::library::throughput(sizes.messages).await?,
        Workload::Leases => super::leases::run(sizes).await?,
        Workload::People => super::people::run(sizes).await?,
        Workload::EndPeering => super::ending::run(sizes).await?,
        Workload::Lookups => super::lookups::run(pair, sizes.lookups).await?,
        Workload::Footprint => footprint(pair, sizes).await?,
    };
    all.insert(format!("{which:?}").to_lowercase(), measured);
    Ok(())
}

fn body() -> Value {
    json!({ "text": "x".repeat(256) })
}

fn path(thread: &str) -> String {
    format!("/threads/{thread}/messages")
}

/// Posts `count` messages over `IN_FLIGHT` connections, spread over the threads.
async fn flood(author: &Person, threads: &[String], count: usize) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT.min(count) {
        let (author, threads, next) = (author.clone(), threads.to_vec(), next.clone());
        workers.spawn(async move {
            let mut client = author.client().await?;
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return Ok::<_, anyhow::Error>(());
                }
                let thread = threads.get(at % threads.len()).context("no thread")?;
                client.post(&path(thread), &body()).await?;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

/// Reads a live stream until it has shown so many messages of these threads.
async fn watched(mut events: Events, threads: &[String], count: usize) -> Result<()> {
    // Entries are numbered without gaps; a stream that is far behind leaves some out, and says so.
    let (count, mut seen) = (u64::try_from(count)?, BTreeMap::new());
    while seen.values().sum::<u64>() < count {
        let Some((name, data)) = events.next().await? else { bail!("the live events ended") };
        let thread = data.pointer("/message/thread").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name == "message" && threads.contains(&thread) {
            let high: &mut u64 = seen.entry(thread).or_default();
            *high = (*high).max(data.get("entry").and_then(Value::as_u64).unwrap_or(0));
        }
    }
    Ok(())
}

async fn cpu(pair: &Pair) -> Result<f64> {
    let [a, b] = pair.pids()?;
    std::future::ready(Ok(cpu_seconds(a)? + cpu_seconds(b)?)).await
}

async fn one_flood(
    pair: &Pair,
    author: &Person,
    reader: &Person,
    threads: usize,
    count: usize,
) -> Result<Value> {
    let mut all = Vec::new();
    for n in 0..threads {
        all.push(pair.shared(&format!("Flood {n}")).await?.chat);
    }
    let events = reader.events().await?;
    let (before, begin) = (cpu(pair).await?, now());
    let posting = async {
        flood(author, &all, count).await?;
        Ok::<_, anyhow::Error>(begin.elapsed())
    };
    let (posted, seen) = tokio::join!(posting, tokio::time::timeout(LONGEST, watched(events, &all, count)));
    seen.context("not everything arrived in time")??;
    let (seconds, used) = (begin.elapsed().as_secs_f64(), cpu(pair).await? - before);
    let messages = f64::from(u32::try_from(count)?);
    Ok(json!({
        "messages_per_second": rounded(messages / seconds),
        "acknowledged_per_second": rounded(messages / posted?.as_secs_f64()),
        "cpu_seconds_per_1000_both_nodes": rounded(used * 1000.0 / messages),
    }))
}

async fn throughput(pair: &Pair, sizes: Sizes) -> Result<Value> {
    Ok(json!({
        "one_thread": one_flood(pair, &pair.alice, &pair.bob, 1, sizes.messages).await?,
        "ten_threads": one_flood(pair, &pair.alice, &pair.bob, 10, sizes.messages).await?,
        "external_author": one_flood(pair, &pair.bob, &pair.alice, 1, sizes.messages).await?,
    }))
}

async fn one_way(author: &Person, reader: &Person, thread: &str, count: usize) -> Result<Value> {
    let (mut client, mut events) = (author.client().await?, reader.events().await?);
    let mut took = Vec::new();
    for _ in 0..count {
        let begin = now();
        client.post(&path(thread), &body()).await?;
        loop {
            let Some((name, data)) = events.next().await? else { bail!("the live events ended") };
            if name == "message" && data.pointer("/message/thread").and_then(Value::as_str) == Some(thread) {
                break;
            }
        }
        took.push(millis(begin.elapsed()));
    }
    Ok(percentiles(took))
}

async fn latency(pair: &Pair, sizes: Sizes) -> Result<Value> {
    let Shared { chat, .. } = pair.shared("Latency").await?;
    Ok(json!({
        "a_to_b_ms": one_way(&pair.alice, &pair.bob, &chat, sizes.single).await?,
        "b_to_a_ms": one_way(&pair.bob, &pair.alice, &chat, sizes.single).await?,
    }))
}

async fn one_removal(pair: &Pair) -> Result<f64> {
    let Shared { group, chat } = pair.shared("Removal").await?;
    let (mut admin, mut removed) = (pair.alice.client().await?, pair.bob.client().await?);
    let member = format!("/groups/{group}/members/{}", pair.bob.id);
    admin.call(Method::DELETE, &member, None).await?;
    let begin = now();
    while removed.send(Method::GET, &path(&chat), None, None).await?.status.is_success() {
        ensure!(begin.elapsed() < LONGEST, "the removed still reads");
    }
    Ok(millis(begin.elapsed()))
}

async fn removal(pair: &Pair, sizes: Sizes) -> Result<Value> {
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..sizes.removals {
        idle.push(one_removal(pair).await?);
    }
    let Shared { chat, .. } = pair.shared("Noise").await?;
    let (author, histories) = (pair.alice.clone(), Arc::new(AtomicUsize::new(0)));
    let mut noise = JoinSet::new();
    noise.spawn(bulk(pair, sizes, histories.clone()).await?);
    noise.spawn(async move { flood(&author, &[chat], usize::MAX).await });
    for _ in 0..sizes.removals {
        busy.push(one_removal(pair).await?);
    }
    let ended = noise.try_join_next();
    noise.shutdown().await;
    if let Some(ended) = ended {
        ended??;
        bail!("the load ended before the removals");
    }
    Ok(json!({
        "removals": sizes.removals, "idle_ms": percentiles(idle), "saturated_ms": percentiles(busy),
        "histories_fetched_meanwhile": histories.load(Ordering::Relaxed), "history": sizes.history,
    }))
}

/// Somebody of B joins a long thread, gets all of it, and goes with the last copy at B; again and again.
async fn bulk(
    pair: &Pair,
    sizes: Sizes,
    histories: Arc<AtomicUsize>,
) -> Result<impl Future<Output = Result<()>> + Send + use<>> {
    let group = pair.alice.post("/groups", json!({ "name": "Bulk" })).await?;
    let of = |pointer| text(&group, pointer);
    let (group, chat) = (of("/id")?, of("/chat")?);
    flood(&pair.alice, std::slice::from_ref(&chat), sizes.history).await?;
    let (alice, carl) = (pair.alice.clone(), pair.b.add("carl", "Carl").await?);
    Ok(async move {
        loop {
            join_with_history(&alice, "groups", &group, &carl).await?;
            carl.until(&format!("{}/1", path(&chat)), |_| true).await?;
            histories.fetch_add(1, Ordering::Relaxed);
            alice.delete(&format!("/groups/{group}/members/{}", carl.id)).await?;
        }
    })
}

async fn newcomer(pair: &Pair, sizes: Sizes) -> Result<Value> {
    let group = pair.alice.post("/groups", json!({ "name": "History" })).await?;
    let of = |pointer| text(&group, pointer);
    let (group, chat) = (of("/id")?, of("/chat")?);
    flood(&pair.alice, std::slice::from_ref(&chat), sizes.history).await?;
    join_with_history(&pair.alice, "groups", &group, &pair.bob).await?;
    let begin = now();
    let full =
        |page: &Value| page.get("messages").and_then(Value::as_array).is_some_and(|all| all.len() == 50);
    pair.bob.until(&format!("{}?limit=50", path(&chat)), full).await?;
    let newest = millis(begin.elapsed());
    let some =
        |page: &Value| page.get("messages").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    pair.bob.until(&format!("{}?limit=1&before=2", path(&chat)), some).await?;
    Ok(
        json!({ "newest_50_ms": rounded(newest), "all_ms": rounded(millis(begin.elapsed())), "messages": sizes.history }),
    )
}

async fn outage(pair: &mut Pair, sizes: Sizes) -> Result<Value> {
    let count = sizes.messages.min(500);
    let Shared { chat, .. } = pair.shared("Outage").await?;
    pair.b.kill().await?;
    flood(&pair.alice, std::slice::from_ref(&chat), count).await?;
    let begin = now();
    pair.b.start().await?;
    let started = millis(begin.elapsed());
    pair.bob.until(&format!("{}/{count}", path(&chat)), |_| true).await?;
    pair.bob.until(&format!("{}/1", path(&chat)), |_| true).await?;
    let readable = millis(begin.elapsed());
    let mut client = pair.bob.client().await?;
    let mut lost = 0;
    for seq in 1..=count {
        let answer = client.send(Method::GET, &format!("{}/{seq}", path(&chat)), None, None).await?;
        lost += u32::from(!answer.status.is_success());
    }
    Ok(
        json!({ "start_ms": rounded(started), "all_readable_ms": rounded(readable), "messages": count, "lost": lost }),
    )
}

async fn fan_out(pair: &Pair, sizes: Sizes) -> Result<Value> {
    let group = pair.alice.post("/groups", json!({ "name": "Everybody" })).await?;
    let of = |pointer| text(&group, pointer);
    let (group, chat) = (of("/id")?, of("/chat")?);
    let mut streams = JoinSet::new();
    for n in 0..sizes.members {
        let member =
            pair.b.add(&format!("member{}-{n}", group.get(3..9).unwrap_or_default()), "Member").await?;
        join(&pair.alice, "groups", &group, &member).await?;
        let (events, chat) = (member.events().await?, chat.clone());
        streams.spawn(async move { watched(events, &[chat], 1).await });
    }
    let begin = now();
    pair.alice.post(&path(&chat), body()).await?;
    while let Some(stream) = streams.join_next().await {
        stream??;
    }
    Ok(json!({ "members": sizes.members, "all_live_streams_ms": rounded(millis(begin.elapsed())) }))
}

async fn footprint(pair: &mut Pair, sizes: Sizes) -> Result<Value> {
    let [before_a, _] = pair.pids()?;
    let loaded = resident_mib(before_a)?;
    // Blocks in use: the file's length grows in large steps, with holes.
    let size =
        |pair: &Pair| Ok::<_, anyhow::Error>(fs::metadata(pair.a.dir.join("comity.redb"))?.blocks() * 512);
    let Shared { chat, .. } = pair.shared("Disk").await?;
    let before = size(pair)?;
    flood(&pair.alice, &[chat], sizes.messages).await?;
    let grown = size(pair)?.saturating_sub(before);
    pair.a.stop().await?;
    let begin = now();
    pair.a.start().await?;
    let start = millis(begin.elapsed());
    let [after_a, _] = pair.pids()?;
    Ok(json!({
        "loaded_mib": rounded(loaded), "idle_mib": rounded(resident_mib(after_a)?), "start_ms": rounded(start),
        "disk_bytes_per_message": grown / u64::try_from(sizes.messages)?,
    }))
}
