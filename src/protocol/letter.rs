//! Letters that wait for the mail server: e-mails as facts, from the act that owes them until they were handed over.
//!
//! Duty: a letter is queued in the transaction of its act and goes when the server has taken it or nobody needs it any
//! more, its secret with it. Never: content of messages, the wording (the mail shell has it), a secret in the audit log.

mod plain;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

pub use plain::plain;

use super::{
    Draft, Reject, Reply,
    address::Address,
    command::RejectCode,
    posting,
    row::{Row, RowKey},
};
use crate::{
    crypto::{Secret, sha256},
    ids::{Hash, UserId},
    limits,
    time::Millis,
    wire::{
        AuditLine,
        objects::{Floor, Grade},
    },
};

/// What an invitation is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A group.
    Group,
    /// A topic thread.
    Thread,
    /// A conversation of two.
    Dm,
}

/// What a letter says. Links are paths with their secret (`/join/...`): the base is put before them when it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Somebody is invited (P2.3).
    Invitation {
        /// The name of the group or the subject of the thread.
        scope_name: String,
        /// What it is.
        scope_kind: Place,
        /// The inviter's name.
        inviter: String,
        /// The inviter's workspace.
        workspace: String,
        /// What of the past is shown (P2.6).
        history: Floor,
        /// Where to accept.
        link: Secret,
        /// Until when the link is good.
        expires: Millis,
        /// As what.
        grade: Grade,
    },
    /// A member has an account, and sets a password.
    Account {
        /// The workspace.
        workspace: String,
        /// Who made it.
        inviter: String,
        /// Where to set the password.
        link: Secret,
        /// Until when the link is good.
        expires: Millis,
    },
    /// Somebody wants a new password.
    Reset {
        /// Where to set it.
        link: Secret,
        /// Until when the link is good.
        expires: Millis,
    },
    /// Somebody proves that an address is his.
    Code {
        /// What he types.
        code: Secret,
        /// Until when it is good.
        expires: Millis,
    },
    /// The inviter is asked whether who used another address is whom he meant.
    Claim {
        /// The name of the group or the subject of the thread.
        scope_name: String,
        /// The address that was invited.
        invited: String,
        /// The address of who came.
        claimed_by: String,
        /// Where to decide.
        link: Secret,
    },
    /// Something waits for a decision.
    Approval {
        /// What, in a few words.
        what: String,
        /// Where to decide.
        link: Secret,
    },
    /// An admin looks whether letters arrive.
    Trial {
        /// Who.
        by: String,
    },
}

impl What {
    /// Its kind, in a word for lists and the audit log.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => "invitation",
            Self::Account { .. } => "account",
            Self::Reset { .. } => "reset",
            Self::Code { .. } => "code",
            Self::Claim { .. } => "claim",
            Self::Approval { .. } => "approval",
            Self::Trial { .. } => "trial",
        }
    }

    fn link(&self) -> Option<&Secret> {
        match self {
            Self::Invitation { link, .. }
            | Self::Account { link, .. }
            | Self::Reset { link, .. }
            | Self::Claim { link, .. }
            | Self::Approval { link, .. } => Some(link),
            Self::Code { .. } | Self::Trial { .. } => None,
        }
    }

    fn expires(&self) -> Option<Millis> {
        match self {
            Self::Invitation { expires, .. }
            | Self::Account { expires, .. }
            | Self::Reset { expires, .. }
            | Self::Code { expires, .. } => Some(*expires),
            Self::Claim { .. } | Self::Approval { .. } | Self::Trial { .. } => None,
        }
    }

    fn is_bounded(&self) -> bool {
        let texts: &[&str] = match self {
            Self::Invitation { scope_name, inviter, workspace, .. } => &[scope_name, inviter, workspace],
            Self::Account { workspace, inviter, .. } => &[workspace, inviter],
            Self::Claim { scope_name, invited, claimed_by, .. } => &[scope_name, invited, claimed_by],
            Self::Approval { what, .. } => &[what],
            Self::Trial { by } => &[by],
            Self::Reset { .. } => &[],
            Self::Code { code, .. } => &[code.reveal()],
        };
        let link = self.link().is_none_or(|link| {
            link.reveal().starts_with('/') && link.reveal().len() <= limits::LETTER_LINK_BYTES
        });
        link && texts.iter().all(|text| text.len() <= limits::NAME_BYTES.max(limits::ADDRESS_BYTES))
    }
}

/// A letter that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// Its number; never given again.
    pub number: u64,
    /// Its name on the way, the same on every try: who gets it twice can tell.
    pub id: String,
    /// To whom.
    pub to: String,
    /// What it says.
    pub what: What,
    /// When it was queued.
    pub queued: Millis,
    /// Since when it is tried.
    pub since: Millis,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next.
    pub next: Millis,
    /// Why the last try failed.
    pub error: Option<String>,
    /// Whether it is tried no more unless an admin wants it.
    pub given_up: bool,
}

