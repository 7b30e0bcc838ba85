//! Signing in (P1): sessions and tokens, passwords, and the links that set them.
//!
//! Duty: what lets somebody in, and what ends it. Never: a secret at rest; hashing and checking a password are slow, and
//! their callers'.

use super::{
    Draft, Reject, Reply,
    command::RejectCode,
    letter::{self, What},
    people,
    row::{Credential, Link, LinkStatus, Purpose, Row, RowKey, Session, TokenScope, Way},
};
use crate::{
    crypto::{Secret, sha256},
    ids::{Hash, UserId},
    limits,
    time::Millis,
    wire::AuditLine,
};

/// What is kept of a bearer token.
#[must_use]
pub fn token_hash(token: &str) -> Hash {
    sha256(&[b"comity/1 token", token.as_bytes()])
}

/// What is kept of a link's secret.
#[must_use]
pub fn link_hash(secret: &str) -> Hash {
    sha256(&[b"comity/1 link", secret.as_bytes()])
}

/// A session begins, or a token is made.
///
/// # Errors
/// There is no such user, he has too many, or a name breaks its rule.
pub fn open(draft: &mut Draft<'_>, session: Session) -> Result<Reply, Reject> {
    let user = people::may_sign_in(draft, session.user)?;
    if let Way::Token { name, .. } = &session.way {
        people::check_name(name)?;
    }
    if session.expires.is_some_and(|expires| expires <= draft.ctx.now) {
        return Err(Reject::new(RejectCode::Invalid, "expires: a moment that lies ahead, in milliseconds"));
    }
    make_room(draft, user.id, &session.way)?;
    let act = match session.way {
        Way::SignedIn { .. } => "session.opened",
        Way::Token { .. } => "user.token",
    };
    draft.note(AuditLine::of(act).saying(user.id.to_string()));
    draft.put(Row::Session(session));
    Ok(Reply::Done)
}

/// Of sessions the oldest makes room: nobody is locked out by browsers that were forgotten. Tokens are somebody's work.
fn make_room(draft: &mut Draft<'_>, user: UserId, way: &Way) -> Result<(), Reject> {
    let alike = |held: &&Session| matches!(held.way, Way::Token { .. }) == matches!(way, Way::Token { .. });
    let held: Vec<_> =
        draft.state.sessions_of(user).filter(alike).map(|session| (session.made, session.token)).collect();
    if held.len() < limits::TOKENS_PER_USER {
        return Ok(());
    }
    if matches!(way, Way::Token { .. }) {
        return Err(Reject::new(RejectCode::Quota, "too many tokens: revoke some first"));
    }
    held.into_iter().min().into_iter().for_each(|(_, oldest)| draft.delete(RowKey::Session(oldest)));
    Ok(())
}

/// A session or token ends.
///
/// # Errors
/// The user has none of this name.
pub fn end(draft: &mut Draft<'_>, user: UserId, token: Hash) -> Result<Reply, Reject> {
    let held = draft.state.sessions.get(&token).filter(|session| session.user == user);
    if held.is_none() {
        return Err(Reject::not_found());
    }
    draft.delete(RowKey::Session(token));
    draft.note(AuditLine::of("user.token-revoked").saying(user.to_string()));
    Ok(Reply::Done)
}

/// A session begins in place of a token, which ends with it: whoever has the token next comes too late.
///
/// # Errors
/// As [`end`] and [`open`].
pub fn trade(draft: &mut Draft<'_>, token: Hash, session: Session) -> Result<Reply, Reject> {
    end(draft, session.user, token)?;
    open(draft, session)
}

/// Which sessions end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// All of them, tokens too.
    All,
    /// All but this one.
    But(Hash),
    /// Those of people, but this one: programs go on.
    PeopleBut(Hash),
}

/// Sessions of a user end.
///
/// # Errors
/// There is no such user.
pub fn end_all(draft: &mut Draft<'_>, user: UserId, which: Which) -> Result<Reply, Reject> {
    people::user(draft, user)?;
    drop_sessions(draft, user, which);
    draft.note(AuditLine::of("user.tokens-revoked").saying(user.to_string()));
    Ok(Reply::Done)
}

