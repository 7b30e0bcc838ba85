//! Who a workspace is: manifests (spec 2.3).
//!
//! Duty: shape and bounds. Never: judging a chain, which is `protocol::identity`'s.

use super::super::{
    array::{code, record},
    cbor,
    envelope::Object,
};
use super::{Extensions, short};
use crate::{crypto::PublicKey, ids::Hash, limits, time::Millis};

code! {
    /// What a manifest speaks for (spec 2.3).
    pub enum WorkspaceKind {
        /// A company's workspace.
        0 => Workspace = "workspace",
        /// A realm of free accounts.
        1 => Free = "free",
    }
}

record! {
    /// One revision of a workspace's identity, signed by the root key (spec 2.3).
    pub struct Manifest {
        /// Gapless, from 0.
        pub revision: u64,
        /// The object hash of the revision before; zero in the genesis.
        pub previous: Hash,
        /// Workspace or realm.
        pub kind: WorkspaceKind,
        /// The display name.
        pub name: String,
        /// The claimed domain: for display and addresses, never a proof.
        pub domain: String,
        /// `host:port` of the QUIC endpoints, best first.
        pub endpoints: Vec<String>,
        /// The root key; a change is signed by the root of the revision before.
        pub root: PublicKey,
        /// Keys that sign objects; the first one is in use.
        pub sign: Vec<PublicKey>,
        /// Keys of the TLS certificates.
        pub tls: Vec<PublicKey>,
        /// Signing keys that must not be believed any more.
        pub revoked: Vec<PublicKey>,
        /// When it was signed: for display.
        pub time: Millis,
        /// Later versions.
        pub extensions: Extensions,
    }
}

impl Object for Manifest {
    const TYPE: u64 = 1;
    fn bounds(&self) -> Result<(), String> {
        short("name", &self.name, limits::NAME_BYTES)?;
        short("domain", &self.domain, limits::ADDRESS_BYTES)?;
        let uses = [&self.sign, &self.tls];
        if uses.iter().any(|keys| keys.is_empty() || keys.len() > limits::KEYS_PER_USE) {
            return Err(format!("each use needs 1 to {} keys", limits::KEYS_PER_USE));
        }
        if self.revoked.len() > limits::KEYS_PER_USE * 8 || self.endpoints.len() > limits::ENDPOINTS {
            return Err("too many revoked keys or endpoints".into());
        }
        if cbor::encode(&self.extensions).len() > limits::MANIFEST_EXTENSION_BYTES {
            return Err("the extensions of a manifest are too large".into());
        }
        self.endpoints.iter().try_for_each(|endpoint| short("endpoint", endpoint, limits::ADDRESS_BYTES))
    }
}
