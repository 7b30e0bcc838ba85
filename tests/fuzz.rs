//! The API of a real node under schemathesis: whatever is sent, no answer is a server error, and none is undocumented.
//!
//! Duty: a stage worth attacking, and three attackers: nobody, a member, an admin. Never: waving a finding through; an
//! operation that is left out says why. Skipped where schemathesis is not installed, unless `COMITY_CI` is set;
//! `.ci/run` installs it in target/ci-venv.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::{fmt::Write as _, fs, path::PathBuf};

use comity::{
    api::{self, Access},
    ids::{ScopeId, ThreadId, UserId},
    protocol::Command,
    wire::objects::{Floor, Grade},
};
use harness::{Workspace, peer, shared_group};

mod harness;

/// Cases per operation and attacker.
const CASES: &str = "30";
const SEED: &str = "20261125";
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// What is left out, because it would end the run or the stage, and why.
const LEFT_OUT: [(&str, &str); 7] = [
    ("DELETE /me/token", "ends the attacker's own session"),
    ("POST /sessions/trade", "the same"),
    ("DELETE /sessions/{id}", "the same: the ids are learnt from the list"),
    ("DELETE /users/{user}/tokens", "the same"),
    ("DELETE /peers/{peer}", "ends the peering that the other operations need"),
    ("POST /peers/{peer}/pause", "with a paused partner 503 is the right answer"),
    ("POST /workspace/rotate", "breaks the link to the partner for a moment, when 503 is the right answer"),
];

fn installed(program: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/ci-venv/bin").join(program);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("COMITY_CI").is_none(), "{} is missing: .ci/run installs it", path.display());
    eprintln!("skipped: {} is not installed (python3 -m venv, pip install {program})", path.display());
    None
}

/// What an attacker may name.
struct Stage {
    acme: Workspace,
    globex: Workspace,
    mia: String,
    users: Vec<UserId>,
    groups: Vec<ScopeId>,
    threads: Vec<ThreadId>,
}

impl Stage {
    async fn new() -> Self {
        let (acme, globex) = (Workspace::new("acme").await, Workspace::new("globex").await);
        peer(&acme, &globex).await;
        let (alice, gus) = (acme.alice(), globex.alice());
        let ((mia, token), spare, carl) =
            (acme.person("mia").await, acme.user("spare").await, globex.user("carl").await);
        let (own, chat) = shared_group(&acme, alice, &globex, carl).await;
        let (users, grade, floor) = (vec![mia, spare], Grade::Invite, Floor::All);
        acme.ask(Command::AddMembers { actor: alice, scope: own, users, grade, floor }).await;
        let (theirs, their_chat) = shared_group(&globex, gus, &acme, mia).await;
        for n in 0..3 {
            acme.post(alice, chat, n, "Hello").await;
            globex.post(gus, their_chat, n, "Hello").await;
        }
        let (users, groups, threads) = (vec![mia, spare, carl], vec![own, theirs], vec![chat, their_chat]);
        Self { acme, globex, mia: token, users, groups, threads }
    }

