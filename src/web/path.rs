//! Parts of an address: one that cannot be is an address where nothing is.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::de::DeserializeOwned;

use super::{Web, page::Failure};

/// As axum's, with the page that says that there is nothing instead of a line of text.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Web> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Failure> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, web).await;
        path.map(|path| Self(path.0)).ok().ok_or_else(Failure::nothing)
    }
}
