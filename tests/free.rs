//! Invitations by e-mail, free accounts and claims (P1.2 to P1.6, P2.3): over the API, with real nodes and their realms.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use harness::{PATIENCE, Workspace, http::Checked, peer};
use hyper::Method;
use serde_json::{Value, json};

mod harness;

const PASSWORD: &str = "a long enough password";

async fn send(client: &mut Checked, method: Method, path: &str, body: Value) -> (u16, Value) {
    let answer = client.send(method, path, Some(&body), None).await.unwrap();
    (answer.status.as_u16(), answer.body)
}

/// Asks until the answer is as wanted; woken by the viewer's own live events.
async fn until(client: &Checked, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut events = client.again().await.unwrap().events().await.unwrap();
    let mut asking = client.again().await.unwrap();
    let mut last = Value::Null;
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            last = asking.send(Method::GET, path, None, None).await.unwrap().body;
            if wanted(&last) {
                return;
            }
            drop(tokio::time::timeout(std::time::Duration::from_millis(200), events.next()).await);
        }
    });
    assert!(
        found.await.is_ok(),
        "waited in vain for {path} ({}): {last}",
        asking.get("/me").await.unwrap()["address"]
    );
    last
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

/// A group of the admin's, and an invitation into it by e-mail: the group's id, its chat, the link.
async fn invited(of: &Workspace, address: &str) -> (String, String, String, String) {
    let mut alice = of.client(&of.admin).await;
    let group = alice.post("/groups", &json!({ "name": "Project" })).await.unwrap();
    let (id, chat) = (text(&group, "id"), text(&group, "chat"));
    alice.post(&format!("/threads/{chat}/messages"), &json!({ "text": "before" })).await.unwrap();
    let asked = alice.post(&format!("/groups/{id}/members"), &json!({ "address": address })).await.unwrap();
    assert_eq!(asked["status"], "invited", "P2.3: without mail the inviter gets the link: {asked}");
    (id, chat, text(&asked, "link"), text(&asked, "invitation"))
}

/// A free account by a link; its answer.
async fn join(of: &Workspace, link: &str, body: Value) -> (u16, Value) {
    send(&mut of.client("").await, Method::POST, &format!("{link}/account"), body).await
}

#[tokio::test]
async fn an_invitation_by_mail_becomes_a_free_account_with_its_rights_and_no_more() {
    let acme = Workspace::hosting("acme").await;
    let (group, chat, link, _) = invited(&acme, "Jo@Freelance.example").await;
    let mut nobody = acme.client("").await;
    let shown = nobody.get(&link).await.unwrap();
    assert_eq!(
        (&shown["for"], &shown["name"], &shown["free_account"]),
        (&json!("invitation"), &json!("Project"), &json!(true))
    );
    assert_eq!(nobody.get(&link).await.unwrap(), shown, "to look at a link does not use it");
    let (status, joined) = join(&acme, &link, json!({ "name": "Jo", "password": PASSWORD })).await;
    assert_eq!((status, &joined["claim"]), (201, &json!("accepted")), "{joined}");
    let mut jo = acme.client(&text(&joined, "token")).await;
    until(&jo, &format!("/groups/{group}"), |answer| answer["settings"]["name"] == "Project").await;
    let mut alice = acme.client(&acme.admin).await;
    let list = format!("/groups/{group}/members");
    let two = |answer: &Value| answer["members"].as_array().is_some_and(|members| members.len() == 2);
    let members = until(&alice, &list, two).await;
    let row = members["members"].as_array().unwrap().iter().find(|member| member["name"] == "Jo").unwrap();
    // P1.2, P4.1: the own e-mail, the realm, unverified because nobody mailed a code; external to its host.
    assert_eq!(row["address"], "jo@freelance.example");
    assert_eq!(
        (&row["external"], &row["free"], &row["verified"]),
        (&json!(true), &json!(true), &json!(false))
    );
    assert_eq!(row["home"], "Free accounts at acme");
    // P1.3: reads and writes, from now on; sees who is there; a profile of its own.
    let messages = format!("/threads/{chat}/messages");
    let (status, posted) = send(&mut jo, Method::POST, &messages, json!({ "text": "hello" })).await;
    assert!(status == 201 || status == 202, "{status} {posted}");
    until(&alice, &messages, |answer| {
        answer["messages"].as_array().unwrap().iter().any(|m| m["text"] == "hello")
    })
    .await;
    let page = jo.get(&messages).await.unwrap();
    assert!(
        !page.to_string().contains("before"),
        "P2.6: of a group externals get what comes from now on: {page}"
    );
    assert!(jo.get(&format!("/groups/{group}/members")).await.is_ok());
    let me = text(&jo.get("/me").await.unwrap(), "id");
    let renamed = json!({ "name": "Jo Free" });
    assert_eq!(send(&mut jo, Method::PATCH, &format!("/users/{me}"), renamed).await.0, 200);
    // P1.3: no directory, no search of people, no groups, no invitations.
    for (method, path, body) in [
        (Method::GET, "/users".to_owned(), Value::Null),
        (Method::POST, "/groups".into(), json!({ "name": "Mine" })),
        (Method::POST, format!("/groups/{group}/members"), json!({ "address": "kim@else.example" })),
        (Method::POST, "/threads".into(), json!({ "subject": "x", "people": ["alice@acme.example"] })),
        (
            Method::POST,
            "/threads".into(),
            json!({ "subject": "x", "groups": [group], "people": ["a@b.example"] }),
        ),
    ] {
        let (status, answer) = send(&mut jo, method.clone(), &path, body).await;
        assert_eq!(status, 403, "P1.3: {method} {path}: {answer}");
    }
    let (status, _) = send(&mut jo, Method::GET, "/audit", Value::Null).await;
    assert_eq!(status, 404);
    // P1.3: a DM with a contact.
    let (status, dm) = send(&mut jo, Method::POST, "/dms", json!({ "address": "alice@acme.example" })).await;
    assert_eq!(status, 201, "{dm}");
    // P7.1: removed as a member is, and nothing is left.
    let (status, removed) =
        send(&mut alice, Method::DELETE, &format!("/groups/{group}/members/{me}"), Value::Null).await;
    assert_eq!(status, 200, "{removed}");
    until(&jo, &format!("/groups/{group}"), |answer| answer["status"] == 404).await;
    // Signed in again with the e-mail, as anybody.
    let given = json!({ "address": "jo@freelance.example", "password": PASSWORD });
    assert_eq!(send(&mut nobody, Method::POST, "/sessions", given).await.0, 201);
}

