//! A preview says what the act then does (P8.2, P7.5, P7.8): compared on seeded clusters.

use std::collections::BTreeSet;

use comity::{
    ids::{GroupId, ScopeId, SubmissionId, UserId, WorkspaceId},
    protocol::{
        Command, State, gate, removal,
        row::{InviteStatus, Role},
    },
    view::preview::{self, Counts, Preview},
    wire::objects::{Action, EntryKind, Floor, Grade, Settings},
};

use crate::{
    cluster::{Cluster, Node},
    world::{Dice, settings},
};

const SEEDS: u64 = 300;
const ACTS: usize = 90;
const NAMES: [&str; 3] = ["acme", "globex", "initech"];

struct Play {
    cluster: Cluster,
    people: Vec<Vec<UserId>>,
    dice: Dice,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut cluster = Cluster::new(&NAMES);
        let locals = ["ann", "bob", "cyd"];
        let people =
            cluster.nodes.iter_mut().map(|node| locals.map(|local| node.user(local)).to_vec()).collect();
        let mut play = Self { cluster, people, dice: Dice::new(seed) };
        for node in 0..3 {
            let ann = play.people[node][0];
            play.cluster.nodes[node].run(Command::CreateGroup(ann, settings("first"))).unwrap();
        }
        for _ in 0..ACTS {
            play.act();
            if play.dice.below(8) == 0 {
                play.cluster.settle();
                play.accept();
            }
        }
        if play.dice.below(2) == 0 {
            play.cluster.settle();
        }
        play.wait();
        play
    }

    /// The people of the first node write to wherever they may: what they write to others waits for its owner.
    fn wait(&mut self) {
        let node = &mut self.cluster.nodes[0];
        let threads: Vec<_> = node.state.scopes.keys().filter_map(|id| id.thread()).collect();
        for (n, thread) in (1_u128..).zip(threads) {
            for author in self.people[0].clone() {
                let id = SubmissionId(n.to_be_bytes());
                let (kind, text) = (EntryKind::Message, "waits".into());
                drop(node.run(Command::Post {
                    author,
                    thread,
                    id,
                    kind,
                    target: None,
                    text,
                    mentions: vec![],
                }));
            }
        }
    }

    fn address(&mut self) -> String {
        let (home, user) = (self.dice.below(3), self.dice.below(3));
        format!("{}@{}.example", ["ann", "bob", "cyd"][user], NAMES[home])
    }

    fn act(&mut self) {
        let (at, user) = (self.dice.below(3), self.dice.below(3));
        let (actor, address) = (self.people[at][user], self.address());
        let floor = Floor::All;
        let node = &self.cluster.nodes[at];
        let scopes: Vec<ScopeId> = node
            .state
            .scopes
            .keys()
            .copied()
            .filter(|id| gate::knows_scope(&node.state, actor, *id))
            .collect();
        let groups: Vec<GroupId> = scopes.iter().filter_map(|id| id.group()).collect();
        let threads: Vec<_> = scopes.iter().filter_map(|id| id.thread()).collect();
        let picked =
            (self.dice.one(&scopes), self.dice.one(&groups), self.dice.one(&groups), self.dice.one(&threads));
        let n = self.dice.below(usize::MAX);
        let id = SubmissionId(u128::try_from(n).unwrap().to_be_bytes());
        let command = match (self.dice.below(7), picked) {
            (0 | 1, (Some(scope), ..)) => Command::Act(
                actor,
                Action::Invite { scope, address, grade: Grade::Invite, floor, until: None },
            ),
            (2, (_, Some(a), Some(b), _)) => {
                let groups = BTreeSet::from([a, b]).into_iter().collect();
                let addresses = if self.dice.below(2) == 0 { vec![address] } else { vec![] };
                Command::CreateThread { actor, settings: settings("topic"), groups, addresses }
            }
            (3, (_, Some(group), _, Some(thread))) => {
                Command::Act(actor, Action::AddGroup { thread, group, floor })
            }
            (4, _) => Command::OpenDm(actor, address),
            (5, _) => Command::CreateGroup(actor, settings("group")),
            (_, (_, _, _, Some(thread))) => {
                let (kind, text) = (EntryKind::Message, "x".into());
                Command::Post { author: actor, thread, id, kind, target: None, text, mentions: vec![] }
            }
            _ => return,
        };
        drop(self.cluster.nodes[at].run(command));
    }

    fn accept(&mut self) {
        for node in &mut self.cluster.nodes {
            let open = node.state.received.values().filter(|row| row.status == InviteStatus::Sent);
            let open: Vec<_> = open.map(|row| (row.user, row.invite.id)).collect();
            for (user, id) in open.into_iter().filter(|_| self.dice.below(3) > 0) {
                node.run(Command::AnswerInvite(user, id, true)).unwrap();
            }
        }
    }
}

