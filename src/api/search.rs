//! Search over what the viewer may read now (P3.1).

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    people::Search,
    problem::Problem,
    threads::parse_cursor,
    viewer::{Query, Viewer},
};
use crate::view::search::{self, Results};

/// A page of what was found.
#[derive(Serialize, JsonSchema)]
pub(super) struct Page {
    #[serde(flatten)]
    found: Results,
    next: Option<String>,
}

pub(super) async fn search(viewer: Viewer, Query(asked): Query<Search>) -> Result<Json<Page>, Problem> {
    let query = search::Query { words: asked.words()?, names: asked.typed()? };
    let after = asked.cursor().map(parse).transpose()?;
    let snapshot = viewer.snapshot();
    let (found, next) = search::page(&snapshot.state, &*snapshot, viewer.user, &query, after, asked.limit());
    let next = next.map(|((time, thread), below)| format!("{}-{thread}-{below}", time.0));
    std::future::ready(Ok(Json(Page { found, next }))).await
}

fn parse(text: &str) -> Result<search::After, Problem> {
    let (at, below) = text.rsplit_once('-').unwrap_or((text, ""));
    let below = below.parse().ok();
    let below =
        below.ok_or_else(|| Problem::invalid("after: pass the `next` of the page before, unchanged"))?;
    Ok((parse_cursor(at)?, below))
}
