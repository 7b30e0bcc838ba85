//! The web app: pages for people, rendered here, over the API of the same node.
//!
//! Duty: a browser's request to calls of `/api/v1` in the same process, with the session from the browser's cookie as the
//! token; answers to HTML. So a page can do what a script can (P8.4) and nothing else: the API's gate is the only one.
//! Never: a rule of its own, a look into the node's state, a script or style inline, a request to anybody else.
//!
//! Every page works without JavaScript. `assets/app.js` adds live updates, drafts, previews and shortcuts by fetching the
//! same pages and fragments.

mod admin;
mod assets;
mod desk;
mod discover;
mod ends;
mod enter;
mod entry;
mod face;
mod group;
mod group_policy;
mod inbox;
mod invitations;
mod join;
mod markdown;
mod me;
mod members;
mod message;
mod moving;
mod naming;
mod page;
mod path;
mod place;
mod removal;
mod safety;
mod settings;
mod shapes;
mod sources;
mod start;
mod thread;
mod visitor;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;

use crate::ids::WorkspaceId;

/// What every page needs.
#[derive(Clone, Debug)]
struct Web {
    api: Router,
    cookie: Arc<str>,
}

/// The app around a node's API: everything that is not below `/api` is a page.
///
/// Cookies do not keep ports apart: the name of the session's says which workspace it is of, so that several nodes can be
/// used at one address.
pub fn around(api: Router, workspace: WorkspaceId) -> Router {
    let id = workspace.to_string();
    let cookie = format!("__Host-comity-{}", id.get(3..11).unwrap_or_default()).into();
    let web = Web { api: api.clone(), cookie };
    let pages = Router::new()
        .route("/", get(inbox::show))
        .route("/sign-in", get(entry::form).post(entry::sign_in))
        .route("/enter", get(enter::form).post(enter::enter))
        .route("/sign-out", post(entry::sign_out))
        .route("/forgotten", get(join::forgotten).post(join::forgot))
        .route("/join/{code}", get(join::show))
        .route("/join/{code}/password", post(join::password))
        .route("/join/{code}/account", post(join::account))
        .route("/me", get(me::show).post(me::profile))
        .route("/me/password", post(me::password))
        .route("/me/code", post(me::code))
        .route("/me/notifications", post(me::notify))
        .route("/me/sessions/{id}", post(me::end))
        .route("/invitations", get(invitations::show))
        .route("/invitations/{id}/{answer}", post(invitations::answer))
        .route("/claims", post(invitations::claim))
        .route("/directory", get(discover::directory))
        .route("/people", get(discover::people))
        .route("/people/matching", get(discover::matching))
        .route("/people/{id}", get(discover::person))
        .route("/people/{id}/{act}", post(discover::person_act))
        .route("/dms", post(discover::dm))
        .route("/search", get(discover::search))
        .route("/new", get(start::form).post(start::start))
        .route("/groups", post(start::group))
        .route("/removed/{scope}/{epoch}", get(removal::show))
        .route("/removed/{scope}/{epoch}/receipt/{workspace}", get(removal::receipt))
        .merge(places())
        .route("/t/{thread}", get(thread::show).post(thread::write))
        .route("/t/{thread}/older", get(thread::older))
        .route("/t/{thread}/{seq}", get(thread::message).post(thread::change))
        .route("/t/{thread}/{seq}/part", get(thread::part))
        .route("/t/{thread}/names", get(naming::typed_names))
        .route("/t/{thread}/read", post(thread::read))
        .route("/t/{thread}/here", get(thread::here))
        .route("/t/{thread}/do/{act}", post(thread::act))
        .route("/preview", post(thread::preview))
        .route("/live", get(visitor::live))
        .route("/places", get(page::places))
        .route("/assets/{file}", get(assets::file))
        .merge(admin::routes())
        .fallback(page::no_such_page)
        .layer(from_fn(page::plainly))
        .layer(from_fn(safety::guard))
        // Pages and their files; live events are left alone. What compression tells of a page's content by its length
        // (BREACH) needs many requests with the cookie from elsewhere, and `SameSite` leaves those only whole windows.
        .layer(CompressionLayer::new())
        .with_state(web);
    pages.layer(from_fn_with_state(api, divert))
}

/// Groups and threads, `/g/...` and `/t/...`: what both have, and what one has.
fn places() -> Router<Web> {
    let own = Router::new()
        .route("/g/{group}", get(group::show))
        .route("/g/{group}/members", get(group::members).post(members::add))
        .route("/g/{group}/settings", get(settings::group).post(settings::change_group))
        .route("/g/{group}/policy", get(group_policy::show).post(group_policy::change))
        .route("/g/{group}/move", get(moving::show).post(moving::offer))
        .route("/g/{group}/move/back", post(moving::take_back))
        .route("/g/{group}/do/{act}", post(group::act))
        .route("/t/{thread}/settings", get(settings::thread))
        .route("/t/{thread}/members", post(members::add))
        .route("/t/{thread}/ask", post(members::ask))
        .route("/t/{thread}/name", post(settings::rename))
        .route("/t/{thread}/groups", post(settings::add_group))
        .route("/t/{thread}/groups/{group}", post(settings::remove_group))
        .route("/t/{thread}/requests/{request}/{act}", post(settings::decide));
    ["g", "t"].into_iter().fold(own, |pages, kind| {
        pages
            .route(&format!("/{kind}/{{id}}/members/{{user}}"), post(members::grade))
            .route(&format!("/{kind}/{{id}}/members/preview"), get(members::foresee))
            .route(&format!("/{kind}/{{id}}/sent/{{invite}}/{{act}}"), post(members::sent))
            .route(&format!("/{kind}/{{id}}/remove/{{user}}"), get(removal::ask).post(removal::remove))
            .route(&format!("/{kind}/{{id}}/end"), post(settings::end))
    })
}

/// What is below `/api` is not for pages. Not by a route of this router: its part of the path would count as a parameter
/// of the API's routes.
async fn divert(State(api): State<Router>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/") {
        return api.oneshot(request).await.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::{
        body::Body,
        http::{header, header::ACCEPT_ENCODING},
    };

    use super::*;

    #[tokio::test]
    async fn pages_are_compressed_and_neither_live_events_nor_the_api_are() {
        let long = "a".repeat(10_000);
        let events = ([(header::CONTENT_TYPE, "text/event-stream")], long.clone());
        let api = Router::new()
            .route("/api/v1/events", get(move || std::future::ready(events)))
            .route("/api/v1/long", get(move || std::future::ready(long)));
        let pages = around(api, WorkspaceId([7; 32]));
        for (path, encoded) in [
            ("/sign-in", true),
            (page::css().as_str(), true),
            (page::js().as_str(), true),
            ("/live", false),
            ("/api/v1/events", false),
            ("/api/v1/long", false),
        ] {
            let request = Request::builder().uri(path).header(ACCEPT_ENCODING, "gzip").body(Body::empty());
            let answer = pages.clone().oneshot(request.unwrap()).await.unwrap_or_else(|never| match never {});
            assert!(answer.status().is_success(), "{path}: {}", answer.status());
            let found = answer.headers().get(header::CONTENT_ENCODING).is_some_and(|held| held == "gzip");
            assert_eq!(found, encoded, "{path}");
        }
    }
}
