//! Every invariant that the simulator claims is broken on purpose, and has to be noticed within 200 seeds.
#![cfg(feature = "sabotage")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

#[path = "simulator/cluster.rs"]
mod cluster;
#[path = "simulator/world.rs"]
mod world;

use comity::protocol::sabotage::{Switch, break_one};

#[test]
fn every_broken_invariant_is_noticed() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut caught = Vec::new();
    for switch in Switch::ALL {
        break_one(Some(switch));
        let seed = (0..200).find(|seed| std::panic::catch_unwind(|| world::World::play(*seed)).is_err());
        break_one(None);
        caught.push((switch, seed));
    }
    std::panic::set_hook(quiet);
    println!("{caught:?}");
    let missed: Vec<_> = caught.iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}
