//! Who looks at a page: the session in the browser's cookie, which is a token of the API.
//!
//! Duty: a desk from a request; the cookie set and taken back. Never: deciding who somebody is: the API does.

use std::convert::Infallible;

use axum::{
    body::Body,
    extract::{FromRequestParts, Query},
    http::{HeaderMap, HeaderValue, Method, Response, header, request::Parts},
};
use serde::Deserialize;

use super::{Web, desk::Desk};
use crate::limits;

/// Somebody who may be signed in: whoever is not gets the API's refusal, and with it the page to sign in.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) desk: Desk,
    /// Where he is: where he goes on after he has signed in.
    pub(super) path: String,
}

impl FromRequestParts<Web> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Infallible> {
        let desk = Desk::new(&web.api, token(&parts.headers, &web.cookie), parts);
        let path = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
        std::future::ready(Ok(Self { desk, path })).await
    }
}

fn token(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(held, _)| *held == name).map(|(_, token)| token.to_owned())
}

/// A session's cookie. Browsers take the prefix `__Host-` from this host alone, over TLS or from this machine, for every
/// path (RFC 6265bis, 4.1.3.2); no script reads it; links from elsewhere bring it, requests that change something do not.
pub(super) fn cookie(name: &str, token: &str) -> Option<HeaderValue> {
    let seconds = limits::SESSION_MILLIS / 1_000;
    let text = format!("{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax");
    HeaderValue::from_str(&text).ok()
}

/// Takes it back.
pub(super) fn no_cookie(name: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(&format!("{name}=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax")).ok()
}

/// From where on.
#[derive(Deserialize)]
pub(super) struct After {
    after: Option<u64>,
}

/// Live events, as the API sends them.
pub(super) async fn live(visitor: Visitor, Query(After { after }): Query<After>) -> Response<Body> {
    let after = after.map(|after| format!("?after={after}")).unwrap_or_default();
    visitor.desk.call(Method::GET, &format!("/events{after}"), None).await
}
