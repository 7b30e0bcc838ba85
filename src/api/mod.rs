//! The HTTP/JSON API, version 1, under `/api/v1`.
//!
//! Duty: requests to commands, views to JSON, refusals to problem documents (RFC 9457). Never: a rule, a read past the
//! gate. A later version gets its own prefix; within a version fields are only added.

mod audit;
mod events;
mod invitations;
mod messages;
mod peers;
mod previews;
mod problem;
mod scopes;
mod threads;
mod viewer;
mod workspace;

use std::net::SocketAddr;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{delete, get, patch, post},
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
    let v1 = people().merge(places()).merge(conversations());
    Router::new()
        .nest("/api/v1", v1)
        .fallback(problem::no_such_route)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(limits::API_BODY_BYTES))
        .with_state(api)
}

fn people() -> Router<Api> {
    Router::new()
        .route("/health", get(workspace::health))
        .route("/me", get(workspace::me))
        .route("/me/token", delete(workspace::revoke_token))
        .route("/workspace", get(workspace::show))
        .route("/workspace/rotate", post(workspace::rotate))
        .route("/users", get(workspace::users).post(workspace::add_user))
        .route("/users/{user}", patch(workspace::change_user).delete(workspace::remove_user))
        .route("/users/{user}/departure", get(previews::departure))
        .route("/users/{user}/memberships/{scope}", delete(workspace::withdraw))
        .route("/users/{user}/tokens", post(workspace::add_token).delete(workspace::revoke_tokens))
        .route("/audit", get(audit::list))
        .route("/audit/export", get(audit::export))
        .route("/peers", get(peers::list).post(peers::redeem))
        .route("/peers/tickets", post(peers::ticket))
        .route("/peers/{peer}", delete(peers::end).patch(peers::change))
        .route("/peers/{peer}/end", get(previews::end))
        .route("/peers/{peer}/approve", post(peers::approve))
        .route("/peers/{peer}/pause", post(peers::pause))
        .route("/invitations", get(invitations::list))
        .route("/invitations/{id}", delete(invitations::revoke))
        .route("/invitations/{id}/accept", post(invitations::accept))
        .route("/invitations/{id}/decline", post(invitations::decline))
}

fn places() -> Router<Api> {
    let mut router = Router::new()
        .route("/groups", get(scopes::groups).post(scopes::create_group))
        .route("/groups/{id}/tightening", get(previews::tightening))
        .route("/removals", get(scopes::removals));
    for kind in ["groups", "threads"] {
        let at = |rest: &str| format!("/{kind}/{{id}}{rest}");
        router = router
            .route(&at(""), get(scopes::show).patch(scopes::change).delete(scopes::end))
            .route(&at("/members"), get(scopes::members).post(scopes::add_member))
            .route(&at("/members/{user}"), delete(scopes::remove).patch(scopes::grade))
            .route(&at("/leave"), post(scopes::leave));
    }
    router
}

fn conversations() -> Router<Api> {
    Router::new()
        .route("/threads", get(threads::inbox).post(threads::start))
        .route("/dms", post(threads::dm))
        .route("/threads/{id}/groups", post(threads::add_group))
        .route("/threads/{id}/groups/{group}", delete(threads::remove_group))
        .route("/threads/{id}/why", get(threads::why))
        .route("/threads/{id}/typing", post(threads::typing))
        .route("/threads/{id}/read", post(threads::read))
        .route("/threads/{id}/messages", get(messages::list).post(messages::post))
        .route(
            "/threads/{id}/messages/{seq}",
            get(messages::one).patch(messages::edit).delete(messages::delete),
        )
        .route("/threads/{id}/messages/{seq}/reactions", post(messages::react).delete(messages::unreact))
        .route("/pending", get(messages::pending))
        .route("/pending/{submission}", delete(messages::forget))
        .route("/events", get(events::stream))
}
