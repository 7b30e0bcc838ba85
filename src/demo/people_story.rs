//! The part of the story about people: invitations by e-mail and by name, free accounts, the directory, requests, policy.
//!
//! Duty: what a user would do and see, over the public API; the mail that is sent is the mail that is read. Never: a look
//! behind it.

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use super::{
    Stage,
    catcher::Catcher,
    script::Script,
    story::{reads, sees_nothing, write},
};
use crate::cli::person::{Person, invitation, text};

const PASSWORD: &str = "only for the demo";

/// Who and where.
struct Scene {
    alice: Person,
    anna: Person,
    bea: Person,
    group: String,
    chat: String,
}

pub(super) async fn play(script: &mut Script, stage: &mut Stage) -> Result<()> {
    let alice = stage.admin(0).await?;
    let (anna, bea) = (stage.add(0, "amy", "Amy").await?, stage.add(1, "ben", "Ben").await?);
    let group = alice.post("/groups", json!({ "name": "Harbour" })).await?;
    let (group, chat) = (text(&group, "/id")?, text(&group, "/chat")?);
    let scene = Scene { alice, anna, bea, group, chat };
    let joining = async { free_account(&scene, &stage.catcher).await };
    let jo = script.step("invited by e-mail: a free account", joining).await?;
    script.step("the same kind of link: an account of globex", claimed(&scene, &stage.catcher)).await?;
    script.step("invited by name, from the contacts", by_name(&scene)).await?;
    script.step("directory and badges, from each side", badges(&scene, &jo)).await?;
    script.step("a locked thread: request and approval", request(&scene)).await?;
    script.step("a policy is tightened, once it is confirmed", tightened(&scene, &jo)).await
}

/// Somebody at the inviting node without a session.
fn nobody(at: &Person) -> Person {
    Person { id: String::new(), address: String::new(), token: String::new(), http: at.http }
}

/// Invites an address by e-mail; the path of the link that came with it.
async fn mailed(scene: &Scene, catcher: &Catcher, address: &str) -> Result<String> {
    let seen = catcher.count();
    let path = format!("/groups/{}/members", scene.group);
    let asked = scene.alice.post(&path, json!({ "address": address })).await?;
    ensure!(asked.get("link").is_none(), "a link that was mailed is shown as well: {asked}");
    let letter = catcher.next(address, seen).await?;
    let words = letter.text()?;
    ensure!(words.contains("Harbour") && !words.contains("to the crew"), "the letter says: {words}");
    let link = letter.link()?;
    let code = link.rsplit('/').next().context("no code")?;
    Ok(format!("/join/{code}"))
}

/// Somebody without a workspace whom an e-mail brings into a group, with a free account.
pub(super) async fn free_person(
    inviter: &Person,
    catcher: &Catcher,
    group: &str,
    address: &str,
) -> Result<Person> {
    let seen = catcher.count();
    inviter.post(&format!("/groups/{group}/members"), json!({ "address": address })).await?;
    let link = catcher.next(address, seen).await?.link()?;
    let code = link.rsplit('/').next().context("no code")?;
    let account = json!({ "name": address, "password": PASSWORD });
    let made = nobody(inviter).post(&format!("/join/{code}/account"), account).await?;
    let (id, token) = (text(&made, "/user")?, text(&made, "/token")?);
    let person = Person { id, address: address.into(), token, http: inviter.http };
    person.until(&format!("/groups/{group}"), |_| true).await?;
    Ok(person)
}

async fn free_account(scene: &Scene, catcher: &Catcher) -> Result<(Person, String)> {
    write(&scene.alice, &scene.chat, "to the crew").await?;
    let link = mailed(scene, catcher, "jo@freelance.example").await?;
    let guest = nobody(&scene.alice);
    let shown = guest.get(&link).await?;
    ensure!(shown == guest.get(&link).await?, "to look at a link uses it up");
    let account = json!({ "name": "Jo", "password": PASSWORD });
    let made = guest.post(&format!("{link}/account"), account.clone()).await?;
    let (token, id) = (text(&made, "/token")?, text(&made, "/user")?);
    let jo = Person { id, address: "jo@freelance.example".into(), token, http: scene.alice.http };
    jo.until(&format!("/groups/{}", scene.group), |_| true).await?;
    write(&jo, &scene.chat, "hello from outside").await?;
    let posted = |page: &Value| super::story::texts(page).iter().any(|text| text == "hello from outside");
    scene.alice.until(&format!("/threads/{}/messages", scene.chat), posted).await?;
    ensure!(guest.post(&format!("{link}/account"), account).await.is_err(), "the link works twice");
    let verified = made.get("verified").and_then(Value::as_bool) == Some(true);
    ensure!(verified, "the link was mailed, and the address is not verified: {made}");
    ensure!(jo.get("/users").await.is_err(), "a free account sees the workspace's people");
    Ok((jo, "jo reads and writes in the one group, with the address that the mail proved".into()))
}

async fn claimed(scene: &Scene, catcher: &Catcher) -> Result<((), String)> {
    let link = mailed(scene, catcher, "ben@private.example").await?;
    let code = text(&nobody(&scene.alice).get(&link).await?, "/code")?;
    let claim = scene.bea.post("/claims", json!({ "code": code })).await?;
    ensure!(text(&claim, "/status")? == "asked", "another address is nobody's word: {claim}");
    sees_nothing(&scene.bea, &format!("/groups/{}", scene.group)).await?;
    let sent = scene.alice.get(&format!("/invitations/sent?scope={}", scene.group)).await?;
    let waiting = sent.pointer("/invitations/0").context("no invitation")?;
    ensure!(text(waiting, "/claimant/address")? == scene.bea.address, "claimed by: {waiting}");
    let decide = format!("/invitations/{}/claim", text(waiting, "/id")?);
    scene.alice.post(&decide, json!({ "accept": true })).await?;
    scene.bea.until(&format!("/groups/{}", scene.group), |_| true).await?;
    Ok(((), "ben came with his account of globex, after alice said that it is he".into()))
}