    /// Most of the names that are sent exist.
    fn configuration(&self) -> String {
        let quoted =
            |ids: Vec<String>| ids.into_iter().map(|id| format!("{id:?}")).collect::<Vec<_>>().join(", ");
        let (groups, threads): (Vec<_>, Vec<_>) = (
            self.groups.iter().map(ToString::to_string).collect(),
            self.threads.iter().map(ToString::to_string).collect(),
        );
        let lists = [
            ("users", quoted(self.users.iter().map(ToString::to_string).collect())),
            ("scopes", quoted([groups.clone(), threads.clone()].concat())),
            ("groups", quoted(groups)),
            ("threads", quoted(threads)),
            ("peers", quoted(vec![self.globex.id.to_string()])),
            (
                "people",
                quoted(
                    ["mia@acme.example", "carl@globex.example", "nobody@globex.example"]
                        .map(String::from)
                        .to_vec(),
                ),
            ),
            ("places", "1, 2, 3".into()),
            // Else one key comes again and again, and most answers are that it was used for something else.
            ("keys", quoted((0..2_000).map(|n| format!("key {n}")).collect())),
        ];
        // A live stream goes on for ever; tokens that are none, and other methods, are soon refused for their number.
        let mut text = String::from(
            "max-stream-events = 1\nrequest-timeout = 30\n[generation]\nwith-security-parameters = false\n\
             [phases.coverage]\nunexpected-methods = [\"PUT\"]\n",
        );
        for (name, values) in lists {
            writeln!(text, "[dictionaries.{name}]\nvalues = [{values}]").unwrap();
        }
        let bound =
            |name: &str, list: &str| format!("{name:?} = {{ dictionary = {list:?}, probability = 0.85 }}\n");
        let everywhere = [
            ("path.user", "users"),
            ("path.scope", "scopes"),
            ("path.group", "groups"),
            ("path.peer", "peers"),
            ("path.seq", "places"),
            ("path.epoch", "places"),
            ("header.Idempotency-Key", "keys"),
            ("body.address", "people"),
            ("body.group", "groups"),
        ];
        text.push_str("[parameters]\n");
        everywhere.iter().for_each(|(name, list)| text.push_str(&bound(name, list)));
        for list in ["groups", "threads"] {
            writeln!(text, "[[operations]]\ninclude-path-regex = \"^/{list}/\"\n[operations.parameters]")
                .unwrap();
            text.push_str(&bound("path.id", list));
        }
        text
    }

    /// The findings of one attacker; nothing if there are none.
    async fn attack(&self, name: &str, token: Option<&str>) -> String {
        let Some(schemathesis) = installed("schemathesis") else { return String::new() };
        let folder = self.acme.path().join("fuzz");
        fs::create_dir_all(&folder).unwrap();
        let config = folder.join("schemathesis.toml");
        fs::write(&config, self.configuration()).unwrap();
        let mut command = tokio::process::Command::new(schemathesis);
        command.current_dir(&folder).arg("--no-color").arg("--config-file").arg(&config).arg("run");
        command.args([
            "--checks",
            CHECKS,
            "--max-examples",
            CASES,
            "--seed",
            SEED,
            "--phases",
            "coverage,fuzzing",
        ]);
        command.args(["--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all"]);
        for (operation, _) in LEFT_OUT {
            command.args(["--exclude-name", operation]);
        }
        if let Some(token) = token {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        } else {
            // What all others answer is one refusal; tests/doors has it for each of them.
            for (method, path, _) in api::endpoints().iter().filter(|(.., access)| *access == Access::Anyone)
            {
                command.args(["--include-name", &format!("{method} {path}")]);
            }
        }
        command.arg(format!("http://{}/api/openapi.json", self.acme.host));
        let output = command.output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        eprintln!("{name}:\n{text}");
        if output.status.success() { String::new() } else { format!("{name}:\n{text}\n") }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_brings_a_server_error_or_an_undocumented_answer() {
    if installed("schemathesis").is_none() {
        return;
    }
    let mut stage = Stage::new().await;
    let (mia, admin) = (stage.mia.clone(), stage.acme.admin.clone());
    let began = stage.acme.handle().snapshot().position;
    // The admin last: he may suspend the member.
    let attackers = [("nobody", None), ("a member", Some(mia)), ("an admin", Some(admin))];
    let mut findings = String::new();
    for (name, token) in attackers {
        findings += &stage.attack(name, token.as_deref()).await;
    }
    let commits = stage.acme.handle().snapshot().position - began;
    stage.globex.stop().await;
    stage.acme.stop().await;
    assert!(commits > 100, "only {commits} requests did anything: what is sent is refused too early");
    assert!(findings.is_empty(), "{findings}");
}

#[tokio::test]
async fn the_document_is_valid_openapi() {
    let Some(validator) = installed("openapi-spec-validator") else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("openapi.json");
    fs::write(&path, comity::api::document().to_string()).unwrap();
    let output = tokio::process::Command::new(validator).arg(&path).output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&text));
}
