//! Who asks: the one place that decides it. Tokens now; other ways to sign in come here.
//!
//! Duty: a user from a request, request bodies with clear errors, commands in a user's name. Never: a right.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderValue, Method, StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;

use super::{Access, Api, problem::Problem};
use crate::{
    crypto::sha256,
    ids::{Hash, ScopeId, SubmissionId, UserId},
    node::{AskError, Handle, Snapshot},
    protocol::{
        Command, Reject, Reply, account,
        command::RejectCode,
        gate, people,
        row::{Role, Session, TokenScope},
    },
    view::scopes,
    wire::{Blob, frames::SubmitAnswer},
};

/// How long an answer waits for what it speaks of to be here.
pub(super) const HERE: Duration = Duration::from_secs(2);

/// How often an act whose link broke goes out again.
const TRIES: u32 = 3;

/// How long an act may wait for the check after a start, here or at its owner: longer than the check takes.
const CHECKED: Duration = Duration::from_secs(15);
/// An owner that checks is asked again after this time at the latest.
const AGAIN: Duration = Duration::from_secs(1);

/// The user who asks.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub(super) user: UserId,
    pub(super) handle: Handle,
    standing: Standing,
    scope: TokenScope,
    token: Hash,
    key: Option<SubmissionId>,
}

/// What somebody is at this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// A free account of the realm that the node hosts.
    Free,
    /// A member of the workspace.
    Member,
    /// One of its admins.
    Admin,
}

impl FromRequestParts<Api> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|given| given.strip_prefix("Bearer ")).map(str::trim);
        let token = token.map(account::token_hash);
        let Some((handle, session)) = token.and_then(|token| signed_in(api, token)) else {
            let detail = "a valid token is needed: send `Authorization: Bearer ...`";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail));
        };
        let user = session.user;
        let state = &handle.snapshot().state;
        let role = state.users.get(&user).map(|user| user.role);
        let standing = match role {
            _ if people::is_realm(state) => Standing::Free,
            Some(Role::Admin) => Standing::Admin,
            _ => Standing::Member,
        };
        let header = parts.headers.get("idempotency-key").filter(|_| !parts.method.is_safe());
        let key = key(user, header)?;
        let viewer = Self { user, handle, standing, scope: session.scope(), token: session.token, key };
        let access = parts.extensions.get().copied().unwrap_or(Access::Admin);
        viewer.admitted(access, &parts.method)?;
        api.rate.user(parts, user, viewer.is_admin())?;
        std::future::ready(Ok(viewer)).await
    }
}

/// Whose session a token is, and at which home.
fn signed_in(api: &Api, token: Hash) -> Option<(Handle, Session)> {
    api.doors().find_map(|handle| {
        let state = &handle.snapshot().state;
        let session = state.sessions.get(&token).filter(|session| session.is_good(handle.now()))?;
        let user = state.users.get(&session.user).filter(|user| user.role.has_access())?;
        (user.id == session.user).then(|| (handle.clone(), (**session).clone()))
    })
}

/// The client's key of idempotency, bound to the user.
fn key(user: UserId, header: Option<&HeaderValue>) -> Result<Option<SubmissionId>, Problem> {
    match header {
        None => Ok(None),
        Some(key) if key.is_empty() || key.len() > 255 => {
            Err(Problem::invalid("Idempotency-Key: 1 to 255 bytes"))
        }
        Some(key) => {
            let hash = sha256(&[b"comity/1 key", user.as_ref(), key.as_bytes()]);
            Ok(Some(SubmissionId(first_half(&hash.0))))
        }
    }
}

/// 16 of 32 bytes.
pub(super) fn first_half(bytes: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|at| bytes.get(at).copied().unwrap_or_default())
}

