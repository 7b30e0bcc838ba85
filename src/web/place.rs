//! Groups and threads as places that have members: which endpoint and which page a member list belongs to.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{Web, desk::escape, page::Failure};

/// A group or a thread.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its page.
    pub(super) page: String,
    /// Its endpoint.
    pub(super) api: String,
    pub(super) is_group: bool,
}

impl Place {
    pub(super) fn group(id: &str) -> Self {
        let id = escape(id);
        Self { page: format!("/g/{id}"), api: format!("/groups/{id}"), is_group: true }
    }

    pub(super) fn thread(id: &str) -> Self {
        let id = escape(id);
        Self { page: format!("/t/{id}"), api: format!("/threads/{id}"), is_group: false }
    }

    /// By the first two parts of the address, as they stand in it.
    fn of(path: &str) -> Option<Self> {
        let mut parts = path.split('/').skip(1);
        let (kind, id) = (parts.next()?, parts.next()?);
        let is_group = match kind {
            "g" => true,
            "t" => false,
            _ => return None,
        };
        let api = if is_group { "groups" } else { "threads" };
        Some(Self { page: format!("/{kind}/{id}"), api: format!("/{api}/{id}"), is_group })
    }

    /// Which one it is.
    pub(super) fn id(&self) -> &str {
        self.api.rsplit('/').next().unwrap_or_default()
    }

    /// The page with its members.
    pub(super) fn members(&self) -> String {
        format!("{}/{}", self.page, if self.is_group { "members" } else { "settings" })
    }
}

impl FromRequestParts<Web> for Place {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Web) -> Result<Self, Failure> {
        std::future::ready(Self::of(parts.uri.path()).ok_or_else(Failure::nothing)).await
    }
}
