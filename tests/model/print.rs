//! The print of a state: everything that later steps or checks depend on. Rows are taken whole, as the store would
//! write them; clocks only as what is left of each lease and of the wait after a start.

use comity::{
    crypto::sha256,
    ids::Hash,
    protocol::{Mark, lease, row::Peer},
    time::Millis,
    wire::cbor,
};
use serde::Serialize;

use crate::{
    cluster::Node,
    moment::{Flight, Moment, Past},
    stage::TTL,
};

#[derive(Default)]
struct Ink(Vec<u8>);

impl Ink {
    fn put<T: Serialize>(&mut self, value: &T) {
        self.0.extend(cbor::encode(value));
    }

    fn debug<T: std::fmt::Debug>(&mut self, value: &T) {
        use std::io::Write;
        write!(self.0, "{value:?};").unwrap();
    }
}

/// Of the whole.
pub fn of(moment: &Moment) -> Hash {
    sha256(&[&moment.body.0, &moment.spent.bytes()])
}

/// Of all but what was spent.
pub fn body(moment: &Moment) -> Hash {
    let mut ink = Ink::default();
    for node in &moment.cluster.nodes {
        rows(&mut ink, node);
        uptime(&mut ink, node);
        disk(&mut ink, node);
    }
    moment.flights.iter().for_each(|flight| on_its_way(&mut ink, flight));
    past(&mut ink, &moment.past);
    sha256(&[&ink.0])
}

fn rows(ink: &mut Ink, node: &Node) {
    let state = &node.state;
    ink.put(&node.rate);
    for scope in state.scopes.values() {
        ink.put(&scope.head);
        scope.members.values().for_each(|member| ink.put(&**member));
    }
    state.logs.values().for_each(|log| ink.put(&**log));
    for peer in state.peers.values() {
        ink.put(&Peer { content_acked: (0, 0), content_in: 0, since: Millis(0), ..(**peer).clone() });
    }
    state.sent.values().for_each(|row| ink.put(&**row));
    state.received.values().for_each(|row| ink.put(&**row));
    state.outbox.values().for_each(|row| ink.put(&**row));
    state.removals.values().for_each(|row| ink.put(&**row));
    state.deferred.values().for_each(|row| ink.put(&**row));
    state.evidence.keys().for_each(|id| ink.put(id));
}

fn uptime(ink: &mut Ink, node: &Node) {
    let uptime = &node.state.uptime;
    let left = |until: comity::time::Boot| until.since(uptime.now);
    uptime.held.iter().for_each(|(id, asked)| ink.put(&(id, left(lease::ends(*asked, TTL)))));
    uptime.given.iter().for_each(|(id, given)| ink.put(&(id, left(lease::surely_over(*given, TTL)))));
    ink.put(&left(lease::surely_over(uptime.started, TTL)));
    uptime.comparing.iter().for_each(|peer| ink.put(peer));
    uptime.told.iter().for_each(|told| ink.put(told));
    if let Some(check) = &uptime.check {
        ink.put(&left(uptime.started.plus(comity::limits::RECOVERY_MILLIS)));
        ink.debug(check);
    }
}

fn disk(ink: &mut Ink, node: &Node) {
    node.disk.events.iter().for_each(|(_, bytes)| ink.0.extend(&**bytes));
    node.disk.bases.iter().for_each(|(_, bytes)| ink.0.extend(&**bytes));
    for ((_, seq), stored) in &node.disk.content {
        ink.put(&(seq, stored.entry.hash(), stored.body.is_some()));
    }
    for (peer, (position, _)) in &node.cursors {
        let marks = node.journal.iter().skip(*position);
        let due: Vec<_> = marks.filter(|mark| matches!(mark, Mark::Content { .. })).collect();
        ink.put(peer);
        ink.debug(&due);
    }
}

fn on_its_way(ink: &mut Ink, flight: &Flight) {
    if let Some(asked) = &flight.asked {
        ink.put(&1);
        ink.put(&(asked.ask.nonce, asked.ask.number, asked.ask.hash, asked.ask.roster));
    }
    if let Some(granted) = &flight.granted {
        ink.put(&2);
        ink.put(&(granted.nonce, granted.counted, granted.at.0));
    }
    if let Some(frame) = &flight.frame {
        ink.put(&3);
        frame.entries.iter().for_each(|stored| ink.put(&stored.entry.hash()));
        frame.heads.iter().for_each(|covering| ink.put(&(&covering.head, &covering.marks)));
    }
    for frame in flight.witness.iter().flatten() {
        ink.put(&4);
        ink.debug(&frame.scopes);
        frame.items.iter().for_each(|item| ink.0.extend(&**item));
    }
}

fn past(ink: &mut Ink, past: &Past) {
    ink.debug(&(past.out, past.invited, past.restored, &past.broken));
    past.sequenced.iter().chain(past.after.iter().flatten()).for_each(|hash| ink.put(hash));
    for (at, (hash, left, _)) in &past.events {
        ink.debug(&(at, hash, left));
    }
    for (at, (hash, left)) in &past.heads {
        ink.debug(&(at, hash, left));
    }
}
