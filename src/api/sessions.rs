//! Sessions and tokens (P1): signing in and out, what is signed in, and a password of one's own.
//!
//! Duty: requests to commands. Never: checking a password, which is `sign_in`'s.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Api,
    answer::{Created, NoContent, Underway},
    path::Path,
    problem::Problem,
    viewer::{Body, Viewer},
};
use crate::{
    crypto::Secret,
    ids::{Hash, UserId},
    limits,
    node::{Handle, clock},
    protocol::{
        Command, account,
        account::{By, Which},
        people,
        row::{Session, TokenScope, Way},
    },
    time::Millis,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    /// The whole address: of a member, or the e-mail of a free account.
    address: String,
    password: String,
}

/// A session that began. The token is shown once.
#[derive(Serialize, JsonSchema)]
pub(super) struct SignedIn {
    user: UserId,
    token: String,
    expires: Millis,
}

/// One answer for an unknown address and a wrong password, after the same work.
pub(super) async fn sign_in(
    State(api): State<Api>,
    headers: HeaderMap,
    Body(given): Body<SignIn>,
) -> Result<Created<SignedIn>, Problem> {
    api.rate.password(&given.address)?;
    let found = api.doors().find_map(|handle| {
        let user = people::find(&handle.snapshot().state, &given.address)?;
        Some((handle.clone(), user))
    });
    let held = found.as_ref().and_then(|(handle, user)| {
        handle.snapshot().state.credentials.get(user).map(|credential| credential.password.clone())
    });
    let right = api.gatekeeper.verify(Secret::new(given.password), held).await?;
    match found.filter(|_| right) {
        Some((handle, user)) => begin(&handle, user, &headers).await,
        None => {
            let detail = "no account has this address and this password";
            Err(Problem::new(StatusCode::UNAUTHORIZED, "wrong-password", detail))
        }
    }
}

async fn begin(handle: &Handle, user: UserId, headers: &HeaderMap) -> Result<Created<SignedIn>, Problem> {
    let (session, shown) = fresh(handle, user, headers)?;
    handle.ask(Command::By(user, Box::new(Command::OpenSession(session)))).await?;
    Ok(Created(shown))
}

/// A session that can begin, and what is shown of it.
fn fresh(handle: &Handle, user: UserId, headers: &HeaderMap) -> Result<(Session, SignedIn), Problem> {
    let token = clock::token().map_err(|error| Problem::no_random(&error))?;
    let (made, way) = (handle.now(), Way::SignedIn { agent: agent(headers) });
    let expires = made.plus(limits::SESSION_MILLIS);
    let session = Session { token: account::token_hash(&token), user, way, made, expires: Some(expires) };
    Ok((session, SignedIn { user, token, expires }))
}

/// The token of this request ends, and a session begins. A session may do all that its user may: so must the token.
pub(super) async fn trade(viewer: Viewer, headers: HeaderMap) -> Result<Created<SignedIn>, Problem> {
    viewer.may(TokenScope::Admin)?;
    let (session, shown) = fresh(&viewer.handle, viewer.user, &headers)?;
    viewer.handle.ask(viewer.named(Command::TradeSession(viewer.token(), session))).await?;
    Ok(Created(shown))
}

