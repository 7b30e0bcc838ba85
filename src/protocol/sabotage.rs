//! Switches that break one invariant each, so that the simulator can show that it notices (test builds only).
//!
//! Duty: to be off. Without the feature every switch is a constant `false`. Never: anything in a release.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Invariants 1 and 11: followers show what no head covers.
    RenderRule = 1,
    /// Invariant 3: a peer without a reader is served.
    ServeAnyone = 2,
    /// Invariant 4: an entry does not name the one before.
    ChainLink = 3,
    /// Invariant 8: a repeated submission is sequenced again.
    Repetition = 4,
    /// Invariant 9: the author's home's signature is dropped.
    Signature = 5,
    /// Invariant 15: removals are not confirmed.
    Receipt = 6,
    /// Invariant 18: floors are ignored.
    Floor = 7,
    /// Invariant 2: leases do not run out.
    Lease = 8,
    /// Invariant 2: a lease leaves before the rows that are queued, and does not count them.
    Overtake = 9,
    /// Invariant 17: a follower counts from the answer instead of the request.
    LateCount = 10,
    /// Invariant 17: neither side allows for clocks that run wrong.
    Allowance = 11,
    /// Invariant 6: an owner asks nobody after its start.
    NoComparison = 12,
    /// Invariant 4: who stays silent after a start is taken to know nothing.
    SameIncarnation = 13,
}

impl Switch {
    /// What the simulator notices.
    pub const ALL: [Self; 8] = [
        Self::RenderRule,
        Self::ServeAnyone,
        Self::ChainLink,
        Self::Repetition,
        Self::Signature,
        Self::Receipt,
        Self::Floor,
        Self::Lease,
    ];

    /// What the model notices. With one user at each home, nothing that no head covers gets to a removed one.
    pub const MODEL: [Self; 7] = [
        Self::ServeAnyone,
        Self::Lease,
        Self::Overtake,
        Self::LateCount,
        Self::Allowance,
        Self::NoComparison,
        Self::SameIncarnation,
    ];
}

#[cfg(feature = "sabotage")]
mod on {
    use std::cell::Cell;

    use super::Switch;

    thread_local! {
        static BROKEN: Cell<Option<Switch>> = const { Cell::new(None) };
    }

    /// Breaks one thing in this thread, or nothing.
    pub fn break_one(switch: Option<Switch>) {
        BROKEN.set(switch);
    }

    pub(crate) fn broken(switch: Switch) -> bool {
        BROKEN.get() == Some(switch)
    }
}

#[cfg(not(feature = "sabotage"))]
mod on {
    use super::Switch;

    pub(crate) const fn broken(_: Switch) -> bool {
        false
    }
}

#[cfg(feature = "sabotage")]
pub use on::break_one;
pub(crate) use on::broken;
