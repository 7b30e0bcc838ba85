//! Who is in a group or thread: the list with badges (P4.1), adding and inviting (P2), pending invitations.
//!
//! Duty: the part of a page that both have, and what its forms send. Never: deciding who may: a refusal is shown in place.

use askama::Template;
use axum::{
    Form,
    extract::Query as Params,
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse as _, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::path::Path;
use super::{
    desk::{Refusal, escape},
    group,
    page::{Failure, origin},
    place::Place,
    settings,
    shapes::{Home, Member, Members, Rights, Sent},
    visitor::Visitor,
};

/// Rows of a page.
const ROWS: usize = 50;
/// A day, in milliseconds.
const DAY: u64 = 86_400_000;

/// The part of a page that says who is in and lets people be added.
#[derive(Template)]
#[template(path = "web/membership.html")]
pub(super) struct Membership {
    pub(super) place: Place,
    pub(super) members: Vec<Member>,
    next: Option<String>,
    pub(super) query: Query,
    sent: Vec<Sent>,
    me: String,
    /// Whether the viewer is shown what admins of the place do.
    pub(super) leads: bool,
    may_add: bool,
    /// Whether one asks for recipients rather than adding them (P2.4).
    locked: bool,
    pub(super) outcome: Outcome,
}

/// What is looked for in the list.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Query {
    #[serde(default)]
    pub(super) q: String,
    after: Option<String>,
    /// Somebody who is to be added: he was named where he does not read (P3.3).
    #[serde(default)]
    add: String,
}

/// What became of the form, and what was typed in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) error: Option<String>,
    pub(super) done: Option<String>,
    /// A link to pass on, whole; shown once.
    pub(super) link: Option<String>,
    typed: NewMember,
}

impl Outcome {
    pub(super) fn done(what: &str) -> Self {
        Self { done: Some(what.to_owned()), ..Self::default() }
    }

    pub(super) fn refused(refusal: Refusal) -> Self {
        Self { error: Some(refusal.detail), ..Self::default() }
    }
}

#[derive(Deserialize)]
struct SentList {
    invitations: Vec<Sent>,
}

#[derive(Deserialize)]
struct Address {
    address: String,
}

