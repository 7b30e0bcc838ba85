//! Calls of the API in the same process, in the name of who looks at a page.
//!
//! Duty: one request, one answer, as JSON; whose request it is for the limits of rate. Never: a retry, a cache.

use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts,
    },
};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower::ServiceExt as _;

pub(super) use crate::uri::escape;

/// Headers of the browser that the API looks at: whose request it is, and what the session is called.
const PASSED: [HeaderName; 3] = [
    header::USER_AGENT,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("last-event-id"),
];

/// The API, for one request of a browser.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    api: Router,
    token: Option<String>,
    headers: HeaderMap,
    from: Option<ConnectInfo<SocketAddr>>,
}

/// The API said no.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// For people.
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn nothing() -> Self {
        Self::of(StatusCode::NOT_FOUND, &Value::Null)
    }

    /// What a form holds cannot be read as what it is for.
    pub(super) fn unreadable(detail: String) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, detail }
    }

    fn of(status: StatusCode, problem: &Value) -> Self {
        let said = problem.get("detail").and_then(Value::as_str);
        Self { status, detail: said.unwrap_or("the node did not answer as it should").to_owned() }
    }
}

impl Desk {
    pub(super) fn new(api: &Router, token: Option<String>, parts: &Parts) -> Self {
        let passed =
            PASSED.into_iter().filter_map(|name| Some((name.clone(), parts.headers.get(name)?.clone())));
        Self { api: api.clone(), token, headers: passed.collect(), from: parts.extensions.get().copied() }
    }

    /// The same with this token instead of the cookie's.
    pub(super) fn showing(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// The same, asked once however often it comes: a key of idempotency. An empty one is none.
    pub(super) fn keyed(mut self, key: &str) -> Self {
        if let Some(key) = HeaderValue::from_str(key).ok().filter(|key| !key.is_empty()) {
            self.headers.insert("idempotency-key", key);
        }
        self
    }

    /// The answer as it comes, for streams.
    pub(super) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Response<Body> {
        let mut request = Request::new(body.map_or_else(Body::empty, |body| Body::from(body.to_string())));
        *request.method_mut() = method;
        *request.headers_mut() = self.headers.clone();
        let Ok(uri) = format!("/api/v1{path}").parse() else {
            return status(StatusCode::NOT_FOUND);
        };
        *request.uri_mut() = uri;
        let bearer = self.token.as_ref().and_then(|token| format!("Bearer {token}").parse().ok());
        if let Some(bearer) = bearer {
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        if let Some(from) = self.from {
            request.extensions_mut().insert(from);
        }
        self.api.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    /// Asks, and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Refusal> {
        let answer = self.call(method, path, body).await;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.map(http_body_util::Collected::to_bytes);
        let bytes = bytes.ok().filter(|bytes| !bytes.is_empty());
        let bytes: &[u8] = bytes.as_deref().unwrap_or(b"null");
        if !status.is_success() {
            return Err(Refusal::of(status, &serde_json::from_slice(bytes).unwrap_or_default()));
        }
        serde_json::from_slice(bytes).map_err(|error| {
            tracing::error!(%error, path, "an answer of the API is not what a page expects");
            Refusal::of(StatusCode::INTERNAL_SERVER_ERROR, &Value::Null)
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.ask(Method::POST, path, Some(body)).await
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}
