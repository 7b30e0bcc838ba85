//! The race of a message and a removal: whatever was sequenced first wins, and nothing sequenced after the removal is
//! ever shown to the removed (P7.1, P7.2), on 10,000 seeded schedules. Each is a random order of: the guest's own message
//! on its way to the owner (answers get lost, it is sent again), messages of members at home, the removal, leases, control
//! rows, content frames and history. `cargo test --test race -- --nocapture` prints how often which was first.
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
#[path = "model/people.rs"]
mod people;

use std::collections::BTreeSet;

use cluster::Cluster;
use comity::{
    crypto::{Random, sha256},
    ids::{Hash, ScopeId, SubmissionId, ThreadId, UserId},
    protocol::{Command, gate, row::InvitePolicy},
    wire::objects::{Action, Floor, Grade},
};

const SCHEDULES: u64 = 10_000;
const ACME: usize = 0;
const GLOBEX: usize = 1;
/// The guest's message.
const GUESTS: [u8; 16] = [9; 16];
/// Of one schedule: long enough that all of it may have happened.
const STEPS: usize = 24;

#[derive(Clone)]
struct Race {
    cluster: Cluster,
    ann: UserId,
    bob: UserId,
    group: ScopeId,
    chat: ThreadId,
    /// Entries sequenced before the removal, once it is decided.
    before: Option<BTreeSet<Hash>>,
    /// The latest moment that it named.
    latest: Option<comity::time::Millis>,
}

/// acme's group with bob of globex in it, and his message in globex's outbox.
fn start() -> Race {
    let mut cluster = Cluster::new(&["acme", "globex"]);
    let (ann, bob) = (cluster.nodes[ACME].user("ann"), cluster.nodes[GLOBEX].user("bob"));
    let (group, chat) = people::group(&mut cluster.nodes[ACME], ann, "launch");
    let (group, acme) = (ScopeId::from(group), cluster.nodes[ACME].id);
    cluster.nodes[GLOBEX].run(Command::SetInvitePolicy(acme, InvitePolicy::Accept)).unwrap();
    let address = "bob@globex.example".into();
    let invite = Action::Invite { scope: group, address, grade: Grade::Post, floor: Floor::All, until: None };
    cluster.nodes[ACME].run(Command::Act(ann, invite)).unwrap();
    cluster.settle();
    people::post(&mut cluster.nodes[ACME], ann, chat, [1; 16]).unwrap();
    cluster.settle();
    people::post(&mut cluster.nodes[GLOBEX], bob, chat, GUESTS).unwrap();
    Race { cluster, ann, bob, group, chat, before: None, latest: None }
}

impl Race {
    fn entries(&self) -> BTreeSet<Hash> {
        self.cluster.nodes[ACME].disk.content.values().map(|stored| stored.entry.hash()).collect()
    }

    fn remove(&mut self) {
        if self.before.is_some() {
            return;
        }
        let remove = Action::Remove { scope: self.group, user: self.bob, everywhere: false };
        let entries = self.entries();
        self.cluster.nodes[ACME].run(Command::Act(self.ann, remove)).unwrap();
        let removal = self.cluster.nodes[ACME].state.removals.values().next().unwrap().clone();
        (self.before, self.latest) = (Some(entries), Some(removal.latest[0].1));
    }

    fn step(&mut self, die: u8, number: u8) {
        let lossy = die.is_multiple_of(3);
        match die % 10 {
            0 | 1 => drop(self.cluster.submit(ACME, GLOBEX, lossy)),
            2 => drop(people::post(&mut self.cluster.nodes[ACME], self.ann, self.chat, [20 + number; 16])),
            3 => self.remove(),
            4 => drop(self.cluster.feed(ACME, GLOBEX, lossy)),
            5 => drop(self.cluster.feed(GLOBEX, ACME, lossy)),
            6 => drop(self.cluster.content(ACME, GLOBEX, lossy)),
            7 => drop(self.cluster.history(ACME, GLOBEX)),
            8 => self.cluster.lease(ACME, GLOBEX, u64::from(die) * 20),
            _ => self.cluster.pass(u64::from(die) * 500),
        }
    }

    /// P7.2 at every moment: at home only what came first is shown, and nothing after the latest moment.
    fn check(&self) {
        let (Some(before), Some(latest)) = (&self.before, self.latest) else { return };
        let acme = &self.cluster.nodes[ACME];
        assert!(gate::ways(&acme.state, self.bob, self.chat).is_empty(), "the owner serves him no more");
        let globex = &self.cluster.nodes[GLOBEX];
        let paths = gate::paths(&globex.state, self.bob, self.chat);
        for stored in globex.disk.content.values() {
            let shown = paths.iter().any(|path| path.shows(stored.entry.seq));
            assert!(
                !shown || before.contains(&stored.entry.hash()),
                "invariant 1: entry {}",
                stored.entry.seq
            );
        }
        assert!(paths.is_empty() || globex.state.uptime.wall <= latest, "invariant 2");
    }

    /// Whether the guest's message came before the removal, when all has arrived.
    fn end(&mut self) -> bool {
        self.remove();
        self.check();
        self.cluster.settle();
        self.check();
        let (acme, globex) = (&self.cluster.nodes[ACME], &self.cluster.nodes[GLOBEX]);
        let of_guest =
            |id: SubmissionId| acme.disk.content.values().filter(move |stored| stored.entry.submission == id);
        let found: Vec<Hash> = of_guest(SubmissionId(GUESTS)).map(|stored| stored.entry.hash()).collect();
        assert!(found.len() < 2, "invariant 8: one entry per submission");
        let first = found.first().is_some_and(|hash| self.before.as_ref().unwrap().contains(hash));
        assert_eq!(first, !found.is_empty(), "nothing of the removed is sequenced after his removal");
        // Spec 7.5: the loser is told. A winner whose answer was lost hears at least that his place ended; of neither is a
        // text left (spec 8.12).
        let outbox = &globex.state.outbox;
        assert!(first || outbox.len() == 1, "the loser is told");
        for row in outbox.values() {
            assert!(row.refused.is_some(), "nothing of the removed waits for ever");
            assert!(row.sealed.is_shredded(), "P7.3: the text goes with the copy");
            let text = row.refused.as_ref().unwrap();
            assert!(
                !first || text.contains("came just before"),
                "the winner is not told that he lost: {text}"
            );
        }
        assert!(globex.disk.content.is_empty(), "P7.3: no reader, no copy");
        assert!(acme.state.removals.values().all(|row| row.homes.iter().all(|(_, at)| at.is_some())), "P7.6");
        first
    }
}

#[test]
fn p7_a_message_and_a_removal_race_on_ten_thousand_schedules() {
    let begin = start();
    let mut firsts = 0;
    for seed in 0..SCHEDULES {
        let mut random = Random::from_seed(sha256(&[b"race", &seed.to_be_bytes()]).0);
        let dice: [u8; STEPS] = random.bytes();
        let played = std::panic::catch_unwind(|| {
            let mut race = begin.clone();
            race.cluster.nodes[GLOBEX].rate = [991, 1000, 1009][usize::from(dice[0]) % 3];
            for (number, die) in (0..).zip(dice) {
                race.step(die, number);
                race.check();
            }
            race.end()
        });
        match played {
            Ok(first) => firsts += u64::from(first),
            Err(panic) => {
                eprintln!("schedule {seed} fails: {dice:?}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!(
        "{SCHEDULES} schedules: the message came first in {firsts}, the removal in {}",
        SCHEDULES - firsts
    );
    assert!(firsts > 1000 && SCHEDULES - firsts > 1000, "both have to win often");
}
