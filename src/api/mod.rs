//! The HTTP/JSON API, version 1, under `/api/v1`.
//!
//! Duty: requests to commands, views to JSON, refusals to problem documents (RFC 9457). Never: a rule, a read past the
//! gate. A later version gets its own prefix; within a version fields are only added.
//!
//! A new endpoint is a line in the table below and a handler with typed arguments and a typed answer; `/api/openapi.json`
//! follows from them. It takes `Viewer`, `Path<T>` (an id or a tuple), `Query<T>`, `Body<T>`, and returns, mostly in a
//! `Result<_, Problem>`, `Json<T>` (200), `Created<T>` (201), `Accepted<T>` or `Underway` (202), `NoContent` (204) or
//! `Either` of them. `T` derives `JsonSchema` beside serde's trait. What is not described does not compile.
//!
//! Why this and not utoipa: there a path, its statuses and its bodies are written once more above each handler, and may
//! differ from what is served. schemars gives the schemas of OpenAPI 3.1 from what serde sees; `described` has the rest.

mod access;
mod answer;
mod audit;
mod check;
mod conduct;
mod described;
mod document;
mod events;
mod evidence;
mod externals;
mod invitations;
mod join;
mod keys;
mod mail;
mod messages;
mod moves;
mod path;
mod peers;
mod people;
mod policies;
mod previews;
mod problem;
mod rate;
mod removals;
mod scopes;
mod search;
mod sessions;
mod sign_in;
mod threads;
mod viewer;
mod workspace;

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    http::Method,
    middleware::from_fn_with_state,
    routing::{MethodFilter, get, on},
};

use crate::{ids::Hash, limits, node::Handle};
use rate::{Endpoint, Rate};

pub use access::Access;

/// What every request needs.
#[derive(Clone, Debug)]
struct Api {
    handle: Handle,
    /// The realm of free accounts that this node hosts.
    realm: Option<Handle>,
    gatekeeper: sign_in::Gatekeeper,
    rate: Arc<Rate>,
}

impl Api {
    /// The homes whose people use this API.
    fn doors(&self) -> impl Iterator<Item = &Handle> {
        std::iter::once(&self.handle).chain(&self.realm)
    }

    /// The home that gave out a link; the own workspace if none did, so that all answer alike.
    fn holder_of(&self, link: Hash) -> &Handle {
        let gave = |handle: &&Handle| handle.snapshot().state.links_out.contains_key(&link);
        self.doors().find(gave).unwrap_or(&self.handle)
    }
}

/// Serves until the node stops. Returns the address in use.
///
/// # Errors
/// The address cannot be bound.
pub async fn start(
    handle: &Handle,
    realm: Option<&Handle>,
    listen: SocketAddr,
) -> std::io::Result<SocketAddr> {
    start_with(handle, realm, listen, Vec::new(), |api| api).await
}

/// The same behind reverse proxies, whose word on whose a request is counts, and with more around it: pages that ask it.
///
/// # Errors
/// As [`start`].
pub async fn start_with(
    handle: &Handle,
    realm: Option<&Handle>,
    listen: SocketAddr,
    proxies: Vec<IpAddr>,
    around: impl FnOnce(Router) -> Router,
) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let (gatekeeper, rate) = (sign_in::Gatekeeper::new(), Arc::new(Rate::behind(proxies)));
    let api = Api { handle: handle.clone(), realm: realm.cloned(), gatekeeper, rate };
    let app = around(router(api)).into_make_service_with_connect_info::<SocketAddr>();
    let stop = handle.tasks().stop_signal().clone();
    handle.tasks().at_start(async move {
        let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the API ended");
        }
    });
    Ok(address)
}

/// The API as an OpenAPI 3.1 document: every endpoint, with the types of its handler.
#[must_use]
pub fn document() -> serde_json::Value {
    let mut document = document::Document::new();
    describe(&mut document);
    document.finish()
}

fn router(api: Api) -> Router {
    Router::new()
        .nest("/api/v1", routes(&api))
        .route("/api/openapi.json", get(document::serve))
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .with_state(api)
}

