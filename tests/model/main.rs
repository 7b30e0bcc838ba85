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
//! The bounds are in `searches`. `cargo test --release --test model -- --nocapture` prints states, steps and time of each;
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
};

/// Each search ends when its bounds or its time are used up: on a slow machine it is not exhaustive.
fn searches() -> Vec<(&'static str, CopyOf, Vec<[u64; 3]>, Bounds)> {
    let both = CopyOf::Both;
    let clocks = vec![EXACT, APART[0], APART[1]];
    vec![
        ("leases and a removal", both, clocks, Bounds { removals: 1, asks: 1, longs: 1, ..NONE }),
        (
            "two removals and a way back",
            both,
            vec![EXACT],
            Bounds { removals: 2, invites: 1, posts: 1, ..NONE },
        ),
        (
            "a message of the removed",
            both,
            vec![EXACT],
            Bounds { removals: 1, writes: 1, posts: 1, losses: 1, ..NONE },
        ),
        ("a restored owner", both, vec![EXACT], Bounds { removals: 2, restores: 1, shorts: 1, ..NONE }),
        (
            "a restored owner that writes",
            both,
            vec![EXACT],
            Bounds { removals: 1, posts: 1, restores: 1, shorts: 1, ..NONE },
        ),
        (
            "restored from before carl",
            CopyOf::BobOnly,
            vec![EXACT],
            Bounds { removals: 1, restores: 1, shorts: 1, ..NONE },
        ),
        (
            "a stopped owner, leases",
            both,
            vec![APART[0]],
            Bounds { removals: 1, asks: 1, restarts: 1, shorts: 1, ..NONE },
        ),
        (
            "everybody restored, with the journal",
            both,
            vec![EXACT],
            Bounds { removals: 1, restores: 1, follower_restores: 1, shorts: 1, journal: true, ..NONE },
        ),
    ]
}

fn search(copy_of: CopyOf, clocks: Vec<[u64; 3]>, bounds: Bounds, switch: Option<Switch>) -> Search {
    Search { stage: Stage::new(copy_of), bounds, clocks, switch }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time that it takes is shown")]
fn p7_removal_holds_in_every_state_within_the_bounds() {
    quietly(|| {
        let (mut seen, mut states, begin) = (BTreeSet::new(), 0, Instant::now());
        for (name, copy_of, clocks, bounds) in searches() {
            let began = Instant::now();
            let checker = search(copy_of, clocks, bounds, None)
                .checker()
                .threads(2)
                .timeout(Duration::from_secs(40))
                .spawn_bfs()
                .join();
            let (unique, all, depth) =
                (checker.unique_state_count(), checker.state_count(), checker.max_depth());
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
        let missed: Vec<_> =
            SIGHTS.iter().map(|(name, _)| *name).filter(|name| !seen.contains(name)).collect();
        assert!(missed.is_empty(), "never seen: {missed:?}");
        assert!(states > 100_000);
    });
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
    let restore = Bounds { removals: 1, restores: 1, shorts: 1, ..NONE };
    quietly(|| {
        for switch in Switch::MODEL {
            let (bounds, clocks, invariants) = match switch {
                Switch::RenderRule => (content, EXACT, [1, 0]),
                Switch::ServeAnyone => (content, EXACT, [3, 0]),
                Switch::Lease | Switch::Overtake => (leases, EXACT, [2, 2]),
                Switch::LateCount => (Bounds { shorts: 1, ..leases }, EXACT, [2, 17]),
                Switch::Allowance => (leases, APART[0], [2, 17]),
                Switch::NoComparison => (restore, EXACT, [4, 6]),
                _ => (Bounds { removals: 2, ..restore }, EXACT, [4, 6]),
            };
            let search = search(CopyOf::Both, vec![clocks], bounds, Some(switch));
            let found = counterexample(search, &invariants, Duration::from_secs(120));
            println!("{switch:?}: {:?} steps: {found:?}", found.as_ref().map(Vec::len));
            assert!(found.is_some(), "nobody noticed {switch:?}");
        }
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