/// What the client calls itself, for the list of sessions.
pub(super) fn agent(headers: &HeaderMap) -> String {
    let given = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("unknown");
    given.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FirstPassword {
    password: String,
}

/// A link for a password is used: the session that begins.
pub(super) async fn use_link(
    State(api): State<Api>,
    Path(code): Path<String>,
    headers: HeaderMap,
    Body(given): Body<FirstPassword>,
) -> Result<Created<SignedIn>, Problem> {
    let link = account::link_hash(&code);
    let handle = api.holder_of(link);
    let password = api.gatekeeper.hash(Secret::new(given.password)).await?;
    let token = clock::token().map_err(|error| Problem::no_random(&error))?;
    let hashed = account::token_hash(&token);
    let expires = handle.now().plus(limits::SESSION_MILLIS);
    let command = Command::UsePasswordLink { link, password, token: hashed, agent: agent(&headers) };
    match handle.ask(command).await? {
        crate::protocol::Reply::User(user) => Ok(Created(SignedIn { user, token, expires })),
        _ => Err(Problem::not_found()),
    }
}

/// A session or token, without what would let anybody in.
#[derive(Serialize, JsonSchema)]
pub(super) struct SessionView {
    id: Hash,
    #[serde(flatten)]
    way: Way,
    made: Millis,
    expires: Option<Millis>,
    /// Whether this request came with it.
    current: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Sessions {
    sessions: Vec<SessionView>,
}

pub(super) async fn list(viewer: Viewer) -> Json<Sessions> {
    std::future::ready(Json(held(&viewer, viewer.user))).await
}

/// One's own, or, for an admin, somebody's.
pub(super) async fn of_user(viewer: Viewer, Path(user): Path<UserId>) -> Result<Json<Sessions>, Problem> {
    if user != viewer.user {
        viewer.administers()?;
    }
    let known = viewer.snapshot().state.users.contains_key(&user);
    std::future::ready(known.then(|| Json(held(&viewer, user))).ok_or_else(Problem::not_found)).await
}

fn held(viewer: &Viewer, user: UserId) -> Sessions {
    let snapshot = viewer.snapshot();
    let mut sessions: Vec<_> = snapshot
        .state
        .sessions_of(user)
        .map(|session| SessionView {
            id: session.token,
            way: session.way.clone(),
            made: session.made,
            expires: session.expires,
            current: session.token == viewer.token(),
        })
        .collect();
    sessions.sort_by_key(|session| std::cmp::Reverse(session.made));
    Sessions { sessions }
}

pub(super) async fn end(viewer: Viewer, Path(session): Path<Hash>) -> Result<NoContent, Problem> {
    viewer.handle.ask(viewer.named(Command::EndSession(viewer.user, session))).await?;
    Ok(NoContent)
}

/// All others end; the one of this request goes on.
pub(super) async fn end_others(viewer: Viewer) -> Result<NoContent, Problem> {
    let which = Which::But(viewer.token());
    viewer.handle.ask(viewer.named(Command::EndSessions(viewer.user, which))).await?;
    Ok(NoContent)
}

/// Signs out: the token of this request stops working.
pub(super) async fn end_this(viewer: Viewer) -> Result<NoContent, Problem> {
    viewer.handle.ask(viewer.named(Command::EndSession(viewer.user, viewer.token()))).await?;
    Ok(NoContent)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The password until now; not needed if there is none.
    old: Option<String>,
    new: String,
}

/// Other people's sessions in this name end; tokens go on.
pub(super) async fn set_password(
    State(api): State<Api>,
    viewer: Viewer,
    Body(given): Body<NewPassword>,
) -> Result<NoContent, Problem> {
    let held = viewer.snapshot().state.credentials.get(&viewer.user).map(|row| row.password.clone());
    if held.is_some() {
        let address = people::address_of(&viewer.snapshot().state, viewer.user).unwrap_or_default();
        api.rate.password(&address)?;
        if !api.gatekeeper.verify(Secret::new(given.old.unwrap_or_default()), held).await? {
            let detail = "old: this is not the password until now";
            return Err(Problem::new(StatusCode::FORBIDDEN, "wrong-password", detail));
        }
    }
    let password = api.gatekeeper.hash(Secret::new(given.new)).await?;
    let which = Which::PeopleBut(viewer.token());
    viewer.handle.ask(Command::SetPassword(viewer.user, password, which)).await?;
    Ok(NoContent)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgotten {
    /// The whole address.
    address: String,
}

/// One answer for every address: who has an account gets a letter.
pub(super) async fn forgot(
    State(api): State<Api>,
    Body(given): Body<Forgotten>,
) -> Result<Underway, Problem> {
    api.rate.password(&given.address)?;
    for handle in api.doors() {
        handle.ask(Command::Forgot(given.address.clone())).await?;
    }
    Ok(Underway)
}

/// A code by mail, for an address that was not shown to be its person's.
pub(super) async fn ask_code(viewer: Viewer) -> Result<Underway, Problem> {
    viewer.ask(Command::AskCode(viewer.user)).await?;
    Ok(Underway)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenCode {
    /// As it was mailed.
    code: String,
}

pub(super) async fn show_code(viewer: Viewer, Body(given): Body<GivenCode>) -> Result<NoContent, Problem> {
    let code = account::link_hash(given.code.trim());
    viewer.ask(Command::ShowCode(viewer.user, code)).await?;
    Ok(NoContent)
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NewToken {
    /// What it is for.
    name: Option<String>,
    /// What it may be used for; to write, unless said otherwise.
    scope: Option<TokenScope>,
    /// For how many days; a year, unless said otherwise.
    days: Option<u64>,
}

/// A token that was made. It is shown once.
#[derive(Serialize, JsonSchema)]
pub(super) struct Token {
    user: UserId,
    token: String,
    id: Hash,
    scope: TokenScope,
    expires: Millis,
}

/// For oneself, or by an admin for somebody. Nobody makes one that may do more than he shows himself.
pub(super) async fn add_token(
    viewer: Viewer,
    Path(user): Path<UserId>,
    Body(new): Body<NewToken>,
) -> Result<Created<Token>, Problem> {
    if user != viewer.user {
        viewer.administers()?;
    }
    let scope = new.scope.unwrap_or(TokenScope::Write);
    viewer.may(scope)?;
    let token = clock::token().map_err(|error| Problem::no_random(&error))?;
    let hashed = account::token_hash(&token);
    let made = viewer.handle.now();
    let expires = made.plus(new.days.unwrap_or(365).clamp(1, 3650) * limits::DAY_MILLIS);
    let way = Way::Token { name: new.name.unwrap_or_else(|| "token".into()), scope };
    let session = Session { token: hashed, user, way, made, expires: Some(expires) };
    viewer.handle.ask(viewer.named(Command::OpenSession(session))).await?;
    Ok(Created(Token { user, token, id: hashed, scope, expires }))
}

pub(super) async fn revoke_tokens(viewer: Viewer, Path(user): Path<UserId>) -> Result<NoContent, Problem> {
    if user != viewer.user {
        viewer.administers()?;
    }
    viewer.ask(Command::EndSessions(user, Which::All)).await?;
    Ok(NoContent)
}

/// One of one's own, or by an admin one of somebody.
pub(super) async fn revoke_token(
    viewer: Viewer,
    Path((user, session)): Path<(UserId, Hash)>,
) -> Result<NoContent, Problem> {
    if user != viewer.user {
        viewer.administers()?;
    }
    viewer.ask(Command::EndSession(user, session)).await?;
    Ok(NoContent)
}

/// What was made: a link to pass on, unless it went out by mail.
#[derive(Serialize, JsonSchema)]
pub(super) struct PasswordLink {
    /// Below the node's address; null if it was mailed, or shown before.
    path: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct To {
    /// Where to mail it, if not to the account's own address.
    to: Option<String>,
}

/// By an admin: a link to somebody's first or next password.
pub(super) async fn password_link(
    viewer: Viewer,
    Path(user): Path<UserId>,
    Body(To { to }): Body<To>,
) -> Result<Created<PasswordLink>, Problem> {
    let command = Command::PasswordLink(user, By::Admin(viewer.user), to);
    let path = match viewer.ask(command).await? {
        crate::protocol::Reply::Link(_, path) => Some(path),
        _ => None,
    };
    Ok(Created(PasswordLink { path }))
}