impl Letter {
    /// When it goes, sent or not.
    fn end(&self) -> Millis {
        self.what.expires().unwrap_or(self.queued.plus(limits::LETTER_KEPT_MILLIS))
    }
}

/// When an address got letters within the last day, so that nobody is flooded through this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mailed {
    /// The hash of the address.
    pub to: Hash,
    /// When, ascending.
    pub times: Vec<Millis>,
}

/// The letters of a state, with what follows from them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Letters {
    /// By number.
    pub all: OrdMap<u64, Arc<Letter>>,
    /// Those that are to be sent, the next one first.
    pub due: OrdSet<(Millis, u64)>,
    ends: OrdSet<(Millis, u64)>,
    mailed: OrdMap<Hash, Arc<Mailed>>,
    quiet: OrdSet<(Millis, Hash)>,
}

impl Letters {
    /// Takes a letter in.
    pub fn put(&mut self, letter: Letter) {
        self.delete(letter.number);
        if !letter.given_up {
            self.due.insert((letter.next, letter.number));
        }
        self.ends.insert((letter.end(), letter.number));
        self.all.insert(letter.number, letter.into());
    }

    /// Lets a letter go.
    pub fn delete(&mut self, number: u64) {
        if let Some(letter) = self.all.remove(&number) {
            self.due.remove(&(letter.next, number));
            self.ends.remove(&(letter.end(), number));
        }
    }

    /// Notes when an address got letters.
    pub fn put_mailed(&mut self, mailed: Mailed) {
        self.delete_mailed(mailed.to);
        if let Some(last) = mailed.times.last() {
            self.quiet.insert((*last, mailed.to));
        }
        self.mailed.insert(mailed.to, mailed.into());
    }

    /// Forgets that an address got letters.
    pub fn delete_mailed(&mut self, to: Hash) {
        if let Some(last) = self.mailed.remove(&to).and_then(|mailed| mailed.times.last().copied()) {
            self.quiet.remove(&(last, to));
        }
    }

    /// The letter to send now, or else the moment at which there is one.
    #[must_use]
    pub fn next(&self, now: Millis) -> Option<Result<Arc<Letter>, Millis>> {
        let (at, number) = self.due.get_min()?;
        if *at > now { Some(Err(*at)) } else { self.all.get(number).cloned().map(Ok) }
    }
}

fn address_hash(to: &Address) -> Hash {
    sha256(&[b"comity/1 mailed", to.key().as_bytes()])
}

/// Queues a letter, in the decision that owes it. Returns its number.
///
/// # Errors
/// The address is none, it got too many letters lately, or too many wait.
pub fn queue(draft: &mut Draft<'_>, to: &str, what: What) -> Result<u64, Reject> {
    let to = Address::parse(to)?;
    if !what.is_bounded() {
        return Err(Reject::new(
            RejectCode::TooLarge,
            "letter: a name, code or link in it is too long, or the link is no path",
        ));
    }
    if draft.state.letters.all.len() >= limits::LETTERS {
        return Err(Reject::new(
            RejectCode::Quota,
            "too many letters wait for the mail server: an admin sees why with `comity mail list`",
        ));
    }
    let (now, hash) = (draft.ctx.now, address_hash(&to));
    let mut times: Vec<Millis> =
        draft.state.letters.mailed.get(&hash).map(|mailed| mailed.times.clone()).unwrap_or_default();
    times.retain(|time| now.since(*time) < limits::DAY_MILLIS);
    let lately = times.iter().filter(|time| now.since(**time) < limits::HOUR_MILLIS).count();
    if lately >= limits::LETTERS_PER_HOUR || times.len() >= limits::LETTERS_PER_DAY {
        return Err(Reject::new(
            RejectCode::Quota,
            "this address got as many letters from here as it may: try again in some hours",
        ));
    }
    times.push(now);
    draft.put(Row::Mailed(Mailed { to: hash, times }));
    let number = posting::next_number(draft);
    let id = data_encoding::HEXLOWER.encode(&draft.random::<16>());
    draft.note(AuditLine::of("letter.queued").saying(format!("{} to {to}", what.kind())));
    let (to, error, given_up) = (to.to_string(), None, false);
    let (queued, since, next, tries) = (now, now, now, 0);
    draft.put(Row::Letter(Letter { number, id, to, what, queued, since, tries, next, error, given_up }));
    Ok(number)
}

/// An admin sends a letter the way that all letters go.
///
/// # Errors
/// As [`queue`].
pub fn trial(draft: &mut Draft<'_>, by: UserId, to: &str) -> Result<Reply, Reject> {
    let name = draft.state.users.get(&by).map(|user| user.name.clone()).ok_or_else(Reject::not_found)?;
    queue(draft, to, What::Trial { by: name }).map(Reply::Letter)
}

fn letter(draft: &Draft<'_>, number: u64) -> Result<Letter, Reject> {
    let held = draft.state.letters.all.get(&number).map(|letter| (**letter).clone());
    held.ok_or_else(|| {
        Reject::new(RejectCode::NotFound, "no such letter waits: it was sent, or is needed no more")
    })
}

