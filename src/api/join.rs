//! Links of invitations (P2.3, P1.5): what one is for, a free account, and a claim with an account that somebody has.
//!
//! Duty: a link is only ever used by a request that says so and by somebody with an account. Never: using one by showing
//! it (mail scanners follow links), asking another node.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Api,
    answer::{Created, Underway},
    path::Path,
    problem::Problem,
    sessions::agent,
    viewer::{Body, HERE, Viewer},
};
use crate::{
    crypto::Secret,
    ids::{Hash, UserId, WorkspaceId},
    limits,
    node::{Handle, clock},
    protocol::{
        Command, Reply, account,
        address::Address,
        claim::{self, Code},
        command::RejectCode,
        people,
        row::{Claim, ClaimStatus, LinkStatus, Purpose},
    },
    time::Millis,
    view::invitations::{self, ClaimView, LinkView},
};

/// What a link is for, and how to use it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "for")]
pub(super) enum Shown {
    /// A first or next password: `POST` it to `/join/{code}/password`.
    Password {
        /// Of which account.
        address: String,
        /// When it stops working.
        expires: Millis,
        /// For who has a free account and takes it along: `POST /claims` with this, signed in with it, first.
        code: String,
    },
    /// A mailed code that shows that an address is somebody's: sign in, then `POST /me/code/show`.
    Verify {
        /// Of which account.
        address: String,
        /// When it stops working.
        expires: Millis,
    },
    /// An invitation.
    Invitation {
        /// Into what, by whom.
        #[serde(flatten)]
        invitation: Box<LinkView>,
        /// Whether somebody without an account elsewhere may make a free one here.
        free_account: bool,
        /// What to give to one's own node instead: `POST /claims` there, signed in.
        code: String,
    },
}

