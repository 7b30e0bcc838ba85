//! The administration's pages over real HTTP, as a browser without JavaScript uses them (P8.1, P8.2, P8.4, P5.5, P7.5).
//!
//! Duty: every page for an admin and for nobody else; acts that end something show first what that is. Never: a look into
//! how a page is made.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use comity::{
    api,
    ids::{ScopeId, ThreadId, UserId, WorkspaceId},
    node::{Snapshot, identity::Layout, key_file},
    protocol::{Command, Records as _, gate},
    time::Millis,
    web,
    wire::{
        envelope,
        objects::{Floor, Grade, Handover},
    },
};
use harness::{PATIENCE, Workspace, admit, group, http, peer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

mod harness;

/// acme, whose pages are asked for, with a realm and bob of globex in a group; mia of acme is in a group of globex.
struct Stage {
    acme: Workspace,
    globex: Workspace,
    /// Where acme's pages are.
    pages: String,
    /// Where globex's are.
    theirs: String,
    mia: (UserId, String),
    bob: UserId,
    /// His token.
    bobs: String,
    here: ScopeId,
    chat: ThreadId,
    abroad: ScopeId,
}

/// What a browser gets.
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Stage {
    async fn new() -> Self {
        let (acme, globex) = (Workspace::hosting("acme").await, Workspace::new("globex").await);
        peer(&acme, &globex).await;
        let (pages, theirs) = (pages(&acme).await, pages(&globex).await);
        let (mia, bob) = (acme.person("mia").await, globex.person("bob").await);
        let (here, chat) = group(&acme, acme.alice(), "Launch").await;
        admit(&acme, acme.alice(), here, &globex, bob.0, Grade::Post).await;
        let (abroad, _) = group(&globex, globex.alice(), "Pricing").await;
        admit(&globex, globex.alice(), abroad, &acme, mia.0, Grade::Post).await;
        let came = |view: &Snapshot| gate::sees_scope(&view.state, mia.0, abroad);
        acme.until("the group of globex", came).await;
        Self { acme, globex, pages, theirs, mia, bob: bob.0, bobs: bob.1, here, chat, abroad }
    }

    async fn ask(&self, token: &str, head: &str, form: &str) -> Got {
        Self::ask_at(&self.pages, cookie(self.acme.id, token), head, form).await
    }

    /// As the admin of globex, at its pages.
    async fn there(&self, head: &str, form: &str) -> Got {
        Self::ask_at(&self.theirs, cookie(self.globex.id, &self.globex.admin), head, form).await
    }

    async fn ask_at(host: &str, cookie: String, head: &str, form: &str) -> Got {
        let (method, path) = head.split_once(' ').unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\norigin: http://{host}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        );
        let mut socket = TcpStream::connect(host).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        tokio::time::timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Got { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// A page for the admin.
    async fn page(&self, path: &str) -> String {
        let got = self.ask(&self.acme.admin, &format!("GET {path}"), "").await;
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        got.body
    }

    /// A form that leads on to another page.
    async fn done(&self, path: &str, form: &str) -> String {
        let got = self.ask(&self.acme.admin, &format!("POST {path}"), form).await;
        assert_eq!(got.status, 303, "{path}: {}", got.body);
        let line = got.head.lines().find_map(|line| line.strip_prefix("location: "));
        line.unwrap().to_owned()
    }

    /// A form that is answered by a page.
    async fn shown(&self, path: &str, form: &str, status: u16) -> String {
        let got = self.ask(&self.acme.admin, &format!("POST {path}"), form).await;
        assert_eq!(got.status, status, "{path}: {}", got.body);
        got.body
    }

    async fn api(&self, path: &str) -> serde_json::Value {
        http::ask(&self.acme.host, &self.acme.admin, &format!("GET {path}"), "", &[]).await.json()
    }

    /// A member of acme comes into the group here.
    async fn add(&self, user: UserId, grade: Grade) {
        let (actor, scope, users, floor) = (self.acme.alice(), self.here, vec![user], Floor::All);
        self.acme.ask(Command::AddMembers { actor, scope, users, grade, floor }).await;
    }

    async fn stop(mut self) {
        self.acme.stop().await;
        self.globex.stop().await;
    }
}

/// A workspace's pages.
async fn pages(of: &Workspace) -> String {
    let realm = of.realm.as_ref().map(|realm| &realm.handle);
    let around = |api| web::around(api, of.id);
    let listen = "127.0.0.1:0".parse().unwrap();
    api::start_with(of.handle(), realm, listen, Vec::new(), around).await.unwrap().to_string()
}

fn cookie(of: WorkspaceId, token: &str) -> String {
    format!("__Host-comity-{}={token}", &of.to_string()[3..11])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_there_for_admins_and_for_nobody_else() {
    let stage = Stage::new().await;
    let (globex, mia) = (stage.globex.id, stage.mia.0);
    let pages = [
        ("/admin".to_owned(), "globex"),
        ("/admin/peers".to_owned(), "Give a ticket"),
        ("/admin/invitations".to_owned(), "Invitations that wait"),
        (format!("/admin/peers/{globex}"), "Compare the fingerprints"),
        (format!("/admin/peers/{globex}/end"), "bob"),
        ("/admin/people".to_owned(), "mia@acme.example"),
        (format!("/admin/people/{mia}"), "Make a link for a password"),
        (format!("/admin/people/{mia}/suspend"), "Pricing"),
        (format!("/admin/people/{mia}/remove"), "Pricing"),
        ("/admin/externals".to_owned(), "bob@globex.example"),
        ("/admin/abroad".to_owned(), "Pricing"),
        (format!("/admin/abroad/{}/{mia}", stage.abroad), "Take mia out of Pricing?"),
        ("/admin/accounts".to_owned(), "None yet"),
        ("/admin/approvals".to_owned(), "Invitations to our people"),
        ("/admin/policy".to_owned(), "Who may invite external people"),
        ("/admin/audit?act=member.&from=2020-01-01".to_owned(), "member."),
        ("/admin/keys".to_owned(), "in use"),
        ("/admin/keys/revoke".to_owned(), "This cannot be taken back"),
        (format!("/admin/handover?group={}", stage.abroad), "comity handover sign"),
        ("/admin/mail".to_owned(), "No mail server is set"),
    ];
    for (path, words) in pages {
        let body = stage.page(&path).await;
        assert!(body.contains(words), "{path}: {words} is not in {body}");
        assert_eq!(body.matches("<h1>").count(), 1, "{path}");
        assert!(!body.contains(" style=") && !body.contains("onclick"), "{path}: nothing inline");
        let other = stage.ask(&stage.mia.1, &format!("GET {path}"), "").await;
        assert_eq!(other.status, 404, "{path} for a member: {}", other.body);
        assert!(!other.body.contains(words), "{path} for a member");
        assert_eq!(stage.ask("", &format!("GET {path}"), "").await.status, 303, "{path} for nobody");
    }
    let badge = stage.page("/admin/externals").await;
    assert!(badge.contains("<span class=\"external\">External</span>"), "P4: {badge}");
    for path in [format!("/admin/peers/{globex}/end"), format!("/admin/people/{mia}/remove")] {
        let other = stage.ask(&stage.mia.1, &format!("POST {path}"), "").await;
        assert_eq!(other.status, 404, "{path}: {}", other.body);
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_something_shows_first_what_that_is() {
    let stage = Stage::new().await;
    // A tighter policy, for the workspace and with one partner (P8.2).
    let policy = |grade| {
        format!(
            "inviters=members&grade={grade}&from=all&free_accounts=all&days=14&open_invitations=500&\
             daily_invitations=500&hourly_lookups=200"
        )
    };
    let preview = stage.shown("/admin/policy", &policy("read"), 200).await;
    assert!(preview.contains("bob") && preview.contains("name=\"confirm\""), "{preview}");
    assert_eq!(stage.api("/workspace/policy").await["grade"], "admin", "nothing has changed yet");
    stage.done("/admin/policy", &format!("{}&confirm=true", policy("read"))).await;
    assert_eq!(stage.api("/workspace/policy").await["grade"], "read");
    stage.done("/admin/policy", &policy("post")).await;
    let lines = stage.shown("/admin/policy", &policy("post").replace("days=14", "days=x"), 422).await;
    assert!(lines.contains("role=\"alert\""), "{lines}");
    let globex = format!("/admin/peers/{}", stage.globex.id);
    let closed = "invites=ask-admin&lookups=true&daily_invitations=7";
    let preview = stage.shown(&format!("{globex}/policy"), closed, 200).await;
    assert!(preview.contains("bob") && preview.contains("Allow less with globex?"), "{preview}");
    let open =
        "invites=ask-admin&admitted=true&free_accounts=true&lookups=true&presence=true&daily_invitations=7";
    assert_eq!(stage.done(&format!("{globex}/policy"), open).await, globex);
    // One of the own people out of one group of another workspace (P5.5).
    let away = format!("/admin/abroad/{}/{}", stage.abroad, stage.mia.0);
    assert!(stage.page(&away).await.contains("globex.example"));
    stage.done(&away, "").await;
    let gone = |view: &Snapshot| !gate::sees_scope(&view.state, stage.mia.0, stage.abroad);
    stage.acme.until("the end of the membership", gone).await;
    // A leaver (P7.5), and a partnership.
    let mia = format!("/admin/people/{}", stage.mia.0);
    assert_eq!(stage.done(&format!("{mia}/suspend"), "").await, mia);
    assert!(stage.page(&mia).await.contains("suspended"));
    stage.done(&format!("{globex}/end"), "").await;
    assert!(!stage.page("/admin/externals").await.contains("bob@globex.example"));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_lead_on_or_say_in_place_what_was_refused() {
    let stage = Stage::new().await;
    let ada = stage.done("/admin/people", "name=Ada+Byron&local=ada&role=member").await;
    assert!(stage.page(&ada).await.contains("Ada Byron"));
    let twice = stage.ask(&stage.acme.admin, "POST /admin/people", "name=Ada+II&local=ada&role=admin").await;
    assert!(twice.status >= 400 && twice.body.contains("role=\"alert\""), "{}", twice.body);
    assert!(twice.body.contains("value=\"Ada II\""), "what was typed stays: {}", twice.body);
    let link = stage.shown(&format!("{ada}/link"), "", 200).await;
    assert!(link.contains(&format!("http://{}/join/", stage.pages)), "{link}");
    let token = stage.shown(&format!("{ada}/token"), "name=robot&scope=read&days=3", 200).await;
    assert!(token.contains("Token: robot"), "{token}");
    let robot = stage.api(&format!("{}/tokens", ada.replace("/admin/people", "/users"))).await;
    let robot = robot["sessions"][0]["id"].as_str().unwrap();
    let other = stage.ask(&stage.mia.1, &format!("POST {ada}/tokens/{robot}"), "").await;
    assert_eq!(other.status, 404, "only admins: {}", other.body);
    assert_eq!(stage.done(&format!("{ada}/tokens/{robot}"), "").await, ada);
    assert!(!stage.page(&ada).await.contains("Token: robot"), "that one alone has ended");
    stage.shown(&format!("{ada}/token"), "name=other&scope=read&days=3", 200).await;
    stage.done(&format!("{ada}/sign-out"), "").await;
    assert!(stage.page(&ada).await.contains("Signed in nowhere"));
    stage.done(&ada, "name=Ada+Lovelace&role=admin").await;
    assert!(stage.page(&ada).await.contains("administers the workspace"));
    assert!(stage.shown("/admin/peers/ticket", "hours=1", 200).await.contains("comity-ticket/1 "));
    let wrong = stage.shown("/admin/peers/accept", "ticket=nonsense", 422).await;
    assert!(wrong.contains("this is no ticket") && wrong.contains(">nonsense</textarea>"), "{wrong}");
    let globex = format!("/admin/peers/{}", stage.globex.id);
    for act in ["dial", "pause", "approve"] {
        assert_eq!(stage.done(&format!("{globex}/do/{act}"), "").await, globex);
    }
    let nowhere = stage.ask(&stage.acme.admin, &format!("POST {globex}/do/forget"), "").await;
    assert_eq!(nowhere.status, 404);
    let file = stage.ask(&stage.acme.admin, "GET /admin/audit/export", "").await;
    assert!(file.head.contains("attachment; filename="), "{}", file.head);
    assert!(file.body.contains("peer.paused") || file.body.contains("peer."), "the log itself");
    stage.stop().await;
}

/// P7.4: a removal that a partner has not confirmed stands on the map, with the moment at which it is in force anyway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_map_shows_who_is_away_and_what_is_open_there() {
    let mut stage = Stage::new().await;
    let map = stage.page("/admin").await;
    assert!(
        map.contains("<desc") && !map.contains("class=\"open\"") && map.contains(">connected</text>"),
        "{map}"
    );
    stage.globex.stop().await;
    let remove = format!("DELETE /groups/{}/members/{}", stage.here, stage.bob);
    let removed = http::ask(&stage.acme.host, &stage.acme.admin, &remove, "", &[]).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    let map = stage.page("/admin").await;
    assert!(map.contains("class=\"open\"") && map.contains("; in force by <time"), "{map}");
    assert!(map.contains("1 removal not confirmed yet"), "{map}");
    let (mut links, globex) = (stage.acme.handle().links(), stage.globex.id);
    let failed = links.wait_for(|links| links.get(&globex).is_some_and(|link| link.error.is_some()));
    let why =
        tokio::time::timeout(PATIENCE, failed).await.unwrap().unwrap()[&globex].error.clone().unwrap().1;
    let list = stage.page("/admin/peers").await;
    assert!(list.contains(&format!("{why}<div class=\"fact\">")), "why, and what to do: {why}: {list}");
    stage.acme.stop().await;
}

/// P2.5, P8.2: a group's own admin, who is none of the workspace, sets whom the group may take in; who would be out is
/// shown first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_2_a_groups_own_policy_shows_first_who_would_be_out() {
    let stage = Stage::new().await;
    let ada = stage.acme.person("ada").await;
    for (user, grade) in [(stage.mia.0, Grade::Admin), (ada.0, Grade::Post)] {
        stage.add(user, grade).await;
    }
    let (settings, policy) = (format!("/g/{}/settings", stage.here), format!("/g/{}/policy", stage.here));
    let (mia, ada) = (&stage.mia.1, &ada.1);
    let card = "Who may be invited from outside";
    let page = stage.ask(mia, &format!("GET {settings}"), "").await;
    assert!(page.body.contains(card) && page.body.contains("every partner"), "{}", page.body);
    let page = stage.ask(ada, &format!("GET {settings}"), "").await;
    assert!(page.status == 200 && !page.body.contains(card), "{}", page.body);
    assert_eq!(stage.ask(ada, &format!("GET {policy}"), "").await.status, 403);
    let page = stage.ask(mia, &format!("GET {policy}"), "").await;
    assert!(page.body.contains("globex (globex.example)"), "a choice: {}", page.body);
    let set = format!("GET /groups/{}/policy", stage.here);
    let holds = async || http::ask(&stage.acme.host, mia, &set, "", &[]).await.json();
    for (form, words) in
        [("grade=read&from=all", "fewer rights"), ("grade=admin&from=only", "Who loses what")]
    {
        let shown = stage.ask(mia, &format!("POST {policy}"), form).await;
        assert!(shown.body.contains("bob") && shown.body.contains(words), "{form}: {}", shown.body);
        assert_eq!(holds().await["peers"], "all", "nothing has changed yet");
    }
    let done = stage.ask(mia, &format!("POST {policy}"), "grade=admin&from=only&confirm=true").await;
    assert_eq!(done.status, 303, "{}", done.body);
    assert_eq!(holds().await["peers"], serde_json::json!([]));
    let bob = stage.bob;
    let here = stage.here;
    stage.globex.until("the end of it", |view| !gate::sees_scope(&view.state, bob, here)).await;
    let page = stage.ask(mia, &format!("GET {settings}"), "").await;
    assert!(page.body.contains("no partner is chosen"), "{}", page.body);
    stage.stop().await;
}

/// P5.4: a group's admin offers it by its settings, takes the offer back, offers it again; the other workspace's admin takes
/// it over at his approvals. Members and history stay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_4_a_group_is_offered_taken_back_and_taken_over_by_pages() {
    let stage = Stage::new().await;
    stage.add(stage.mia.0, Grade::Admin).await;
    let (group, globex, mia) = (format!("/g/{}", stage.here), stage.globex.id, &stage.mia.1);
    let page = stage.ask(mia, &format!("GET {group}/move"), "").await;
    assert!(page.body.contains(&globex.to_string()), "a choice: {}", page.body);
    assert!(!page.body.contains("free."), "and no realm of free accounts: {}", page.body);
    let shown = stage.ask(mia, &format!("GET {group}/move?to={globex}"), "").await;
    assert!(shown.body.contains("globex (globex.example): 1 person"), "who is in it: {}", shown.body);
    assert!(shown.body.contains("The group Launch"), "what moves: {}", shown.body);
    let offer = async || {
        let done = stage.ask(mia, &format!("POST {group}/move"), &format!("to={globex}")).await;
        assert_eq!(done.status, 303, "{}", done.body);
        let moves = stage.api("/moves").await;
        let id = moves["moves"][0]["id"].as_str().unwrap().to_owned();
        let came = |view: &Snapshot| view.state.transfers.keys().any(|held| held.to_string() == id);
        stage.globex.until("the offer", came).await;
        id
    };
    let first = offer().await;
    for page in [format!("{group}/settings"), "/admin/approvals".to_owned()] {
        assert!(stage.page(&page).await.contains(&first), "{page}");
    }
    let back = stage.ask(mia, &format!("POST {group}/move/back"), &format!("offer={first}")).await;
    assert_eq!(back.status, 303, "{}", back.body);
    assert!(!stage.page("/admin/approvals").await.contains(&first));
    let second = offer().await;
    let asked = stage.there("GET /admin/approvals", "").await;
    assert!(asked.body.contains("Take over") && asked.body.contains(&second), "{}", asked.body);
    let taken = stage.there("POST /admin/approvals", &format!("what=take&id={second}")).await;
    assert_eq!(taken.status, 303, "{}", taken.body);
    let here = stage.here;
    stage.acme.until("the move", |view| view.state.scope(here).unwrap().head.owner == globex).await;
    let directory = stage.page("/directory").await;
    assert!(directory.contains("owned by globex"), "{directory}");
    let members = stage.page(&format!("{group}/members")).await;
    assert!(members.contains("bob@globex.example") && members.contains("mia@acme.example"), "{members}");
    stage.stop().await;
}

/// P8: an admin sees when an external was seen last. That is what the external did in what this workspace owns, a
/// reaction too; reading is not seen, nor what is done elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_an_external_is_seen_by_what_he_does_here_and_by_nothing_else() {
    let stage = Stage::new().await;
    let seen = async || stage.api("/externals").await["externals"][0]["last_seen"].clone();
    stage.acme.post(stage.acme.alice(), stage.chat, 1, "hello").await;
    let (bob, chat) = (stage.bob, stage.chat);
    stage
        .globex
        .until("hello", |view| gate::paths(&view.state, bob, chat).iter().any(|path| path.shows(1)))
        .await;
    let list = format!("GET /threads/{chat}/messages");
    let read = http::ask(&stage.globex.host, &stage.bobs, &list, "", &[]).await;
    assert!(read.text.contains("hello"), "{}", read.text);
    assert_eq!(seen().await, serde_json::Value::Null, "he has only read");
    assert!(stage.page("/admin/externals").await.contains("last seen: nothing yet"));
    stage.globex.post(bob, chat, 1, "hi").await;
    let entry = async |seq: u64| {
        let view = stage.acme.until("it", |view| view.state.logs[&chat].high >= seq).await;
        view.stored(chat, seq).unwrap().entry
    };
    let written = entry(2).await;
    assert_eq!((written.author, seen().await), (bob, serde_json::json!(written.time)));
    let react = format!("POST /threads/{chat}/messages/1/reactions");
    let reacted = http::ask(&stage.globex.host, &stage.bobs, &react, r#"{"emoji":"+1"}"#, &[]).await;
    assert!(reacted.status < 300, "{}", reacted.text);
    let reacted = entry(3).await;
    assert_eq!((reacted.author, seen().await), (bob, serde_json::json!(reacted.time)));
    stage.acme.post(stage.acme.alice(), chat, 2, "others do not count").await;
    assert_eq!(seen().await, serde_json::json!(reacted.time));
    assert!(
        stage
            .page("/admin/externals")
            .await
            .contains(&format!("last seen: <time datetime=\"{}", reacted.time))
    );
    stage.stop().await;
}

/// P8.3: the log shows who acted and about whom by name, also who is not there any more; the ids stay to be seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p8_3_the_log_shows_people_by_their_names_also_those_who_left() {
    let stage = Stage::new().await;
    let (bob, alice) = (stage.bob, stage.acme.alice());
    let remove = format!("DELETE /groups/{}/members/{bob}", stage.here);
    let removed = http::ask(&stage.acme.host, &stage.acme.admin, &remove, "", &[]).await;
    assert_eq!(removed.status, 200, "{}", removed.text);
    let log = stage.page("/admin/audit?act=member.removed").await;
    assert!(log.contains(&format!("title=\"{bob}\">bob</td>")), "{log}");
    assert!(log.contains(&format!("title=\"{alice}\">alice</a>")), "{log}");
    stage.stop().await;
}

/// A key is replaced after the page said what that does; what nobody signed takes no group over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_replaced_and_a_dead_owners_word_is_taken_by_pages() {
    let stage = Stage::new().await;
    assert!(!stage.page("/admin/keys").await.contains("replaced; what it signed"));
    assert!(stage.page("/admin/keys/sign").await.contains("What the old one signed still counts"));
    assert_eq!(stage.done("/admin/keys/sign", "").await, "/admin/keys");
    assert!(stage.page("/admin/keys").await.contains("replaced; what it signed"));
    let group = format!("group={}", stage.abroad);
    let (signed, gone) = ("signed=%7B%22handovers%22%3A%5B%5D%7D", "gone=true");
    for (form, words) in [
        (format!("{group}&{signed}"), "confirm first"),
        (format!("{group}&signed=nonsense&{gone}"), "this is not what was signed"),
        (format!("{group}&{signed}&{gone}"), "holds no handover"),
    ] {
        let shown = stage.shown("/admin/handover", &form, 422).await;
        assert!(shown.contains("role=\"alert\"") && shown.contains(words), "{form}: {shown}");
    }
    stage.stop().await;
}

/// Spec 14.7: what the page shows is signed by the dead owner's root key, is pasted, and the group is owned here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_a_dead_owner_is_taken_over_by_a_page() {
    let mut stage = Stage::new().await;
    stage.globex.stop().await;
    let path = format!("/groups/{}/handover", stage.abroad);
    let request = stage.api(&path).await["handover"].clone();
    let page = stage.page(&format!("/admin/handover?group={}", stage.abroad)).await;
    assert!(page.contains(request["scopes"][1]["hash"].as_str().unwrap()), "what has to be signed: {page}");
    let key = key_file::read(&Layout::new(stage.globex.path()).root()).unwrap();
    let signed = request["scopes"].as_array().unwrap().iter().map(|base| {
        let id = base["scope"].as_str().unwrap();
        let handover = Handover {
            scope: id.parse().map_or_else(|_| ScopeId::Thread(id.parse().unwrap()), ScopeId::Group),
            from: stage.globex.id,
            to: stage.acme.id,
            incarnation: base["incarnation"].as_u64().unwrap(),
            epoch: base["epoch"].as_u64().unwrap(),
            hash: serde_json::from_value(base["hash"].clone()).unwrap(),
            time: Millis(1),
        };
        data_encoding::BASE64.encode(envelope::sign(handover, None, &key).bytes())
    });
    let signed = serde_json::json!({ "handovers": signed.collect::<Vec<_>>() }).to_string();
    let signed = signed.replace('+', "%2B").replace('=', "%3D");
    let form = format!("group={}&gone=true&signed={signed}", stage.abroad);
    assert_eq!(stage.done("/admin/handover", &form).await, "/admin/keys");
    let abroad = stage.abroad;
    stage.acme.until("that it is owned here", |view| view.state.owns(abroad)).await;
    let members = stage.ask(&stage.mia.1, &format!("GET /g/{abroad}/members"), "").await;
    assert!(members.body.contains("mia@acme.example"), "{}", members.body);
    stage.acme.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p2_3_an_admin_sees_every_open_invitation_sends_it_again_and_withdraws_it() {
    let stage = Stage::new().await;
    let members = format!("/g/{}/members", stage.here);
    for who in ["jo", "max"] {
        let page = stage.shown(&members, &format!("who={who}%40freelance.example"), 200).await;
        let link = format!("http://{}/join/", stage.pages);
        assert!(page.contains(&link), "P2.3: without mail the whole link, to pass on: {page}");
    }
    let sent = stage.api("/invitations/sent?open=true&limit=1").await;
    let (newest, next) = (&sent["invitations"][0], sent["next"].as_str().unwrap());
    assert_eq!(newest["address"], "max@freelance.example", "the newest first: {sent}");
    let older = stage.api(&format!("/invitations/sent?open=true&limit=1&before={next}")).await;
    assert_eq!(older["invitations"][0]["address"], "jo@freelance.example", "{older}");
    assert!(older["next"].is_null(), "bob's was answered: {older}");
    let page = stage.page("/admin/invitations").await;
    assert!(page.contains("max@freelance.example") && page.contains("jo@freelance.example"), "{page}");
    assert!(!page.contains("bob@globex.example"), "who accepted is no invitation any more");
    let at = format!("/admin/invitations/{}", newest["id"].as_str().unwrap());
    let again = stage.shown(&format!("{at}/resend"), "", 200).await;
    assert!(again.contains("sent again") && again.contains("/join/"), "{again}");
    let gone = stage.shown(&format!("{at}/withdraw"), "", 200).await;
    assert!(gone.contains("withdrawn") && !gone.contains("max@freelance.example"), "{gone}");
    let no = stage.shown(&format!("{at}/resend"), "", 409).await;
    assert!(no.contains("role=\"alert\""), "what was withdrawn is not sent: {no}");
    stage.stop().await;
}
