//! Removal with real processes in network namespaces of their own, links cut with `ip link` (P7.2 to P7.4, spec 11).
//!
//! Duty: what `comity demo --script` shows, with the kernel's network and nothing but the command line. Never: a packet
//! outside the namespaces, a namespace that stays behind.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use comity::{node::clock, time::Millis};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take, in milliseconds.
const PATIENCE: u64 = 40_000;
/// The lease of every group here, in seconds.
const LEASE: u64 = 5;
/// How long after a deadline an answer may still be on its way, in milliseconds (spec 11.2).
const SLACK: u64 = 1000;
const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;
const NAMES: [&str; 3] = ["acme", "globex", "initech"];
const PAIRS: [(usize, usize); 3] = [(ACME, GLOBEX), (ACME, INITECH), (GLOBEX, INITECH)];

/// Whether namespaces can be made here; where they must be, their absence is a failure.
fn can_lay_nets() -> bool {
    let missing = if !geteuid().is_root() {
        "network namespaces need root"
    } else if Command::new("ip").arg("-V").output().is_err() {
        "`ip` (iproute2) is not installed"
    } else {
        return true;
    };
    assert!(std::env::var_os("COMITY_CI").is_none(), "{missing}");
    eprintln!("skipped: {missing}");
    false
}

/// `ip` with these words, which must succeed.
fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Three namespaces, each linked with each by a cable of its own, and with nothing else.
struct Net {
    spaces: [String; 3],
}

impl Net {
    fn lay() -> Self {
        static NETS: AtomicU32 = AtomicU32::new(0);
        let (run, net) = (std::process::id(), NETS.fetch_add(1, Ordering::Relaxed));
        let laid = Self { spaces: NAMES.map(|name| format!("comity-{run}-{net}-{name}")) };
        for space in &laid.spaces {
            ip(&format!("netns add {space}"));
            ip(&format!("-n {space} link set lo up"));
        }
        for (a, b) in PAIRS {
            let (one, other) = (&laid.spaces[a], &laid.spaces[b]);
            let ends =
                format!("to-{} netns {one} type veth peer name to-{} netns {other}", NAMES[b], NAMES[a]);
            ip(&format!("link add {ends}"));
            for (from, to) in [(a, b), (b, a)] {
                let (space, end) = (&laid.spaces[from], format!("to-{}", NAMES[to]));
                ip(&format!("-n {space} addr add {} peer {} dev {end}", address(from), address(to)));
            }
            laid.link(a, b, true);
            laid.link(b, a, true);
        }
        laid
    }

    /// The end at `a` of the cable to `b`.
    fn link(&self, a: usize, b: usize, up: bool) {
        let state = if up { "up" } else { "down" };
        ip(&format!("-n {} link set to-{} {state}", self.spaces[a], NAMES[b]));
    }

    /// The program, as it would be started on that machine.
    fn comity(&self, at: usize) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.spaces[at], env!("CARGO_BIN_EXE_comity"), "--json"]);
        for name in ["DIR", "API", "TOKEN", "HTTP", "LINK", "JOURNAL", "LOG"] {
            command.env_remove(format!("COMITY_{name}"));
        }
        command
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for space in &self.spaces {
            let gone = Command::new("ip").args(["netns", "del", space]).output();
            if !gone.is_ok_and(|output| output.status.success()) {
                eprintln!("{space} could not be deleted: `ip netns del {space}`");
            }
        }
    }
}

fn address(at: usize) -> String {
    format!("10.77.0.{}", at + 1)
}

/// A running workspace.
struct Node<'a> {
    net: &'a Net,
    at: usize,
    dir: TempDir,
    child: Child,
}

/// Somebody: his node, and his token if he is not its admin.
struct Person<'a> {
    node: &'a Node<'a>,
    address: String,
    token: Option<String>,
}

