//! The steps: one message, one act, one fault, or a while. A partition is a run in which no step crosses the link.

use comity::{
    crypto::sha256,
    ids::SubmissionId,
    protocol::{Command, gate, journal::Record, recovery, replica},
    wire::objects::{Action, EntryKind},
};

use crate::{
    moment::{Flight, Moment},
    stage::{HOMES, OWNER, Stage, TTL, invitation},
};

/// Longer than an owner waits after a start, and about a third of the ttl.
pub const SHORT: u64 = 10_001;
/// Longer than a lease, with every allowance.
pub const LONG: u64 = TTL + TTL / 20;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The owner's admin removes the guest of this home.
    Remove(usize),
    /// The same admin invites him again; his home consents by itself.
    Invite(usize),
    /// ann writes.
    Post,
    /// The guest of this home writes: into his home's outbox.
    Write(usize),
    /// Control rows; lossy: the acknowledgement gets lost.
    Rows { from: usize, to: usize, lossy: bool },
    /// A follower asks for a lease.
    Ask(usize),
    /// The owner answers.
    Answer(usize),
    /// The lease arrives, behind the rows that it counts.
    Grant(usize),
    /// The owner sends content.
    Frame(usize),
    /// It arrives.
    Take(usize),
    /// A follower fetches history.
    History(usize),
    /// The owner fetches back what it has forgotten.
    Fetch(usize),
    /// A message goes from an outbox to the owner; lossy: the answer gets lost.
    Submit { home: usize, lossy: bool },
    /// A follower answers what a started owner asks.
    Witness(usize),
    /// The answer arrives.
    Hear(usize),
    /// A follower that has started hears from the owner.
    Recall(usize),
    /// The connection breaks: what is on its way is lost.
    Cut(usize),
    /// A while.
    Short,
    /// A long while.
    Long,
    /// A node stops and starts from its disk.
    Restart(usize),
    /// A node starts from an earlier copy of its disk.
    Restore(usize),
}

/// How often each step may be taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    pub removals: u8,
    pub invites: u8,
    pub posts: u8,
    pub writes: u8,
    /// Of each follower.
    pub asks: u8,
    pub shorts: u8,
    pub longs: u8,
    pub restarts: u8,
    pub restores: u8,
    pub follower_restarts: u8,
    pub follower_restores: u8,
    pub cuts: u8,
    pub losses: u8,
    /// Whether the owner's journal survives a restore (spec 12.6).
    pub journal: bool,
    /// A home that is cut off all the while.
    pub silent: Option<usize>,
}

/// Steps that may do something here. Those that turn out to change nothing are dropped later.
pub fn enabled(stage: &Stage, bounds: &Bounds, now: &Moment, steps: &mut Vec<Step>) {
    if !now.past.broken.is_empty() {
        return;
    }
    let (spent, nodes) = (&now.spent, &now.cluster.nodes);
    let members =
        nodes[OWNER].state.scope(stage.group).map(|scope| scope.members.clone()).unwrap_or_default();
    for home in HOMES {
        let is_in = members.contains_key(&stage.guest(home));
        let flight = &now.flights[home - 1];
        let mut may = |is: bool, step: Step| {
            if is {
                steps.push(step)
            }
        };
        may(is_in && spent.removals < bounds.removals, Step::Remove(home));
        may(!is_in && spent.removals > 0 && spent.invites < bounds.invites, Step::Invite(home));
        if bounds.silent == Some(home) {
            continue;
        }
        let mut may = |is: bool, step: Step| {
            if is {
                steps.push(step)
            }
        };
        may(spent.writes < bounds.writes, Step::Write(home));
        rows(bounds, now, home, steps);
        let mut may = |is: bool, step: Step| {
            if is {
                steps.push(step)
            }
        };
        may(
            flight.asked.is_none() && flight.granted.is_none() && spent.asks[home - 1] < bounds.asks,
            Step::Ask(home),
        );
        may(flight.asked.is_some(), Step::Answer(home));
        may(flight.granted.is_some(), Step::Grant(home));
        may(flight.frame.is_none(), Step::Frame(home));
        may(flight.frame.is_some(), Step::Take(home));
        may(
            flight.frame.is_none() && !replica::wanted(&nodes[home].state, stage.ids[OWNER]).is_empty(),
            Step::History(home),
        );
        may(!replica::wanted(&nodes[OWNER].state, stage.ids[home]).is_empty(), Step::Fetch(home));
        let waits = nodes[home].state.outbox.values().any(|row| row.refused.is_none());
        may(waits, Step::Submit { home, lossy: false });
        may(waits && spent.losses < bounds.losses, Step::Submit { home, lossy: true });
        may(
            flight.witness.is_none() && recovery::needs_word(&nodes[OWNER].state, stage.ids[home]),
            Step::Witness(home),
        );
        may(flight.witness.is_some(), Step::Hear(home));
        may(recovery::needs_word(&nodes[home].state, stage.ids[OWNER]), Step::Recall(home));
        may(!flight.is_empty() && spent.cuts < bounds.cuts, Step::Cut(home));
        may(spent.follower_restarts < bounds.follower_restarts, Step::Restart(home));
        may(spent.follower_restores < bounds.follower_restores, Step::Restore(home));
    }
    let mut may = |is: bool, step: Step| {
        if is {
            steps.push(step)
        }
    };
    may(spent.posts < bounds.posts, Step::Post);
    may(spent.shorts < bounds.shorts, Step::Short);
    may(spent.longs < bounds.longs, Step::Long);
    may(spent.restarts < bounds.restarts, Step::Restart(OWNER));
    may(spent.restores < bounds.restores, Step::Restore(OWNER));
}

