//! The invariants (protocol 13), judged on every step: what was, what is, and what must be remembered of it.

use comity::{
    ids::{Hash, UserId, WorkspaceId},
    protocol::{Records, State, gate, lease, recovery},
    time::Millis,
    wire::{
        Blob, Stored, cbor, envelope,
        frames::Item,
        objects::{Event, Head, Op, Snapshot},
    },
};

use crate::{
    cluster::{Cluster, Node},
    moment::{Moment, Out},
    stage::{HOMES, OWNER, Stage, TTL},
    steps::{Bounds, Step},
};

/// What the step from `before` to `now` broke is noted in `now`, and so is what later steps are judged by.
pub fn judge(stage: &Stage, bounds: &Bounds, before: &Moment, now: &mut Moment, step: Step) {
    let mut broken = Vec::new();
    for home in HOMES {
        standing(stage, before, now, home, step, &mut broken);
    }
    sequenced(now);
    signed_once(stage, bounds, now, &mut broken);
    for home in HOMES {
        shown(stage, now, home, &mut broken);
        known_to_be_out(stage, now, home, &mut broken);
        lease_outlived(stage, now, home, &mut broken);
        told_too_much(stage, before, now, home, step, &mut broken);
        if matches!(step, Step::Short | Step::Long)
            && !same_copy(&before.cluster.nodes[home], &now.cluster.nodes[home])
        {
            broken.push((12, "time took something away".into()));
        }
    }
    for node in &now.cluster.nodes {
        let frozen = node.state.scopes.values().find_map(|scope| scope.head.frozen.clone());
        if let Some(why) = frozen.filter(|_| bounds.follower_restores == 0 || bounds.journal) {
            broken.push((4, format!("frozen: {why}")));
        }
    }
    now.past.broken.extend(broken);
    remember(stage, now);
}

fn member(stage: &Stage, state: &State, user: UserId) -> Option<u64> {
    state.scope(stage.group).and_then(|scope| scope.members.get(&user)).map(|member| member.joined)
}

/// Who is in and who is out by the owner's word, and nobody comes in uninvited (6.5).
fn standing(
    stage: &Stage,
    before: &Moment,
    now: &mut Moment,
    home: usize,
    step: Step,
    broken: &mut Vec<(u8, String)>,
) {
    let (user, at) = (stage.guest(home), home - 1);
    let state = &now.cluster.nodes[OWNER].state;
    let was = member(stage, &before.cluster.nodes[OWNER].state, user);
    let is = member(stage, state, user);
    match (was, is) {
        (Some(_), None) => {
            let rows = state.removals.values().filter(|row| row.users.contains(&user));
            let latest = rows
                .max_by_key(|row| row.epoch)
                .and_then(|row| row.latest.iter().find(|(peer, _)| *peer == stage.ids[home]));
            match latest {
                Some((_, latest)) => now.past.out[at] = Some(Out { latest: *latest }),
                None if step == Step::Restore(OWNER) => {}
                None => broken.push((15, "a removal names no latest moment".into())),
            }
        }
        (None, Some(joined)) => {
            let again =
                before.past.events.keys().any(|(scope, _, epoch)| *scope == stage.group && *epoch == joined);
            if step != Step::Restore(OWNER) && !again && !now.past.invited[at] {
                broken.push((10, "somebody is in again without a new invitation".into()));
            }
            (now.past.out[at], now.past.invited[at]) = (None, false);
        }
        (Some(_), Some(_)) if step == Step::Restore(OWNER) => now.past.out[at] = None,
        _ => {}
    }
    if now.past.out[at].is_none() {
        now.past.after[at].clear();
    }
}

/// Entries that are new at the owner come after every removal that stands: a step decides removals first.
fn sequenced(now: &mut Moment) {
    let past = &mut now.past;
    for stored in now.cluster.nodes[OWNER].disk.content.values() {
        let hash = stored.entry.hash();
        if past.sequenced.insert(hash) {
            let out = past.out.iter().zip(&mut past.after).filter(|(out, _)| out.is_some());
            out.for_each(|(_, after)| after.extend([hash]));
        }
    }
}

