//! Manifest chains (spec 2.3, 2.4): who a workspace is, and which keys speak for it.
//!
//! Duty: verifying chains, never going back. Never: trusting a domain or a claimed time.

use super::{
    Change, Draft, Mark, Reject, Reply, State,
    command::RejectCode,
    fanout,
    row::{Home, Node, Row},
};
use crate::{
    crypto::PublicKey,
    ids::{Hash, WorkspaceId},
    limits,
    wire::{AuditLine, Blob, Object as _, Proof, Verified, envelope, objects::Manifest},
};

/// Verifies manifests, oldest first, as the whole chain or as what follows after `known` (spec 2.4).
///
/// # Errors
/// The first link that does not hold.
pub fn verify_chain(known: Option<&Home>, manifests: &[Blob]) -> Result<Home, Reject> {
    let mut home = known.cloned();
    for bytes in manifests {
        home = Some(link(home, bytes)?);
    }
    home.ok_or_else(|| refused("the chain is empty"))
}

fn refused(why: &str) -> Reject {
    Reject::new(RejectCode::Malformed, format!("manifest: {why}"))
}

fn link(before: Option<Home>, bytes: &Blob) -> Result<Home, Reject> {
    let claimed: Manifest = envelope::peek(bytes).map_err(|error| refused(&error.to_string()))?;
    let root = before.as_ref().map_or(claimed.root, |home| home.manifest.root);
    let by_root = |hint| (root.id() == hint).then_some(root);
    let manifest: Verified<Manifest> = envelope::open(bytes, None, by_root)
        .map_err(|error| Reject::new(RejectCode::Signature, format!("manifest: {error}")))?;
    let (hash, manifest) = (manifest.hash(), manifest.into_object());
    let Some(mut home) = before else {
        let first = manifest.revision == 0 && manifest.previous == Hash::ZERO;
        let genesis = Home { id: WorkspaceId(hash.0), manifest, hash, chain: vec![bytes.clone()] };
        return if first { Ok(genesis) } else { Err(refused("the chain does not begin with its genesis")) };
    };
    let next = manifest.revision == home.manifest.revision + 1 && manifest.previous == home.hash;
    if !next || manifest.kind != home.manifest.kind || home.chain.len() >= limits::MANIFEST_REVISIONS {
        return Err(refused("a revision does not continue the chain"));
    }
    if home.manifest.revoked.iter().any(|key| manifest.sign.contains(key)) {
        return Err(refused("a revoked key comes back"));
    }
    home.chain.push(bytes.clone());
    Ok(Home { manifest, hash, ..home })
}

/// Takes a chain in: what is new of it, never back (spec 2.4).
///
/// # Errors
/// The chain does not hold, or contradicts what was seen before.
pub fn adopt(draft: &mut Draft<'_>, manifests: &[Blob]) -> Result<WorkspaceId, Reject> {
    let home = verified(&draft.state, manifests)?;
    let id = home.id;
    let held = draft.state.homes.get(&id).cloned();
    let newer = held.as_ref().is_none_or(|held| home.chain.len() > held.chain.len());
    let agrees =
        held.as_ref().is_none_or(|held| home.chain.iter().zip(&held.chain).all(|(new, old)| new == old));
    if !agrees {
        draft.audit("manifest.forked", None, Some(id), None, "two manifests of one revision".into());
        return Err(Reject::new(
            RejectCode::Contradiction,
            "two manifests of one revision: ask the peer's admin",
        ));
    }
    if newer {
        draft.note(manifest_line("manifest.received", &home).with(id));
        draft.put(Row::Home(home));
        draft.mark(Mark::Peer(id));
        fanout::spread_manifests(draft, id, held.map_or(0, |held| held.chain.len()));
    }
    Ok(id)
}

/// Whose a chain is, from its genesis or as the continuation of one that is held. Nothing is kept.
///
/// # Errors
/// The chain does not hold.
pub fn verified(state: &State, manifests: &[Blob]) -> Result<Home, Reject> {
    let first = manifests.first().ok_or_else(|| refused("the chain is empty"))?;
    let claimed: Manifest = envelope::peek(first).map_err(|error| refused(&error.to_string()))?;
    if claimed.revision == 0 { verify_chain(None, manifests) } else { extend(state, &claimed, manifests) }
}

