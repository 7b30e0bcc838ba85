//! Deeper than the searches: random walks with every fault, each followed by rest. Whatever happened, all comes together
//! again once faults stop (invariant 15).

use std::time::{Duration, Instant};

use comity::{
    crypto::{Random, sha256},
    protocol::{gate, recovery},
};
use stateright::Model;

use crate::{
    APART, EXACT,
    moment::{Flight, Moment},
    search::Search,
    stage::{CopyOf, HOMES, OWNER, Stage},
    steps::{Bounds, LONG, Step},
};

const LENGTH: usize = 80;
const WALKS: u64 = 400;
const MOST: Duration = Duration::from_secs(45);

fn bounds(journal: bool) -> Bounds {
    Bounds {
        removals: 3,
        invites: 2,
        posts: 4,
        writes: 3,
        asks: 6,
        shorts: 4,
        longs: 2,
        restarts: 1,
        restores: 1,
        follower_restarts: 1,
        follower_restores: u8::from(journal),
        cuts: 3,
        losses: 4,
        journal,
        silent: None,
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the walks are bounded in time")]
fn invariant_15_all_comes_together_after_any_walk() {
    let begin = Instant::now();
    let clocks = vec![EXACT, APART[0], APART[1]];
    let search = |copy_of, journal| {
        let (clocks, bounds) = (clocks.clone(), bounds(journal));
        Search { stage: Stage::new(copy_of), bounds, clocks, switch: None }
    };
    let searches = [search(CopyOf::Both, false), search(CopyOf::Both, true), search(CopyOf::BobOnly, false)];
    let only = std::env::var("COMITY_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let (mut walks, mut steps) = (0, 0);
    for seed in only.map_or(0..WALKS, |seed| seed..seed + 1) {
        if begin.elapsed() > MOST {
            break;
        }
        steps += walk(&searches[usize::try_from(seed % 3).unwrap()], seed);
        walks += 1;
    }
    println!("{walks} walks, {steps} steps, {:.1?}", begin.elapsed());
    assert!(only.is_some() || walks > 50, "too slow to mean anything");
}

fn walk(search: &Search, seed: u64) -> usize {
    let mut random = Random::from_seed(sha256(&[b"walk", &seed.to_be_bytes()]).0);
    let mut below =
        |n: usize| usize::try_from(u64::from_be_bytes(random.bytes()) % u64::try_from(n).unwrap()).unwrap();
    let firsts = search.init_states();
    let mut now = firsts[below(firsts.len())].clone();
    let mut path: Vec<Step> = Vec::new();
    for _ in 0..LENGTH {
        let mut steps = Vec::new();
        search.actions(&now, &mut steps);
        if steps.is_empty() {
            break;
        }
        let step = steps[below(steps.len())];
        let Some(next) = search.step(&now, step) else { continue };
        path.push(step);
        now = next;
        assert!(now.past.broken.is_empty(), "COMITY_SEED={seed}: {:?} by {path:?}", now.past.broken);
    }
    rest(search, now, seed, &path);
    path.len()
}

/// Faults stop: links come back, what was asked is answered.
fn rest(search: &Search, mut now: Moment, seed: u64, path: &[Step]) {
    let stage = &search.stage;
    now.flights.iter_mut().for_each(|flight| *flight = Flight::default());
    for home in HOMES {
        let (acme, number) = (stage.ids[OWNER], 0);
        let reset = comity::protocol::Command::ContentReset(acme, number);
        now.cluster.nodes[home].run(reset).unwrap();
    }
    now.cluster.settle();
    now.cluster.pass(LONG);
    now.cluster.settle();
    let [acme, homes @ ..] = now.cluster.nodes.as_slice() else { panic!() };
    let scope = acme.state.scope(stage.group).unwrap();
    let told = |what: &str| format!("COMITY_SEED={seed}: {what} by {path:?}");
    assert!(!recovery::is_checking(&acme.state), "{}", told("the check ends"));
    assert!(acme.state.outbox.is_empty(), "{}", told("own messages are sequenced"));
    for (home, node) in HOMES.into_iter().zip(homes) {
        let user = stage.guest(home);
        let sees = gate::sees_scope(&node.state, user, stage.group);
        assert_eq!(
            scope.members.contains_key(&user),
            sees,
            "{}",
            told("the home shows what the owner grants")
        );
        let waits = node.state.outbox.values().any(|row| row.refused.is_none());
        assert!(!waits, "{}", told("outboxes are empty or refused"));
        if sees {
            let theirs = node.state.scope(stage.group).unwrap();
            assert_eq!(theirs.head.hash, scope.head.hash, "{}", told("one chain"));
            let high = |state: &comity::protocol::State| {
                gate::paths(state, user, stage.chat).iter().map(|path| path.to).max()
            };
            assert_eq!(high(&node.state), high(&acme.state), "{}", told("the same is shown"));
        }
    }
    for row in acme.state.removals.values() {
        let done = row.passed || row.homes.iter().all(|(_, at)| at.is_some());
        assert!(done, "{}", told("every removal is confirmed or past its deadline"));
    }
}