/// What is gone of what was there.
fn effect(before: &State, after: &State) -> BTreeSet<(ScopeId, UserId)> {
    let mut gone = BTreeSet::new();
    for scope in before.scopes.values().filter(|scope| !scope.head.ended) {
        let id = scope.head.id;
        let now = after.scope(id).unwrap();
        let mut people: Vec<UserId> = scope.members.keys().copied().collect();
        people.retain(|user| (before.owns(id) || before.is_local(*user)) && !now.members.contains_key(user));
        gone.extend(people.into_iter().map(|user| (id, user)));
        if !before.owns(id) {
            let over = |group: GroupId| after.scope(group).is_some_and(|scope| scope.head.ended);
            let others = scope.head.groups.iter().filter(|at| at.owner != scope.head.owner);
            let others = others.filter(|at| now.head.ended || over(at.group));
            let people =
                others.filter_map(|at| before.scope(at.group)).flat_map(|group| group.members.keys());
            let lost = |user: &&UserId| {
                let reaches = |state| gate::reaches(state, **user, id.thread().unwrap());
                before.is_local(**user) && reaches(before) && !reaches(after)
            };
            gone.extend(people.filter(lost).map(|user| (id, *user)));
        }
        let off = scope.head.groups.iter().filter(|at| before.owns(id) && !now.head.groups.contains(at));
        for user in off.filter_map(|at| before.scope(at.group)).flat_map(|group| group.members.keys()) {
            let thread = id.thread().unwrap();
            if gate::reaches(before, *user, thread) && !gate::reaches(after, *user, thread) {
                gone.insert((id, *user));
            }
        }
    }
    gone
}

fn told(before: &State, after: &State) -> BTreeSet<WorkspaceId> {
    let changed = before.peers.values().filter(|row| {
        let now = after.peers.get(&row.id).unwrap();
        (now.feed, now.queued) != (row.feed, row.queued)
    });
    changed.map(|row| row.id).collect()
}

fn counts(before: &State, after: &State, gone: &BTreeSet<(ScopeId, UserId)>) -> Counts {
    let groups = |state: &State, id: ScopeId| state.scope(id).unwrap().head.groups.len();
    let owned = before.scopes.keys().filter(|id| before.owns(**id));
    let sent =
        before.sent.values().filter(|row| row.status == InviteStatus::Sent && **row != after.sent[&row.id]);
    let received = before
        .received
        .iter()
        .filter(|(key, row)| row.status == InviteStatus::Sent && after.received[*key] != **row);
    let open = |state: &State| state.outbox.values().filter(|row| row.refused.is_none()).count();
    let closed = |state: &State| state.scopes.values().filter(|scope| scope.head.settings.closed).count();
    Counts {
        people: gone.iter().map(|(_, user)| *user).collect::<BTreeSet<_>>().len(),
        scopes: gone.iter().map(|(scope, _)| *scope).collect::<BTreeSet<_>>().len(),
        losses: gone.len(),
        groups: owned.map(|id| groups(before, *id) - groups(after, *id)).sum(),
        invitations: sent.count() + received.count(),
        messages: open(before) - open(after),
        conversations: closed(after) - closed(before),
        lowered: 0,
    }
}

