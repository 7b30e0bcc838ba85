//! The seeded simulator over the core: virtual links and disks, random acts and faults, and the
//! invariants of the protocol checked on the way and at rest.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, unreachable_pub, reason = "a test")]

mod claims;
mod cluster;
mod ending;
mod equivocation;
mod forgetting;
mod handing;
mod leaving;
mod liars;
mod moving;
mod paths;
mod preview;
mod spanning;
mod story;
mod strangers;
mod world;

use world::World;

const SEEDS: u64 = 1000;
const FORGETFUL_SEEDS: u64 = 500;

#[test]
fn nobody_comes_back_when_disks_are_lost() {
    each_seed(FORGETFUL_SEEDS, World::play_forgetful);
}

#[test]
fn invariants_hold_for_every_seed() {
    each_seed(SEEDS, World::play);
}

fn each_seed(seeds: u64, play: fn(u64)) {
    let seeds: Vec<u64> = match std::env::var("COMITY_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..seeds).collect(),
    };
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| play(seed)) {
            eprintln!("seed {seed} fails: COMITY_SEED={seed} cargo test --test simulator");
            std::panic::resume_unwind(panic);
        }
    }
}