/// A lease on its way goes before the rows behind it: the stream keeps the order.
fn rows(bounds: &Bounds, now: &Moment, home: usize, steps: &mut Vec<Step>) {
    let cluster = &now.cluster;
    for (from, to) in [(OWNER, home), (home, OWNER)] {
        let (us, them) = (cluster.nodes[from].id, cluster.nodes[to].id);
        let row = &cluster.nodes[from].state.peers[&them];
        let blocked = most(now, from, to).is_some_and(|most| row.acked >= most)
            || now.flights[home - 1]
                .granted
                .as_ref()
                .is_some_and(|granted| from == OWNER && !cluster.lacks(from, to, granted.counted));
        let due = row.acked < row.queued && recovery::feeds(&cluster.nodes[from].state, them) && us != them;
        if due && !blocked {
            steps.push(Step::Rows { from, to, lossy: false });
            if now.spent.losses < bounds.losses {
                steps.push(Step::Rows { from, to, lossy: true });
            }
        }
    }
}

/// The last row that may go before a lease on its way.
fn most(now: &Moment, from: usize, to: usize) -> Option<u64> {
    let granted = HOMES.contains(&to).then(|| now.flights[to - 1].granted.as_ref()).flatten();
    granted.filter(|_| from == OWNER).map(|granted| granted.counted)
}

/// Takes the step. The caller judges what came of it.
pub fn take(stage: &Stage, bounds: &Bounds, now: &mut Moment, step: Step) {
    seed(stage, now, step);
    let Moment { cluster, flights, spent, past, .. } = now;
    match step {
        Step::Remove(home) => {
            spent.removals += 1;
            past.invited[home - 1] = false;
            let action = Action::Remove { scope: stage.group, user: stage.guest(home), everywhere: false };
            drop(cluster.nodes[OWNER].run(Command::Act(stage.ann, action)));
        }
        Step::Invite(home) => {
            spent.invites += 1;
            past.invited[home - 1] = true;
            drop(cluster.nodes[OWNER].run(Command::Act(stage.ann, invitation(stage.group, home))));
        }
        Step::Post => {
            spent.posts += 1;
            write(stage, now, OWNER);
        }
        Step::Write(home) => {
            spent.writes += 1;
            write(stage, now, home);
        }
        Step::Rows { from, to, lossy } => {
            spent.losses += u8::from(lossy);
            let most = most(now, from, to).unwrap_or(u64::MAX);
            now.cluster.feed_to(from, to, most, lossy);
        }
        Step::Ask(home) => {
            spent.asks[home - 1] += 1;
            flights[home - 1].asked = cluster.ask(OWNER, home);
        }
        Step::Answer(home) => {
            let asked = flights[home - 1].asked.take().unwrap();
            flights[home - 1].granted = cluster.answer(OWNER, home, &asked);
        }
        Step::Grant(home) => {
            let granted = flights[home - 1].granted.take().unwrap();
            while cluster.lacks(OWNER, home, granted.counted)
                && cluster.feed_to(OWNER, home, granted.counted, false)
            {}
            cluster.grant(OWNER, home, granted);
        }
        Step::Frame(home) => {
            while let Some(frame) = cluster.frame(OWNER, home) {
                if !frame.heads.is_empty() {
                    flights[home - 1].frame = Some(frame);
                    break;
                }
            }
        }
        Step::Take(home) => {
            let frame = flights[home - 1].frame.take().unwrap();
            cluster.nodes[home].run(Command::Content(stage.ids[OWNER], frame)).unwrap();
        }
        Step::History(home) => drop(cluster.history(OWNER, home)),
        Step::Fetch(home) => drop(cluster.history(home, OWNER)),
        Step::Submit { home, lossy } => {
            spent.losses += u8::from(lossy);
            cluster.submit(OWNER, home, lossy);
        }
        Step::Witness(home) => flights[home - 1].witness = cluster.witness(OWNER, home),
        Step::Hear(home) => {
            let frames = flights[home - 1].witness.take().unwrap();
            cluster.hear(OWNER, home, frames);
        }
        Step::Recall(home) => drop(cluster.recall(home, OWNER)),
        _ => fault(stage, bounds, now, step),
    }
}

