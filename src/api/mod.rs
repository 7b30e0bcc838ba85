//! The HTTP/JSON API, version 1, under `/api/v1`.
//!
//! Duty: requests to commands, views to JSON, refusals to problem documents (RFC 9457). Never: a rule, a read past the
//! gate. A later version gets its own prefix; within a version fields are only added.

mod audit;
mod check;
mod events;
mod evidence;
mod invitations;
mod messages;
mod moves;
mod peers;
mod previews;
mod problem;
mod removals;
mod scopes;
mod threads;
mod viewer;
mod workspace;

use std::net::SocketAddr;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::Method,
    routing::{MethodFilter, on},
};

use crate::{limits, node::Handle};

/// What every request needs.
#[derive(Clone, Debug)]
struct Api {
    handle: Handle,
}

/// Serves until the node stops. Returns the address in use.
///
/// # Errors
/// The address cannot be bound.
pub async fn start(handle: &Handle, listen: SocketAddr) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let app = router(Api { handle: handle.clone() });
    let stop = handle.tasks().stop_signal().clone();
    handle.tasks().at_start(async move {
        let served = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the API ended");
        }
    });
    Ok(address)
}

fn router(api: Api) -> Router {
    Router::new()
        .nest("/api/v1", routes())
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .with_state(api)
}

/// One line per endpoint: the lines that register the handlers are the lines that [`endpoints`] lists, so nothing is
/// served that the tests of every door do not know of.
macro_rules! endpoints {
    ($($method:ident $path:literal $handler:path,)+) => {
        fn routes() -> Router<Api> {
            Router::new()$(.route($path, on(MethodFilter::$method, $handler)))+
        }

        /// Every endpoint: its method, and its path below `/api/v1`.
        #[must_use]
        pub fn endpoints() -> Vec<(Method, &'static str)> {
            vec![$((Method::$method, $path)),+]
        }
    };
}

endpoints! {
    GET "/health" check::health,
    GET "/me" workspace::me,
    DELETE "/me/token" workspace::revoke_token,
    GET "/workspace" workspace::show,
    POST "/workspace/rotate" workspace::rotate,
    POST "/workspace/journal/confirm" check::confirm,
    GET "/users" workspace::users,
    POST "/users" workspace::add_user,
    PATCH "/users/{user}" workspace::change_user,
    DELETE "/users/{user}" workspace::remove_user,
    GET "/users/{user}/departure" previews::departure,
    DELETE "/users/{user}/memberships/{scope}" workspace::withdraw,
    POST "/users/{user}/tokens" workspace::add_token,
    DELETE "/users/{user}/tokens" workspace::revoke_tokens,
    GET "/audit" audit::list,
    GET "/audit/export" audit::export,
    GET "/evidence" evidence::list,
    GET "/evidence/{id}" evidence::one,

    GET "/peers" peers::list,
    POST "/peers" peers::redeem,
    POST "/peers/tickets" peers::ticket,
    DELETE "/peers/{peer}" peers::end,
    GET "/peers/{peer}/end" previews::end,
    PATCH "/peers/{peer}" peers::change,
    POST "/peers/{peer}/approve" peers::approve,
    POST "/peers/{peer}/pause" peers::pause,

    GET "/invitations" invitations::list,
    DELETE "/invitations/{id}" invitations::revoke,
    POST "/invitations/{id}/accept" invitations::accept,
    POST "/invitations/{id}/decline" invitations::decline,

    GET "/groups" scopes::groups,
    POST "/groups" scopes::create_group,
    GET "/groups/{id}" scopes::show,
    PATCH "/groups/{id}" scopes::change,
    DELETE "/groups/{id}" scopes::end,
    GET "/groups/{id}/members" scopes::members,
    POST "/groups/{id}/members" scopes::add_member,
    DELETE "/groups/{id}/members/{user}" removals::remove,
    PATCH "/groups/{id}/members/{user}" scopes::grade,
    POST "/groups/{id}/leave" scopes::leave,
    GET "/groups/{id}/tightening" previews::tightening,
    GET "/groups/{id}/move" moves::preview,
    POST "/groups/{id}/move" moves::offer,
    GET "/moves" moves::list,
    POST "/moves/{id}/accept" moves::accept,
    DELETE "/moves/{id}" moves::end,
    GET "/groups/{id}/handover" moves::request,
    POST "/handovers" moves::hand_over,
    GET "/removals" removals::list,
    GET "/removals/{scope}/{epoch}" removals::show,

    GET "/threads" threads::inbox,
    POST "/threads" threads::start,
    POST "/dms" threads::dm,
    GET "/threads/{id}" scopes::show,
    PATCH "/threads/{id}" scopes::change,
    DELETE "/threads/{id}" scopes::end,
    GET "/threads/{id}/members" scopes::members,
    POST "/threads/{id}/members" scopes::add_member,
    DELETE "/threads/{id}/members/{user}" removals::remove,
    PATCH "/threads/{id}/members/{user}" scopes::grade,
    POST "/threads/{id}/leave" scopes::leave,
    POST "/threads/{id}/groups" threads::add_group,
    DELETE "/threads/{id}/groups/{group}" threads::remove_group,
    GET "/threads/{id}/why" threads::why,
    POST "/threads/{id}/typing" threads::typing,
    POST "/threads/{id}/read" threads::read,

    GET "/threads/{id}/messages" messages::list,
    POST "/threads/{id}/messages" messages::post,
    GET "/threads/{id}/messages/{seq}" messages::one,
    PATCH "/threads/{id}/messages/{seq}" messages::edit,
    DELETE "/threads/{id}/messages/{seq}" messages::delete,
    POST "/threads/{id}/messages/{seq}/reactions" messages::react,
    DELETE "/threads/{id}/messages/{seq}/reactions" messages::unreact,
    GET "/pending" messages::pending,
    DELETE "/pending/{submission}" messages::forget,
    GET "/events" events::stream,
}
