//! Letters on a state of their own, with time as a value.

use super::*;
use crate::{
    crypto::{PublicKey, Random, SecretKey},
    ids::{ScopeId, SubmissionId, ThreadId, WorkspaceId},
    protocol::{Change, Command, Ctx, Records, State, decide, row::Node},
    time::Boot,
    wire::{Blob, Stored},
};

struct Nothing;

impl Records for Nothing {
    fn stored(&self, _: ThreadId, _: u64) -> Option<Stored> {
        None
    }
    fn submitted(&self, _: WorkspaceId, _: SubmissionId) -> Option<(ThreadId, u64)> {
        None
    }
    fn refs(&self, _: ThreadId, _: u64) -> Vec<u64> {
        Vec::new()
    }
    fn feed(&self, _: WorkspaceId, _: u64) -> Option<Blob> {
        None
    }
    fn event(&self, _: ScopeId, _: u64, _: u64) -> Option<Blob> {
        None
    }
    fn events(&self, _: ScopeId, _: u64) -> Vec<Blob> {
        Vec::new()
    }
    fn base(&self, _: ScopeId) -> Option<Blob> {
        None
    }
}

/// A node that has nothing but letters.
struct Desk {
    state: State,
    key: SecretKey,
    now: u64,
    audit: Vec<AuditLine>,
}

const START: u64 = 1_000_000;

impl Desk {
    fn new() -> Self {
        let key = SecretKey::from_seed(&[7; 32]);
        let node = Node {
            id: WorkspaceId([1; 32]),
            tls: PublicKey([2; 32]),
            boots: 0,
            numbers: 0,
            journal: (0, Hash::ZERO),
        };
        let mut state = State::default();
        state.put(Row::Node(node));
        Self { state, key, now: START, audit: Vec::new() }
    }

    fn ctx(&self) -> Ctx<'_> {
        let random = Random::from_seed(sha256(&[format!("{} {}", self.now, self.audit.len()).as_bytes()]).0);
        Ctx { now: Millis(self.now), boot: Boot(self.now), random, key: &self.key, records: &Nothing }
    }

    fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            self.state.apply(&change);
            // What is stored is what is there after a start.
            if let Change::Put(row) = &change {
                assert_eq!(Row::from_bytes(row.kind(), &row.to_bytes()).unwrap(), *row);
            }
            if let Change::Audit(line) = change {
                self.audit.push(line);
            }
        }
    }

    fn queue(&mut self, to: &str, what: What) -> Result<u64, Reject> {
        let mut draft = Draft::new(&self.state, self.ctx()).unwrap();
        let number = queue(&mut draft, to, what)?;
        let changes = draft.changes;
        self.take(changes);
        Ok(number)
    }

    fn withdraw(&mut self, link: &str) -> usize {
        let mut draft = Draft::new(&self.state, self.ctx()).unwrap();
        let count = withdraw(&mut draft, link);
        let changes = draft.changes;
        self.take(changes);
        count
    }

    fn run(&mut self, command: Command) -> Result<Reply, Reject> {
        let decision = decide(&self.state, command, self.ctx())?;
        self.take(decision.changes);
        Ok(decision.reply)
    }

    fn fail(&mut self, number: u64, permanent: bool) {
        self.run(Command::LetterFailed { number, error: "451 later\r\nplease".into(), permanent }).unwrap();
    }

    fn next(&self) -> Option<Result<u64, u64>> {
        let next = self.state.letters.next(Millis(self.now))?;
        Some(next.map(|letter| letter.number).map_err(|at| at.0 - self.now))
    }

    fn said(&self) -> Vec<&str> {
        self.audit.iter().map(|line| line.act.as_str()).collect()
    }
}

fn invitation(link: &str, days: u64) -> What {
    What::Invitation {
        scope_name: "Launch".into(),
        scope_kind: Place::Group,
        inviter: "Alice".into(),
        workspace: "Acme".into(),
        history: Floor::FromNow,
        link: Secret::new(link),
        expires: Millis(START + days * limits::DAY_MILLIS),
        grade: Grade::Post,
    }
}

#[test]
fn p2_3_a_letter_goes_with_its_secret_and_leaves_no_trace_of_it() {
    let mut desk = Desk::new();
    let number = desk.queue("Carol@Initech.Example", invitation("/join/s3cret", 14)).unwrap();
    assert_eq!(desk.next(), Some(Ok(number)));
    assert_eq!(desk.state.letters.all[&number].to, "Carol@initech.example");
    assert!(!format!("{:?}", desk.state.letters).contains("s3cret"), "a secret in a debug text");
    desk.run(Command::LetterSent(number)).unwrap();
    assert_eq!((desk.next(), desk.state.letters.all.len()), (None, 0));
    assert_eq!(desk.run(Command::LetterSent(number)).unwrap(), Reply::Already);
    assert_eq!(desk.said(), ["letter.queued", "letter.sent"]);
    assert!(desk.audit.iter().all(|line| !line.detail.contains("s3cret")));
    assert_eq!(desk.audit[1].detail, "invitation to Carol@initech.example");
}

