//! `comity bench`: two real nodes on loopback, measured from outside over their API.
//!
//! Duty: medians of repeated runs, as JSON. Never: a shortcut that a user does not have.

mod ending;
mod leases;
mod library;
mod lookups;
mod measure;
mod pair;
mod people;
mod workloads;

use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use pair::Pair;

/// What is measured, and how often.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these.
    #[arg(long, value_enum)]
    only: Vec<Workload>,
    /// Runs of each, of which the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Small sizes, one run: does it work at all?
    #[arg(long)]
    quick: bool,
}

/// A workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Workload {
    /// 256-byte texts, 64 in flight, A to B, in 1 and in 10 threads, and by an external author.
    Throughput,
    /// One at a time, A to B and B to A.
    Latency,
    /// From the removal's commit to the refused read at B: idle, and while content and history go there.
    Removal,
    /// A newcomer in a long thread.
    Join,
    /// B is killed, messages come, B starts.
    Outage,
    /// One message to many external members.
    FanOut,
    /// Memory, start time, disk.
    Footprint,
    /// The flood A to B through the library, both nodes in one process.
    Library,
    /// CPU time and bytes of an owner whose peers only renew their leases, with few groups and with many.
    Leases,
    /// The end of a peering with many memberships.
    EndPeering,
    /// Invitations to addresses at a peer that exist and to some that do not: what the inviter can measure (P2.3).
    Lookups,
    /// Inbox, directory, contacts, members and search of a large company, and of a tenth of it.
    People,
}

/// Sizes of the workloads.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    messages: usize,
    single: usize,
    removals: usize,
    history: usize,
    members: usize,
    lease_peers: usize,
    /// Few and many.
    lease_groups: (usize, usize),
    lease_window: Duration,
    /// Groups, and members of the other home in each.
    ending: (usize, usize),
    lookups: usize,
    people: people::Scale,
}

const FULL: Sizes = Sizes {
    messages: 20_000,
    single: 300,
    removals: 100,
    history: 10_000,
    members: 200,
    lease_peers: 50,
    lease_groups: (10, 1000),
    lease_window: Duration::from_secs(60),
    ending: (50, 200),
    lookups: 500,
    people: people::Scale {
        members: 10_000,
        groups: 5_000,
        externals: 500,
        workspaces: 50,
        threads: 100_000,
        asked: 500,
    },
};
const QUICK: Sizes = Sizes {
    messages: 500,
    single: 20,
    removals: 3,
    history: 300,
    members: 10,
    lease_peers: 3,
    lease_groups: (2, 6),
    lease_window: Duration::from_secs(3),
    ending: (5, 20),
    lookups: 20,
    people: people::Scale {
        members: 100,
        groups: 50,
        externals: 20,
        workspaces: 10,
        threads: 500,
        asked: 20,
    },
};

/// Measures, and prints one JSON document.
///
/// # Errors
/// A node does not do what it must.
pub(crate) async fn run(options: Options) -> Result<()> {
    let Options { only, runs, quick } = options;
    let (sizes, runs) = if quick { (QUICK, 1) } else { (FULL, runs.max(1)) };
    let mut figures: Vec<Map<String, Value>> = Vec::new();
    for _ in 0..runs {
        let mut pair = Pair::make().await?;
        let mut measured = Map::new();
        for workload in Workload::value_variants() {
            if only.is_empty() || only.contains(workload) {
                workloads::run(*workload, &mut pair, sizes, &mut measured).await?;
            }
        }
        pair.stop().await?;
        figures.push(measured);
    }
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("{:#}", json!({ "runs": runs, "cores": cores, "median": measure::medians(&figures) }));
    Ok(())
}
