//! Outgoing mail for admins: what waits, why, and whether the server takes letters.
//!
//! Duty: the queue without its links and codes, a trial. Never: a secret of a letter.

use axum::{Json, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    answer::{Accepted, Either, NoContent},
    path::Path,
    problem::Problem,
    viewer::{Body, Query, Viewer},
    workspace::page,
};
use crate::{
    node::Mailing,
    protocol::{Command, Reply, address::Address, letter::Letter},
    time::Millis,
};

/// How mail leaves the node.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MailServer")]
pub(super) struct Way {
    server: String,
    from: String,
    /// What stands before the paths of links.
    base: String,
}

/// Where a letter stands.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LetterState")]
#[serde(rename_all = "kebab-case")]
enum Standing {
    /// It is on its way to the server.
    Due,
    /// It rests after a failed try.
    Waiting,
    /// It is tried no more unless an admin wants it.
    GivenUp,
}

/// A letter, without what it says.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Letter")]
pub(super) struct Shown {
    number: u64,
    to: String,
    what: &'static str,
    state: Standing,
    queued: Millis,
    tries: u32,
    /// When it is tried next; null: not by itself.
    next: Option<Millis>,
    error: Option<String>,
}

/// The queue.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MailQueue")]
pub(super) struct Queue {
    /// Null: no mail server is configured, and links are shown to be passed on.
    mail: Option<Way>,
    letters: Vec<Shown>,
    /// The number to go on after.
    next: Option<u64>,
}

fn shown(letter: &Letter, now: Millis) -> Shown {
    let Letter { number, to, what, queued, tries, next, error, given_up, .. } = letter;
    let state = match (given_up, *next > now) {
        (true, _) => Standing::GivenUp,
        (false, true) => Standing::Waiting,
        (false, false) => Standing::Due,
    };
    let (to, what, error) = (to.clone(), what.kind(), error.clone());
    let next = (!given_up).then_some(*next);
    Shown { number: *number, to, what, state, queued: *queued, tries: *tries, next, error }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    after: Option<u64>,
    limit: Option<usize>,
}

pub(super) async fn list(viewer: Viewer, Query(query): Query<After>) -> Result<Json<Queue>, Problem> {
    let (snapshot, limit, now) = (viewer.snapshot(), page(query.limit), viewer.handle.now());
    let from = query.after.map_or(0, |after| after.saturating_add(1));
    let letters: Vec<Shown> =
        snapshot.state.letters.all.range(from..).take(limit).map(|(_, letter)| shown(letter, now)).collect();
    let next = letters.last().filter(|_| letters.len() == limit).map(|last| last.number);
    let way = |mailing: &Mailing| {
        let Mailing { server, from, base } = mailing.clone();
        Way { server, from: from.to_string(), base }
    };
    std::future::ready(Ok(Json(Queue { mail: viewer.handle.mail().map(way), letters, next }))).await
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MailTest")]
pub(super) struct Test {
    /// An address.
    to: String,
    /// The way that all letters go, instead of right now.
    #[serde(default)]
    queue: bool,
}

/// The mail server's words.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MailAnswer")]
pub(super) struct Said {
    answer: String,
}

/// The letter that waits.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MailQueued")]
pub(super) struct Queued {
    letter: u64,
}

pub(super) async fn test(
    viewer: Viewer,
    Body(test): Body<Test>,
) -> Result<Either<Json<Said>, Accepted<Queued>>, Problem> {
    let to = Address::parse(&test.to)?;
    if viewer.handle.mail().is_none() {
        return Err(unconfigured());
    }
    if test.queue {
        return match viewer.ask(Command::LetterTrial(viewer.user, to.to_string())).await? {
            Reply::Letter(letter) => Ok(Either::That(Accepted(Queued { letter }))),
            _ => Err(Problem::not_found()),
        };
    }
    let users = &viewer.snapshot().state.users;
    let by = users.get(&viewer.user).map(|user| user.name.clone()).unwrap_or_default();
    match viewer.handle.try_mail(to, by).await {
        Some(Ok(answer)) => Ok(Either::This(Json(Said { answer }))),
        Some(Err(why)) => Err(Problem::new(StatusCode::CONFLICT, "mail", why)),
        None => Err(unconfigured()),
    }
}

fn unconfigured() -> Problem {
    let detail = "no mail server is configured: set [mail] in comity.toml and start the node again";
    Problem::new(StatusCode::CONFLICT, "no-mail", detail)
}

pub(super) async fn retry(viewer: Viewer, Path(letter): Path<u64>) -> Result<NoContent, Problem> {
    viewer.ask(Command::LetterRetry(letter)).await?;
    Ok(NoContent)
}

pub(super) async fn discard(viewer: Viewer, Path(letter): Path<u64>) -> Result<NoContent, Problem> {
    viewer.ask(Command::LetterDropped(letter)).await?;
    Ok(NoContent)
}
