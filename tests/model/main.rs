//! A model of removal, leases, restart and restore over the real transition functions (protocol 13; P7): `decide`,
//! `State::apply`, gate, lease, recovery and witness run as they do in a node; only links, disks and clocks are played.
//!
//! Nodes: an owner (acme, with ann) and two followers (globex with bob, initech with carl), one group with its chat, ttl
//! 30 s. Steps are single messages: request, answer and arrival of a lease, of content and of a follower's word, rows with
//! or without their acknowledgement; removals, invitations, messages; a stop, a restore of an earlier disk with or without
//! the journal; a while of 10 s (past the wait after a start, a third of the ttl) and of 31.5 s (past the ttl). A partition
//! is a run in which no step crosses a link: every one of them is among those searched.
//!
//! Abstracted: several rows of one frame arrive together; history and what an owner fetches back are one step; time passes
//! in two sizes, but the ends of leases are compared by reckoning, so that every moment between counts; one scope; random
//! values follow from the step and from what the nodes hold, so that independent steps commute. What makes two states equal
//! is in `print`. A removal that only the owner saw and that a restore without journal forgot counts again once a follower
//! that knows it has answered (spec 12.1 promises no more).
//!
//! The bounds are in `searches`: within them every state is visited. `cargo test --test model -- --nocapture` prints states, steps
//! and time of each;
//! with `--features sabotage` also how long a path each broken promise takes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod checks;
#[path = "../simulator/cluster.rs"]
mod cluster;
mod moment;
mod people;
mod print;
mod search;
mod stage;
mod steps;
mod walk;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use comity::protocol::sabotage::Switch;
use search::{SIGHTS, Search};
use stage::{CopyOf, Stage};
use stateright::{Checker, Model};
use steps::{Bounds, Step};

const EXACT: [u64; 3] = [1000; 3];
/// Within the allowance of one hundredth on each side: the owner's clock fast and the followers' slow, and the reverse.
const APART: [[u64; 3]; 2] = [[1009, 991, 991], [991, 1009, 1009]];
/// Beyond it: one follower loses a tenth.
const BEYOND: [u64; 3] = [1000, 900, 1000];
const NONE: Bounds = Bounds {
    removals: 0,
    invites: 0,
    posts: 0,
    writes: 0,
    asks: 0,
    shorts: 0,
    longs: 0,
    restarts: 0,
    restores: 0,
    follower_restarts: 0,
    follower_restores: 0,
    cuts: 0,
    losses: 0,
    journal: false,
    silent: None,
};