/// P1.2, P8.2, P8.4: the admin of the node that hosts it ends a free account, and sees first what that ends.
#[tokio::test]
async fn an_admin_sees_and_ends_the_free_accounts_of_the_node() {
    let acme = Workspace::hosting("acme").await;
    let (group, _, link, _) = invited(&acme, "jo@freelance.example").await;
    let (status, joined) = join(&acme, &link, json!({ "name": "Jo", "password": PASSWORD })).await;
    assert_eq!(status, 201, "{joined}");
    let jo = acme.client(&text(&joined, "token")).await;
    until(&jo, &format!("/groups/{group}"), |answer| answer["settings"]["name"] == "Project").await;
    let mut alice = acme.client(&acme.admin).await;
    let listed = alice.get("/accounts").await.unwrap();
    let account = &listed["accounts"][0];
    assert_eq!((&account["address"], &account["external"]), (&json!("jo@freelance.example"), &json!(true)));
    let id = text(account, "id");
    let here = until(&alice, "/externals", |answer| answer["externals"][0]["id"] == json!(id)).await;
    assert_eq!(here["externals"][0]["places"][0]["name"], "Project", "{here}");
    let signed_in = &account["signed_in"];
    assert!(
        signed_in.is_u64() && here["externals"][0]["last_seen"] == *signed_in,
        "he has only signed in: {here}"
    );
    let ends = alice.get(&format!("/accounts/{id}/departure")).await.unwrap();
    assert_eq!(ends["losses"][0]["user"]["id"], json!(id), "{ends}");
    let (status, answer) = send(&mut alice, Method::DELETE, &format!("/accounts/{id}"), Value::Null).await;
    assert_eq!(status, 204, "{answer}");
    until(&alice, "/externals", |answer| answer["externals"] == json!([])).await;
    assert_eq!(alice.get("/accounts").await.unwrap()["accounts"][0]["role"], "removed");
    let given = json!({ "address": "jo@freelance.example", "password": PASSWORD });
    assert_eq!(send(&mut acme.client("").await, Method::POST, "/sessions", given).await.0, 401);
}

