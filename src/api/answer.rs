//! Answers whose status is part of their type, so that the document of the API can say it.
//!
//! Duty: one type per way to succeed. Never: an error; that is a problem document.

use axum::{
    Json,
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// 201: it was made, and this is it.
pub(super) struct Created<T>(pub(super) T);

/// 202: it is under way, and this is what is known.
pub(super) struct Accepted<T>(pub(super) T);

/// 202 without a body: it is under way.
pub(super) struct Underway;

/// 204: it is done, and there is nothing to say.
pub(super) struct NoContent;

/// One of two answers, with different statuses.
pub(super) enum Either<A, B> {
    This(A),
    That(B),
}

/// JSON documents, one per line, as they come.
pub(super) struct JsonLines(pub(super) Body);

/// The media type of [`JsonLines`].
pub(super) const JSON_LINES: &str = "application/jsonl";

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl IntoResponse for Underway {
    fn into_response(self) -> Response {
        StatusCode::ACCEPTED.into_response()
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl<A: IntoResponse, B: IntoResponse> IntoResponse for Either<A, B> {
    fn into_response(self) -> Response {
        match self {
            Self::This(a) => a.into_response(),
            Self::That(b) => b.into_response(),
        }
    }
}

impl IntoResponse for JsonLines {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, HeaderValue::from_static(JSON_LINES))], self.0).into_response()
    }
}
