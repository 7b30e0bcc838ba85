//! Removals as they fare (P7.4, P7.6): for every home confirmed at, or effective at the latest at.
//!
//! Duty: one shape, for answers, lists and live events. Never: a clock; the moments decide nothing (spec 11.5).

use schemars::JsonSchema;
use serde::Serialize;

use super::people::{self, Home};
use crate::{
    ids::{Hash, ScopeId, UserId, WorkspaceId},
    protocol::{State, row},
    time::Millis,
    wire::{
        Blob, envelope,
        objects::{Purge, Receipt},
    },
};

/// How far a removal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The home has signed that it is in force there.
    Confirmed,
    /// The home has said nothing, and its last lease is over.
    Effective,
    /// The home has said nothing, and may still serve the removed.
    Waiting,
}

/// A removal.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RemovalView {
    /// Where.
    pub scope: ScopeId,
    /// The epoch of the event.
    pub epoch: u64,
    /// The event's object hash.
    pub event: Hash,
    /// Whose access ended.
    pub users: Vec<UserId>,
    /// When it was committed.
    pub time: Millis,
    /// `effective` once it is in force everywhere, until then `waiting`.
    pub state: Standing,
    /// When it is or was in force everywhere, at the latest.
    pub effective_at: Millis,
    /// The homes that have to obey it.
    pub homes: Vec<HomeView>,
}

/// How a removal fares at one home.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HomeView {
    /// Which.
    pub workspace: Home,
    /// How far it is there.
    pub state: Standing,
    /// When its receipt arrived.
    pub confirmed_at: Option<Millis>,
    /// When its last lease is over.
    pub effective_at_latest: Option<Millis>,
    /// The receipt as signed, in base64.
    pub receipt: Option<String>,
    /// What it says was deleted; null while others there still read.
    pub purged: Option<Purged>,
}

/// What a home deleted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Purged {
    /// Copies of threads.
    pub threads: u64,
    /// Entries in them.
    pub entries: u64,
    /// Where they may still lie: `free-pages`, `backups`.
    pub remains: Vec<&'static str>,
}

/// A removal as it stands now.
#[must_use]
pub fn removal(state: &State, removal: &row::Removal, now: Millis) -> RemovalView {
    let homes: Vec<_> =
        removal.homes.iter().map(|(id, receipt)| home(state, removal, *id, receipt.as_ref(), now)).collect();
    let everywhere = homes.iter().all(|home| home.state != Standing::Waiting);
    let ends =
        homes.iter().filter_map(|home| home.confirmed_at.into_iter().chain(home.effective_at_latest).min());
    RemovalView {
        scope: removal.scope,
        epoch: removal.epoch,
        event: removal.event,
        users: removal.users.clone(),
        time: removal.time,
        state: if everywhere { Standing::Effective } else { Standing::Waiting },
        effective_at: ends.max().unwrap_or(removal.time),
        homes,
    }
}

fn home(
    state: &State,
    removal: &row::Removal,
    id: WorkspaceId,
    receipt: Option<&(Millis, Blob)>,
    now: Millis,
) -> HomeView {
    let latest = removal.latest.iter().find(|(home, _)| *home == id).map(|(_, at)| *at);
    let over = removal.passed || latest.is_some_and(|latest| latest <= now);
    let standing = match receipt {
        Some(_) => Standing::Confirmed,
        None if over => Standing::Effective,
        None => Standing::Waiting,
    };
    // It was verified when it arrived, before it was stored.
    let said = receipt.and_then(|(_, bytes)| envelope::peek::<Receipt>(bytes).ok());
    HomeView {
        workspace: people::home(state, id),
        state: standing,
        confirmed_at: receipt.map(|(at, _)| *at),
        effective_at_latest: latest,
        receipt: receipt.map(|(_, bytes)| data_encoding::BASE64.encode(bytes)),
        purged: said.and_then(|said| said.purged).map(purged),
    }
}

fn purged(Purge { threads, entries, remains }: Purge) -> Purged {
    let names = [(Purge::FREE_PAGES, "free-pages"), (Purge::BACKUPS, "backups")];
    let remains = names.into_iter().filter(|(bit, _)| remains & bit != 0).map(|(_, name)| name);
    Purged { threads, entries, remains: remains.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{crypto::SecretKey, ids::GroupId};

    const TIME: Millis = Millis(1_000);
    const LATEST: Millis = Millis(6_000);

    fn home_of(n: u8) -> WorkspaceId {
        WorkspaceId([n; 32])
    }

    /// A removal that two homes have to obey; the first has answered at this moment.
    fn removed(confirmed: Option<Millis>) -> row::Removal {
        let scope = ScopeId::Group(GroupId([7; 32]));
        let purged = Some(Purge { threads: 1, entries: 4, ..Purge::begin() });
        let receipt = Receipt { scope, event: Hash([9; 32]), users: Vec::new(), applied: TIME, purged };
        let signed = envelope::sign(receipt, None, &SecretKey::from_seed(&[1; 32]));
        row::Removal {
            scope,
            incarnation: 0,
            epoch: 3,
            event: Hash([9; 32]),
            users: Vec::new(),
            time: TIME,
            homes: vec![(home_of(1), confirmed.map(|at| (at, signed.bytes().clone()))), (home_of(2), None)],
            latest: vec![(home_of(1), LATEST), (home_of(2), LATEST.plus(1))],
            passed: false,
        }
    }

    fn states(view: &RemovalView) -> Vec<Standing> {
        view.homes.iter().map(|home| home.state).chain([view.state]).collect()
    }

    #[test]
    fn p7_4_every_home_has_its_own_deadline_and_the_last_one_is_that_of_all() {
        use Standing::{Confirmed, Effective, Waiting};
        let state = State::default();
        let at = |row: &row::Removal, now| removal(&state, row, now);
        let silent = removed(None);
        assert_eq!(states(&at(&silent, TIME)), [Waiting, Waiting, Waiting]);
        assert_eq!(at(&silent, TIME).effective_at, LATEST.plus(1));
        assert_eq!(states(&at(&silent, LATEST)), [Effective, Waiting, Waiting]);
        assert_eq!(states(&at(&silent, LATEST.plus(1))), [Effective, Effective, Effective]);
        let confirmed = removed(Some(Millis(1_038)));
        assert_eq!(states(&at(&confirmed, Millis(1_040))), [Confirmed, Waiting, Waiting]);
        assert_eq!(states(&at(&confirmed, LATEST.plus(1))), [Confirmed, Effective, Effective]);
        let passed = row::Removal { passed: true, ..silent };
        assert_eq!(
            states(&at(&passed, TIME)),
            [Effective, Effective, Effective],
            "a wall clock that goes back"
        );
    }

    #[test]
    fn p7_6_a_receipt_says_what_was_deleted_and_what_may_remain() {
        let row = removed(Some(Millis(1_038)));
        let view = removal(&State::default(), &row, Millis(1_040));
        let purged = view.homes[0].purged.as_ref().unwrap();
        assert_eq!((purged.threads, purged.entries), (1, 4));
        assert_eq!(purged.remains, ["free-pages", "backups"]);
        let signed =
            data_encoding::BASE64.decode(view.homes[0].receipt.as_ref().unwrap().as_bytes()).unwrap();
        let key = SecretKey::from_seed(&[1; 32]).public();
        assert!(envelope::open::<Receipt>(&signed.into(), None, |_| Some(key)).is_ok(), "verifiable offline");
        assert!(view.homes[1].receipt.is_none() && view.homes[1].purged.is_none());
    }
}