impl Membership {
    pub(super) async fn load(
        visitor: &Visitor,
        place: Place,
        query: Query,
        (me, rights, locked): (&str, &Rights, bool),
        mut outcome: Outcome,
    ) -> Result<Self, Failure> {
        let desk = &visitor.desk;
        let after = query.after.as_ref().map(|after| format!("&after={}", escape(after))).unwrap_or_default();
        let typed = if query.q.is_empty() { String::new() } else { format!("&q={}", escape(&query.q)) };
        let path = format!("{}/members?limit={ROWS}{typed}{after}", place.api);
        let found: Members = visitor.read(&path).await?;
        let sent = desk
            .get::<SentList>(&format!("/invitations/sent?open=true&limit=200&scope={}", place.id()))
            .await;
        let sent = sent.map(|sent| sent.invitations).unwrap_or_default();
        if !query.add.is_empty() && outcome.typed.who.is_empty() {
            let person = desk.get::<Address>(&format!("/people/{}", escape(&query.add))).await;
            outcome.typed.who = person.map(|person| person.address).unwrap_or_default();
        }
        Ok(Self {
            place,
            members: found.members,
            next: found.next,
            query,
            sent,
            me: me.to_owned(),
            leads: rights.administers,
            may_add: rights.invites || locked,
            locked,
            outcome,
        })
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct NewMember {
    /// The same form sent twice is one invitation.
    #[serde(default)]
    key: String,
    /// A name of a contact, or an address.
    #[serde(default)]
    who: String,
    #[serde(default)]
    history: String,
    #[serde(default)]
    grade: String,
    /// A day, as a date field gives it.
    #[serde(default)]
    until: String,
}

/// What inviting somebody would do, as the API foresees it.
#[derive(Deserialize)]
struct Foresight {
    address: String,
    way: String,
    workspace: Option<Home>,
    history: String,
    days: Option<u64>,
}

impl Foresight {
    fn words(&self, history: &str) -> String {
        let address = &self.address;
        let of = |home: &Home| match home.domain.as_str() {
            "" => home.name.clone(),
            domain => format!("{} ({domain})", home.name),
        };
        let whom = self.workspace.as_ref().map(of).unwrap_or_default();
        let what = match self.way.as_str() {
            "in" => return format!("{address} is in already."),
            "open" => return format!("{address} is invited already: the invitation stands below."),
            "joins" => format!("{address} is a colleague, and in at once."),
            "asked" => format!(
                "{whom} is asked: it tells the person, and its admin may have to approve first. Nothing is shown there \
                 before that."
            ),
            "mailed" => format!("An e-mail will be sent to {address}, with a link that works once."),
            "linked" => {
                format!("This node sends no mail: you get a link that works once, to pass on to {address}.")
            }
            _ => return format!("{whom} owns this: its node decides, and asks whoever is meant."),
        };
        let history = if history.is_empty() { self.history.as_str() } else { history };
        let sees = match history {
            "all" => "They will see everything that was written.",
            _ => "They will see what is written from then on.",
        };
        let ends =
            self.days.map(|days| format!(" The invitation ends after {days} days.")).unwrap_or_default();
        format!("{what} {sees}{ends}")
    }
}

/// What the form would do as it is filled in, in one sentence.
pub(super) async fn foresee(visitor: Visitor, place: Place, Params(new): Params<NewMember>) -> String {
    let who = match address(&visitor, &new.who).await {
        Ok(address) => address,
        Err(why) => return why,
    };
    let grade = if new.grade.is_empty() { "post" } else { new.grade.as_str() };
    let path = format!("{}/members/preview?address={}&grade={}", place.api, escape(&who), escape(grade));
    match visitor.desk.get::<Foresight>(&path).await {
        Ok(seen) => seen.words(&new.history),
        Err(no) if no.status == StatusCode::NOT_FOUND => {
            format!("Nobody of this workspace has the address {who}.")
        }
        Err(no) => no.detail,
    }
}

#[derive(Deserialize)]
struct Added {
    status: String,
    invitation: Option<String>,
    link: Option<String>,
}

pub(super) async fn add(
    visitor: Visitor,
    place: Place,
    headers: HeaderMap,
    Form(new): Form<NewMember>,
) -> Result<Response, Failure> {
    let mut outcome = match send(&visitor, &origin(&headers), &place, &new).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome { error: Some(error), ..Outcome::default() },
    };
    if outcome.error.is_some() {
        outcome.typed = new;
    }
    shown(&visitor, &place, outcome).await
}

/// Who may not add recipients to a locked thread asks for it (P2.4).
pub(super) async fn ask(
    visitor: Visitor,
    place: Place,
    Form(new): Form<NewMember>,
) -> Result<Response, Failure> {
    let asked = match address(&visitor, &new.who).await {
        Ok(address) => {
            let body = json!({ "address": address });
            let sent = visitor.desk.post(&format!("{}/requests", place.api), &body).await;
            sent.map(|_| address).map_err(|refusal| refusal.detail)
        }
        Err(error) => Err(error),
    };
    let outcome = match asked {
        Ok(address) => Outcome::done(&format!("The starter and the admins are asked to add {address}.")),
        Err(error) => Outcome { error: Some(error), typed: new, ..Outcome::default() },
    };
    shown(&visitor, &place, outcome).await
}

/// The page of the place, with what became of a form.
async fn shown(visitor: &Visitor, place: &Place, outcome: Outcome) -> Result<Response, Failure> {
    let id = place.id();
    if place.is_group {
        Ok(group::members_page(visitor, id, Query::default(), outcome).await?.into_response())
    } else {
        Ok(settings::thread_page(visitor, id, Query::default(), outcome).await?.into_response())
    }
}

async fn send(visitor: &Visitor, origin: &str, place: &Place, new: &NewMember) -> Result<Outcome, String> {
    let address = address(visitor, &new.who).await?;
    let mut body = json!({ "address": address });
    for (field, value) in [("history", &new.history), ("grade", &new.grade)] {
        if let (Some(body), false) = (body.as_object_mut(), value.is_empty()) {
            body.insert(field.into(), Value::String(value.clone()));
        }
    }
    if let (Some(day), Some(body)) = (day(&new.until)?, body.as_object_mut()) {
        body.insert("until".into(), json!(day));
    }
    let desk = visitor.desk.clone().keyed(&new.key);
    let added = desk.ask::<Added>(Method::POST, &format!("{}/members", place.api), Some(&body)).await;
    let Added { status, invitation, link } = added.map_err(|refusal| refusal.detail)?;
    let done = match (status.as_str(), &link, &invitation) {
        ("member", ..) => format!("{address} is in."),
        (_, Some(_), _) => format!("This node sends no mail: pass this link on to {address}."),
        (_, None, Some(id)) if is_mailed(visitor, place, id).await => {
            format!("An e-mail with a link is on its way to {address}.")
        }
        (_, None, Some(_)) => format!("{address} is asked. Until the answer nothing is shown there."),
        _ => "The owner's node has it: whoever is meant is asked there.".to_owned(),
    };
    let link = link.map(|path| format!("{origin}{path}"));
    Ok(Outcome { done: Some(done), link, ..Outcome::default() })
}

/// Whether an invitation goes out by a link rather than to a partner's node.
async fn is_mailed(visitor: &Visitor, place: &Place, id: &str) -> bool {
    let sent = visitor.desk.get::<SentList>(&format!("/invitations/sent?scope={}", place.id())).await;
    sent.is_ok_and(|sent| sent.invitations.iter().any(|one| one.id == id && one.by_link))
}

#[derive(Deserialize)]
struct Contacts {
    contacts: Vec<Contact>,
}

#[derive(Deserialize)]
struct Contact {
    name: String,
    address: String,
}

/// One box for both: what is no address is the name of one contact.
pub(super) async fn address(visitor: &Visitor, who: &str) -> Result<String, String> {
    let who = who.trim();
    if who.contains('@') {
        return Ok(who.to_owned());
    }
    if who.is_empty() {
        return Err("Type a name or an e-mail address.".into());
    }
    let found = visitor.desk.get::<Contacts>(&format!("/contacts?limit=10&q={}", escape(who))).await;
    let contacts = found.map_err(|refusal| refusal.detail)?.contacts;
    let exact = contacts.iter().filter(|contact| contact.name.eq_ignore_ascii_case(who)).collect::<Vec<_>>();
    match (contacts.as_slice(), exact.as_slice()) {
        ([one], _) => Ok(one.address.clone()),
        (_, [one]) => Ok(one.address.clone()),
        ([], _) => Err(format!("No contact is called “{who}”. Somebody new is invited by e-mail address.")),
        _ => Err(format!("More than one contact fits “{who}”: type the address.")),
    }
}

/// The end of a day, in UTC; `None`: no day was chosen.
fn day(text: &str) -> Result<Option<u64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = format!("{text}T00:00:00.000Z").parse::<crate::time::Millis>();
    parsed.map(|day| Some(day.0.saturating_add(DAY - 1))).map_err(|error| format!("The last day: {error}"))
}