/// A third home, as an owner shows it: a bounded number of those.
///
/// # Errors
/// The chain does not hold, or too many homes that are no peers are known.
pub fn shown(draft: &mut Draft<'_>, manifests: &[Blob]) -> Result<(), Reject> {
    if draft.state.homes.values().any(|home| home.chain.starts_with(manifests)) {
        return Ok(());
    }
    let id = verified(&draft.state, manifests)?.id;
    let (homes, peers) = (&draft.state.homes, &draft.state.peers);
    if !homes.contains_key(&id) && homes.len() > peers.len() + limits::OTHER_HOMES {
        return Err(Reject::new(RejectCode::Quota, "too many workspaces that are no peers are known here"));
    }
    adopt(draft, manifests).map(drop)
}

/// Later revisions of a chain that is held up to some point.
fn extend(state: &State, first: &Manifest, manifests: &[Blob]) -> Result<Home, Reject> {
    let continues =
        |home: &&std::sync::Arc<Home>| home.manifest.revision + 1 >= first.revision && holds(home, first);
    let home =
        state.homes.values().find(continues).ok_or_else(|| refused("its predecessor is not known here"))?;
    let known = home.chain.len();
    let skip = usize::try_from(home.manifest.revision + 1 - first.revision).unwrap_or(usize::MAX);
    debug_assert!(known > 0);
    verify_chain(Some(home), manifests.get(skip..).unwrap_or_default())
}

fn holds(home: &Home, first: &Manifest) -> bool {
    let at = usize::try_from(first.revision).ok().and_then(|revision| revision.checked_sub(1));
    let before = at.and_then(|at| home.chain.get(at));
    before.and_then(|bytes| envelope::unverified_hash(1, None, bytes).ok()) == Some(first.previous)
}

/// The audit line of the newest manifest of a chain.
fn manifest_line(act: &str, home: &Home) -> AuditLine {
    let of =
        |bytes: &Blob| Proof { kind: Manifest::TYPE, signer: home.id, audience: None, bytes: bytes.clone() };
    let line = AuditLine::of(act).saying(format!("revision {}", home.manifest.revision));
    line.proven(home.chain.last().map(of))
}

/// The own manifest in a new revision: in force from this commit, and on its way to every peer.
///
/// # Errors
/// It does not continue the own chain.
pub fn renew(draft: &mut Draft<'_>, manifest: &Blob) -> Result<Reply, Reject> {
    let own = draft.state.homes.get(&draft.me()).cloned().ok_or_else(Reject::not_found)?;
    if own.chain.last() == Some(manifest) {
        return Ok(Reply::Already);
    }
    let home = verify_chain(Some(&own), std::slice::from_ref(manifest))?;
    draft.note(manifest_line("manifest.renewed", &home));
    draft.put(Row::Home(home));
    draft.mark(Mark::Peer(draft.me()));
    Ok(Reply::Done)
}

/// The signing keys that a workspace has or had: content and chains of other workspaces vouch for the time (spec 2.4).
#[must_use]
pub fn ever_keys(home: &Home) -> Vec<PublicKey> {
    let manifests = home.chain.iter().rev().filter_map(|bytes| envelope::peek::<Manifest>(bytes).ok());
    manifests.flat_map(|manifest| manifest.sign).collect()
}

/// The signing keys that any manifest of the chain revokes.
#[must_use]
pub fn ever_revoked(home: &Home) -> Vec<PublicKey> {
    let manifests = home.chain.iter().filter_map(|bytes| envelope::peek::<Manifest>(bytes).ok());
    manifests.flat_map(|manifest| manifest.revoked).collect()
}

/// Whether a TLS key is one of the workspace's (spec 9.1).
#[must_use]
pub fn is_tls_key(home: &Home, key: PublicKey) -> bool {
    home.manifest.tls.contains(&key)
}

/// The first rows of a node: its own workspace and itself.
#[must_use]
pub fn found(home: Home, tls: PublicKey) -> Vec<Change> {
    let line = AuditLine { time: home.manifest.time, ..manifest_line("workspace.founded", &home) };
    let node = Node { id: home.id, tls, boots: 0, numbers: 0, journal: (0, Hash::ZERO) };
    vec![Change::Put(Row::Home(home)), Change::Put(Row::Node(node)), Change::Audit(line)]
}