pub(super) fn drop_sessions(draft: &mut Draft<'_>, user: UserId, which: Which) {
    let ends = |session: &&Session| match which {
        Which::All => true,
        Which::But(kept) => session.token != kept,
        Which::PeopleBut(kept) => session.token != kept && matches!(session.way, Way::SignedIn { .. }),
    };
    let ended: Vec<Hash> = draft.state.sessions_of(user).filter(ends).map(|session| session.token).collect();
    ended.into_iter().for_each(|token| draft.delete(RowKey::Session(token)));
}

/// A user sets his password: other people's sessions in his name end.
///
/// # Errors
/// There is no such user.
pub fn set_password(
    draft: &mut Draft<'_>,
    user: UserId,
    password: String,
    which: Which,
) -> Result<Reply, Reject> {
    people::may_sign_in(draft, user)?;
    let changed = draft.ctx.now;
    draft.put(Row::Credential(Credential { user, password, changed }));
    drop_sessions(draft, user, which);
    draft.note(AuditLine::of("user.password").by(user));
    Ok(Reply::Done)
}

/// A link that works once; its secret is in the answer and nowhere else.
pub(super) fn make_link(
    draft: &mut Draft<'_>,
    purpose: Purpose,
    millis: u64,
    mailed: Option<String>,
) -> (String, Hash) {
    let secret = data_encoding::BASE32_NOPAD.encode(&draft.random::<20>()).to_lowercase();
    let hash = link_hash(&secret);
    let expires = draft.ctx.now.plus(millis);
    draft.put(Row::Link(Link { secret: hash, purpose, status: LinkStatus::Open, expires, mailed }));
    (path(&secret), hash)
}

/// The path of a link below the node's address.
#[must_use]
pub fn path(secret: &str) -> String {
    format!("/join/{secret}")
}

/// A link to a user's first or next password; an older one stops working.
///
/// # Errors
/// There is no such user.
pub fn password_link(draft: &mut Draft<'_>, id: UserId, by: By, to: Option<String>) -> Result<Reply, Reject> {
    let user = people::may_sign_in(draft, id)?;
    let own = people::address_of(&draft.state, id).ok_or_else(Reject::not_found)?;
    let mails = draft.state.uptime.mails && by != By::Hand;
    let to = mails.then(|| to.unwrap_or(own));
    withdraw_links(draft, |purpose| purpose == Purpose::Password(id));
    let (path, _) = make_link(draft, Purpose::Password(id), by.millis(), to.clone());
    draft.note(AuditLine::of("user.link").saying(user.id.to_string()));
    let Some(to) = to else { return Ok(Reply::Link(None, path)) };
    let (link, expires) = (Secret::new(path), draft.ctx.now.plus(by.millis()));
    let what = match by {
        By::Admin(admin) if !draft.state.credentials.contains_key(&id) => {
            let inviter =
                people::profile(&draft.state, admin).map(|profile| profile.name).unwrap_or_default();
            What::Account { workspace: people::own_name(&draft.state), inviter, link, expires }
        }
        _ => What::Reset { link, expires },
    };
    letter::queue(draft, &to, what)?;
    Ok(Reply::Done)
}

/// Who wants a link to a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Whoever starts the node, to pass it on himself.
    Hand,
    /// An admin.
    Admin(UserId),
    /// The user himself, who is not signed in.
    Forgetful,
}

impl By {
    fn millis(self) -> u64 {
        match self {
            Self::Hand | Self::Admin(_) => limits::ACCOUNT_LINK_MILLIS,
            Self::Forgetful => limits::RESET_LINK_MILLIS,
        }
    }
}

/// Somebody who is not signed in says that he forgot his password: if the address has an account here, and mail is set up,
/// it gets a link. The answer is the same for every address.
pub fn forgot(draft: &mut Draft<'_>, address: &str) -> Reply {
    let user = people::find(&draft.state, address).filter(|_| draft.state.uptime.mails);
    if let Some(user) = user
        && let Err(reject) = draft.attempt(|draft| password_link(draft, user, By::Forgetful, None))
    {
        draft.audit("user.link-refused", Some(user), None, None, reject.detail);
    }
    Reply::Done
}