#[derive(Deserialize)]
pub(super) struct Grade {
    grade: String,
}

pub(super) async fn grade(
    visitor: Visitor,
    place: Place,
    Path((_, user)): Path<(String, String)>,
    Form(Grade { grade }): Form<Grade>,
) -> Result<Response, Failure> {
    let path = format!("{}/members/{}", place.api, escape(&user));
    let done = visitor.desk.ask::<Value>(Method::PATCH, &path, Some(&json!({ "grade": grade }))).await;
    match done {
        Ok(_) => Ok(Redirect::to(&place.members()).into_response()),
        Err(refusal) => {
            let outcome = Outcome::refused(refusal);
            shown(&visitor, &place, outcome).await
        }
    }
}

#[derive(Deserialize)]
struct Resent {
    link: Option<String>,
}

/// Something is done with an invitation that went out.
pub(super) async fn answer_for(
    visitor: &Visitor,
    origin: &str,
    invite: &str,
    act: &str,
) -> Result<Result<Outcome, Refusal>, Failure> {
    let at = format!("/invitations/{}", escape(invite));
    let desk = &visitor.desk;
    let done = match act {
        "resend" => {
            desk.ask::<Resent>(Method::POST, &format!("{at}/resend"), None).await.map(|resent| Outcome {
                done: Some("It is sent again. An old link does not work any more.".into()),
                link: resent.link.map(|path| format!("{origin}{path}")),
                ..Outcome::default()
            })
        }
        "withdraw" => desk
            .ask::<Value>(Method::DELETE, &at, None)
            .await
            .map(|_| Outcome::done("The invitation is withdrawn.")),
        "accept" | "refuse" => {
            let body = json!({ "accept": act == "accept" });
            desk.ask::<Value>(Method::POST, &format!("{at}/claim"), Some(&body))
                .await
                .map(|_| Outcome::default())
        }
        _ => return Err(Failure::nothing()),
    };
    match done {
        Err(no) if no.status == StatusCode::UNAUTHORIZED => Err(visitor.failed(no)),
        done => Ok(done),
    }
}

/// The same, from the page of a group or thread.
pub(super) async fn sent(
    visitor: Visitor,
    place: Place,
    headers: HeaderMap,
    Path((_, invite, act)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let done = answer_for(&visitor, &origin(&headers), &invite, &act).await?;
    shown(&visitor, &place, done.unwrap_or_else(Outcome::refused)).await
}
