//! What ends by itself at a moment: sessions, links, invitations.
//!
//! Duty: the index of those moments, kept with the rows. Never: ending anything; that is a decision's.

use super::State;
use crate::{
    ids::{Hash, UserId},
    limits,
    protocol::row::{RowKey, Session},
    time::Millis,
};

impl State {
    /// The moment at which the row has to be looked at, as it stands.
    fn lapse(&self, key: &RowKey) -> Option<Millis> {
        match key {
            RowKey::Session(token) => self.sessions.get(token)?.expires,
            RowKey::Link(secret) => Some(self.links_out.get(secret)?.expires.plus(limits::LINK_KEPT_MILLIS)),
            RowKey::Claim(id) => Some(self.claims.get(id)?.time.plus(2 * limits::LINK_KEPT_MILLIS)),
            RowKey::Sent(id) => self.sent.get(id).filter(|sent| sent.status.is_open())?.expires,
            _ => None,
        }
    }

    /// Before a row changes or goes.
    pub(super) fn forget_lapse(&mut self, key: &RowKey) {
        if let Some(at) = self.lapse(key) {
            self.lapsing.remove(&(at, *key));
        }
        if let RowKey::Session(token) = key
            && let Some(session) = self.sessions.get(token)
        {
            let user = session.user;
            self.forget_session(user, *token);
        }
    }

    /// After a row was written.
    pub(super) fn note_lapse(&mut self, key: RowKey) {
        if let Some(at) = self.lapse(&key) {
            self.lapsing.insert((at, key));
        }
    }

    fn forget_session(&mut self, user: UserId, token: Hash) {
        if let Some(held) = self.signed_in.get_mut(&user) {
            held.remove(&token);
            if held.is_empty() {
                self.signed_in.remove(&user);
            }
        }
    }

    /// The user's sessions and tokens.
    pub fn sessions_of(&self, user: UserId) -> impl Iterator<Item = &Session> {
        let tokens = self.signed_in.get(&user).into_iter().flatten();
        tokens.filter_map(|token| self.sessions.get(token)).map(|session| &**session)
    }
}
