//! Every family with its file.

#[path = "audit.rs"]
mod audit;
#[path = "bytes.rs"]
mod bytes;
#[path = "chains.rs"]
mod chains;
#[allow(dead_code, reason = "shared with the simulator, which uses all of it")]
#[path = "../../tests/simulator/cluster.rs"]
mod cluster;
#[path = "frames.rs"]
mod frames;
#[path = "moves.rs"]
mod moves;
#[path = "promises.rs"]
mod promises;
#[path = "writing.rs"]
mod writing;

use std::path::{Path, PathBuf};

use comity::crypto::{SecretKey, sha256};
use serde_json::Value;

/// The key of a name.
fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(&sha256(&[b"comity vector", name.as_bytes()]).0)
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// The files as they must be.
pub fn files() -> Vec<(PathBuf, String)> {
    let families: [(&str, Value); 16] = [
        ("cbor", bytes::cbor()),
        ("ed25519", bytes::ed25519()),
        ("envelope", bytes::envelopes()),
        ("ids", bytes::ids()),
        ("limits", bytes::limits()),
        ("errors", bytes::errors()),
        ("manifests", chains::manifests()),
        ("membership", chains::membership()),
        ("content", chains::content()),
        ("frames", frames::frames()),
        ("comparison", frames::comparison()),
        ("moves", moves::moves()),
        ("submissions", writing::submissions()),
        ("leases", promises::leases()),
        ("contradictions", promises::contradictions()),
        ("audit", audit::audit()),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto-spec").join("vectors");
    let file = |(name, family): (&str, Value)| {
        (folder.join(format!("{name}.json")), serde_json::to_string_pretty(&family).unwrap() + "\n")
    };
    families.into_iter().map(file).collect()
}