impl Viewer {
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.handle.snapshot()
    }

    pub(super) fn is_admin(&self) -> bool {
        self.standing == Standing::Admin && self.scope == TokenScope::Admin
    }

    /// The workspace's admins only; to others it does not exist.
    pub(super) fn administers(&self) -> Result<(), Problem> {
        if self.is_admin() { Ok(()) } else { Err(Problem::not_found()) }
    }

    /// What the shown token may be used for.
    pub(super) fn may(&self, scope: TokenScope) -> Result<(), Problem> {
        if self.scope >= scope {
            return Ok(());
        }
        let needs = if scope == TokenScope::Admin { "admin" } else { "write" };
        let detail = format!("this token may not do that: make one with the scope `{needs}`");
        Err(Problem::new(StatusCode::FORBIDDEN, "scope", detail))
    }

    /// Whether an endpoint of this class is for the viewer at all.
    fn admitted(&self, access: Access, method: &Method) -> Result<(), Problem> {
        let scope = if method == Method::GET { TokenScope::Read } else { TokenScope::Write };
        match (access, self.standing) {
            (Access::Anyone | Access::Signed, _) | (Access::Member, Standing::Member | Standing::Admin) => {
                self.may(scope)
            }
            (Access::Admin, Standing::Admin) => self.may(TokenScope::Admin),
            (Access::Admin, _) => Err(Problem::not_found()),
            (Access::Member, Standing::Free) => {
                let detail = "this is for members of the workspace: a free account reads, writes and answers where it \
                              was invited";
                Err(Problem::new(StatusCode::FORBIDDEN, RejectCode::Forbidden.name(), detail))
            }
        }
    }

    /// The client's key of idempotency.
    pub(super) fn key(&self) -> Option<SubmissionId> {
        self.key
    }

    /// The hash of the token that was shown.
    pub(super) fn token(&self) -> Hash {
        self.token
    }

    /// What is answered where nothing may be shown: that it is frozen, waits for its owner, or does not exist.
    pub(super) fn absent(&self, scope: impl Into<ScopeId>) -> Problem {
        let (state, scope) = (&self.snapshot().state, scope.into());
        if let Some(why) = scopes::frozen(state, self.user, scope) {
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "frozen", why);
        }
        match scopes::waiting(state, self.user, scope) {
            Some(waiting) => Problem::waiting(&waiting),
            None => Problem::not_found(),
        }
    }

    /// Carries a command out here or at the scope's owner; with a key of idempotency once, however often it is asked.
    pub(super) async fn ask(&self, command: Command) -> Result<Reply, Problem> {
        let command = match self.key.filter(|_| !matches!(command, Command::Post { .. })) {
            Some(key) => {
                let asked = sha256(&[format!("{command:?}").as_bytes()]);
                Command::Once { key, user: self.user, asked, command: Box::new(command) }
            }
            None => command,
        };
        let patience = Instant::now() + CHECKED;
        match self.handle.ask_checked(self.named(command), patience).await? {
            Reply::Forward(owner, act) => self.forward(owner, act, patience).await,
            reply => Ok(reply),
        }
    }

    /// A command that does not say whose it is, in this user's name: the audit log wants one (P8.3).
    pub(super) fn named(&self, command: Command) -> Command {
        let asked = if let Command::Once { command, .. } = &command { command } else { &command };
        match asked {
            Command::AddUser { .. }
            | Command::OpenSession(..)
            | Command::TradeSession(..)
            | Command::EndSession(..)
            | Command::EndSessions(..)
            | Command::PasswordLink(..)
            | Command::SetRole(..)
            | Command::OpenTicket(..)
            | Command::RedeemTicket { .. }
            | Command::Approve(..)
            | Command::Pause(..)
            | Command::EndPeer(..)
            | Command::SetInvitePolicy(..)
            | Command::Approval(..)
            | Command::TrustJournal
            | Command::LetterRetry(..)
            | Command::LetterDropped(..)
            | Command::LetterTrial(..)
            | Command::Manifest(..) => Command::By(self.user, Box::new(command)),
            _ => command,
        }
    }

    /// The same act again while its owner checks; the owner carries it out once.
    async fn forward(
        &self,
        owner: crate::ids::WorkspaceId,
        act: Blob,
        patience: Instant,
    ) -> Result<Reply, Problem> {
        match self.ask_owner(owner, act, patience).await? {
            SubmitAnswer::Done { scope: Some(scope), .. } => {
                self.here(scope).await;
                Ok(Reply::Scope(scope, Vec::new()))
            }
            SubmitAnswer::Done { epoch: Some(epoch), .. } => {
                Ok(Reply::Removed { epoch, remaining: Vec::new() })
            }
            SubmitAnswer::Done { .. } | SubmitAnswer::Posted { .. } => Ok(Reply::Done),
            SubmitAnswer::Refused { code, detail, .. } => {
                let code = RejectCode::from_code(code).unwrap_or(RejectCode::Invalid);
                Err(Reject::new(code, detail).into())
            }
        }
    }

    async fn ask_owner(
        &self,
        owner: crate::ids::WorkspaceId,
        act: Blob,
        patience: Instant,
    ) -> Result<SubmitAnswer, AskError> {
        let (mut view, mut tries) = (self.handle.watch(), 0);
        loop {
            let fed = |view: &Snapshot| view.state.peers.get(&owner).and_then(|row| row.inbound);
            let seen = fed(&view.now());
            let linked = self.handle.links().borrow().get(&owner).is_some_and(|link| link.up.is_some());
            let answer = match self.handle.ask_peer(owner, act.clone()).await {
                // The link was replaced by another one: the owner carries an act out once (spec 7.6).
                Err(AskError::Unreachable(_)) if linked && tries < TRIES && Instant::now() < patience => {
                    tries += 1;
                    self.linked(owner).await;
                    continue;
                }
                answer => answer?,
            };
            let checks =
                matches!(answer, SubmitAnswer::Refused { code, .. } if code == RejectCode::Checking.code());
            if !checks || Instant::now() >= patience {
                return Ok(answer);
            }
            // Once it has compared with us it begins a new feed; that it waits for others no longer shows nowhere here.
            let compared = view.wait_for(|now| fed(now) != seen);
            drop(tokio::time::timeout_at(patience.min(Instant::now() + AGAIN), compared).await);
        }
    }

    /// Waits until the owner is connected; not for long.
    async fn linked(&self, owner: crate::ids::WorkspaceId) {
        let mut links = self.handle.links();
        let up = links.wait_for(|links| links.get(&owner).is_some_and(|link| link.up.is_some()));
        if tokio::time::timeout(HERE, up).await.is_err() {
            tracing::debug!(%owner, "not connected yet");
        }
    }

    /// Waits until a scope that its owner just made is known here; not for long.
    async fn here(&self, scope: ScopeId) {
        let mut view = self.handle.watch();
        let seen = view.wait_for(|snapshot| gate::sees_scope(&snapshot.state, self.user, scope));
        if tokio::time::timeout(HERE, seen).await.is_err() {
            tracing::debug!(%scope, "not here yet");
        }
    }
}

/// A JSON body, with an error that names the field.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes = bytes::Bytes::from_request(request, api)
            .await
            .map_err(|error| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", error.body_text()))?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| Problem::invalid(format!("the body: {error}")))
    }
}

/// Query parameters, with an error that names the parameter.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, api).await;
        query.map(|query| Self(query.0)).map_err(|error| Problem::invalid(error.body_text()))
    }
}
