//! The end of a peering that carried much (P7.5): from the command to its commit, and to its effect at the other node.

use anyhow::{Context as _, Result, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    Sizes,
    library::{Side, group, peer, side, until},
    measure::{millis, now, rounded},
};
use crate::{
    ids::{ScopeId, UserId, WorkspaceId},
    node::{Handle, Snapshot},
    protocol::{
        Command, Reply,
        row::{PeerStatus, Role},
    },
    wire::objects::{Action, Floor, Grade},
};

/// Commands that are on the way at a time.
const IN_FLIGHT: usize = 256;

/// Two nodes of this process, with every member of the one in every group of the other.
pub(super) async fn run(sizes: Sizes) -> Result<Value> {
    let (groups, members) = sizes.ending;
    let (a, b) = (side("acme", None).await?, side("globex", None).await?);
    peer(&a, &b).await?;
    let memberships = connect(&a, &b, groups, members).await?;
    let (at_a, at_b) = (&a.node.handle, &b.node.handle);
    let begin = now();
    at_a.ask(Command::EndPeer(a.user, at_b.me())).await?;
    let committed = begin.elapsed();
    let from = at_a.me();
    let ended =
        |view: &Snapshot| view.state.peers.get(&from).is_some_and(|row| row.status == PeerStatus::Ended);
    let view = until(at_b, ended).await?;
    let applied = begin.elapsed();
    if followed(&view, from, at_b.me()) != 0 {
        bail!("memberships outlive the peering");
    }
    let confirmed = |view: &Snapshot| {
        view.state.removals.values().all(|removal| removal.homes.iter().all(|(_, receipt)| receipt.is_some()))
    };
    until(at_a, confirmed).await?;
    let receipts = begin.elapsed();
    a.node.stop().await;
    b.node.stop().await;
    Ok(json!({
        "groups": groups, "memberships": memberships, "committed_ms": rounded(millis(committed)),
        "applied_at_the_other_ms": rounded(millis(applied)), "receipts_ms": rounded(millis(receipts)),
    }))
}

/// How many places people of a home have in the groups of an owner.
fn followed(view: &Snapshot, owner: WorkspaceId, home: WorkspaceId) -> u64 {
    let groups = view.state.scopes.values().filter(|scope| scope.head.owner == owner);
    groups.filter_map(|scope| scope.homes.get(&home)).sum()
}

async fn connect(a: &Side, b: &Side, groups: usize, members: usize) -> Result<u64> {
    let (at_a, at_b) = (&a.node.handle, &b.node.handle);
    let add = |n: usize| Command::AddUser {
        local: format!("member{n}"),
        name: "Member".into(),
        role: Role::Member,
    };
    all(at_b, (0..members).map(add).collect()).await?;
    let mut scopes = Vec::new();
    for n in 0..groups {
        scopes.push(group(a, &format!("Group {n}")).await?);
    }
    let invite = |scope: ScopeId, n: usize| {
        let (address, grade, floor) = (format!("member{n}@globex.example"), Grade::Post, Floor::All);
        Command::Act(a.user, Action::Invite { scope, address, grade, floor, until: None })
    };
    let invites = (0..members).flat_map(|n| scopes.iter().map(move |scope| invite(*scope, n)));
    all(at_a, invites.collect()).await?;
    let wanted = groups.checked_mul(members).context("too many")?;
    let seen = until(at_b, |view| view.state.received.len() == wanted).await?;
    let answer =
        |(invite, user): &(crate::ids::InviteId, UserId)| Command::AnswerInvite(*user, *invite, true);
    all(at_b, seen.state.received.keys().map(answer).collect()).await?;
    let (owner, home, wanted) = (at_a.me(), at_b.me(), u64::try_from(wanted)?);
    for handle in [at_a, at_b] {
        until(handle, |view| followed(view, owner, home) == wanted).await?;
    }
    Ok(wanted)
}

/// Every command, in order, many in one commit.
async fn all(handle: &Handle, commands: Vec<Command>) -> Result<Vec<Reply>> {
    let asked = stream::iter(commands).map(|command| handle.ask(command)).buffered(IN_FLIGHT);
    Ok(asked.try_collect().await?)
}
