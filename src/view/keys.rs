//! The keys by which this workspace speaks (spec 2.3), for its admins.
//!
//! Duty: which keys count, since when, by the own chain of manifests. Never: a secret key.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    crypto::PublicKey,
    protocol::State,
    time::Millis,
    wire::{envelope, objects::Manifest},
};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyUse {
    /// Signs the workspace's manifests, so that it alone replaces keys.
    Root,
    /// Signs what the workspace says.
    Sign,
    /// Of the connections' certificates.
    Tls,
}

/// Whether a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyState {
    /// It is the one in use.
    InUse,
    /// It was replaced, and what it signed still counts.
    Replaced,
    /// Nothing that it signed counts.
    Revoked,
}

/// A key.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "WorkspaceKey")]
pub struct KeyView {
    /// For what.
    #[serde(rename = "use")]
    pub purpose: KeyUse,
    /// Whether it counts.
    pub state: KeyState,
    /// To compare it.
    pub fingerprint: String,
    /// When the manifest was signed by which it came in.
    pub since: Millis,
}

/// The keys of the newest own manifest, those in use first.
#[must_use]
pub fn list(state: &State) -> Vec<KeyView> {
    let Some(own) = state.me().and_then(|me| state.homes.get(&me)) else { return Vec::new() };
    let chain: Vec<Manifest> = own.chain.iter().filter_map(|bytes| envelope::peek(bytes).ok()).collect();
    let now = &own.manifest;
    let replaced = |keys: &[PublicKey]| keys.iter().skip(1).copied().collect::<Vec<_>>();
    let used = |keys: &[PublicKey]| keys.iter().take(1).copied().collect::<Vec<_>>();
    let all = [
        (KeyUse::Root, KeyState::InUse, vec![now.root]),
        (KeyUse::Sign, KeyState::InUse, used(&now.sign)),
        (KeyUse::Tls, KeyState::InUse, used(&now.tls)),
        (KeyUse::Sign, KeyState::Replaced, replaced(&now.sign)),
        (KeyUse::Tls, KeyState::Replaced, replaced(&now.tls)),
        (KeyUse::Sign, KeyState::Revoked, now.revoked.clone()),
    ];
    let shown = all
        .into_iter()
        .flat_map(|(purpose, state, keys)| keys.into_iter().map(move |key| (purpose, state, key)));
    let view = shown.map(|(purpose, state, key)| {
        let first = chain.iter().find(|manifest| has(manifest, purpose, key));
        let since = first.map_or(now.time, |manifest| manifest.time);
        KeyView { purpose, state, fingerprint: key.fingerprint(), since }
    });
    view.collect()
}

fn has(manifest: &Manifest, purpose: KeyUse, key: PublicKey) -> bool {
    match purpose {
        KeyUse::Root => manifest.root == key,
        KeyUse::Sign => manifest.sign.contains(&key),
        KeyUse::Tls => manifest.tls.contains(&key),
    }
}
