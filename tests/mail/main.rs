//! Mail against a real SMTP server (aiosmtpd): the letter as it arrives, the queue over crashes and refusals, TLS.
//!
//! Duty: the program as an operator runs it, over its command line, its configuration and its API. Never: a server that
//! knows what it is to prove. Skipped without aiosmtpd, except in CI.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

use std::{fs, path::PathBuf, process::Stdio};

use comity::cli::client::Client;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

#[path = "../harness/mod.rs"]
mod harness;

use harness::{PATIENCE, free_port};

/// The Python that has aiosmtpd; `None`: the test is skipped.
fn python() -> Option<PathBuf> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/ci-venv/bin/python");
    let tried = [own, PathBuf::from("python3")];
    let has = |python: &&PathBuf| {
        let mut asked = std::process::Command::new(python);
        let asked = asked.args(["-c", "import aiosmtpd"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    let found = tried.iter().find(has).cloned();
    assert!(
        found.is_some() || std::env::var_os("COMITY_CI").is_none(),
        "aiosmtpd is missing: pip install aiosmtpd"
    );
    if found.is_none() {
        println!(
            "skipped: no aiosmtpd. Run: python3 -m venv target/ci-venv; target/ci-venv/bin/pip install aiosmtpd"
        );
    }
    found
}

async fn line(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("nothing comes");
    serde_json::from_str(&line.unwrap().expect("the process has ended")).unwrap()
}

/// The mail server.
struct Server {
    port: u64,
    letters: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Server {
    async fn start(python: &PathBuf, port: u16, more: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/server.py");
        let mut command = Command::new(python);
        command.arg(script).arg(port.to_string()).args(more).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut letters = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = line(&mut letters).await["port"].as_u64().unwrap();
        Self { port, letters, _child: child }
    }

    async fn letter(&mut self) -> Value {
        line(&mut self.letters).await
    }
}

/// A node as a process.
struct Node {
    dir: TempDir,
    child: Option<Child>,
    host: String,
}

impl Node {
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comity"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("COMITY_"))
        {
            command.env_remove(name);
        }
        command.arg("--dir").arg(self.dir.path()).arg("--json").kill_on_drop(true);
        command
    }

    /// Makes one with this `[mail]` section.
    async fn new(mail: &str) -> Self {
        let node = Self { dir: TempDir::new().unwrap(), child: None, host: String::new() };
        let link = format!("127.0.0.1:{}", free_port());
        let init = ["init", "--name", "Zürich Acme", "--domain", "acme.example", "--http", "127.0.0.1:0"];
        let made = node.command().args(init).args(["--link", &link]).output().await.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let path = node.dir.path().join("comity.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}\n[mail]\n{mail}\nfrom = \"comity@acme.example\"\n")).unwrap();
        node
    }

    async fn start(&mut self, env: &[(&str, &str)]) {
        let log = fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = self.command();
        command.arg("serve").envs(env.iter().copied()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        self.host = line(&mut lines).await["http"].as_str().unwrap().to_owned();
        self.child = Some(child);
    }

    async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    async fn client(&self) -> Client {
        let token = fs::read_to_string(self.dir.path().join("admin.token")).unwrap();
        Client::connect(&self.host, token.trim()).await.unwrap()
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let answer = self.client().await.send(method, path, Some(&body), None).await.unwrap();
        (answer.status.as_u16(), answer.body)
    }

    async fn queue(&self, to: &str) -> u64 {
        let (status, body) = self.call(Method::POST, "/mail/test", json!({ "to": to, "queue": true })).await;
        assert_eq!(status, 202, "{body}");
        body["letter"].as_u64().unwrap()
    }

    /// The letter, as the queue shows it once it is as wanted; null: it is gone.
    async fn letter(&self, number: u64, wanted: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let queue = self.client().await.get("/mail").await.unwrap();
                let letters = queue["letters"].as_array().unwrap();
                let found = letters.iter().find(|letter| letter["number"] == number).cloned();
                let found = found.unwrap_or_default();
                if wanted(&found) {
                    return found;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.expect("the queue does not become as wanted")
    }

    /// The command line, as an admin uses it.
    async fn run(&self, args: &[&str]) -> (bool, String) {
        let mut command = self.command();
        let out = command.args(["--api", &self.host]).args(args).output().await.unwrap();
        let text = [out.stdout, out.stderr].concat();
        (out.status.success(), String::from_utf8(text).unwrap())
    }
}

/// The bytes as OpenSSL and rustls read them.
fn pem(kind: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
}

fn plain(port: impl std::fmt::Display) -> String {
    format!("server = \"127.0.0.1:{port}\"\ntls = \"none\"")
}

/// The whole way, and what the letter looks like at its end.
#[tokio::test]
async fn a_letter_arrives_whole() {
    let Some(python) = python() else { return };
    let mut server = Server::start(&python, 0, &[]).await;
    let mut node = Node::new(&plain(server.port)).await;
    node.start(&[]).await;
    let (status, body) = node.call(Method::POST, "/mail/test", json!({ "to": "Carol@Bücher.example" })).await;
    assert_eq!((status, body["answer"].as_str()), (200, Some("250 2.0.0 taken")), "{body}");
    let letter = server.letter().await;
    assert_eq!(letter["to"], json!(["Carol@xn--bcher-kva.example"]));
    assert_eq!(letter["defects"], json!([]), "{letter}");
    let header = |name: &str| letter["headers"][name].as_str().unwrap().to_owned();
    assert_eq!(header("from"), "Zürich Acme <comity@acme.example>");
    assert_eq!(header("subject"), "A test letter from Zürich Acme");
    assert_eq!(header("auto-submitted"), "auto-generated");
    assert!(header("message-id").ends_with("@acme.example>") && header("date").ends_with("+0000"));
    for part in ["text", "html"] {
        assert!(letter[part].as_str().unwrap().contains("This one did."), "{letter}");
        assert!(!letter[part].as_str().unwrap().contains("src="), "nothing is loaded from elsewhere");
    }
    let (done, text) = node.run(&["mail", "test", "dora@initech.example", "--queue"]).await;
    assert!(done, "P8.4: {text}");
    assert_eq!(server.letter().await["to"], json!(["dora@initech.example"]));
    let queued: Value = serde_json::from_str(&text).unwrap();
    node.letter(queued["letter"].as_u64().unwrap(), Value::is_null).await;
    let (done, text) = node.run(&["mail", "list"]).await;
    assert!(done && text.contains(&format!("127.0.0.1:{}", server.port)), "P8.4: {text}");
    let acts = node.client().await.get("/audit?act=letter.").await.unwrap().to_string();
    assert!(acts.contains("trial to dora@initech.example") && acts.contains("letter.sent"), "P8.3: {acts}");
}

/// No letter is lost: not by a server that is down, nor by a node that is killed, and a second one can be told.
#[tokio::test]
async fn a_letter_waits_for_the_server_and_survives_a_kill() {
    let Some(python) = python() else { return };
    let port = free_port();
    let mut node = Node::new(&plain(port)).await;
    node.start(&[]).await;
    let (status, body) = node.call(Method::POST, "/mail/test", json!({ "to": "a@initech.example" })).await;
    assert_eq!((status, body["code"].as_str()), (409, Some("mail")));
    assert!(body["detail"].as_str().unwrap().contains("cannot be reached"), "{body}");
    let number = node.queue("carol@initech.example").await;
    let waiting = node.letter(number, |letter| letter["tries"] == 1).await;
    assert_eq!((&waiting["state"], &waiting["what"]), (&json!("waiting"), &json!("trial")));
    assert!(waiting["error"].as_str().unwrap().contains("cannot be reached"), "{waiting}");
    node.kill().await;
    node.start(&[]).await;
    assert_eq!(node.letter(number, Value::is_object).await["tries"], 1, "the letter is there after a kill");
    let mut server = Server::start(&python, port, &[]).await;
    let (done, text) = node.run(&["mail", "retry", &number.to_string()]).await;
    assert!(done, "P8.4: {text}");
    let letter = server.letter().await;
    assert_eq!(letter["to"], json!(["carol@initech.example"]));
    node.letter(number, Value::is_null).await;
    let (status, _) = node.call(Method::POST, &format!("/mail/{number}/retry"), json!({})).await;
    assert_eq!(status, 404, "what was sent is gone");
}

/// A refusal for good ends the tries; one for now does not.
#[tokio::test]
async fn refusals_are_told_apart() {
    let Some(python) = python() else { return };
    let server = Server::start(&python, 0, &[]).await;
    let mut node = Node::new(&plain(server.port)).await;
    node.start(&[]).await;
    let refused = node.queue("refused@initech.example").await;
    let letter = node.letter(refused, |letter| letter["tries"] == 1).await;
    assert_eq!((&letter["state"], &letter["next"]), (&json!("given-up"), &Value::Null));
    assert!(letter["error"].as_str().unwrap().contains("nobody of that name"), "{letter}");
    let later = node.queue("later@initech.example").await;
    let letter = node.letter(later, |letter| letter["tries"] == 1).await;
    assert_eq!(letter["state"], "waiting", "{letter}");
    assert!(letter["error"].as_str().unwrap().contains("not now"), "{letter}");
    for number in [refused, later] {
        let (done, text) = node.run(&["mail", "drop", &number.to_string()]).await;
        assert!(done, "P8.4: {text}");
        node.letter(number, Value::is_null).await;
    }
    let (status, body) =
        node.call(Method::POST, "/mail/test", json!({ "to": "refused@initech.example" })).await;
    assert_eq!(status, 409);
    assert!(body["detail"].as_str().unwrap().contains("check the address"), "{body}");
    for (to, expected) in [("carol", "the @ is missing"), ("a@b@c.example", "more than one @")] {
        let (status, body) = node.call(Method::POST, "/mail/test", json!({ "to": to })).await;
        assert_eq!(status, 422);
        assert!(body["detail"].as_str().unwrap().contains(expected), "{body}");
    }
}

/// STARTTLS with a certificate of an own authority, and a login; neither the password nor a letter goes out without.
#[tokio::test]
async fn tls_and_the_login_are_demanded() {
    let Some(python) = python() else { return };
    let folder = TempDir::new().unwrap();
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = pem("CERTIFICATE", authority.self_signed(&authority_key).unwrap().der());
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ca, cert) = (file("ca.pem", &authority_pem), file("cert.pem", &pem("CERTIFICATE", leaf.der())));
    let key = file("key.pem", &pem("PRIVATE KEY", &key.serialize_der()));
    let password = file("password", "hunter2\n");
    let mut server = Server::start(&python, 0, &[&cert, &key]).await;
    let section = format!(
        "server = \"localhost:{}\"\ntls = \"starttls\"\nuser = \"comity\"\npassword_file = \"{password}\"",
        server.port
    );
    let mut node = Node::new(&section).await;
    let test = json!({ "to": "carol@initech.example" });
    for (env, status, expected) in [
        (&[][..], 409, "check [mail] tls and ca_file"),
        (
            &[("COMITY_MAIL_CA_FILE", &*ca), ("COMITY_MAIL_PASSWORD", "wr0ng")],
            409,
            "check [mail] user and password",
        ),
        (&[("COMITY_MAIL_CA_FILE", &*ca), ("COMITY_MAIL_TLS", "required")], 409, "check [mail] tls"),
        (&[("COMITY_MAIL_CA_FILE", &*ca)], 200, "taken"),
    ] {
        node.start(env).await;
        let (answered, body) = node.call(Method::POST, "/mail/test", test.clone()).await;
        assert!(answered == status && body.to_string().contains(expected), "{env:?}: {body}");
        assert!(!body.to_string().contains("hunter2") && !body.to_string().contains("wr0ng"), "{body}");
        node.kill().await;
    }
    assert_eq!(server.letter().await["tls"], true);
    node.start(&[("COMITY_MAIL_CA_FILE", &*ca), ("COMITY_MAIL_PASSWORD", "wr0ng")]).await;
    let number = node.queue("carol@initech.example").await;
    let letter = node.letter(number, |letter| letter["tries"] == 1).await;
    assert_eq!(letter["state"], "waiting", "a wrong password costs no letter: {letter}");
    node.kill().await;
    let log = node.log();
    assert!(log.contains("letter not sent") && !log.contains("hunter2") && !log.contains("wr0ng"), "{log}");
}

/// Without a server nothing is queued, and the configuration says what is not safe.
#[tokio::test]
async fn without_a_server_and_with_an_unsafe_one() {
    let mut node = Node::new(&plain(1)).await;
    let path = node.dir.path().join("comity.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("127.0.0.1:1\"\ntls", "mail.acme.example:25\"\ntls")).unwrap();
    let (done, said) = node.run(&["config", "check"]).await;
    assert!(!done && said.contains("mail.acme.example is not this machine"), "{said}");
    fs::write(&path, text.rsplit_once("[mail]").unwrap().0).unwrap();
    node.start(&[]).await;
    let queue = node.client().await.get("/mail").await.unwrap();
    assert_eq!(queue, json!({ "mail": null, "letters": [], "next": null }));
    for queue in [true, false] {
        let test = json!({ "to": "carol@initech.example", "queue": queue });
        let (status, body) = node.call(Method::POST, "/mail/test", test).await;
        assert_eq!((status, body["code"].as_str()), (409, Some("no-mail")), "{body}");
    }
}

/// The path of the link in a letter.
fn link(letter: &Value) -> String {
    let text = letter["text"].as_str().unwrap();
    let at = text.find("/join/").unwrap_or_else(|| panic!("no link in {text}"));
    text[at..].split(|c: char| c.is_whitespace() || c == '>' || c == ')').next().unwrap().to_owned()
}

#[tokio::test]
async fn p2_3_the_link_of_an_invitation_is_followed_from_the_letter_and_a_password_is_set_anew() {
    let Some(python) = python() else { return };
    let mut server = Server::start(&python, 0, &[]).await;
    let mut node = Node::new(&plain(server.port)).await;
    node.start(&[]).await;
    let (_, group) =
        node.call(Method::POST, "/groups", json!({ "name": "Plan https://evil.example/x" })).await;
    let (id, chat) = (group["id"].as_str().unwrap(), group["chat"].as_str().unwrap());
    let words = json!({ "text": "only for members" });
    assert_eq!(node.call(Method::POST, &format!("/threads/{chat}/messages"), words).await.0, 201);
    let whom = json!({ "address": "jo@freelance.example" });
    let (status, asked) = node.call(Method::POST, &format!("/groups/{id}/members"), whom).await;
    assert_eq!((status, asked["link"].is_null()), (202, true), "P2.3: what is mailed is not shown: {asked}");
    let letter = server.letter().await;
    let whole = letter.to_string();
    assert!(whole.contains("jo@freelance.example") && !whole.contains("only for members"), "{whole}");
    assert!(!whole.contains("https://evil.example"), "a name is no link: {whole}");
    let path = link(&letter);
    let mut nobody = Client::connect(&node.host, "").await.unwrap();
    assert_eq!(nobody.get(&path).await.unwrap()["for"], "invitation");
    let account = json!({ "name": "Jo", "password": "a long enough password" });
    let joined = nobody.post(&format!("{path}/account"), &account).await.unwrap();
    assert_eq!(joined["verified"], true, "P1.2: the letter was the mailed code: {joined}");
    // Forgotten: the same answer for everybody, a letter for who has an account.
    for address in ["nobody@freelance.example", "jo@freelance.example"] {
        let answer =
            nobody.send(Method::POST, "/forgotten", Some(&json!({ "address": address })), None).await;
        assert_eq!(answer.unwrap().status.as_u16(), 202);
    }
    let letter = server.letter().await;
    assert!(letter.to_string().contains("jo@freelance.example"), "{letter}");
    let anew = json!({ "password": "another long password" });
    nobody.post(&format!("{}/password", link(&letter)), &anew).await.unwrap();
    let token = joined["token"].as_str().unwrap();
    assert!(
        Client::connect(&node.host, token).await.unwrap().get("/me").await.is_err(),
        "other sessions end"
    );
    let given = json!({ "address": "jo@freelance.example", "password": "another long password" });
    assert!(nobody.post("/sessions", &given).await.is_ok());
    // What waits or is on its way shows no secret to the admin.
    let (_, queue) = node.call(Method::GET, "/mail", Value::Null).await;
    assert!(queue.to_string().find("/join/").is_none(), "the queue shows no link: {queue}");
}

/// P1.2: with another address than was invited an account is unverified until the code that was mailed there is shown.
#[tokio::test]
async fn p1_2_a_mailed_code_shows_whose_an_address_is() {
    let Some(python) = python() else { return };
    let mut server = Server::start(&python, 0, &[]).await;
    let mut node = Node::new(&plain(server.port)).await;
    node.start(&[]).await;
    let (_, group) = node.call(Method::POST, "/groups", json!({ "name": "Plan" })).await;
    let members = format!("/groups/{}/members", group["id"].as_str().unwrap());
    node.call(Method::POST, &members, json!({ "address": "jo@old.example" })).await;
    let path = link(&server.letter().await);
    let mut nobody = Client::connect(&node.host, "").await.unwrap();
    let account = json!({ "name": "Jo", "password": "a long enough password", "address": "jo@new.example" });
    let joined = nobody.post(&format!("{path}/account"), &account).await.unwrap();
    assert_eq!((&joined["verified"], &joined["claim"]), (&json!(false), &json!("asked")), "{joined}");
    let asked = server.letter().await;
    assert_eq!(asked["to"], json!(["admin@acme.example"]), "the inviter is asked: {asked}");
    let mut jo = Client::connect(&node.host, joined["token"].as_str().unwrap()).await.unwrap();
    assert_eq!(jo.get("/me").await.unwrap()["verified"], false);
    jo.post("/me/code", &json!({})).await.unwrap();
    let letter = server.letter().await;
    assert_eq!(letter["to"], json!(["jo@new.example"]), "{letter}");
    let text = letter["text"].as_str().unwrap();
    let code =
        text.split_whitespace().find(|word| word.len() == 32).unwrap_or_else(|| panic!("no code: {text}"));
    assert!(jo.post("/me/code/show", &json!({ "code": "a wrong one" })).await.is_err());
    jo.post("/me/code/show", &json!({ "code": code })).await.unwrap();
    assert_eq!(jo.get("/me").await.unwrap()["verified"], true);
    assert!(jo.post("/me/code/show", &json!({ "code": code })).await.is_err(), "it works once");
}