/// Invariants 1 and 2: at home.
fn shown(stage: &Stage, now: &Moment, home: usize, broken: &mut Vec<(u8, String)>) {
    let Some(out) = now.past.out[home - 1] else { return };
    let node = &now.cluster.nodes[home];
    let paths = gate::paths(&node.state, stage.guest(home), stage.chat);
    let sees = gate::sees_scope(&node.state, stage.guest(home), stage.group);
    let shown = |seq: u64| paths.iter().any(|path| path.shows(seq));
    let late = |stored: &Stored| now.past.after[home - 1].contains(&stored.entry.hash());
    let content = node.disk.content.values();
    if let Some(stored) = content.filter(|stored| shown(stored.entry.seq)).find(|stored| late(stored)) {
        broken.push((1, format!("entry {} is shown, the removal came before it", stored.entry.seq)));
    }
    if paths.is_empty() && !sees {
        return;
    }
    let wall = node.state.uptime.wall;
    if wall > out.latest {
        broken.push((2, format!("served at {wall}, the latest moment was {}", out.latest)));
    }
    if end(stage, node).is_some_and(|end| Millis(wall.0 + end) > out.latest) {
        broken.push((2, format!("will be served beyond {}", out.latest)));
    }
}

/// How long the node will serve the owner's scope from now on, in true milliseconds.
fn end(stage: &Stage, node: &Node) -> Option<u64> {
    let asked = node.state.uptime.held.get(&stage.ids[OWNER])?;
    let ttl = node.state.scope(stage.group).map_or(TTL, |scope| scope.head.ttl);
    let left = lease::ends(*asked, ttl).since(node.clock());
    (left > 0).then(|| (left * 1000).div_ceil(node.rate))
}

/// Invariant 17: the owner's reckoning is never the earlier, whatever it may think of the follower's users.
fn lease_outlived(stage: &Stage, now: &Moment, home: usize, broken: &mut Vec<(u8, String)>) {
    let (acme, node) = (&now.cluster.nodes[OWNER], &now.cluster.nodes[home]);
    let follows = node.state.scope(stage.group).is_some_and(|scope| !scope.head.ended);
    let (Some(end), Some(scope)) = (end(stage, node).filter(|_| follows), acme.state.scope(stage.group))
    else {
        return;
    };
    let left = lease::latest(&acme.state, stage.ids[home], &scope.head).0 - acme.state.uptime.wall.0;
    let over = left * 1000 / acme.rate;
    if end > over + 2 {
        broken.push((17, format!("the follower serves for {end} ms, the owner believes {over}")));
    }
}

/// The last removal of a user that a disk knows.
fn removal(stage: &Stage, node: &Node, user: UserId) -> Option<u64> {
    let events = node.disk.events(stage.group, 0);
    let events = events.iter().filter_map(|bytes| envelope::peek::<Event>(bytes).ok());
    let names = |op: &Op| matches!(op, Op::Remove { user: of } | Op::Leave { user: of } if *of == user);
    events.filter(|event| event.ops.iter().any(names)).map(|event| event.epoch).max()
}

/// Invariant 6: who is known to be out stays out, at the owner once anybody said so, and at home.
fn known_to_be_out(stage: &Stage, now: &Moment, home: usize, broken: &mut Vec<(u8, String)>) {
    let acme = &now.cluster.nodes[OWNER];
    let user = stage.guest(home);
    let checked = acme.state.uptime.check.as_ref();
    let answered = |other: &usize| checked.is_none_or(|check| check.compared.contains(&stage.ids[*other]));
    let witnesses = std::iter::once(OWNER).chain(HOMES.into_iter().filter(answered));
    let known = witnesses.filter_map(|node| removal(stage, &now.cluster.nodes[node], user)).max();
    let denied = recovery::is_denied(&acme.state, stage.group, user);
    if let (Some(joined), Some(out), false) = (member(stage, &acme.state, user), known, denied)
        && joined <= out
    {
        broken.push((6, format!("the owner has him in since {joined}, an answer says out at {out}")));
    }
    let node = &now.cluster.nodes[home];
    if let (Some(joined), Some(out)) = (member(stage, &node.state, user), removal(stage, node, user))
        && joined <= out
    {
        broken.push((6, format!("his home has him in since {joined}, and out at {out}")));
    }
}

/// Invariant 4, over restores: one hash per incarnation and epoch, and per incarnation and entry under a head.
fn signed_once(stage: &Stage, bounds: &Bounds, now: &Moment, broken: &mut Vec<(u8, String)>) {
    let acme = &now.cluster.nodes[OWNER];
    for (at, bytes) in own_events(stage, acme) {
        if let Some((_, left, _)) = now.past.events.get(&at).filter(|(hash, ..)| *hash != of(bytes))
            && (*left || bounds.journal)
        {
            broken.push((4, format!("two events for epoch {} of {:x}", at.2, at.1)));
        }
    }
    for (at, hash) in heads(stage, &acme.state) {
        if now.past.heads.get(&at).is_some_and(|(signed, left)| *left && *signed != hash) {
            broken.push((4, format!("two heads for entry {} of {:x}", at.1, at.0)));
        }
    }
}

fn of(bytes: &Blob) -> Hash {
    comity::crypto::sha256(&[bytes])
}