type Named = (&'static str, CopyOf, Vec<[u64; 3]>, Bounds);

/// Each is gone through whole. Those in which one home is cut off all the while, as the one that never answers, leave room
/// for more of everything else.
fn searches() -> Vec<Named> {
    use CopyOf::{BobOnly, Both};
    let exact = || vec![EXACT];
    let clocks = || vec![EXACT, APART[0], APART[1]];
    let restore = Bounds { removals: 1, restores: 1, shorts: 1, ..NONE };
    let alone = Bounds { removals: 1, silent: Some(2), ..NONE };
    let again = Bounds { invites: 1, ..alone };
    let restored = Bounds { restores: 1, shorts: 1, ..alone };
    let journal = Bounds { follower_restores: 1, journal: true, ..restored };
    vec![
        ("leases and a removal", Both, clocks(), Bounds { removals: 1, asks: 1, longs: 1, ..NONE }),
        ("two removals and a way back", Both, exact(), Bounds { removals: 2, invites: 1, posts: 1, ..NONE }),
        ("a restored owner", Both, exact(), restore),
        ("restored from before carl", BobOnly, exact(), Bounds { shorts: 0, ..restore }),
        ("a way back and a message", Both, exact(), Bounds { writes: 1, posts: 1, losses: 1, ..again }),
        ("a message and a cut", Both, exact(), Bounds { writes: 1, posts: 1, losses: 1, cuts: 1, ..alone }),
        (
            "two removals, a way back, a restore",
            Both,
            exact(),
            Bounds { removals: 2, invites: 1, ..restored },
        ),
        ("a restored owner that writes", Both, exact(), Bounds { invites: 1, posts: 1, ..restored }),
        ("from before carl, who is cut off", BobOnly, exact(), Bounds { posts: 1, ..restored }),
        ("from before carl, bob cut off", BobOnly, exact(), Bounds { posts: 1, silent: Some(1), ..restored }),
        (
            "a stopped owner, leases",
            Both,
            clocks(),
            Bounds { asks: 1, restarts: 1, shorts: 1, longs: 1, ..alone },
        ),
        ("both restored, with the journal", Both, exact(), Bounds { removals: 2, ..journal }),
        ("both restored, a message", Both, exact(), Bounds { posts: 1, shorts: 0, ..journal }),
    ]
}

/// Too many states to go through whole in a test: as far as `DEEPER` leads.
fn deeper() -> Vec<Named> {
    let (both, exact) = (CopyOf::Both, || vec![EXACT]);
    let restore = Bounds { removals: 1, restores: 1, shorts: 1, ..NONE };
    let stopped = Bounds { removals: 1, asks: 1, restarts: 1, shorts: 1, ..NONE };
    let journal = Bounds { follower_restores: 1, journal: true, ..restore };
    vec![
        (
            "a message of the removed",
            both,
            exact(),
            Bounds { removals: 1, writes: 1, posts: 1, losses: 1, ..NONE },
        ),
        ("a restored owner, two removals", both, exact(), Bounds { removals: 2, ..restore }),
        ("a restored owner that writes", both, exact(), Bounds { posts: 1, ..restore }),
        ("restored from before carl", CopyOf::BobOnly, exact(), restore),
        ("a stopped owner, leases", both, vec![APART[0]], stopped),
        ("everybody restored, with the journal", both, exact(), journal),
    ]
}
const DEEPER: Duration = Duration::from_secs(75);

fn search(copy_of: CopyOf, clocks: Vec<[u64; 3]>, bounds: Bounds, switch: Option<Switch>) -> Search {
    Search { stage: Stage::new(copy_of), bounds, clocks, switch }
}

/// Goes through the states; which sights there were, and how many states.
#[expect(clippy::disallowed_methods, reason = "the time that it takes is shown")]
fn go_through(searches: Vec<Named>, within: Option<Duration>) -> (BTreeSet<&'static str>, usize) {
    let (mut seen, mut states, begin) = (BTreeSet::new(), 0, Instant::now());
    for (name, copy_of, clocks, bounds) in searches {
        let began = Instant::now();
        let checker = search(copy_of, clocks, bounds, None).checker().threads(2);
        let checker = within.into_iter().fold(checker, |checker, within| checker.timeout(within));
        let checker = checker.spawn_bfs().join();
        let (unique, all, depth) = (checker.unique_state_count(), checker.state_count(), checker.max_depth());
        println!("{name}: {unique} states, {all} steps, depth {depth}, {:.1?}", began.elapsed());
        for (property, path) in checker.discoveries() {
            let sight = SIGHTS.iter().any(|(name, _)| *name == property);
            let last = path.last_state().past.broken.clone();
            assert!(sight, "{property}: {last:?} by {:?}", path.into_actions());
            seen.insert(property);
        }
        states += unique;
    }
    println!("{states} states in {:.1?}", begin.elapsed());
    (seen, states)
}

#[test]
fn p7_removal_holds_in_every_state_within_the_bounds() {
    quietly(|| {
        let (seen, states) = go_through(searches(), None);
        let missed: Vec<_> =
            SIGHTS.iter().map(|(name, _)| *name).filter(|name| !seen.contains(name)).collect();
        assert!(missed.is_empty(), "never seen: {missed:?}");
        assert!(states > 100_000);
    });
}

#[test]
#[ignore = "eight minutes: cargo test --release --test model -- --ignored --nocapture"]
fn p7_removal_holds_as_far_as_the_time_leads() {
    quietly(|| drop(go_through(deeper(), Some(DEEPER))));
}

/// The first state in which one of these is broken: the steps to it.
fn counterexample(search: Search, invariants: &[u8], within: Duration) -> Option<Vec<Step>> {
    use stateright::HasDiscoveries;
    let named = search.properties();
    let names: BTreeSet<&'static str> = named
        .iter()
        .map(|property| property.name)
        .filter(|name| {
            let number = name.split_once(':').and_then(|(number, _)| number.parse().ok()).unwrap_or(0);
            !SIGHTS.iter().any(|(sight, _)| sight == name) && invariants.contains(&number)
        })
        .collect();
    let checker = search
        .checker()
        .threads(2)
        .timeout(within)
        .finish_when(HasDiscoveries::AnyOf(names.clone().into_iter().collect()))
        .spawn_bfs()
        .join();
    let found = checker.discoveries().into_iter().filter(|(name, _)| names.contains(name));
    found.map(|(_, path)| path.into_actions()).min_by_key(Vec::len)
}

/// Clocks beyond the allowance break the promise: the model would notice an allowance that is too small.
#[test]
fn clocks_beyond_the_allowance_are_noticed() {
    let bounds = Bounds { removals: 1, asks: 1, longs: 1, ..NONE };
    for invariant in [2, 17] {
        let found = counterexample(
            search(CopyOf::Both, vec![BEYOND], bounds, None),
            &[invariant],
            Duration::from_secs(60),
        );
        println!("invariant {invariant}: {found:?}");
        assert!(found.is_some(), "invariant {invariant} holds with a clock that is wrong by a tenth");
    }
}

/// Each promise that is broken on purpose has a counterexample.
#[cfg(feature = "sabotage")]
#[test]
fn every_broken_promise_has_a_counterexample() {
    let leases = Bounds { removals: 1, asks: 1, longs: 1, posts: 1, ..NONE };
    let content = Bounds { removals: 1, posts: 1, ..NONE };
    let restore = Bounds { removals: 2, restores: 1, shorts: 1, ..NONE };
    quietly(|| {
        let mut missed = Vec::new();
        for switch in Switch::MODEL {
            let (bounds, clocks, invariants) = match switch {
                Switch::ServeAnyone => (content, EXACT, [3, 0]),
                Switch::Lease | Switch::Overtake => (leases, EXACT, [2, 2]),
                Switch::LateCount => (Bounds { shorts: 1, ..leases }, EXACT, [2, 17]),
                Switch::Allowance => (leases, APART[0], [2, 17]),
                _ => (restore, EXACT, [4, 6]),
            };
            let search = search(CopyOf::Both, vec![clocks], bounds, Some(switch));
            let found = counterexample(search, &invariants, Duration::from_secs(120));
            println!("{switch:?}: {:?} steps: {found:?}", found.as_ref().map(Vec::len));
            missed.extend(found.is_none().then_some(switch));
        }
        assert!(missed.is_empty(), "nobody noticed {missed:?}");
    });
}

/// Panics inside a step are findings, reported with their path.
fn quietly(run: impl FnOnce() + std::panic::UnwindSafe) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let done = std::panic::catch_unwind(run);
    std::panic::set_hook(hook);
    if let Err(panic) = done {
        panic!("{}", search::text(&*panic));
    }
}
