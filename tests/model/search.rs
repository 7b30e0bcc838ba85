//! The model as Stateright takes it, with the properties.

use comity::protocol::{gate, sabotage::Switch};
use stateright::{Model, Property};

use crate::{
    checks,
    moment::Moment,
    print,
    stage::{HOMES, OWNER, Stage, TTL},
    steps::{self, Bounds, Step},
};

/// One search: where it begins and how far it goes.
pub struct Search {
    pub stage: Stage,
    pub bounds: Bounds,
    /// Clock rates of the three nodes, in thousandths: one first state each.
    pub clocks: Vec<[u64; 3]>,
    /// What is broken on purpose.
    pub switch: Option<Switch>,
}

/// A sight that proves the search not to be vacuous.
pub type Sight = (&'static str, fn(&Search, &Moment) -> bool);

/// All of them. Each search names those that its bounds allow.
pub const SIGHTS: [Sight; 10] = [
    ("a removal is confirmed by a receipt", |_, now| {
        owner(now).removals.values().any(|row| row.homes.iter().all(|(_, at)| at.is_some()))
    }),
    ("a removal takes effect by its deadline alone", |_, now| {
        owner(now).removals.values().any(|row| row.passed && row.homes.iter().all(|(_, at)| at.is_none()))
    }),
    ("a lease runs out and is renewed", |search, now| {
        now.spent.longs > 0
            && HOMES.iter().any(|home| {
                let node = &now.cluster.nodes[*home];
                let held = node.state.uptime.held.get(&search.stage.ids[OWNER]);
                held.is_some_and(|asked| asked.0 >= TTL)
                    && gate::sees_scope(&node.state, search.stage.guest(*home), search.stage.group)
            })
    }),
    ("a restored owner takes a removal back", |search, now| {
        let head = owner(now).scope(search.stage.group).map(|scope| scope.head.clone());
        let restored =
            now.past.restored.is_some_and(|removals| removals > 0 && removals == now.spent.removals);
        restored && head.is_some_and(|head| head.incarnation == 0 && !head.tombstones.is_empty())
    }),
    ("a restored owner goes on in a new incarnation", |search, now| incarnation(search, now) > 0),
    ("an own message waits for the check", |search, now| {
        owner(now).outbox.values().any(|row| row.owner == search.stage.ids[OWNER] && row.refused.is_none())
    }),
    ("who was invited again reads what is new", |search, now| {
        HOMES.iter().any(|home| {
            let user = search.stage.guest(*home);
            let (acme, node) = (owner(now), &now.cluster.nodes[*home]);
            let head = acme.scope(search.stage.group).map(|scope| scope.head.clone());
            let was_out = head.is_some_and(|head| head.tombstones.iter().any(|(of, _)| *of == user));
            let is_in = acme.scope(search.stage.group).is_some_and(|scope| scope.members.contains_key(&user));
            let high = acme.logs.get(&search.stage.chat).map_or(0, |log| log.high);
            let paths = gate::paths(&node.state, user, search.stage.chat);
            was_out && is_in && now.spent.posts > 0 && high > 2 && paths.iter().any(|path| path.to == high)
        })
    }),
    ("an answer that comes late is heard", |search, now| {
        let check = owner(now).uptime.check.as_ref();
        incarnation(search, now) > 0 && check.is_some_and(|check| check.compared.len() == HOMES.len())
    }),
    ("a follower without a reader purges", |search, now| {
        HOMES.iter().any(|home| {
            let node = &now.cluster.nodes[*home];
            node.state.scope(search.stage.group).is_some_and(|scope| scope.head.ended)
                && node.disk.content.is_empty()
        })
    }),
    ("a comparison runs", |search, now| {
        let of = |home: &usize| owner(now).peers[&search.stage.ids[*home]].feed;
        HOMES.iter().zip(&now.past.feeds).any(|(home, feed)| of(home) != *feed)
    }),
];

fn owner(now: &Moment) -> &comity::protocol::State {
    &now.cluster.nodes[OWNER].state
}

fn incarnation(search: &Search, now: &Moment) -> u64 {
    owner(now).scope(search.stage.group).map_or(0, |scope| scope.head.incarnation >> 32)
}

impl Search {
    /// The state after a step; `None`: nothing came of it.
    pub fn step(&self, before: &Moment, step: Step) -> Option<Moment> {
        #[cfg(feature = "sabotage")]
        comity::protocol::sabotage::break_one(self.switch);
        let mut now = before.clone();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            steps::take(&self.stage, &self.bounds, &mut now, step);
            checks::judge(&self.stage, &self.bounds, before, &mut now, step);
        }));
        #[cfg(feature = "sabotage")]
        comity::protocol::sabotage::break_one(None);
        if let Err(panic) = done {
            now = before.clone();
            now.past.broken.insert((0, text(&*panic)));
        }
        now.body = print::body(&now);
        now.print = print::of(&now);
        if now.body == before.body {
            return None;
        }
        Some(now)
    }
}

pub fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default()
}

impl Model for Search {
    type State = Moment;
    type Action = Step;

    fn init_states(&self) -> Vec<Moment> {
        self.clocks.iter().map(|rates| self.stage.start(*rates)).collect()
    }

    fn actions(&self, now: &Moment, steps: &mut Vec<Step>) {
        steps::enabled(&self.stage, &self.bounds, now, steps);
    }

    fn next_state(&self, before: &Moment, step: Step) -> Option<Moment> {
        self.step(before, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always("nothing panics", |_, now| holds(now, 0)),
            Property::always("1: nothing sequenced after the removal is shown to the removed", |_, now| {
                holds(now, 1)
            }),
            Property::always("2: the removed is served nothing after the latest moment", |_, now| {
                holds(now, 2)
            }),
            Property::always("3: a peer without a reader is sent nothing", |_, now| holds(now, 3)),
            Property::always("4: one hash per incarnation and epoch, over restores", |_, now| holds(now, 4)),
            Property::always("6: who is known to be out stays out", |_, now| holds(now, 6)),
            Property::always("10: nobody is in again without a new invitation", |_, now| holds(now, 10)),
            Property::always("12: time deletes nothing", |_, now| holds(now, 12)),
            Property::always("15: every removal names its latest moment", |_, now| holds(now, 15)),
            Property::always("17: the owner outwaits the follower", |_, now| holds(now, 17)),
        ];
        all.extend(SIGHTS.iter().map(|(name, seen)| Property::sometimes(name, *seen)));
        all
    }
}

fn holds(now: &Moment, invariant: u8) -> bool {
    now.past.broken.iter().all(|(broken, _)| *broken != invariant)
}