#[tokio::test]
async fn a_link_works_once_and_says_why_it_does_not() {
    let acme = Workspace::hosting("acme").await;
    let globex = Workspace::new("globex").await;
    peer(&acme, &globex).await;
    let (_, _, link, invitation) = invited(&acme, "jo@freelance.example").await;
    let mut alice = acme.client(&acme.admin).await;
    let again = alice.post(&format!("/invitations/{invitation}/resend"), &json!({})).await.unwrap();
    let newer = text(&again, "link");
    let account = json!({ "name": "Jo", "password": PASSWORD });
    let (status, old) = join(&acme, &link, account.clone()).await;
    assert!(status == 409 && text(&old, "detail").contains("newer"), "{old}");
    for (body, expected) in [
        (json!({ "name": "Jo", "password": "short" }), 422),
        (json!({ "name": "", "password": PASSWORD }), 422),
        (json!({ "name": "x".repeat(300), "password": PASSWORD }), 422),
        (json!({ "name": "a\u{7}b", "password": PASSWORD }), 422),
        (json!({ "name": "Jo", "password": PASSWORD, "address": "no address" }), 422),
        (json!({ "name": "Jo", "password": PASSWORD, "address": "jo@globex.example" }), 409),
        (json!({ "name": "Jo", "password": PASSWORD, "address": "jo@acme.example" }), 409),
    ] {
        let (status, answer) = join(&acme, &newer, body.clone()).await;
        assert_eq!(status, expected, "{body}: {answer}");
    }
    assert_eq!(join(&acme, "/join/unknown", account.clone()).await.0, 404);
    let (first, second) =
        tokio::join!(join(&acme, &newer, account.clone()), join(&acme, &newer, account.clone()));
    let mut statuses = [first.0, second.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "two at once: {first:?} {second:?}");
    let (status, used) = join(&acme, &newer, account.clone()).await;
    assert!(status == 409 && text(&used, "detail").contains("used"), "{used}");
    // Withdrawn.
    let (_, _, link, invitation) = invited(&acme, "kim@freelance.example").await;
    assert_eq!(
        send(&mut alice, Method::DELETE, &format!("/invitations/{invitation}"), Value::Null).await.0,
        204
    );
    let (status, gone) = join(&acme, &link, account).await;
    assert!(status == 409 && text(&gone, "detail").contains("taken back"), "{gone}");
}

#[tokio::test]
async fn an_account_elsewhere_claims_and_another_address_is_the_inviters_to_judge() {
    let (acme, globex) = (Workspace::hosting("acme").await, Workspace::new("globex").await);
    peer(&acme, &globex).await;
    let (group, _, link, invitation) = invited(&acme, "bob@private.example").await;
    let code = text(&acme.client("").await.get(&link).await.unwrap(), "code");
    let (_, token) = globex.person("bob").await;
    let mut bob = globex.client(&token).await;
    // P1.5: at home, signed in, with the code; without an account a stolen link gives nothing.
    let mut nobody = globex.client("").await;
    assert_eq!(send(&mut nobody, Method::POST, "/claims", json!({ "code": code })).await.0, 401);
    assert_eq!(send(&mut bob, Method::POST, "/claims", json!({ "code": "nonsense" })).await.0, 422);
    let (status, claimed) = send(&mut bob, Method::POST, "/claims", json!({ "code": code })).await;
    assert_eq!((status, &claimed["status"]), (201, &json!("asked")), "{claimed}");
    let mut alice = acme.client(&acme.admin).await;
    let sent = alice.get("/invitations/sent").await.unwrap();
    assert_eq!(sent["invitations"][0]["status"], "claimed");
    assert_eq!(sent["invitations"][0]["claimant"]["address"], "bob@globex.example");
    let (status, waiting) = join(&acme, &link, json!({ "name": "Eve", "password": PASSWORD })).await;
    assert!(status == 409 && text(&waiting, "detail").contains("waits for the inviter"), "{waiting}");
    let (_, token) = globex.person("bea").await;
    let mut bea = globex.client(&token).await;
    let (status, claimed) = send(&mut bea, Method::POST, "/claims", json!({ "code": code })).await;
    assert_eq!(status, 409, "one claim of an invitation at a time per home: {claimed}");
    // Refused, the link works on, for anybody at that home too: it is asked again, refused, asked again and accepted.
    let decide = format!("/invitations/{invitation}/claim");
    let mut events = bob.again().await.unwrap().events().await.unwrap();
    assert_eq!(send(&mut alice, Method::POST, &decide, json!({ "accept": false })).await.0, 204);
    let told = async { while events.next().await.unwrap().unwrap().0 != "claim" {} };
    tokio::time::timeout(PATIENCE, told).await.expect("who claims hears of the answer as it comes");
    until(&bob, "/claims", |answer| answer["claims"][0]["status"] == "refused").await;
    let (status, claimed) = send(&mut bea, Method::POST, "/claims", json!({ "code": code })).await;
    assert_eq!((status, &claimed["status"]), (201, &json!("asked")), "spec 6.8: {claimed}");
    assert_eq!(send(&mut alice, Method::POST, &decide, json!({ "accept": false })).await.0, 204);
    until(&bea, "/claims", |answer| answer["claims"][0]["status"] == "refused").await;
    let (status, claimed) = send(&mut bob, Method::POST, "/claims", json!({ "code": code })).await;
    assert_eq!((status, &claimed["status"]), (201, &json!("asked")), "{claimed}");
    assert_eq!(send(&mut alice, Method::POST, &decide, json!({ "accept": true })).await.0, 204);
    until(&bob, &format!("/groups/{group}"), |answer| answer["settings"]["name"] == "Project").await;
    let members = alice.get(&format!("/groups/{group}/members")).await.unwrap();
    let row =
        members["members"].as_array().unwrap().iter().find(|row| row["address"] == "bob@globex.example");
    assert_eq!(row.unwrap()["free"], false, "P1.5: with the account of globex, no second one: {members}");
}