fn own_events<'a>(
    stage: &'a Stage,
    node: &'a Node,
) -> impl Iterator<Item = ((comity::ids::ScopeId, u64, u64), &'a Blob)> {
    let ours = [stage.group, stage.chat.into()];
    node.disk.events.iter().map(|(at, bytes)| (*at, bytes)).filter(move |(at, _)| ours.contains(&at.0))
}

fn heads(stage: &Stage, state: &State) -> Vec<((u64, u64), Hash)> {
    let log = state.logs.get(&stage.chat);
    let covers = log.into_iter().flat_map(|log| log.covers.iter().chain(&log.pending));
    let of_group = covers.filter(|(scope, _)| *scope == stage.group);
    let heads = of_group.filter_map(|(_, cover)| envelope::peek::<Head>(&cover.head).ok());
    heads.map(|head| ((head.incarnation, head.seq), head.hash)).collect()
}

/// Invariant 3: nothing of the scope goes to a peer without a reader, but what leads to the removal.
fn told_too_much(
    stage: &Stage,
    before: &Moment,
    now: &Moment,
    home: usize,
    step: Step,
    broken: &mut Vec<(u8, String)>,
) {
    let acme = &now.cluster.nodes[OWNER];
    let user = stage.guest(home);
    let reads = |cluster: &Cluster| {
        let state = &cluster.nodes[OWNER].state;
        member(stage, state, user).is_some() && !recovery::is_denied(state, stage.group, user)
    };
    if reads(&now.cluster) {
        return;
    }
    let sent = now.flights[home - 1].frame.as_ref().is_some_and(|frame| !frame.entries.is_empty());
    let more = now.cluster.nodes[home].disk.content.len() > before.cluster.nodes[home].disk.content.len();
    if (step == Step::Frame(home) && sent) || (step == Step::History(home) && more) {
        broken.push((3, "content goes to a peer without a reader".into()));
    }
    if member(stage, &acme.state, user).is_some() {
        return;
    }
    let last = removal(stage, acme, user).unwrap_or(0);
    for item in queued(before, acme, stage.ids[home]) {
        let late = match &item {
            Item::Event { event } => envelope::peek::<Event>(event).is_ok_and(|event| event.epoch > last),
            Item::Snapshot { snapshot } => {
                envelope::peek::<Snapshot>(snapshot).is_ok_and(|snapshot| snapshot.epoch > last)
            }
            _ => false,
        };
        if late {
            broken.push((3, format!("a row goes to a peer without a reader: {item:?}")));
        }
    }
}

/// The rows that the step queued for a peer.
fn queued(before: &Moment, acme: &Node, peer: WorkspaceId) -> Vec<Item> {
    let row = &acme.state.peers[&peer];
    let then = &before.cluster.nodes[OWNER].state.peers[&peer];
    let from = if then.feed == row.feed { then.queued } else { 0 };
    let rows = (from + 1..=row.queued).filter_map(|number| acme.disk.feed(peer, number));
    rows.map(|bytes| cbor::decode(&bytes).unwrap()).collect()
}

/// Invariant 12.
fn same_copy(before: &Node, now: &Node) -> bool {
    let keys = |node: &Node| node.disk.content.keys().copied().collect::<Vec<_>>();
    keys(before) == keys(now)
        && before.state.scopes == now.state.scopes
        && before.state.logs == now.state.logs
}

/// What was signed, and whether it got out.
pub fn remember(stage: &Stage, now: &mut Moment) {
    let [acme, followers @ ..] = now.cluster.nodes.as_slice() else { return };
    let past = &mut now.past;
    past.sequenced.extend(acme.disk.content.values().map(|stored| stored.entry.hash()));
    for (at, bytes) in own_events(stage, acme) {
        past.events.entry(at).or_insert_with(|| (of(bytes), false, bytes.clone()));
    }
    for (at, hash) in heads(stage, &acme.state) {
        past.heads.entry(at).or_insert((hash, false));
    }
    for node in followers {
        for (at, bytes) in own_events(stage, node) {
            past.events.entry(at).and_modify(|(hash, left, _)| *left |= *hash == of(bytes));
        }
        for (at, hash) in heads(stage, &node.state) {
            past.heads.entry(at).and_modify(|(signed, left)| *left |= *signed == hash);
        }
        for base in node.disk.bases.values() {
            let claim = comity::protocol::evidence::claim(base).unwrap();
            for ((scope, incarnation, epoch), (_, left, _)) in &mut past.events {
                let same = claim.subject.ends_with(scope.bytes());
                *left |= same && (*incarnation, *epoch) == (claim.incarnation, claim.position);
            }
        }
    }
}