#[test]
fn the_rest_doubles_up_to_an_hour_and_ends_after_two_days() {
    let rests: Vec<u64> = (1..10).map(|tries| rest(tries) / 60_000).collect();
    assert_eq!(rests, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(rest(u32::MAX), limits::LETTER_REST_MOST_MILLIS);
    let mut desk = Desk::new();
    let number = desk.queue("carol@initech.example", invitation("/join/a", 14)).unwrap();
    let id = desk.state.letters.all[&number].id.clone();
    let mut tries = 0;
    loop {
        desk.fail(number, false);
        tries += 1;
        match desk.next() {
            Some(Err(wait)) => desk.now += wait,
            None => break,
            Some(Ok(_)) => panic!("no rest after a failure"),
        }
        assert_eq!(desk.next(), Some(Ok(number)));
    }
    assert!((50..56).contains(&tries) && desk.now - START <= limits::LETTER_TRIED_MILLIS, "{tries}");
    let letter = desk.state.letters.all[&number].clone();
    assert_eq!((letter.given_up, letter.error.as_deref()), (true, Some("451 later  please")));
    assert_eq!(desk.said().last(), Some(&"letter.given-up"));
    desk.run(Command::LetterRetry(number)).unwrap();
    assert_eq!(desk.next(), Some(Ok(number)), "an admin's word begins anew");
    desk.fail(number, false);
    assert_eq!(desk.next(), Some(Err(limits::LETTER_REST_MILLIS)));
    assert_eq!(desk.state.letters.all[&number].id, id, "the same name on every try");
}

#[test]
fn a_refusal_for_good_is_not_tried_again() {
    let mut desk = Desk::new();
    let number = desk.queue("nobody@initech.example", invitation("/join/a", 14)).unwrap();
    desk.fail(number, true);
    assert_eq!(desk.next(), None);
    desk.run(Command::LetterDropped(number)).unwrap();
    for command in [Command::LetterDropped(number), Command::LetterRetry(number)] {
        assert_eq!(desk.run(command).unwrap_err().code, RejectCode::NotFound);
    }
    assert!(desk.state.letters.all.is_empty());
}

#[test]
fn a_withdrawn_link_is_not_mailed() {
    let mut desk = Desk::new();
    let first = desk.queue("carol@initech.example", invitation("/join/a", 14)).unwrap();
    let second = desk.queue("carol@initech.example", invitation("/join/ab", 14)).unwrap();
    desk.fail(first, true);
    assert_eq!((desk.withdraw("/join/a"), desk.withdraw("/join/a")), (1, 0));
    assert_eq!(desk.state.letters.all.keys().copied().collect::<Vec<_>>(), [second]);
    assert_eq!(
        desk.run(Command::LetterFailed { number: first, error: String::new(), permanent: false }).unwrap(),
        Reply::Already
    );
    assert_eq!(desk.state.letters.all.len(), 1, "one that was withdrawn on its way does not come back");
}

#[test]
fn a_letter_does_not_outlive_its_link() {
    let mut desk = Desk::new();
    desk.queue("carol@initech.example", invitation("/join/a", 1)).unwrap();
    let code = What::Code { code: Secret::new("123456"), expires: Millis(START + 900_000) };
    let number = desk.queue("carol@initech.example", code).unwrap();
    desk.fail(number, false);
    desk.now += 900_000;
    desk.run(Command::Tick).unwrap();
    assert_eq!(desk.state.letters.all.len(), 1);
    assert_eq!(
        desk.audit.last().unwrap().detail,
        "code to carol@initech.example was never sent: 451 later  please"
    );
    desk.now += limits::DAY_MILLIS;
    desk.run(Command::Tick).unwrap();
    assert_eq!(desk.state.letters, Letters::default(), "nothing is left, not even that there was a letter");
    assert_eq!(
        desk.run(Command::Tick).unwrap(),
        Reply::Already,
        "seconds in which nothing happens write nothing"
    );
}

#[test]
fn nobody_is_flooded() {
    let mut desk = Desk::new();
    let mut sent = 0;
    for hour in 1..=24 {
        desk.now += limits::HOUR_MILLIS;
        for _ in 0..=limits::LETTERS_PER_HOUR {
            // Case and punycode make no other address.
            for to in ["carol@bücher.example", "CAROL@xn--bcher-kva.example"] {
                match desk.queue(to, invitation("/join/a", 14)) {
                    Ok(number) => {
                        sent += 1;
                        desk.run(Command::LetterSent(number)).unwrap();
                    }
                    Err(reject) => assert_eq!(reject.code, RejectCode::Quota),
                }
            }
        }
        assert!(sent <= limits::LETTERS_PER_DAY && sent <= hour * limits::LETTERS_PER_HOUR);
    }
    assert_eq!(sent, limits::LETTERS_PER_DAY);
    desk.now += limits::DAY_MILLIS;
    desk.queue("carol@bücher.example", invitation("/join/a", 30)).unwrap();
    desk.queue("dave@bücher.example", invitation("/join/a", 30)).unwrap();
}

#[test]
fn bad_letters_are_refused_with_what_to_do() {
    let mut desk = Desk::new();
    let reset = |link: &str| What::Reset { link: Secret::new(link), expires: Millis(u64::MAX) };
    for (to, what, expected) in [
        ("carol", reset("/reset/a"), "the @ is missing"),
        ("carol@initech.example", reset("https://evil.example/a"), "too long"),
        ("carol@initech.example", reset(&format!("/{}", "x".repeat(300))), "too long"),
        ("carol@initech.example", What::Trial { by: "x".repeat(1000) }, "too long"),
    ] {
        let error = desk.queue(to, what).unwrap_err();
        assert!(error.detail.contains(expected), "{}", error.detail);
    }
    assert!(desk.state.letters.all.is_empty() && desk.audit.is_empty());
}