#[tokio::test]
async fn a_claim_from_a_stranger_becomes_a_request_for_a_peering() {
    let (acme, globex) = (Workspace::hosting("acme").await, Workspace::new("globex").await);
    let (group, _, link, _) = invited(&acme, "bob@globex.example").await;
    let code = text(&acme.client("").await.get(&link).await.unwrap(), "code");
    let (_, token) = globex.person("bob").await;
    let mut bob = globex.client(&token).await;
    let (status, claimed) = send(&mut bob, Method::POST, "/claims", json!({ "code": code })).await;
    assert_eq!((status, &claimed["status"]), (201, &json!("peering")), "{claimed}");
    let mut admin = globex.client(&globex.admin).await;
    let wanted = admin.get("/claims/peerings").await.unwrap();
    assert_eq!(wanted["claims"][0]["user"]["address"], "bob@globex.example");
    let id = text(&wanted["claims"][0], "id");
    assert_eq!(send(&mut admin, Method::POST, &format!("/claims/{id}/peering"), json!({})).await.0, 202);
    let alice = acme.client(&acme.admin).await;
    let asked = |answer: &Value| {
        answer["peers"].as_array().is_some_and(|peers| peers.iter().any(|peer| peer["status"] == "waiting"))
    };
    let peers = until(&alice, "/peers", asked).await;
    let waiting = peers["peers"].as_array().unwrap().iter().find(|peer| peer["status"] == "waiting").unwrap();
    assert_eq!(waiting["invitation"]["address"], "bob@globex.example", "{waiting}");
    let globex_id = text(&waiting["workspace"], "id");
    let mut alice = alice;
    assert_eq!(
        send(&mut alice, Method::POST, &format!("/peers/{globex_id}/approve"), json!({})).await.0,
        204
    );
    // The invited address is globex's own: nobody has to be asked.
    until(&bob, &format!("/groups/{group}"), |answer| answer["settings"]["name"] == "Project").await;
}