/// One line per endpoint, with who may call it at all: the lines that register the handlers are the lines that
/// [`endpoints`] lists, so nothing is served that the tests of every door do not know of.
macro_rules! endpoints {
    ($($(#[doc = $about:literal])* $method:ident $path:literal $access:ident $handler:path,)+) => {
        fn routes(api: &Api) -> Router<Api> {
            Router::new()$(.route(
                $path,
                on(MethodFilter::$method, $handler)
                    .layer::<_, Infallible>(from_fn_with_state(api.clone(), rate::by_address))
                    .layer::<_, Infallible>(Extension(Endpoint($path)))
                    .layer(Extension(Access::$access)),
            ))+
        }

        /// Every endpoint: its method, its path below `/api/v1`, and who may call it at all.
        #[must_use]
        pub fn endpoints() -> Vec<(Method, &'static str, Access)> {
            vec![$((Method::$method, $path, Access::$access)),+]
        }

        fn describe(document: &mut document::Document) {
            $(document.add(Method::$method, $path, Access::$access, &[$($about),*], &$handler);)+
        }
    };
}

endpoints! {
    /// Whether the node answers, and where it is.
    GET "/health" Anyone check::health,
    /// The own account.
    GET "/me" Signed workspace::me,
    /// Signs out: the token of this request ends.
    DELETE "/me/token" Signed sessions::end_this,
    /// Of what the viewer wants to be told.
    GET "/me/notifications" Signed workspace::notifications,
    /// Changes of what the viewer wants to be told.
    PATCH "/me/notifications" Signed workspace::notify,
    /// Sets or changes the own password.
    POST "/me/password" Signed sessions::set_password,
    /// Mails a code that shows the own address.
    POST "/me/code" Signed sessions::ask_code,
    /// Shows the mailed code.
    POST "/me/code/show" Signed sessions::show_code,
    /// Mails a link for a new password; one answer for every address.
    POST "/forgotten" Anyone sessions::forgot,
    /// Signs in with address and password.
    POST "/sessions" Anyone sessions::sign_in,
    /// Trades the shown token, which ends, for a session.
    POST "/sessions/trade" Signed sessions::trade,
    /// The own sessions and tokens.
    GET "/sessions" Signed sessions::list,
    /// Ends all own sessions but this one.
    DELETE "/sessions" Signed sessions::end_others,
    /// Ends one own session or token.
    DELETE "/sessions/{id}" Signed sessions::end,
    /// What a link is for; uses nothing up.
    GET "/join/{code}" Anyone join::show,
    /// Uses a link for a password, and signs in.
    POST "/join/{code}/password" Anyone sessions::use_link,
    /// Makes a free account, and accepts the link's invitation with it.
    POST "/join/{code}/account" Anyone join::free_account,
    /// The own claims to invitations by e-mail.
    GET "/claims" Signed join::claims,
    /// Claims an invitation by e-mail with this account.
    POST "/claims" Signed join::claim,
    /// Claims of the own people that wait for a peering.
    GET "/claims/peerings" Admin join::wanted_peerings,
    /// Asks for the peering that a claim waits for.
    POST "/claims/{id}/peering" Admin join::want_peering,
    /// This workspace.
    GET "/workspace" Signed workspace::show,
    /// The keys by which this workspace speaks.
    GET "/workspace/keys" Admin keys::list,
    /// Replaces a key of the running node.
    POST "/workspace/rotate" Admin keys::rotate,
    /// Confirms that the journal may begin anew.
    POST "/workspace/journal/confirm" Admin check::confirm,
    /// The workspace's members, page by page.
    GET "/users" Member workspace::users,
    /// Adds a member.
    POST "/users" Admin workspace::add_user,
    /// One of the workspace's members.
    GET "/users/{user}" Member workspace::user,
    /// Changes a name, a title or a standing.
    PATCH "/users/{user}" Signed workspace::change_user,
    /// Removes a member for good.
    DELETE "/users/{user}" Admin workspace::remove_user,
    /// What the suspension or removal of a member would end.
    GET "/users/{user}/departure" Admin previews::departure,
    /// Takes one of the own people out of a group or thread of another workspace.
    DELETE "/users/{user}/memberships/{scope}" Admin workspace::withdraw,
    /// The sessions and tokens of a user.
    GET "/users/{user}/tokens" Signed sessions::of_user,
    /// Makes an API token, which is shown once.
    POST "/users/{user}/tokens" Signed sessions::add_token,
    /// Ends every session and token of a user.
    DELETE "/users/{user}/tokens" Signed sessions::revoke_tokens,
    /// Ends one session or token of a user.
    DELETE "/users/{user}/tokens/{id}" Signed sessions::revoke_token,
    /// Makes a link for somebody's password.
    POST "/users/{user}/link" Admin sessions::password_link,
    /// People of other workspaces in groups and threads of this one.
    GET "/externals" Admin externals::list,
    /// Groups and threads of other workspaces with people of this one.
    GET "/abroad" Admin externals::abroad,
    /// The free accounts that this node hosts.
    GET "/accounts" Admin externals::accounts,
    /// What the removal of a free account would end.
    GET "/accounts/{user}/departure" Admin externals::departure,
    /// Removes a free account for good.
    DELETE "/accounts/{user}" Admin externals::remove,
    /// The audit log, newest first.
    GET "/audit" Admin audit::list,
    /// The audit log as a file that anybody can check.
    GET "/audit/export" Admin audit::export,
    /// Evidence against owners that contradicted themselves.
    GET "/evidence" Admin evidence::list,
    /// One piece of evidence as a file that anybody can check.
    GET "/evidence/{id}" Admin evidence::one,

    /// Outgoing mail and how it leaves.
    GET "/mail" Admin mail::list,
    /// Sends a trial letter.
    POST "/mail/test" Admin mail::test,
    /// Tries a letter again now.
    POST "/mail/{number}/retry" Admin mail::retry,
    /// Discards a letter.
    DELETE "/mail/{number}" Admin mail::discard,

    /// The peers, and who says to be one.
    GET "/peers" Admin peers::list,
    /// Redeems a ticket of another workspace.
    POST "/peers" Admin peers::redeem,
    /// Makes a ticket for another workspace.
    POST "/peers/tickets" Admin peers::ticket,
    /// Ends a peering, and every membership through it.
    DELETE "/peers/{peer}" Admin peers::end,
    /// What the end of a peering would end.
    GET "/peers/{peer}/end" Admin previews::end,
    /// Changes what is allowed with a peer.
    PATCH "/peers/{peer}" Admin policies::set_peer,
    /// Approves a waiting peer, or resumes a paused one.
    POST "/peers/{peer}/approve" Admin peers::approve,
    /// Pauses a peering.
    POST "/peers/{peer}/pause" Admin peers::pause,
    /// Tries to connect to a peer now.
    POST "/peers/{peer}/dial" Admin peers::dial,

    /// The workspace's policy.
    GET "/workspace/policy" Member policies::workspace,
    /// Changes the workspace's policy.
    PATCH "/workspace/policy" Admin policies::set_workspace,
    /// Whom a change of the policy would cut.
    GET "/workspace/policy/tightening" Admin policies::workspace_tightening,
    /// What is allowed with a peer.
    GET "/peers/{peer}/policy" Admin policies::peer,
    /// Whom a change of it would cut.
    GET "/peers/{peer}/tightening" Admin policies::peer_tightening,
    /// A group's policy.
    GET "/groups/{id}/policy" Member policies::group,
    /// Changes a group's policy.
    PATCH "/groups/{id}/policy" Member policies::set_group,
    /// Whom a change of it would cut.
    GET "/groups/{id}/policy/tightening" Member policies::group_tightening,

    /// Invitations that wait for an admin.
    GET "/invitations/approvals" Admin conduct::approvals,
    /// Lets an invitation through.
    POST "/invitations/{id}/approve" Admin conduct::let_through,
    /// Refuses an invitation.
    POST "/invitations/{id}/refuse" Admin conduct::refuse,
    /// The own requests, with what became of them.
    GET "/requests" Signed conduct::requests,
    /// The requests on a locked thread.
    GET "/threads/{id}/requests" Signed conduct::in_thread,
    /// Asks that somebody is added to a locked thread.
    POST "/threads/{id}/requests" Member conduct::ask,
    /// Approves a request.
    POST "/threads/{id}/requests/{request}/approve" Member conduct::approve,
    /// Declines a request.
    POST "/threads/{id}/requests/{request}/decline" Member conduct::decline,
    /// Whom the viewer blocks.
    GET "/blocks" Signed conduct::blocks,
    /// Blocks somebody.
    POST "/blocks" Signed conduct::block,
    /// Blocks somebody no more.
    DELETE "/blocks" Signed conduct::unblock,

    /// Invitations to the viewer.
    GET "/invitations" Signed invitations::list,
    /// Invitations that the viewer sent or administers.
    GET "/invitations/sent" Signed invitations::sent,
    /// Takes an invitation back.
    DELETE "/invitations/{id}" Signed invitations::revoke,
    /// Sends an invitation again.
    POST "/invitations/{id}/resend" Signed invitations::resend,
    /// Decides a claim by another address than was invited.
    POST "/invitations/{id}/claim" Signed invitations::decide,
    /// Accepts an invitation.
    POST "/invitations/{id}/accept" Signed invitations::accept,
    /// Declines an invitation.
    POST "/invitations/{id}/decline" Signed invitations::decline,

    /// The groups that the viewer is in.
    GET "/groups" Signed scopes::groups,
    /// Makes a group.
    POST "/groups" Member scopes::create_group,
    /// A group.
    GET "/groups/{id}" Signed scopes::show,
    /// Changes a group's settings.
    PATCH "/groups/{id}" Signed scopes::change,
    /// Ends a group.
    DELETE "/groups/{id}" Signed scopes::end,
    /// A group's members, page by page or by name.
    GET "/groups/{id}/members" Signed scopes::members,
    /// Adds or invites somebody to a group.
    POST "/groups/{id}/members" Member scopes::add_member,
    /// What inviting an address to a group would do.
    GET "/groups/{id}/members/preview" Member scopes::foresee,
    /// Removes somebody from a group.
    DELETE "/groups/{id}/members/{user}" Signed removals::remove,
    /// Changes what a member may do.
    PATCH "/groups/{id}/members/{user}" Signed scopes::grade,
    /// Leaves a group.
    POST "/groups/{id}/leave" Signed scopes::leave,
    /// Whom an internal-only group would cut.
    GET "/groups/{id}/tightening" Member previews::tightening,
    /// What a move to another workspace would bring.
    GET "/groups/{id}/move" Member moves::preview,
    /// Offers a group to another workspace.
    POST "/groups/{id}/move" Member moves::offer,
    /// Offers of groups, from here and to here.
    GET "/moves" Member moves::list,
    /// Takes an offered group.
    POST "/moves/{id}/accept" Admin moves::accept,
    /// Takes an offer back, or declines it.
    DELETE "/moves/{id}" Member moves::end,
    /// What a dead owner's root key has to sign.
    GET "/groups/{id}/handover" Admin moves::request,
    /// Takes over what a dead owner's root key gave away.
    POST "/handovers" Admin moves::hand_over,
    /// Removals that other workspaces have to obey.
    GET "/removals" Signed removals::list,
    /// A removal, and how far it is in effect.
    GET "/removals/{scope}/{epoch}" Signed removals::show,

    /// Contacts by name.
    GET "/contacts" Signed people::contacts,
    /// The profile of a contact or colleague, with the facts of his badge.
    GET "/people/{user}" Signed people::profile,
    /// Search over what the viewer may read now.
    GET "/search" Signed search::search,
    /// The directory of groups.
    GET "/directory" Member people::directory,
    /// Joins an open group.
    POST "/groups/{id}/join" Member people::join,
    /// Follows a thread.
    POST "/threads/{id}/follow" Signed threads::follow,
    /// Follows a thread no more.
    DELETE "/threads/{id}/follow" Signed threads::unfollow,
    /// Archives a thread in the own inbox.
    POST "/threads/{id}/archive" Signed threads::archive,
    /// Brings a thread back to the own inbox.
    DELETE "/threads/{id}/archive" Signed threads::unarchive,

    /// How much waits for the viewer, and where live events stand.
    GET "/inbox" Signed threads::waiting,
    /// The inbox, newest first.
    GET "/threads" Signed threads::inbox,
    /// Starts a thread.
    POST "/threads" Signed threads::start,
    /// Opens the conversation of two, or finds it.
    POST "/dms" Signed threads::dm,
    /// A thread.
    GET "/threads/{id}" Signed scopes::show,
    /// Changes a thread's settings.
    PATCH "/threads/{id}" Signed scopes::change,
    /// Ends a thread.
    DELETE "/threads/{id}" Signed scopes::end,
    /// A thread's direct recipients, page by page or by name.
    GET "/threads/{id}/members" Signed scopes::members,
    /// Adds or invites somebody to a thread.
    POST "/threads/{id}/members" Member scopes::add_member,
    /// What inviting an address to a thread would do.
    GET "/threads/{id}/members/preview" Member scopes::foresee,
    /// Removes a direct recipient.
    DELETE "/threads/{id}/members/{user}" Signed removals::remove,
    /// Changes what a recipient may do.
    PATCH "/threads/{id}/members/{user}" Signed scopes::grade,
    /// Leaves a thread.
    POST "/threads/{id}/leave" Signed scopes::leave,
    /// Addresses a thread to one more group.
    POST "/threads/{id}/groups" Signed threads::add_group,
    /// Takes a group off a thread.
    DELETE "/threads/{id}/groups/{group}" Signed threads::remove_group,
    /// Why the viewer reaches a thread.
    GET "/threads/{id}/why" Signed threads::why,
    /// Says that the viewer is typing.
    POST "/threads/{id}/typing" Signed threads::typing,
    /// Marks a thread as read up to a message.
    POST "/threads/{id}/read" Signed threads::read,

    /// A thread's messages, newest page first.
    GET "/threads/{id}/messages" Signed messages::list,
    /// Writes a message.
    POST "/threads/{id}/messages" Signed messages::post,
    /// A message.
    GET "/threads/{id}/messages/{seq}" Signed messages::one,
    /// Edits an own message.
    PATCH "/threads/{id}/messages/{seq}" Signed messages::edit,
    /// Deletes a message.
    DELETE "/threads/{id}/messages/{seq}" Signed messages::delete,
    /// Reacts to a message.
    POST "/threads/{id}/messages/{seq}/reactions" Signed messages::react,
    /// Takes a reaction back.
    DELETE "/threads/{id}/messages/{seq}/reactions" Signed messages::unreact,
    /// Own messages that wait for their owners.
    GET "/pending" Signed messages::pending,
    /// Gives up a waiting message.
    DELETE "/pending/{submission}" Signed messages::forget,
    /// Live events (server-sent).
    GET "/events" Signed events::stream,
}
