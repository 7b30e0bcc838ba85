//! Errors as problem documents (RFC 9457).
//!
//! Duty: one shape for every error: type, title, status, detail, code. Never: a name that the asker may not know.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

use crate::{
    node::AskError,
    protocol::{Reject, command::RejectCode},
    view::scopes::Waiting,
};

/// An answer that is no success.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    more: Option<(&'static str, Value)>,
    retry_after: Option<u64>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), more: None, retry_after: None }
    }

    /// With one more member, for programs.
    pub(super) fn with(self, name: &'static str, value: Value) -> Self {
        Self { more: Some((name, value)), ..self }
    }

    /// When to come back, in seconds.
    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// The one answer for what does not exist and for what must not be known to (P3.1).
    pub(super) fn not_found() -> Self {
        Reject::not_found().into()
    }

    /// The owner's lease ran out (P7.4): hidden until its node is heard again, never deleted.
    pub(super) fn waiting(waiting: &Waiting) -> Self {
        let Waiting { workspace, since } = waiting;
        let detail = format!(
            "waiting for {} since {since}: it comes back by itself; what you write now is delivered then",
            workspace.domain
        );
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "waiting", detail)
    }

    /// The operating system has no random bytes.
    pub(super) fn no_random(error: &impl std::fmt::Display) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "random", format!("no random bytes: {error}"))
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, RejectCode::Invalid.name(), detail)
    }
}

/// A problem document.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Document {
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What exactly, and what to do.
    detail: String,
    /// Which rule, for programs.
    #[schemars(schema_with = "codes")]
    code: &'static str,
    /// More for programs, by the code.
    #[serde(flatten)]
    more: BTreeMap<&'static str, Value>,
}

/// The codes of the API itself, beside those of the protocol (spec 9.9).
const CODES: [&str; 16] = [
    "rate",
    "scope",
    "wrong-password",
    "unauthorized",
    "fault",
    "waiting",
    "frozen",
    "random",
    "refused",
    "unreachable",
    "stopping",
    "keys",
    "confirm",
    "method",
    "mail",
    "no-mail",
];

fn codes(_: &mut SchemaGenerator) -> Schema {
    let mut codes: Vec<_> = RejectCode::ALL.iter().map(|code| code.name()).chain(CODES).collect();
    codes.sort_unstable();
    codes.dedup();
    json_schema!({ "type": "string", "enum": codes })
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let more = self.more.into_iter().collect();
        let (kind, status) = ("about:blank", self.status.as_u16());
        let document = Document { kind, title, status, detail: self.detail, code: self.code, more };
        let mut response = (self.status, Json(document)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Reject> for Problem {
    fn from(reject: Reject) -> Self {
        Self::new(status(reject.code), reject.code.name(), reject.detail)
    }
}

fn status(code: RejectCode) -> StatusCode {
    match code {
        RejectCode::Malformed | RejectCode::Signature => StatusCode::BAD_REQUEST,
        RejectCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        RejectCode::NotFound => StatusCode::NOT_FOUND,
        RejectCode::Forbidden | RejectCode::WrongHome => StatusCode::FORBIDDEN,
        RejectCode::Quota => StatusCode::TOO_MANY_REQUESTS,
        RejectCode::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        RejectCode::UpdateNeeded | RejectCode::PeerInactive | RejectCode::Checking => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        RejectCode::Conflict
        | RejectCode::Closed
        | RejectCode::Stale
        | RejectCode::NotOwner
        | RejectCode::Contradiction
        | RejectCode::FeedGap => StatusCode::CONFLICT,
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Reject(reject) => reject.into(),
            AskError::Unreachable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unreachable", error.to_string())
            }
            AskError::Stopped(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node is stopping: try again")
            }
        }
    }
}

pub(super) async fn no_such_route() -> Problem {
    std::future::ready(Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such endpoint")).await
}

pub(super) async fn no_such_method() -> Problem {
    let detail = "this endpoint does not take this method";
    std::future::ready(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)).await
}
