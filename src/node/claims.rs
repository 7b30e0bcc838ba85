//! Workspaces that say they are peers and are not known here: perhaps peerings that a restore forgot (spec 12.6).
//!
//! Duty: the newest few, for the admin to look at. Never: believing them; nothing of what they say was proven.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use crate::{ids::WorkspaceId, limits, time::Millis};

/// A connection that was refused because its other side is no peer and shows no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who it says it is.
    pub workspace: WorkspaceId,
    /// When it said so last.
    pub at: Millis,
    /// From where.
    pub from: SocketAddr,
}

/// The newest claims, one per workspace.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<VecDeque<Claim>>);

impl Claims {
    pub(super) fn note(&self, claim: Claim) {
        let mut claims = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        claims.retain(|held| held.workspace != claim.workspace);
        claims.push_front(claim);
        claims.truncate(limits::CLAIMS);
    }

    pub(super) fn all(&self) -> Vec<Claim> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_few_are_kept_each_workspace_once() {
        let claims = Claims::default();
        let claim = |n: u8, at| Claim {
            workspace: WorkspaceId([n; 32]),
            at: Millis(at),
            from: SocketAddr::from(([127, 0, 0, 1], 1)),
        };
        for n in 0..40 {
            claims.note(claim(n, n.into()));
        }
        claims.note(claim(30, 99));
        let all = claims.all();
        assert_eq!(all.len(), limits::CLAIMS);
        assert_eq!(all[..2], [claim(30, 99), claim(39, 39)]);
        assert_eq!(all.iter().filter(|claim| claim.workspace.0[0] == 30).count(), 1);
    }
}
