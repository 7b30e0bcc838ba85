//! Conversations from elsewhere: `comity import slack`, and the same data replayed in the demo.
//!
//! Duty: reading an export with bounds, writing it through the API in its people's names, once. Never: a way in that the
//! API does not offer.

mod play;
mod slack;

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use hyper::Method;
use indicatif::ProgressBar;
use serde_json::{Value, json};

pub(crate) use play::{Cast, Expected, play};
pub(crate) use slack::{Author, Export, read};

use crate::cli::{
    client::Client,
    person::{Person, text},
};

/// Imports a Slack export into the workspace of the admin whose client this is.
///
/// # Errors
/// The file is no export, or the node refuses.
pub(crate) async fn slack(
    file: &Path,
    admin: &mut Client,
    host: &str,
    token: &str,
    as_json: bool,
) -> Result<()> {
    let export = read(file)?;
    let cast = cast(&export, admin, host, token).await?;
    let progress = bar("messages", export.messages());
    let summary = play(&export, &cast, &progress).await;
    progress.finish_and_clear();
    for person in cast.people.values() {
        person.client().await?.call(Method::DELETE, "/me/token", None).await?;
    }
    summary?.print(&export, as_json);
    Ok(())
}

/// A progress bar on a terminal, nothing elsewhere.
pub(crate) fn bar(what: &'static str, count: usize) -> ProgressBar {
    let bar = ProgressBar::new(u64::try_from(count).unwrap_or(u64::MAX));
    let style = indicatif::ProgressStyle::with_template("{msg:>10} {wide_bar} {pos}/{len} {eta}");
    bar.set_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()));
    bar.set_message(what);
    bar
}

/// Every author as a user of this workspace, those that are there as they are, each with a token for this run.
async fn cast(export: &Export, admin: &mut Client, host: &str, token: &str) -> Result<Cast> {
    let http = host.parse().with_context(|| format!("{host} is no address with a port"))?;
    let me = admin.get("/me").await?;
    let owner =
        Person { id: text(&me, "/id")?, address: text(&me, "/address")?, token: token.to_owned(), http };
    let mut known = users(admin).await?;
    let authors = export.authors();
    let progress = bar("people", authors.len());
    let mut people = BTreeMap::new();
    for author in authors {
        let local = &author.local;
        if !known.contains_key(local) {
            let user = admin.post("/users", &json!({ "local": local, "name": author.name })).await?;
            known.insert(local.clone(), (text(&user, "/id")?, text(&user, "/address")?));
        }
        let (id, address) = known.get(local).cloned().context("a user that was just made")?;
        let token = text(&admin.post(&format!("/users/{id}/tokens"), &json!({})).await?, "/token")?;
        people.insert(author.id.clone(), Person { id, address, token, http });
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(Cast { owner, people })
}

/// Local part to (id, address) of everybody.
async fn users(admin: &mut Client) -> Result<BTreeMap<String, (String, String)>> {
    let mut all = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = admin.get(&format!("/users?limit=200{after}")).await?;
        for user in page.get("users").and_then(Value::as_array).into_iter().flatten() {
            let (id, address) = (text(user, "/id")?, text(user, "/address")?);
            let local = address.split('@').next().unwrap_or_default().to_owned();
            all.insert(local, (id, address));
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(all),
        }
    }
}
