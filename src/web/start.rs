//! Starting a thread or a group.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Form,
    extract::Query as Params,
    http::{Method, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    desk::Refusal,
    members, naming,
    page::{Failure, Frame, Page},
    shapes::Named,
    visitor::Visitor,
};

/// What the form has, as typed.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Draft {
    #[serde(default)]
    from: String,
    #[serde(default)]
    seq: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    people: String,
    #[serde(default)]
    text: String,
}

#[derive(Template)]
#[template(path = "web/new.html")]
struct New {
    frame: Frame,
    draft: Draft,
    chosen: Vec<String>,
    error: Option<String>,
}

pub(super) async fn form(
    visitor: Visitor,
    Params(draft): Params<Draft>,
) -> Result<Page<impl Template>, Failure> {
    let frame = Frame::load(&visitor, "").await?;
    let chosen = vec![draft.group.clone()];
    Ok(Page(New { frame, draft, chosen, error: None }))
}

pub(super) async fn start(
    visitor: Visitor,
    Form(given): Form<Vec<(String, String)>>,
) -> Result<Response, Failure> {
    let of = |name: &str| given.iter().find(|(held, _)| held == name).map(|(_, value)| value.clone());
    let groups: Vec<String> =
        given.iter().filter(|(name, _)| name == "groups").map(|(_, value)| value.clone()).collect();
    let people = of("people").unwrap_or_default();
    let addresses = match addresses(&visitor, &people).await {
        Ok(addresses) => addresses,
        Err(why) => return again(&visitor, &given, Refusal::unreadable(why)).await,
    };
    let mut body =
        json!({ "subject": of("subject").unwrap_or_default(), "groups": groups, "people": addresses });
    let text = of("text").filter(|text| !text.trim().is_empty());
    let mentions = naming::mentioned_in_new(&visitor, &groups, text.as_deref().unwrap_or_default()).await;
    let extra = [
        ("mentions", text.is_some().then(|| json!(mentions))),
        ("add_mentioned", of("add_mentioned").map(|_| Value::Bool(true))),
        ("text", text.map(Value::from)),
        ("from", source(&of("from").unwrap_or_default(), &of("seq").unwrap_or_default())),
    ];
    if let Some(body) = body.as_object_mut() {
        body.extend(extra.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    }
    let desk = visitor.desk.clone().keyed(&of("key").unwrap_or_default());
    let started = desk.ask::<Named>(Method::POST, "/threads", Some(&body)).await;
    match started {
        Ok(thread) => Ok(Redirect::to(&format!("/t/{}", thread.id)).into_response()),
        Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => Err(visitor.failed(refusal)),
        Err(refusal) => again(&visitor, &given, refusal).await,
    }
}

/// The addresses of those who are named, by a contact's name or by an address, with commas between them.
async fn addresses(visitor: &Visitor, people: &str) -> Result<Vec<String>, String> {
    let mut addresses = Vec::new();
    for one in people.split([',', ';', '\n']).map(str::trim).filter(|one| !one.is_empty()) {
        if one.contains('@') {
            addresses.extend(one.split_whitespace().map(ToOwned::to_owned));
        } else {
            addresses.push(members::address(visitor, one).await?);
        }
    }
    Ok(addresses)
}

/// The form once more, with why not and all that was typed.
async fn again(visitor: &Visitor, given: &[(String, String)], refusal: Refusal) -> Result<Response, Failure> {
    let fields: BTreeMap<&str, &str> =
        given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let field = |name: &str| fields.get(name).copied().unwrap_or_default().to_owned();
    let draft = Draft {
        from: field("from"),
        seq: field("seq"),
        group: String::new(),
        subject: field("subject"),
        people: field("people"),
        text: field("text"),
    };
    let groups = given.iter().filter(|(name, _)| name == "groups");
    let chosen = groups.map(|(_, value)| value.clone()).collect();
    let frame = Frame::load(visitor, "").await?;
    let page = New { frame, draft, chosen, error: Some(refusal.detail) };
    Ok((refusal.status, Page(page)).into_response())
}

fn source(thread: &str, seq: &str) -> Option<Value> {
    let seq: u64 = seq.parse().ok()?;
    Some(json!({ "thread": thread, "seq": seq }))
}

#[derive(Deserialize)]
pub(super) struct NewGroup {
    #[serde(default)]
    key: String,
    name: String,
    open: Option<String>,
    internal: Option<String>,
}

pub(super) async fn group(visitor: Visitor, Form(new): Form<NewGroup>) -> Result<Response, Failure> {
    let NewGroup { key, name, open, internal } = new;
    let body = json!({ "name": name, "open": open.is_some(), "externals": internal.is_none() });
    let desk = visitor.desk.clone().keyed(&key);
    let made = desk.ask::<Named>(Method::POST, "/groups", Some(&body)).await;
    let made = made.map_err(|no| visitor.failed(no))?;
    Ok(Redirect::to(&format!("/g/{}/members", made.id)).into_response())
}
