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
mod invitations;
mod join;
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
    start_behind(handle, realm, listen, Vec::new()).await
}

/// The same behind reverse proxies, whose word on whose a request is counts.
///
/// # Errors
/// As [`start`].
pub async fn start_behind(
    handle: &Handle,
    realm: Option<&Handle>,
    listen: SocketAddr,
    proxies: Vec<IpAddr>,
) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let (gatekeeper, rate) = (sign_in::Gatekeeper::new(), Arc::new(Rate::behind(proxies)));
    let api = Api { handle: handle.clone(), realm: realm.cloned(), gatekeeper, rate };
    let app = router(api).into_make_service_with_connect_info::<SocketAddr>();
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
    GET "/health" Anyone check::health,
    GET "/me" Signed workspace::me,
    DELETE "/me/token" Signed sessions::end_this,
    POST "/me/password" Signed sessions::set_password,
    POST "/me/code" Signed sessions::ask_code,
    POST "/me/code/show" Signed sessions::show_code,
    POST "/forgotten" Anyone sessions::forgot,
    POST "/sessions" Anyone sessions::sign_in,
    GET "/sessions" Signed sessions::list,
    DELETE "/sessions" Signed sessions::end_others,
    DELETE "/sessions/{id}" Signed sessions::end,
    GET "/join/{code}" Anyone join::show,
    POST "/join/{code}/password" Anyone sessions::use_link,
    POST "/join/{code}/account" Anyone join::free_account,
    GET "/claims" Signed join::claims,
    POST "/claims" Signed join::claim,
    GET "/claims/peerings" Admin join::wanted_peerings,
    POST "/claims/{id}/peering" Admin join::want_peering,
    GET "/workspace" Signed workspace::show,
    POST "/workspace/rotate" Admin workspace::rotate,
    POST "/workspace/journal/confirm" Admin check::confirm,
    GET "/users" Member workspace::users,
    POST "/users" Admin workspace::add_user,
    PATCH "/users/{user}" Signed workspace::change_user,
    DELETE "/users/{user}" Admin workspace::remove_user,
    GET "/users/{user}/departure" Admin previews::departure,
    DELETE "/users/{user}/memberships/{scope}" Admin workspace::withdraw,
    POST "/users/{user}/tokens" Signed sessions::add_token,
    DELETE "/users/{user}/tokens" Signed sessions::revoke_tokens,
    POST "/users/{user}/link" Admin sessions::password_link,
    GET "/audit" Admin audit::list,
    GET "/audit/export" Admin audit::export,
    GET "/evidence" Admin evidence::list,
    GET "/evidence/{id}" Admin evidence::one,

    GET "/mail" Admin mail::list,
    POST "/mail/test" Admin mail::test,
    POST "/mail/{number}/retry" Admin mail::retry,
    DELETE "/mail/{number}" Admin mail::discard,

    GET "/peers" Admin peers::list,
    POST "/peers" Admin peers::redeem,
    POST "/peers/tickets" Admin peers::ticket,
    DELETE "/peers/{peer}" Admin peers::end,
    GET "/peers/{peer}/end" Admin previews::end,
    PATCH "/peers/{peer}" Admin policies::set_peer,
    POST "/peers/{peer}/approve" Admin peers::approve,
    POST "/peers/{peer}/pause" Admin peers::pause,

    GET "/workspace/policy" Member policies::workspace,
    PATCH "/workspace/policy" Admin policies::set_workspace,
    GET "/workspace/policy/tightening" Admin policies::workspace_tightening,
    GET "/peers/{peer}/policy" Admin policies::peer,
    GET "/peers/{peer}/tightening" Admin policies::peer_tightening,
    GET "/groups/{id}/policy" Member policies::group,
    PATCH "/groups/{id}/policy" Member policies::set_group,
    GET "/groups/{id}/policy/tightening" Member policies::group_tightening,

    GET "/invitations/approvals" Admin conduct::approvals,
    POST "/invitations/{id}/approve" Admin conduct::let_through,
    POST "/invitations/{id}/refuse" Admin conduct::refuse,
    GET "/requests" Signed conduct::requests,
    GET "/threads/{id}/requests" Signed conduct::in_thread,
    POST "/threads/{id}/requests" Member conduct::ask,
    POST "/threads/{id}/requests/{request}/approve" Member conduct::approve,
    POST "/threads/{id}/requests/{request}/decline" Member conduct::decline,
    GET "/blocks" Signed conduct::blocks,
    POST "/blocks" Signed conduct::block,
    DELETE "/blocks" Signed conduct::unblock,

    GET "/invitations" Signed invitations::list,
    GET "/invitations/sent" Signed invitations::sent,
    DELETE "/invitations/{id}" Signed invitations::revoke,
    POST "/invitations/{id}/resend" Signed invitations::resend,
    POST "/invitations/{id}/claim" Signed invitations::decide,
    POST "/invitations/{id}/accept" Signed invitations::accept,
    POST "/invitations/{id}/decline" Signed invitations::decline,

    GET "/groups" Signed scopes::groups,
    POST "/groups" Member scopes::create_group,
    GET "/groups/{id}" Signed scopes::show,
    PATCH "/groups/{id}" Signed scopes::change,
    DELETE "/groups/{id}" Signed scopes::end,
    GET "/groups/{id}/members" Signed scopes::members,
    POST "/groups/{id}/members" Member scopes::add_member,
    DELETE "/groups/{id}/members/{user}" Signed removals::remove,
    PATCH "/groups/{id}/members/{user}" Signed scopes::grade,
    POST "/groups/{id}/leave" Signed scopes::leave,
    GET "/groups/{id}/tightening" Member previews::tightening,
    GET "/groups/{id}/move" Member moves::preview,
    POST "/groups/{id}/move" Member moves::offer,
    GET "/moves" Member moves::list,
    POST "/moves/{id}/accept" Admin moves::accept,
    DELETE "/moves/{id}" Admin moves::end,
    GET "/groups/{id}/handover" Admin moves::request,
    POST "/handovers" Admin moves::hand_over,
    GET "/removals" Signed removals::list,
    GET "/removals/{scope}/{epoch}" Signed removals::show,

    GET "/contacts" Signed people::contacts,
    GET "/search" Signed search::search,
    GET "/directory" Member people::directory,
    POST "/groups/{id}/join" Member people::join,
    POST "/threads/{id}/follow" Signed threads::follow,
    DELETE "/threads/{id}/follow" Signed threads::unfollow,
    POST "/threads/{id}/archive" Signed threads::archive,
    DELETE "/threads/{id}/archive" Signed threads::unarchive,

    GET "/threads" Signed threads::inbox,
    POST "/threads" Signed threads::start,
    POST "/dms" Signed threads::dm,
    GET "/threads/{id}" Signed scopes::show,
    PATCH "/threads/{id}" Signed scopes::change,
    DELETE "/threads/{id}" Signed scopes::end,
    GET "/threads/{id}/members" Signed scopes::members,
    POST "/threads/{id}/members" Member scopes::add_member,
    DELETE "/threads/{id}/members/{user}" Signed removals::remove,
    PATCH "/threads/{id}/members/{user}" Signed scopes::grade,
    POST "/threads/{id}/leave" Signed scopes::leave,
    POST "/threads/{id}/groups" Signed threads::add_group,
    DELETE "/threads/{id}/groups/{group}" Signed threads::remove_group,
    GET "/threads/{id}/why" Signed threads::why,
    POST "/threads/{id}/typing" Signed threads::typing,
    POST "/threads/{id}/read" Signed threads::read,

    GET "/threads/{id}/messages" Signed messages::list,
    POST "/threads/{id}/messages" Signed messages::post,
    GET "/threads/{id}/messages/{seq}" Signed messages::one,
    PATCH "/threads/{id}/messages/{seq}" Signed messages::edit,
    DELETE "/threads/{id}/messages/{seq}" Signed messages::delete,
    POST "/threads/{id}/messages/{seq}/reactions" Signed messages::react,
    DELETE "/threads/{id}/messages/{seq}/reactions" Signed messages::unreact,
    GET "/pending" Signed messages::pending,
    DELETE "/pending/{submission}" Signed messages::forget,
    GET "/events" Signed events::stream,
}
