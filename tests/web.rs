//! The web app without a browser: what its pages say, to whom, and what it refuses (P3.1, P4, P7.2; tests/browser has the rest).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use comity::{
    api,
    ids::{ScopeId, ThreadId, UserId},
    protocol::{Command, gate},
    web,
    wire::objects::{Action, Grade},
};
use harness::{Workspace, admit, group, http::Answer, peer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

mod harness;

/// A browser at one workspace's pages, as far as a test needs one.
struct Browser {
    host: String,
    cookie: String,
}

async fn pages(of: &Workspace) -> String {
    let handle = of.handle();
    let around = |api| web::around(api, handle.me());
    let listens = api::start_with(handle, None, "127.0.0.1:0".parse().unwrap(), Vec::new(), around).await;
    listens.unwrap().to_string()
}

fn cookie(of: &Workspace, token: &str) -> String {
    format!("__Host-comity-{}={token}", &of.id.to_string()[3..11])
}

impl Browser {
    async fn at(of: &Workspace, token: &str) -> Self {
        Self { host: pages(of).await, cookie: cookie(of, token) }
    }

    async fn ask(&self, head: &str, form: &str, headers: &str) -> Answer {
        let mut socket = TcpStream::connect(&self.host).await.unwrap();
        let (host, cookie, length) = (&self.host, &self.cookie, form.len());
        let request = format!(
            "{head} HTTP/1.1\r\nhost: {host}\r\ncookie: a=b; {cookie}\r\nconnection: close\r\n{headers}content-type: \
             application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        tokio::time::timeout(harness::PATIENCE, socket.read_to_end(&mut bytes)).await.unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        Answer { status: text.split(' ').nth(1).unwrap().parse().unwrap(), text }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "", "").await
    }

    /// A form sent from this node's own page.
    async fn post(&self, path: &str, form: &str) -> Answer {
        self.ask(&format!("POST {path}"), form, "sec-fetch-site: same-origin\r\n").await
    }
}

/// acme with alice and a group in which bob of globex is.
struct Stage {
    acme: Workspace,
    globex: Workspace,
    bob: (UserId, String),
    group: ScopeId,
    chat: ThreadId,
}

impl Stage {
    async fn new() -> Self {
        let (acme, globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
        peer(&acme, &globex).await;
        let bob = globex.person("bob").await;
        let (group, chat) = group(&acme, acme.alice(), "Launch").await;
        admit(&acme, acme.alice(), group, &globex, bob.0, Grade::Post).await;
        globex.until("the chat", |view| gate::reaches(&view.state, bob.0, chat)).await;
        Self { acme, globex, bob, group, chat }
    }

    async fn stop(mut self) {
        self.acme.stop().await;
        self.globex.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_read_and_a_form_is_sent_without_a_script() {
    let stage = Stage::new().await;
    let (alice, bob) =
        (Browser::at(&stage.acme, &stage.acme.admin).await, Browser::at(&stage.globex, &stage.bob.1).await);
    let thread = format!("/t/{}", stage.chat);
    let text = "text=hi+%3Cscript%3Ealert(1)%3C%2Fscript%3E+**bold**+%5Bx%5D(javascript%3Aalert(1))";
    let sent = alice.post(&thread, text).await;
    assert_eq!((sent.status, sent.header("location")), (303, Some(format!("{thread}#end").as_str())));
    let shows = |path: &gate::Path| path.shows(1);
    let bobs = stage.bob.0;
    stage.globex.until("it", |view| gate::paths(&view.state, bobs, stage.chat).iter().any(shows)).await;
    let page = bob.get(&thread).await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(
        page.text.contains("&lt;script&gt;alert(1)&lt;/script&gt; <strong>bold</strong>"),
        "{}",
        page.text
    );
    assert!(!page.text.contains("javascript:"), "{}", page.text);
    let empty = alice.post(&thread, "text=").await;
    assert!(empty.status == 422 && empty.text.contains("role=\"alert\""), "told in place: {}", empty.text);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_sent_twice_is_carried_out_once_and_one_that_cannot_be_read_is_answered_by_a_page() {
    let stage = Stage::new().await;
    let alice = Browser::at(&stage.acme, &stage.acme.admin).await;
    let key = |page: &Answer| {
        let field = page.text.split("name=\"key\" value=\"").nth(1).unwrap();
        field.split('"').next().unwrap().to_owned()
    };
    let thread = format!("/t/{}", stage.chat);
    let form = format!("text=once&key={}", key(&alice.get(&thread).await));
    let group = format!("name=Twice&key={}", key(&alice.get("/directory").await));
    let topic = format!("subject=Once&text=first&key={}", key(&alice.get("/new").await));
    let mut answers = Vec::new();
    for (path, form) in [(thread.as_str(), &form), ("/groups", &group), ("/new", &topic)] {
        let (one, two) = (alice.post(path, form).await, alice.post(path, form).await);
        assert_eq!((one.status, two.status), (303, 303), "{path}: {}", two.text);
        assert_eq!(one.header("location"), two.header("location"), "{path}: the same one");
        answers.push(one.header("location").unwrap().to_owned());
    }
    assert_eq!(alice.get(&thread).await.text.matches("<p>once</p>").count(), 1);
    assert_eq!(
        alice.get("/directory").await.text.matches(">Twice</a>").count(),
        2,
        "in the list and at the side"
    );
    let topic = alice.get(&answers[2]).await;
    assert_eq!(topic.text.matches("<p>first</p>").count(), 1, "{}", topic.text);
    assert_ne!(key(&alice.get(&thread).await), key(&alice.get(&thread).await), "each page has its own");
    for (head, form, status) in [
        ("GET /?unread=maybe", "", 400),
        ("POST /sign-in", "address=x", 422),
        ("GET /sign-out", "", 405),
        ("GET /t/nonsense", "", 404),
    ] {
        let answer = alice.ask(head, form, "sec-fetch-site: same-origin\r\n").await;
        assert_eq!(answer.status, status, "{head}");
        assert!(
            answer.text.contains("<h1>") && answer.text.contains("To the inbox"),
            "{head}: {}",
            answer.text
        );
    }
    stage.stop().await;
}

/// P4.1, P4.2: the word stands where it is named, and neither beside names in a conversation nor in the inbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_2_the_badge_stands_where_it_is_named_and_nowhere_else() {
    let stage = Stage::new().await;
    let alice = Browser::at(&stage.acme, &stage.acme.admin).await;
    let bob = Browser::at(&stage.globex, &stage.bob.1).await;
    let badge = "<span class=\"external\">External</span>";
    let (group, chat, bobs) = (stage.group, stage.chat, stage.bob.0);
    for (browser, path, shown) in [
        (&alice, "/directory".to_owned(), true),
        (&alice, format!("/g/{group}/members"), true),
        (&alice, format!("/people/{bobs}"), true),
        (&bob, "/directory".to_owned(), true),
        (&bob, format!("/g/{group}/members"), true),
        (&alice, "/".to_owned(), false),
        (&alice, format!("/t/{chat}"), false),
        (&alice, format!("/g/{group}"), false),
        (&bob, "/".to_owned(), false),
        (&bob, format!("/t/{chat}"), false),
        (&bob, format!("/people/{bobs}"), false),
    ] {
        let page = browser.get(&path).await;
        assert_eq!((page.status, page.text.contains(badge)), (200, shown), "P4: {path}: {}", page.text);
    }
    let directory = bob.get("/directory").await;
    assert!(directory.text.contains("owned by acme"), "P4.1: with the owner's name: {}", directory.text);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p7_2_nothing_is_shown_after_the_removal() {
    let stage = Stage::new().await;
    let bob = Browser::at(&stage.globex, &stage.bob.1).await;
    let (scope, user, everywhere) = (stage.group, stage.bob.0, true);
    let remove = Command::Act(stage.acme.alice(), Action::Remove { scope, user, everywhere });
    stage.acme.ask(remove).await;
    stage.globex.until("the removal", |view| !gate::knows_scope(&view.state, user, scope)).await;
    for path in [format!("/t/{}", stage.chat), format!("/g/{scope}"), format!("/g/{scope}/members")] {
        let (gone, nothing) = (bob.get(&path).await, bob.get("/t/th_nothing").await);
        assert_eq!(gone.status, 404, "{path}");
        assert!(!gone.text.contains("Launch"), "{path}: {}", gone.text);
        assert_eq!(gone.body(), nothing.body(), "P3.1: as what never was: {path}");
    }
    assert_eq!(bob.get(&format!("/t/{}/here", stage.chat)).await.body(), "gone");
    let nothing = bob.get(&format!("/t/{}/no-number", stage.chat)).await;
    assert!(nothing.status == 404 && nothing.text.contains("There is nothing here"), "{}", nothing.text);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_guarded_and_no_other_site_changes_anything() {
    let mut acme = Workspace::new("acme").await;
    let alice = Browser::at(&acme, &acme.admin).await;
    for path in
        ["/", "/sign-in", "/directory", "/people", "/search?q=x", "/new", "/me", "/nowhere", "/join/x"]
    {
        let page = alice.get(path).await;
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{path}");
        for inline in ["<style", " style=", " onclick=", "<script>"] {
            assert!(!page.text.contains(inline), "{path}: {inline}");
        }
    }
    let group = "name=Stolen";
    for headers in [
        "sec-fetch-site: cross-site\r\n",
        "sec-fetch-site: same-site\r\n",
        "origin: https://evil.example\r\n",
    ] {
        assert_eq!(alice.ask("POST /groups", group, headers).await.status, 403, "{headers}");
    }
    assert!(!alice.get("/directory").await.text.contains("Stolen"));
    assert_eq!(alice.post("/groups", group).await.status, 303);
    let nobody = Browser { cookie: String::new(), host: alice.host.clone() };
    let asked = nobody.get("/directory?q=a").await;
    assert_eq!((asked.status, asked.header("location")), (303, Some("/sign-in?next=%2Fdirectory%3Fq%3Da")));
    let wrong = nobody.post("/sign-in", "address=alice%40acme.example&password=wrong&next=%2F").await;
    assert!(wrong.status == 401 && wrong.header("set-cookie").is_none(), "{}", wrong.text);
    acme.stop().await;
}

/// A link sets a password and signs in; signing out ends the session, not only the cookie.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_a_cookie_that_no_script_reads_and_that_ends() {
    let mut acme = Workspace::new("acme").await;
    let host = pages(&acme).await;
    let head = format!("POST /users/{}/link", acme.alice());
    let link = harness::http::ask(&acme.host, &acme.admin, &head, "", &[]).await;
    let link = link.json()["path"].as_str().unwrap().to_owned();
    let nobody = Browser { cookie: String::new(), host: host.clone() };
    assert!(nobody.get(&link).await.text.contains("Set your password"));
    let begun = nobody.post(&format!("{link}/password"), "name=&password=a+long+enough+password").await;
    let set = begun.header("set-cookie").unwrap().to_owned();
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(set.contains(attribute), "{attribute}: {set}");
    }
    assert!(set.starts_with("__Host-") && !set.contains("Domain"), "{set}");
    let signed = Browser { cookie: set.split(';').next().unwrap().to_owned(), host };
    assert_eq!(signed.get("/").await.status, 200);
    let out = signed.post("/sign-out", "").await;
    assert_eq!((out.status, out.header("location")), (303, Some("/sign-in")));
    assert_eq!(signed.get("/").await.status, 303, "the session has ended, whoever kept the cookie");
    acme.stop().await;
}