impl<'a> Node<'a> {
    fn start(net: &'a Net, at: usize, admin: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("node");
        let (domain, endpoint) = (format!("{}.example", NAMES[at]), format!("{}:7401", address(at)));
        let mut init = net.comity(at);
        init.arg("--dir")
            .arg(&folder)
            .args(["init", "--name", NAMES[at], "--domain", &domain, "--admin", admin]);
        init.args(["--endpoint", &endpoint, "--http", "127.0.0.1:7400", "--link", "0.0.0.0:7401"]);
        let made = init.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut serve = net.comity(at);
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        serve.arg("--dir").arg(&folder).arg("serve").stdout(Stdio::piped()).stderr(log);
        let mut child = serve.spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let node = Self { net, at, dir, child };
        let log = std::fs::read_to_string(node.dir.path().join("log")).unwrap();
        assert!(first.contains("http"), "{} does not start: {log}", NAMES[at]);
        node
    }

    fn admin(&'a self, local: &str) -> Person<'a> {
        Person { node: self, address: format!("{local}@{}.example", NAMES[self.at]), token: None }
    }

    fn add(&'a self, local: &str) -> Person<'a> {
        let admin = self.admin("");
        let user = admin.does(&["user", "add", local]);
        let token = admin.does(&["user", "token", text(&user, "/id")]);
        Person { token: Some(text(&token, "/token").into()), ..self.admin(local) }
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Node<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("{} could not be ended: {error}", NAMES[self.at]);
        }
    }
}

impl Person<'_> {
    fn command(&self, words: &[&str]) -> Command {
        let Node { net, at, dir, .. } = self.node;
        let mut command = net.comity(*at);
        command.arg("--dir").arg(dir.path().join("node"));
        if let Some(token) = &self.token {
            command.args(["--token", token]);
        }
        command.args(words);
        command
    }