/// Shows, and changes nothing.
pub(super) async fn show(State(api): State<Api>, Path(code): Path<String>) -> Result<Json<Shown>, Problem> {
    let hash = account::link_hash(&code);
    let handle = api.holder_of(hash);
    let (snapshot, now) = (handle.snapshot(), handle.now());
    let state = &snapshot.state;
    let link = state.links_out.get(&hash).filter(|link| link.status == LinkStatus::Open);
    let address = |user: UserId| people::address_of(state, user).unwrap_or_default();
    let shown = match link.map(|link| link.purpose) {
        Some(Purpose::Password(user)) => {
            let link = account::link(state, hash, now)?;
            Shown::Password {
                address: address(user),
                expires: link.expires,
                code: invitations::code(state, &code),
            }
        }
        Some(Purpose::Verify(user)) => {
            let link = account::link(state, hash, now)?;
            Shown::Verify { address: address(user), expires: link.expires }
        }
        _ => {
            let (link, sent) = claim::invitation(state, hash, now)?;
            let invitation = invitations::link(state, &sent, link.expires).ok_or_else(Problem::not_found)?;
            let free_account = api.realm.is_some() && invitation.home.is_none();
            let (invitation, code) = (Box::new(invitation), invitations::code(state, &code));
            Shown::Invitation { invitation, free_account, code }
        }
    };
    std::future::ready(Ok(Json(shown))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FreeAccount {
    /// The display name.
    name: String,
    password: String,
    /// The person's own e-mail, if it is another one than was invited.
    address: Option<String>,
}

/// A free account, and what became of the invitation.
#[derive(Serialize, JsonSchema)]
pub(super) struct Joined {
    user: UserId,
    token: String,
    expires: Millis,
    /// Whether the address was shown to be the person's.
    verified: bool,
    claim: ClaimStatus,
}

/// Somebody without an account makes a free one, and accepts with it.
pub(super) async fn free_account(
    State(api): State<Api>,
    Path(code): Path<String>,
    headers: HeaderMap,
    Body(given): Body<FreeAccount>,
) -> Result<Created<Joined>, Problem> {
    let hash = account::link_hash(&code);
    let realm = api.realm.as_ref().ok_or_else(no_realm)?;
    let (link, sent) = claim::invitation(&api.handle.snapshot().state, hash, api.handle.now())?;
    let address = Address::parse(given.address.as_deref().unwrap_or(&sent.address))?;
    refuse_member_address(&api.handle, &address)?;
    let password = api.gatekeeper.hash(Secret::new(given.password)).await?;
    let token = clock::token().map_err(|error| Problem::no_random(&error))?;
    let verified =
        link.mailed.is_some_and(|mailed| Address::parse(&mailed).is_ok_and(|mailed| mailed == address));
    let session = (account::token_hash(&token), agent(&headers));
    let free = people::Free { address, name: given.name, verified, password, session };
    let Reply::User(user) = realm.ask(Command::AddFree(free)).await? else {
        return Err(Problem::not_found());
    };
    let code = Code { owner: api.handle.me(), endpoints: Vec::new(), link: hash };
    realm.ask(Command::Claim(user, code)).await?;
    let claim = settled(realm, Claim::id_of(api.handle.me(), hash)).await;
    let expires = realm.now().plus(limits::SESSION_MILLIS);
    Ok(Created(Joined { user, token, expires, verified, claim }))
}

fn no_realm() -> Problem {
    let detail = "this node makes no free accounts: accept with an account of your own workspace";
    Problem::new(StatusCode::CONFLICT, RejectCode::Closed.name(), detail)
}

/// Whoever has an address of a workspace that is known here has an account there, or none (P1.2).
fn refuse_member_address(host: &Handle, address: &Address) -> Result<(), Problem> {
    let state = &host.snapshot().state;
    let Some(home) = invitations::home_of(state, address.domain()) else { return Ok(()) };
    let name = crate::view::people::home(state, home).name;
    let detail = format!("this is an address of {name}: sign in there, and accept with that account");
    Err(Problem::new(StatusCode::CONFLICT, RejectCode::Conflict.name(), detail))
}

/// Waits a little for the owner's answer to a claim.
async fn settled(home: &Handle, id: Hash) -> ClaimStatus {
    let status = |state: &crate::protocol::State| state.claims.get(&id).map(|claim| claim.status);
    let mut view = home.watch();
    let answered = view.wait_for(|now| status(&now.state) != Some(ClaimStatus::Told));
    drop(tokio::time::timeout(HERE, answered).await);
    status(&home.snapshot().state).unwrap_or(ClaimStatus::Told)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewClaim {
    /// The code that the inviting node shows, or the link if that is this node.
    code: String,
}

/// A claim that was made.
#[derive(Serialize, JsonSchema)]
pub(super) struct Claimed {
    id: Hash,
    workspace: WorkspaceId,
    status: ClaimStatus,
}

/// Somebody with an account accepts an invitation by e-mail with it: the inviting node hears of it over the peering.
pub(super) async fn claim(
    State(api): State<Api>,
    viewer: Viewer,
    Body(given): Body<NewClaim>,
) -> Result<Created<Claimed>, Problem> {
    let code = invitations::parse_code(&given.code).or_else(|| own_link(&api, &given.code)).ok_or_else(|| {
        Problem::invalid(
            "code: paste the whole line that begins with comity-invitation/1; the page of the invitation shows it",
        )
    })?;
    let (workspace, claim) = (code.owner, Claim::id_of(code.owner, code.link));
    viewer.ask(Command::Claim(viewer.user, code)).await?;
    let status = settled(&viewer.handle, claim).await;
    Ok(Created(Claimed { id: claim, workspace, status }))
}

/// The link itself, pasted where it was made.
fn own_link(api: &Api, text: &str) -> Option<Code> {
    let secret = text.trim().rsplit('/').next()?;
    let link = account::link_hash(secret);
    let known = api.handle.snapshot().state.links_out.contains_key(&link);
    known.then(|| Code { owner: api.handle.me(), endpoints: Vec::new(), link })
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Claims {
    claims: Vec<ClaimView>,
}

pub(super) async fn claims(viewer: Viewer) -> Json<Claims> {
    let claims = invitations::claims(&viewer.snapshot().state, Some(viewer.user));
    std::future::ready(Json(Claims { claims })).await
}

/// For admins: claims by the own people that wait for a peering.
pub(super) async fn wanted_peerings(State(api): State<Api>, _admin: Viewer) -> Json<Claims> {
    let waiting = api.doors().flat_map(|handle| invitations::claims(&handle.snapshot().state, None));
    std::future::ready(Json(Claims { claims: waiting.collect() })).await
}

/// The admin wants the peering, of the workspace or of its realm; the other side's admin decides as well.
pub(super) async fn want_peering(
    State(api): State<Api>,
    viewer: Viewer,
    Path(claim): Path<Hash>,
) -> Result<Underway, Problem> {
    let holds = |handle: &&Handle| handle.snapshot().state.claims.contains_key(&claim);
    match api.realm.as_ref().filter(holds) {
        Some(realm) => drop(realm.ask(Command::WantPeering(claim)).await?),
        None => drop(viewer.ask(Command::WantPeering(claim)).await?),
    }
    Ok(Underway)
}
