//! The signed objects of spec 2 to 8, one type per clause.
//!
//! Duty: field order, codes and bounds. Never: what an object may bring about, which is `protocol`'s.

mod account_move;
mod act;
mod audit_seal;
mod manifest;
mod membership;
mod profile;
mod sequencing;
mod transfer;
mod word;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de};

use super::blob::Blob;

pub use account_move::AccountMove;
pub use act::{Act, Action};
pub use audit_seal::AuditSeal;
pub use manifest::{Manifest, WorkspaceKind};
pub use membership::{Event, Floor, Grade, GroupRecipient, Member, Op, Settings, Snapshot, ThreadKind};
pub use profile::Profile;
pub use sequencing::{EntryKind, Head, Submission};
pub use transfer::{Acceptance, Handover};
pub use word::{
    ClaimStand, Consent, GroupConsent, Invite, Lease, Purge, Receipt, RequestStatus, Statement, Word,
};

/// Fields of later versions: keys from 1024 on, kept and ignored (spec 3.7).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Extensions(BTreeMap<u64, Blob>);

impl<'de> Deserialize<'de> for Extensions {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<u64, Blob>::deserialize(d)?;
        match map.first_key_value() {
            Some((key, _)) if *key < 1024 => {
                Err(de::Error::custom(format!("extension key {key} is below 1024")))
            }
            _ => Ok(Self(map)),
        }
    }
}

/// A place in a chain, of which the next ones can be reckoned.
fn position(number: u64) -> Result<(), String> {
    if number <= crate::limits::POSITION_MOST {
        Ok(())
    } else {
        Err(format!("the position {number} is out of bounds"))
    }
}

fn short(what: &str, text: &str, limit: usize) -> Result<(), String> {
    let fits = !text.is_empty() && text.len() <= limit && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(format!("{what} must have 1 to {limit} bytes and no control characters")) }
}