async fn by_name(scene: &Scene) -> Result<((), String)> {
    let contacts = scene.alice.until("/contacts?q=be", |answer| found(answer, &scene.bea.address)).await?;
    let other = scene.anna.get("/contacts?q=be").await?;
    ensure!(!found(&other, &scene.bea.address), "amy has nothing in common with ben: {other}");
    let body = json!({ "subject": "Berths", "people": [scene.bea.address] });
    let topic = text(&scene.alice.post("/threads", body).await?, "/id")?;
    let asked = scene.bea.until("/invitations", |answer| invitation(answer, &topic).is_some()).await?;
    let id = invitation(&asked, &topic).context("no invitation")?;
    scene.bea.post(&format!("/invitations/{id}/accept"), json!({})).await?;
    write(&scene.alice, &topic, "pier four").await?;
    reads(&scene.bea, &topic, &["pier four"]).await?;
    let shown = people(&contacts).len();
    Ok(((), format!("{shown} contact of alice matches \"be\", none of amy")))
}

fn people(answer: &Value) -> Vec<&Value> {
    answer.get("contacts").and_then(Value::as_array).into_iter().flatten().collect()
}

fn found(answer: &Value, address: &str) -> bool {
    people(answer).iter().any(|person| person.get("address").and_then(Value::as_str) == Some(address))
}

/// A group as somebody's directory has it.
async fn listed(person: &Person, group: &str) -> Result<Value> {
    let answer = person.get("/directory?q=harbour").await?;
    let rows = answer.get("directory").and_then(Value::as_array).into_iter().flatten();
    let row = rows.into_iter().find(|row| row.get("id").and_then(Value::as_str) == Some(group));
    row.cloned().with_context(|| format!("not in the directory: {answer}"))
}

async fn badges(scene: &Scene, jo: &Person) -> Result<((), String)> {
    let flag = |row: &Value, name: &str| row.get(name).and_then(Value::as_bool);
    let here = listed(&scene.alice, &scene.group).await?;
    ensure!(flag(&here, "has_externals") == Some(true) && flag(&here, "external") == Some(false), "{here}");
    let there = listed(&scene.bea, &scene.group).await?;
    ensure!(flag(&there, "external") == Some(true) && text(&there, "/owner/name")? == "Acme", "{there}");
    ensure!(listed(&scene.anna, &scene.group).await.is_err(), "amy sees a closed group that she is not in");
    ensure!(jo.get("/directory").await.is_err(), "a free account has a directory");
    let members = scene.alice.get(&format!("/groups/{}/members", scene.group)).await?;
    let rows = members.get("members").and_then(Value::as_array).context("no members")?;
    let external = rows.iter().filter(|row| flag(row, "external") == Some(true)).count();
    let free = rows.iter().filter(|row| flag(row, "free") == Some(true)).count();
    ensure!((external, free) == (2, 1), "badges of members: {members}");
    Ok(((), "acme: includes externals; globex: owned by Acme; two external members, one of them free".into()))
}

async fn request(scene: &Scene) -> Result<((), String)> {
    let body = json!({ "subject": "Tides", "groups": [scene.group] });
    let thread = text(&scene.alice.post("/threads", body).await?, "/id")?;
    let place = format!("/threads/{thread}");
    scene.alice.client().await?.call(Method::PATCH, &place, Some(&json!({ "locked": true }))).await?;
    scene.bea.until(&place, |answer| answer.pointer("/settings/locked") == Some(&json!(true))).await?;
    let wanted = json!({ "address": scene.anna.address });
    ensure!(
        scene.bea.post(&format!("{place}/members"), wanted.clone()).await.is_err(),
        "a locked thread takes recipients from anybody"
    );
    scene.bea.post(&format!("{place}/requests"), wanted).await?;
    let requests = scene.alice.get(&format!("{place}/requests")).await?;
    let id = text(requests.pointer("/requests/0").context("no request")?, "/id")?;
    sees_nothing(&scene.anna, &place).await?;
    scene.alice.post(&format!("{place}/requests/{id}/approve"), json!({})).await?;
    scene.anna.until(&place, |_| true).await?;
    Ok(((), "ben asks, alice approves, amy is in".into()))
}

async fn tightened(scene: &Scene, jo: &Person) -> Result<((), String)> {
    let (mut alice, change) = (scene.alice.client().await?, json!({ "free_accounts": "none" }));
    let refused = alice.send(Method::PATCH, "/workspace/policy", Some(&change), None).await?;
    ensure!(refused.status.as_u16() == 409, "it was not asked whether: {}", refused.body);
    jo.get(&format!("/groups/{}", scene.group)).await?;
    alice.call(Method::PATCH, "/workspace/policy?confirm=true", Some(&change)).await?;
    let group = format!("/groups/{}", scene.group);
    jo.until("/groups", |answer| answer.get("groups").and_then(Value::as_array).is_some_and(Vec::is_empty))
        .await?;
    sees_nothing(jo, &group).await?;
    scene.bea.get(&group).await?;
    alice.call(Method::PATCH, "/workspace/policy", Some(&json!({ "free_accounts": "all" }))).await?;
    Ok(((), "free accounts are no longer admitted: jo is out, ben is not".into()))
}
