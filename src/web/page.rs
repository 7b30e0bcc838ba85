//! What every page has around it, and the pages that say what went wrong.
//!
//! Duty: who is signed in and where he can go; a refusal of the API as a page. Never: a page's own content.

use askama::Template;
use axum::{
    body::to_bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    Web, assets,
    desk::{Refusal, escape},
    shapes::Home,
    visitor::Visitor,
};
use crate::node::clock;

/// How many groups stand beside a page.
const GROUPS: usize = 40;

/// The signed-in user, as `/me` shows him.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Me {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) role: String,
    pub(super) free: bool,
    pub(super) workspace: Option<Home>,
}

#[derive(Clone, Debug, Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Clone, Debug, Deserialize)]
struct Directory {
    directory: Vec<Group>,
}

/// A group beside the page. No badge stands here (P4.2).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Group {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    settings: Option<Named>,
    #[serde(default)]
    joined: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
struct Named {
    name: String,
}

/// What waits for who is signed in, and where live events stood before anything else was asked.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Waits {
    pub(super) unread: usize,
    pub(super) invitations: usize,
    pub(super) position: u64,
}

/// Around every page of who is signed in.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) me: Me,
    pub(super) groups: Vec<Group>,
    pub(super) waits: Waits,
    /// Which part of the app this is, to mark its link.
    pub(super) place: String,
}

impl Frame {
    pub(super) async fn load(visitor: &Visitor, place: &str) -> Result<Self, Failure> {
        let desk = &visitor.desk;
        let me: Me = visitor.read("/me").await?;
        let waits: Waits = visitor.read("/inbox").await?;
        let listed = if me.free {
            desk.get::<Groups>("/groups").await.map(|found| found.groups)
        } else {
            desk.get::<Directory>(&format!("/directory?limit={GROUPS}")).await.map(|found| found.directory)
        };
        let mut groups = listed.map_err(|refusal| visitor.failed(refusal))?;
        groups.retain(|group| group.joined != Some(false));
        for group in &mut groups {
            if let Some(named) = group.settings.take() {
                group.name = named.name;
            }
        }
        Ok(Self { me, groups, waits, place: place.to_owned() })
    }

    pub(super) fn is_admin(&self) -> bool {
        self.me.role == "admin"
    }

    pub(super) fn workspace(&self) -> &str {
        self.me.workspace.as_ref().map_or("comity", |workspace| &workspace.name)
    }
}

/// A moment for who has no module that puts it into his zone.
pub(super) fn words(at: impl std::fmt::Display) -> String {
    let iso = at.to_string();
    let (day, time) = (iso.get(..10).unwrap_or_default(), iso.get(11..16).unwrap_or_default());
    format!("{day} {time} UTC")
}

/// A key of a form: sent twice, it is carried out once.
pub(super) fn key() -> String {
    clock::seed().map(|seed| data_encoding::BASE32_NOPAD.encode(&seed)).unwrap_or_default()
}

/// Seconds, in words.
pub(super) fn span(seconds: &u64) -> String {
    let (count, unit) = match *seconds {
        seconds if seconds > 0 && seconds % 3_600 == 0 => (seconds / 3_600, "hour"),
        seconds if seconds > 0 && seconds % 60 == 0 => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// The style sheet's path, for templates.
pub(super) fn css() -> String {
    assets::path("app.css")
}

/// The module's path.
pub(super) fn js() -> String {
    assets::path("app.js")
}

/// The icon's path.
pub(super) fn icon() -> String {
    assets::path("icon.svg")
}

/// A page that was made.
pub(super) struct Page<T>(pub(super) T);

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        match self.0.render() {
            Ok(html) => Html(html).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page cannot be made");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Failure {
    /// Sign in first, then go on here.
    SignIn(String),
    /// The API said no.
    Refused(Refusal),
}

impl Failure {
    /// There is nothing at this address.
    pub(super) fn nothing() -> Self {
        Self::Refused(Refusal::nothing())
    }
}

impl Visitor {
    /// Reads of the API what a page shows.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.desk.get(path).await.map_err(|refusal| self.failed(refusal))
    }

    /// What a refusal means for who looks at a page.
    pub(super) fn failed(&self, refusal: Refusal) -> Failure {
        if refusal.status == StatusCode::UNAUTHORIZED {
            Failure::SignIn(self.path.clone())
        } else {
            Failure::Refused(refusal)
        }
    }
}

#[derive(Template)]
#[template(path = "web/failure.html")]
struct Shown {
    title: &'static str,
    detail: String,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let refusal = match self {
            Self::SignIn(path) if path == "/" => return Redirect::to("/sign-in").into_response(),
            Self::SignIn(path) => {
                return Redirect::to(&format!("/sign-in?next={}", escape(&path))).into_response();
            }
            Self::Refused(refusal) => refusal,
        };
        let title = match refusal.status {
            StatusCode::NOT_FOUND => "There is nothing here",
            StatusCode::FORBIDDEN => "You may not do that",
            StatusCode::TOO_MANY_REQUESTS => "Too fast",
            StatusCode::SERVICE_UNAVAILABLE => "Waiting",
            _ => "That did not work",
        };
        let detail = match refusal.status {
            StatusCode::NOT_FOUND => "It does not exist, or it is not for you any more.".to_owned(),
            _ => refusal.detail,
        };
        (refusal.status, Page(Shown { title, detail })).into_response()
    }
}

#[derive(Template)]
#[template(path = "web/places.html")]
struct Places {
    frame: Frame,
}

/// What stands beside every page, alone: for who looks at another one meanwhile.
pub(super) async fn places(visitor: Visitor) -> Result<Page<impl Template>, Failure> {
    Ok(Page(Places { frame: Frame::load(&visitor, "").await? }))
}

/// The address under which the browser has this node, for links that are passed on.
pub(super) fn origin(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let sent = text(header::ORIGIN).filter(|origin| origin.contains("://")).map(ToOwned::to_owned);
    sent.or_else(|| text(header::HOST).map(|host| format!("https://{host}"))).unwrap_or_default()
}

/// What is refused before a handler runs, as a page: a form that cannot be read, a method that an address does not have.
pub(super) async fn plainly(request: Request, next: Next) -> Response {
    let quiet = is_quiet(request.headers());
    let response = next.run(request).await;
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let bare = kind.is_none_or(|kind| kind.starts_with(b"text/plain"));
    if quiet || !bare || !response.status().is_client_error() {
        return response;
    }
    let status = response.status();
    let body = to_bytes(response.into_body(), REFUSAL_BYTES).await.unwrap_or_default();
    let detail = match String::from_utf8_lossy(&body).into_owned() {
        detail if detail.is_empty() => "This address is not for that.".to_owned(),
        detail => detail,
    };
    Failure::Refused(Refusal { status, detail }).into_response()
}

/// Bytes of a refusal that are shown.
const REFUSAL_BYTES: usize = 4096;

/// Whether the module asked, which shows the answer itself.
pub(super) fn is_quiet(headers: &HeaderMap) -> bool {
    headers.contains_key("x-quiet")
}

pub(super) async fn no_such_page(State(_): State<Web>) -> Response {
    let detail = "There is no page at this address.".to_owned();
    std::future::ready((StatusCode::NOT_FOUND, Page(Shown { title: "There is nothing here", detail })))
        .await
        .into_response()
}