/// A user of a free account asks for a code by mail that shows that his address is his (P1.2).
///
/// # Errors
/// No mail leaves this node, the address was shown to be his, or it got too many letters.
pub fn ask_code(draft: &mut Draft<'_>, id: UserId) -> Result<Reply, Reject> {
    let user = people::may_sign_in(draft, id)?;
    if user.verified {
        return Ok(Reply::Already);
    }
    if !draft.state.uptime.mails {
        let why = "no mail leaves this node: ask whoever runs it to set that up";
        return Err(Reject::new(RejectCode::Closed, why));
    }
    withdraw_links(draft, |purpose| purpose == Purpose::Verify(id));
    let millis = limits::RESET_LINK_MILLIS;
    let (path, _) = make_link(draft, Purpose::Verify(id), millis, Some(user.local.clone()));
    let code = Secret::new(path.rsplit('/').next().unwrap_or_default());
    let expires = draft.ctx.now.plus(millis);
    letter::queue(draft, &user.local, What::Code { code, expires })?;
    Ok(Reply::Done)
}

/// He shows the code.
///
/// # Errors
/// As [`link()`], or the code is somebody else's.
pub fn show_code(draft: &mut Draft<'_>, id: UserId, secret: Hash) -> Result<Reply, Reject> {
    let link = link(&draft.state, secret, draft.ctx.now)?;
    if link.purpose != Purpose::Verify(id) {
        return Err(Reject::new(RejectCode::Invalid, "this code is not for the address of this account"));
    }
    used(draft, link);
    people::verify(draft, id)
}

/// Open links of a purpose stop working.
pub(super) fn withdraw_links(draft: &mut Draft<'_>, of: impl Fn(Purpose) -> bool) {
    let open = draft.state.links_out.values().filter(|link| link.status == LinkStatus::Open);
    let found: Vec<Link> = open.filter(|link| of(link.purpose)).map(|link| (**link).clone()).collect();
    for link in found {
        letter::withdraw_where(draft, |path| path.rsplit('/').next().map(link_hash) == Some(link.secret));
        draft.put(Row::Link(Link { status: LinkStatus::Withdrawn, ..link }));
    }
}

/// The link with this secret, if it works now.
///
/// # Errors
/// It is unknown, was used or taken back, or is too old: each in its own words, for who holds the secret.
pub fn link(state: &super::State, secret: Hash, now: Millis) -> Result<Link, Reject> {
    let link = state.links_out.get(&secret).map(|link| (**link).clone()).ok_or_else(|| {
        Reject::new(
            RejectCode::NotFound,
            "there is no such link: copy the whole address, or ask for a new one",
        )
    })?;
    let why = match link.status {
        LinkStatus::Used => "this link was used, and works once: sign in, or ask for a new one",
        LinkStatus::Withdrawn => {
            "this link was taken back or replaced by a newer one: look for that, or ask for it"
        }
        LinkStatus::Open if link.expires <= now => "this link is too old: ask for a new one",
        LinkStatus::Open => return Ok(link),
    };
    Err(Reject::new(RejectCode::Closed, why))
}

pub(super) fn used(draft: &mut Draft<'_>, link: Link) {
    draft.put(Row::Link(Link { status: LinkStatus::Used, ..link }));
}

/// Somebody shows a link to set a password, and is signed in with that.
///
/// # Errors
/// As [`link()`], or the link is for something else.
pub fn use_password_link(
    draft: &mut Draft<'_>,
    secret: Hash,
    password: String,
    token: Hash,
    agent: String,
) -> Result<Reply, Reject> {
    let link = link(&draft.state, secret, draft.ctx.now)?;
    let Purpose::Password(user) = link.purpose else {
        return Err(Reject::new(
            RejectCode::Invalid,
            "this link is not for a password: open it to see what for",
        ));
    };
    set_password(draft, user, password, Which::All)?;
    used(draft, link);
    let (made, expires) = (draft.ctx.now, Some(draft.ctx.now.plus(limits::SESSION_MILLIS)));
    open(draft, Session { token, user, way: Way::SignedIn { agent }, made, expires })?;
    Ok(Reply::User(user))
}

/// A token without an end that may do all that its user may.
#[must_use]
pub fn full_token(user: UserId, token: Hash) -> Session {
    let way = Way::Token { name: "full".into(), scope: TokenScope::Admin };
    Session { token, user, way, made: Millis(0), expires: None }
}

/// What has ended by itself: sessions, and what was kept of links. Whether anything had.
pub(super) fn lapse(draft: &mut Draft<'_>) -> bool {
    let now = draft.ctx.now;
    let due: Vec<RowKey> =
        draft.state.lapsing.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| *key).collect();
    for key in &due {
        match key {
            RowKey::Sent(id) => super::invite::expire(draft, *id),
            key => draft.delete(*key),
        }
    }
    !due.is_empty()
}