/// Runs the act and holds the preview to it. Returns how much it was.
fn hold(node: &mut Node, preview: &Preview, act: Command, what: &str) -> Counts {
    let before = node.state.clone();
    node.run(act).unwrap();
    let after = &node.state;
    let gone = effect(&before, after);
    let said: BTreeSet<_> = preview.losses.iter().map(|loss| (loss.scope, loss.user.id)).collect();
    assert_eq!(said, gone, "{what}: who loses what");
    assert_eq!(preview.counts, counts(&before, after, &gone), "{what}: how much");
    let said: BTreeSet<_> = preview.told.iter().map(|home| home.id).collect();
    assert_eq!(said, told(&before, after), "{what}: who is told");
    for loss in &preview.losses {
        let threads = removal::related(&before, loss.scope).into_iter();
        let paths =
            threads.flat_map(|thread| gate::paths(after, loss.user.id, thread)).map(|path| path.scope);
        let paths: BTreeSet<_> = paths.collect();
        assert_eq!(loss.remaining, paths.into_iter().collect::<Vec<_>>(), "{what}: the paths that remain");
    }
    preview.counts
}

/// P5.1: no path of an external leads into an internal-only group's threads.
fn internal(state: &State, group: GroupId) {
    for thread in state.addressed[&group].iter().filter(|thread| state.owns(**thread)) {
        let people = state.granting(*thread).flat_map(|scope| scope.members.keys());
        assert!(people.into_iter().all(|user| state.is_local(*user)), "{thread}");
    }
}

/// P8.2: for every act, on clusters that nobody designed.
#[test]
fn a_preview_says_what_the_act_does() {
    let mut sum = [Counts::default(); 3];
    for seed in 0..SEEDS {
        let mut play = Play::new(seed);
        let ann = play.people[0][0];
        let peer = play.cluster.nodes[1].id;
        let node = &mut play.cluster.nodes[0];
        let at = usize::try_from(seed % 3).unwrap();
        let counts = match at {
            0 => {
                let preview = preview::end_of_peering(&node.state, peer).unwrap();
                hold(node, &preview, Command::EndPeer(ann, peer), &format!("seed {seed}, end"))
            }
            1 => {
                let user = play.people[0][usize::try_from(seed / 3 % 3).unwrap()];
                let preview = preview::departure(&node.state, user).unwrap();
                let act = if seed % 2 == 0 {
                    Command::RemoveUser(user)
                } else {
                    Command::SetRole(user, Role::Suspended)
                };
                hold(node, &preview, act, &format!("seed {seed}, departure"))
            }
            _ => {
                let own =
                    node.state.scopes.keys().filter_map(|id| id.group()).filter(|id| node.state.owns(*id));
                let widest = own.max_by_key(|id| node.state.scope(*id).unwrap().members.len()).unwrap();
                let preview = preview::tightening(&node.state, widest).unwrap();
                let scope = node.state.scope(widest).unwrap();
                let by = *scope
                    .members
                    .values()
                    .find(|member| member.grade == Grade::Admin)
                    .map(|member| &member.user)
                    .unwrap();
                let settings = Settings { externals: false, ..scope.head.settings.clone() };
                let counts = hold(
                    node,
                    &preview,
                    Command::Tighten(by, widest.into(), settings),
                    &format!("seed {seed}, tightening"),
                );
                internal(&node.state, widest);
                counts
            }
        };
        let all = &mut sum[at];
        all.losses += counts.losses;
        all.groups += counts.groups;
        all.invitations += counts.invitations;
        all.messages += counts.messages;
        all.conversations += counts.conversations;
    }
    let [end, departure, tightening] = sum;
    assert!(
        end.losses > 0 && end.groups > 0 && end.invitations > 0 && end.messages > 0 && end.conversations > 0,
        "{end:?}"
    );
    assert!(departure.losses > 0 && departure.invitations > 0 && departure.messages > 0);
    assert!(tightening.losses > 0 && tightening.groups > 0 && tightening.invitations > 0, "{tightening:?}");
}
