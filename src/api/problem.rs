//! Errors as problem documents (RFC 9457).
//!
//! Duty: one shape for every error: type, title, status, detail, code. Never: a name that the asker may not know.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{
    ids::IdError,
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
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), more: None }
    }

    /// With one more member, for programs.
    pub(super) fn with(self, name: &'static str, value: Value) -> Self {
        Self { more: Some((name, value)), ..self }
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

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, RejectCode::Invalid.name(), detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut document = json!({
            "type": "about:blank", "title": title, "status": self.status.as_u16(), "detail": self.detail,
            "code": self.code,
        });
        if let (Some((name, value)), Some(members)) = (self.more, document.as_object_mut()) {
            members.insert(name.into(), value);
        }
        let mut response = (self.status, Json(document)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
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

/// An id that cannot be one is an id of nothing.
impl From<IdError> for Problem {
    fn from(_: IdError) -> Self {
        Self::not_found()
    }
}

pub(super) async fn no_such_route() -> Problem {
    std::future::ready(Problem::new(StatusCode::NOT_FOUND, "not-found", "there is no such endpoint")).await
}

pub(super) async fn no_such_method() -> Problem {
    let detail = "this endpoint does not take this method";
    std::future::ready(Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail)).await
}