#[tokio::test]
async fn a_free_account_moves_into_the_workspace_that_takes_the_person_as_a_member() {
    let acme = Workspace::hosting("acme").await;
    let (group, chat, link, _) = invited(&acme, "jo@freelance.example").await;
    let (_, joined) = join(&acme, &link, json!({ "name": "Jo", "password": PASSWORD })).await;
    let mut jo = acme.client(&text(&joined, "token")).await;
    let messages = format!("/threads/{chat}/messages");
    let mut alice = acme.client(&acme.admin).await;
    until(&jo, &format!("/groups/{group}"), |answer| answer["settings"]["name"] == "Project").await;
    alice.post(&messages, &json!({ "text": "since" })).await.unwrap();
    until(&jo, &messages, |answer| answer["messages"][0]["text"] == "since").await;
    let (status, dm) = send(&mut jo, Method::POST, "/dms", json!({ "address": "alice@acme.example" })).await;
    assert_eq!(status, 201, "{dm}");
    // P2.4: a contact needs not be asked.
    let dm = format!("/threads/{}", text(&dm, "id"));
    until(&alice, &dm, |answer| answer["members"] == 2).await;
    assert_eq!(
        send(&mut jo, Method::POST, &format!("{dm}/messages"), json!({ "text": "to alice" })).await.0,
        201
    );
    // Removed from another group before: that stays.
    let other = alice.post("/groups", &json!({ "name": "Other", "open_invites": true })).await.unwrap();
    let other = text(&other, "id");
    let asked =
        alice.post(&format!("/groups/{other}/members"), &json!({ "address": "jo@freelance.example" })).await;
    let code = text(&asked.unwrap(), "link");
    assert_eq!(send(&mut jo, Method::POST, "/claims", json!({ "code": code })).await.0, 201);
    until(&jo, &format!("/groups/{other}"), |answer| answer["settings"]["name"] == "Other").await;
    let old = text(&joined, "user");
    let gone = send(&mut alice, Method::DELETE, &format!("/groups/{other}/members/{old}"), Value::Null).await;
    assert_eq!(gone.0, 200, "{}", gone.1);
    // The account at the workspace waits for its person, who shows its link with the free account.
    let user = alice.post("/users", &json!({ "local": "jo", "name": "Jo" })).await.unwrap();
    let id = text(&user, "id");
    let link = text(&alice.post(&format!("/users/{id}/link"), &json!({})).await.unwrap(), "path");
    let (status, claimed) = send(&mut jo, Method::POST, "/claims", json!({ "code": link })).await;
    assert_eq!(status, 201, "{claimed}");
    let (status, session) = send(
        &mut acme.client("").await,
        Method::POST,
        &format!("{link}/password"),
        json!({ "password": PASSWORD }),
    )
    .await;
    assert_eq!(status, 201, "{session}");
    let member = acme.client(&text(&session, "token")).await;
    let page = until(&member, &messages, |answer| answer["messages"][0]["text"] == "since").await;
    assert_eq!(page["messages"].as_array().unwrap().len(), 1, "P1.6: with the history that he had, no more");
    until(&member, &format!("{dm}/messages"), |answer| answer["messages"][0]["text"] == "to alice").await;
    let members = alice.get(&format!("/groups/{group}/members")).await.unwrap();
    let rows = members["members"].as_array().unwrap();
    let row = rows.iter().find(|row| row["address"] == "jo@acme.example").unwrap();
    assert_eq!(
        (rows.len(), &row["external"], &row["free"]),
        (2, &json!(false), &json!(false)),
        "P1.6: {members}"
    );
    // The free account is over.
    assert!(jo.get("/me").await.is_err());
    let given = json!({ "address": "jo@freelance.example", "password": PASSWORD });
    assert_eq!(send(&mut acme.client("").await, Method::POST, "/sessions", given).await.0, 401);
    // What was taken from him stays taken: a member who may invite cannot bring him back.
    let (_, mia) = acme.person("mia").await;
    alice.post(&format!("/groups/{other}/members"), &json!({ "address": "mia@acme.example" })).await.unwrap();
    let back = json!({ "address": "jo@acme.example" });
    let path = format!("/groups/{other}/members");
    let (status, answer) = send(&mut acme.client(&mia).await, Method::POST, &path, back.clone()).await;
    assert!(status == 403 && text(&answer, "detail").contains("removed"), "P1.6, P2.4: {answer}");
    assert_eq!(send(&mut alice, Method::POST, &path, back).await.0, 201);
}

#[tokio::test]
async fn an_external_cannot_tell_who_is_at_the_owners_home() {
    let (acme, globex) = (Workspace::hosting("acme").await, Workspace::new("globex").await);
    peer(&acme, &globex).await;
    let bob = globex.person("bob").await;
    let mia = acme.person("mia").await;
    let mut alice = acme.client(&acme.admin).await;
    let group = alice.post("/groups", &json!({ "name": "Open", "open_invites": true })).await.unwrap();
    let group = text(&group, "id");
    harness::admit(
        &acme,
        acme.alice(),
        group.parse().unwrap(),
        &globex,
        bob.0,
        comity::wire::objects::Grade::Post,
    )
    .await;
    let mut as_bob = globex.client(&bob.1).await;
    let path = format!("/groups/{group}/members");
    let mut answers = Vec::new();
    for address in ["mia@acme.example", "nobody@acme.example"] {
        answers.push(send(&mut as_bob, Method::POST, &path, json!({ "address": address })).await);
    }
    assert_eq!(answers[0], answers[1], "P3.1: somebody and nobody");
    let members = alice.get(&path).await.unwrap();
    assert_eq!(members["members"].as_array().unwrap().len(), 2, "nobody was added unseen: {members}");
    // Mia has the link from her mail, or from the admin, and claims with her own account.
    let sent = alice.get("/invitations/sent").await.unwrap();
    let hers = sent["invitations"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["address"] == "mia@acme.example")
        .unwrap();
    let again = alice.post(&format!("/invitations/{}/resend", text(hers, "id")), &json!({})).await.unwrap();
    let mut as_mia = acme.client(&mia.1).await;
    let (status, claimed) =
        send(&mut as_mia, Method::POST, "/claims", json!({ "code": text(&again, "link") })).await;
    assert_eq!((status, &claimed["status"]), (201, &json!("accepted")), "{claimed}");
    assert!(as_mia.get(&format!("/groups/{group}")).await.is_ok());
}