fn fault(stage: &Stage, bounds: &Bounds, now: &mut Moment, step: Step) {
    let Moment { cluster, spent, .. } = now;
    match step {
        Step::Short => {
            spent.shorts += 1;
            cluster.pass(SHORT);
        }
        Step::Long => {
            spent.longs += 1;
            cluster.pass(LONG);
        }
        Step::Cut(home) => {
            spent.cuts += 1;
            cut(stage, now, home);
        }
        Step::Restart(node) => {
            if node == OWNER {
                spent.restarts += 1;
            } else {
                spent.follower_restarts += 1;
            }
            let disk = cluster.nodes[node].backup();
            cluster.nodes[node].restart(disk);
            cut_all(stage, now, node);
        }
        Step::Restore(node) => {
            cluster.nodes[node].restart(stage.copies[node].clone());
            if node == OWNER {
                spent.restores += 1;
                restored(bounds, now);
            } else {
                spent.follower_restores += 1;
            }
            cut_all(stage, now, node);
        }
        _ => {}
    }
}

/// The journal says what the copy lacks.
fn restored(bounds: &Bounds, now: &mut Moment) {
    now.past.restored = Some(now.spent.removals);
    if !bounds.journal {
        return;
    }
    let events: Vec<_> = now.past.events.values().map(|(_, _, bytes)| bytes.clone()).collect();
    for event in events {
        now.cluster.nodes[OWNER].run(Command::Recorded(Record::Event(event))).unwrap();
    }
}

fn cut_all(stage: &Stage, now: &mut Moment, node: usize) {
    for home in HOMES.into_iter().filter(|home| node == OWNER || node == *home) {
        cut(stage, now, home);
    }
}

/// Content that was on its way is fetched as history later.
fn cut(stage: &Stage, now: &mut Moment, home: usize) {
    *now.flight(home) = Flight::default();
    let node = &mut now.cluster.nodes[OWNER];
    let (end, number) =
        (node.journal.len(), node.cursors.get(&stage.ids[home]).map_or(0, |(_, number)| *number));
    node.cursors.insert(stage.ids[home], (end, number));
    now.cluster.nodes[home].run(Command::ContentReset(stage.ids[OWNER], number)).unwrap();
}

fn write(stage: &Stage, now: &mut Moment, node: usize) {
    let author = if node == OWNER { stage.ann } else { stage.guest(node) };
    let (posts, writes, who) = (now.spent.posts, now.spent.writes, u8::try_from(node).unwrap());
    let mut id = SubmissionId([100; 16]);
    (id.0[0], id.0[1], id.0[2]) = (posts, writes, who);
    let kind = EntryKind::Message;
    let (target, text, mentions) = (None, format!("message {posts} {writes} {who}"), vec![]);
    let post = Command::Post { author, thread: stage.chat, id, kind, target, text, mentions };
    drop(now.cluster.nodes[node].run(post));
    debug_assert!(gate::ways(&now.cluster.nodes[node].state, author, stage.chat).len() < 2);
}

/// Random values follow from the step and from what the nodes hold, so that steps which do not depend on each other lead
/// to one state in either order.
fn seed(stage: &Stage, now: &mut Moment, step: Step) {
    let count = match step {
        Step::Remove(_) => now.spent.removals,
        Step::Invite(_) => now.spent.invites,
        Step::Post | Step::Write(_) => now.spent.posts * 16 + now.spent.writes,
        Step::Ask(home) => now.spent.asks[home - 1],
        _ => 0,
    };
    let starts =
        [now.spent.restarts, now.spent.restores, now.spent.follower_restarts, now.spent.follower_restores];
    let label = format!("{step:?} {count} {starts:?}");
    for node in &mut now.cluster.nodes {
        let mut parts = vec![label.clone().into_bytes(), node.id.0.to_vec()];
        for scope in [stage.group, stage.chat.into()] {
            parts.extend(node.state.scope(scope).map(|scope| scope.head.hash.0.to_vec()));
        }
        let asks = matches!(step, Step::Ask(_) | Step::Post | Step::Write(_));
        parts.extend(node.state.peers.values().filter(|_| !asks).map(|peer| peer.feed.0.to_vec()));
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let seed: [u8; 8] = sha256(&parts).0[..8].try_into().unwrap();
        node.steps = u64::from_be_bytes(seed) / 2;
    }
}