    /// The answer, or why it is refused.
    fn tries(&self, words: &[&str]) -> Result<Value, String> {
        let output = self.command(words).output().unwrap();
        if output.status.success() {
            return Ok(serde_json::from_slice(&output.stdout).unwrap_or_default());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn does(&self, words: &[&str]) -> Value {
        self.tries(words).unwrap_or_else(|error| panic!("{} {words:?}: {error}", self.address))
    }

    /// Asks again until the answer is as wanted.
    fn until(&self, words: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        let end = clock::now().plus(PATIENCE);
        loop {
            let answer = self.tries(words);
            match answer {
                Ok(answer) if wanted(&answer) => return answer,
                _ => assert!(clock::now() < end, "{} {words:?} in vain: {answer:?}", self.address),
            }
        }
    }

    /// Peers with another workspace.
    fn peer(&self, other: &Person<'_>) {
        let ticket = self.does(&["peer", "ticket"]);
        other.does(&["peer", "accept", text(&ticket, "/ticket")]);
        let standing = |of: &Value, status| all(of, "peers").any(|peer| text(peer, "/status") == status);
        let peers = self.until(&["peer", "list"], |peers| standing(peers, "waiting"));
        let waiting = all(&peers, "peers").find(|peer| text(peer, "/status") == "waiting").unwrap();
        self.does(&["peer", "approve", text(waiting, "/workspace/id")]);
        other.until(&["peer", "list"], |peers| {
            !all(peers, "peers").any(|peer| text(peer, "/status") != "active")
        });
    }

    /// A group with a short lease and these members: its id, and its chat's.
    fn group(&self, name: &str, members: &[&Person<'_>]) -> (String, String) {
        let group = self.does(&["group", "create", name]);
        let (id, chat) = (text(&group, "/id"), text(&group, "/chat"));
        self.does(&["group", "lease", id, &LEASE.to_string()]);
        for member in members {
            let asked = self.does(&["group", "add", id, &member.address]);
            if text(&asked, "/status") == "invited" {
                let here = |invite: &&Value| text(invite, "/scope") == id;
                let open =
                    member.until(&["invite", "list"], |list| all(list, "invitations").any(|i| here(&i)));
                let invite = all(&open, "invitations").find(here).unwrap();
                member.does(&["invite", "accept", text(invite, "/id")]);
            }
            member.until(&["group", "show", id], |group| text(group, "/id") == id);
        }
        (id.into(), chat.into())
    }

    fn reads(&self, thread: &str, words: &str) {
        self.until(&["read", thread], |page| all(page, "messages").any(|at| text(at, "/text") == words));
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn all<'a>(value: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    value.get(list).and_then(Value::as_array).into_iter().flatten()
}

/// The epoch of a removal, and the moment at which its answer says that it is effective at the latest.
fn promised(answer: &Value) -> (String, Millis) {
    let latest = answer.pointer("/removal/homes/0/effective_at_latest").and_then(Value::as_u64);
    let latest = latest.unwrap_or_else(|| panic!("P7.4: no deadline in {answer}"));
    assert!(latest <= clock::now().0 + LEASE * 1010, "P7.4: later than a lease lasts: {answer}");
    (answer["epoch"].to_string(), Millis(latest))
}

fn standing(removal: &Value) -> &str {
    text(removal, "/homes/0/state")
}

/// P7.6: after a cut the receipt comes, and says what was deleted; and the removed has nothing.
fn is_confirmed(alice: &Person<'_>, bob: &Person<'_>, removal: &[&str], chat: &str) {
    let confirmed = alice.until(removal, |removal| standing(removal) == "confirmed");
    let threads = confirmed.pointer("/homes/0/purged/threads").and_then(Value::as_u64);
    assert!(threads >= Some(1), "P7.6: {confirmed}");
    let refused = bob.tries(&["read", chat]).unwrap_err();
    assert!(refused.contains("(404)"), "P3.1: {refused}");
}

/// P7.2, P7.4: read up to the deadline, never after it, and then it says for whom it waits.
fn served_until(bob: &Person<'_>, chat: &str, deadline: Millis) {
    let (mut reads, mut waits) = (0, 0);
    while clock::now() <= deadline.plus(2 * SLACK) {
        let asked = clock::now();
        match bob.tries(&["read", chat]) {
            Ok(page) => {
                assert!(asked <= deadline.plus(SLACK), "P7.4: read at {asked}, after {deadline}: {page}");
                assert_eq!(waits, 0, "P7.4: readable again through a cut link: {page}");
                reads += 1;
            }
            Err(refused) => {
                assert!(refused.contains("waiting for acme.example since"), "{refused}");
                waits += 1;
            }
        }
    }
    assert!(reads > 0 && waits > 0, "P7.4: {reads} reads, {waits} refusals");
}

#[test]
fn p7_4_a_removal_takes_effect_where_nobody_hears_of_it() {
    if !can_lay_nets() {
        return;
    }
    let net = Net::lay();
    let (acme, globex) = (Node::start(&net, ACME, "alice"), Node::start(&net, GLOBEX, "bob"));
    let (alice, bob) = (acme.admin("alice"), globex.admin("bob"));
    alice.peer(&bob);

    let (group, chat) = alice.group("Cut off", &[&bob]);
    alice.does(&["post", &chat, "behind a cut link"]);
    bob.reads(&chat, "behind a cut link");
    net.link(ACME, GLOBEX, false);
    let (epoch, deadline) = promised(&alice.does(&["group", "remove", &group, &bob.address]));
    served_until(&bob, &chat, deadline);
    let removal = ["removal", "show", &group, &epoch];
    let shown = alice.does(&removal);
    assert_eq!((standing(&shown), text(&shown, "/state")), ("effective", "effective"), "P7.4: {shown}");
    net.link(ACME, GLOBEX, true);
    is_confirmed(&alice, &bob, &removal, &chat);

    let (group, chat) = alice.group("Stopped", &[&bob]);
    alice.does(&["post", &chat, "in a stopped process"]);
    bob.reads(&chat, "in a stopped process");
    globex.signal(Signal::STOP);
    let (epoch, deadline) = promised(&alice.does(&["group", "remove", &group, &bob.address]));
    let asked = bob.command(&["read", &chat]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let removal = ["removal", "show", &group, &epoch];
    alice.until(&removal, |removal| standing(removal) == "effective" && clock::now() > deadline);
    globex.signal(Signal::CONT);
    let first = asked.wait_with_output().unwrap();
    let (shown, refused) = (String::from_utf8_lossy(&first.stdout), String::from_utf8_lossy(&first.stderr));
    assert!(!first.status.success(), "P7.4: the first answer after the process went on: {shown}");
    assert!(refused.contains("waiting for acme.example since") || refused.contains("(404)"), "{refused}");
    is_confirmed(&alice, &bob, &removal, &chat);
}

/// Cuts one cable, and waits until each of these waits for whom it must, while the others read on; then alice's message
/// reaches these, and after the cable is whole everybody.
fn cut(
    net: &Net,
    (a, b): (usize, usize),
    thread: &str,
    people: &[(&Person<'_>, Result<bool, &str>)],
    words: &str,
) {
    net.link(a, b, false);
    let deadline = clock::now().plus(LEASE * 1000 + SLACK);
    let (mut open, what) = (1, format!("{} and {} cut", NAMES[a], NAMES[b]));
    while open > 0 {
        open = 0;
        for (person, expected) in people {
            let asked = clock::now();
            match (person.tries(&["read", thread]), expected) {
                (Ok(_), Ok(_)) => {}
                (Ok(page), Err(_)) => {
                    assert!(asked <= deadline, "spec 11.4, {what}: {} reads {page}", person.address);
                    open += 1;
                }
                (Err(refused), Err(owner)) if refused.contains(&format!("waiting for {owner} since")) => {}
                (Err(refused), _) => panic!("spec 11.4, {what}: {}: {refused}", person.address),
            }
        }
    }
    let (alice, _) = people[0];
    alice.does(&["post", thread, words]);
    people
        .iter()
        .filter(|(_, expected)| *expected == Ok(true))
        .for_each(|(person, _)| person.reads(thread, words));
    for (person, _) in people.iter().filter(|(_, expected)| *expected == Ok(false)) {
        let page = person.does(&["read", thread]);
        assert!(!page.to_string().contains(words), "spec 11.4, {what}: {} reads {page}", person.address);
    }
    net.link(a, b, true);
    people.iter().for_each(|(person, _)| person.reads(thread, words));
}

#[test]
fn p7_4_a_thread_of_two_owners_with_each_link_cut_in_turn() {
    if !can_lay_nets() {
        return;
    }
    let net = Net::lay();
    let nodes = [(ACME, "alice"), (GLOBEX, "bob"), (INITECH, "carol")]
        .map(|(at, admin)| Node::start(&net, at, admin));
    let [acme, globex, initech] = &nodes;
    let (alice, bob, carol) = (acme.admin("alice"), globex.admin("bob"), initech.admin("carol"));
    for (one, other) in [(&alice, &bob), (&alice, &carol), (&bob, &carol)] {
        one.peer(other);
    }
    let (ada, gerd) = (acme.add("ada"), globex.add("gerd"));
    let (ours, _) = alice.group("Terms", &[&bob]);
    let (theirs, _) = carol.group("Legal", &[&alice, &ada, &gerd]);
    let made = alice.does(&["thread", "start", "Terms of both", "--group", &ours]);
    let thread = text(&made, "/id").to_owned();
    alice.does(&["thread", "lease", &thread, &LEASE.to_string()]);
    alice.does(&["thread", "add-group", &thread, &theirs]);
    carol.until(&["thread", "show", &thread], |shown| text(shown, "/id") == thread);
    alice.does(&["post", &thread, "the terms"]);
    for person in [&alice, &ada, &bob, &gerd, &carol] {
        person.reads(&thread, "the terms");
    }
    let (on, old) = (Ok(true), Ok(false));
    let (of_acme, of_initech) = (Err("acme.example"), Err("initech.example"));
    let people = |ada_, bob_, gerd_, carol_| {
        [(&alice, on), (&ada, ada_), (&bob, bob_), (&gerd, gerd_), (&carol, carol_)]
    };
    cut(&net, PAIRS[0], &thread, &people(on, of_acme, of_acme, on), "the first cut");
    cut(&net, PAIRS[1], &thread, &people(of_initech, on, old, of_acme), "the second cut");
    cut(&net, PAIRS[2], &thread, &people(on, on, of_initech, on), "the third cut");
}
