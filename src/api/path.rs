//! What a request's path names.
//!
//! Duty: typed path segments; what cannot be one is the name of nothing. Never: an answer that tells a malformed name
//! from a missing object.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;

use super::{Api, problem::Problem};

/// The segments of the path in braces, in their order: an id or a number, or a tuple of them.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, api).await;
        path.ok().map(|path| Self(path.0)).ok_or_else(Problem::not_found)
    }
}