fn close(draft: &mut Draft<'_>, letter: &Letter, act: &str, why: &str) {
    draft.delete(RowKey::Letter(letter.number));
    draft.note(AuditLine::of(act).saying(format!("{} to {}{why}", letter.what.kind(), letter.to)));
}

/// The mail server has taken a letter.
///
/// # Errors
/// None: one that is gone already was withdrawn meanwhile.
pub fn sent(draft: &mut Draft<'_>, number: u64) -> Result<Reply, Reject> {
    let Ok(letter) = letter(draft, number) else { return Ok(Reply::Already) };
    close(draft, &letter, "letter.sent", "");
    Ok(Reply::Done)
}

/// How long a letter rests after so many tries, in milliseconds.
#[must_use]
pub fn rest(tries: u32) -> u64 {
    let doubled = limits::LETTER_REST_MILLIS.checked_shl(tries.saturating_sub(1).min(16));
    doubled.unwrap_or(u64::MAX).min(limits::LETTER_REST_MOST_MILLIS)
}

/// A try failed. The letter rests and is tried again, unless it was refused for good or was tried for long.
///
/// # Errors
/// None: one that is gone already was withdrawn meanwhile.
pub fn failed(draft: &mut Draft<'_>, number: u64, error: &str, permanent: bool) -> Result<Reply, Reject> {
    let Ok(letter) = letter(draft, number) else { return Ok(Reply::Already) };
    let (now, tries) = (draft.ctx.now, letter.tries.saturating_add(1));
    let next = now.plus(rest(tries));
    let given_up = permanent || next.since(letter.since) > limits::LETTER_TRIED_MILLIS;
    if given_up {
        let why = format!("{} to {}: {}", letter.what.kind(), letter.to, shortened(error));
        draft.note(AuditLine::of("letter.given-up").saying(why));
    }
    let error = Some(shortened(error));
    draft.put(Row::Letter(Letter { tries, next, error, given_up, ..letter }));
    Ok(Reply::Done)
}

/// Words of a foreign server, for people.
fn shortened(error: &str) -> String {
    let clean = error.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(limits::LETTER_ERROR_CHARS).collect()
}

/// An admin wants a letter to be tried again, now.
///
/// # Errors
/// No such letter waits.
pub fn retry(draft: &mut Draft<'_>, number: u64) -> Result<Reply, Reject> {
    let letter = letter(draft, number)?;
    let now = draft.ctx.now;
    draft.note(AuditLine::of("letter.retry").saying(format!("{} to {}", letter.what.kind(), letter.to)));
    draft.put(Row::Letter(Letter { since: now, next: now, tries: 0, given_up: false, ..letter }));
    Ok(Reply::Done)
}

/// An admin does not want a letter to be sent.
///
/// # Errors
/// No such letter waits.
pub fn dropped(draft: &mut Draft<'_>, number: u64) -> Result<Reply, Reject> {
    let letter = letter(draft, number)?;
    close(draft, &letter, "letter.dropped", "");
    Ok(Reply::Done)
}

/// A link is good no more: letters that carry it need not be sent. Returns how many waited.
pub fn withdraw(draft: &mut Draft<'_>, link: &str) -> usize {
    withdraw_where(draft, |held| held == link)
}

/// The same for every link that `is_void`, for who knows only the hashes of secrets.
pub fn withdraw_where(draft: &mut Draft<'_>, is_void: impl Fn(&str) -> bool) -> usize {
    let void = |letter: &&Arc<Letter>| letter.what.link().is_some_and(|held| is_void(held.reveal()));
    let held: Vec<Arc<Letter>> = draft.state.letters.all.values().filter(void).cloned().collect();
    for letter in &held {
        close(draft, letter, "letter.withdrawn", "");
    }
    held.len()
}

/// Letters go that nobody needs any more, and what is known of addresses that were left in peace for a day. Costs what
/// is due. Returns whether anything changed.
pub fn tick(draft: &mut Draft<'_>) -> bool {
    let now = draft.ctx.now;
    let letters = &draft.state.letters;
    let over: Vec<u64> =
        letters.ends.iter().take_while(|(end, _)| *end <= now).map(|(_, number)| *number).collect();
    let quiet = letters.quiet.iter().take_while(|(last, _)| now.since(*last) >= limits::DAY_MILLIS);
    let quiet: Vec<Hash> = quiet.map(|(_, to)| *to).collect();
    for letter in over.iter().filter_map(|number| letter(draft, *number).ok()).collect::<Vec<_>>() {
        let why = letter.error.as_ref().map(|error| format!(" was never sent: {error}"));
        close(draft, &letter, "letter.over", &why.unwrap_or_default());
    }
    for to in &quiet {
        draft.delete(RowKey::Mailed(*to));
    }
    !over.is_empty() || !quiet.is_empty()
}

#[cfg(test)]
mod tests;
