//! Evidence as a file (spec 12.8): two signed objects that contradict each other, with the manifests of who signed them.
//!
//! Duty: the file, and what it proves, with nothing but the file. Never: IO, a verdict that rests on anything outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Claim, scope_of_event};
use crate::{
    crypto::PublicKey,
    ids::{KeyId, ScopeId, WorkspaceId},
    protocol::{
        audit::Base64,
        identity,
        row::{Contradiction, Home},
    },
    time::Millis,
    wire::{
        Blob, Object, Verified, envelope,
        objects::{Event, Head, Snapshot},
    },
};

/// The version of the format.
const VERSION: u64 = 1;

/// The file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Evidence")]
pub struct File {
    comity_evidence: u64,
    /// Who is said to have signed both.
    accused: WorkspaceId,
    /// Its manifests from genesis.
    manifests: Vec<Base64>,
    first: Signed,
    second: Signed,
    /// When it was noticed: the word of who noticed, which proves nothing.
    noticed: Millis,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EvidenceObject")]
struct Signed {
    /// The object type of spec 3.4.
    kind: u64,
    bytes: Base64,
}

/// Why a file proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEvidence {
    /// It cannot be read.
    #[error("this is no file of evidence: {0}")]
    File(String),
    /// A later format.
    #[error("the file has format version {0}, this program knows {VERSION}: check it with a newer version")]
    Version(u64),
    /// The manifests do not hold.
    #[error("the manifests of the accused do not hold: {0}")]
    Manifests(String),
    /// The manifests are somebody else's.
    #[error("the manifests are those of {0}, not of the accused {1}")]
    Another(WorkspaceId, WorkspaceId),
    /// An object does not hold.
    #[error("the {0} object does not hold: {1}")]
    Object(&'static str, String),
    /// The objects are about different things.
    #[error("the two objects are about different groups or threads: both may be true")]
    Subject,
    /// The objects are of different incarnations.
    #[error("the two objects are of incarnations {0} and {1}: an owner may begin anew, so both may be true")]
    Incarnation(u64, u64),
    /// The objects are about different positions.
    #[error("the two objects are about positions {0} and {1}: both may be true")]
    Position(u64, u64),
    /// The objects agree.
    #[error("the two objects say the same about position {0}: they do not contradict each other")]
    Same(u64),
}

/// What a file proves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Who signed both.
    pub accused: WorkspaceId,
    /// The name and domain that its newest manifest in the file claims.
    pub name: (String, String),
    /// In plain words.
    pub proves: String,
    /// Keys that signed and were revoked by a later manifest: who held such a key at the time may have been a thief.
    pub revoked: Vec<String>,
}

/// The file for evidence that is held, by the manifests that are known of its owner.
#[must_use]
pub fn export(held: &Contradiction, home: &Home) -> File {
    let signed = |bytes: &Blob| Signed { kind: kind(bytes), bytes: Base64(bytes.clone()) };
    File {
        comity_evidence: VERSION,
        accused: held.owner,
        manifests: home.chain.iter().cloned().map(Base64).collect(),
        first: signed(&held.first),
        second: signed(&held.second),
        noticed: held.time,
    }
}

fn kind(bytes: &Blob) -> u64 {
    if envelope::peek::<Event>(bytes).is_ok() {
        Event::TYPE
    } else if envelope::peek::<Snapshot>(bytes).is_ok() {
        Snapshot::TYPE
    } else {
        Head::TYPE
    }
}

/// Checks a file.
///
/// # Errors
/// What makes it prove nothing.
pub fn verify(text: &str) -> Result<Verdict, NoEvidence> {
    let file = read(text)?;
    let chain: Vec<Blob> = file.manifests.iter().map(|link| link.0.clone()).collect();
    let home = identity::verify_chain(None, &chain).map_err(|error| NoEvidence::Manifests(error.detail))?;
    if home.id != file.accused {
        return Err(NoEvidence::Another(home.id, file.accused));
    }
    let (first, second) =
        (Statement::read("first", &file.first, &home)?, Statement::read("second", &file.second, &home)?);
    let (a, b) = (&first.claim, &second.claim);
    if a.subject != b.subject {
        return Err(NoEvidence::Subject);
    }
    if a.incarnation != b.incarnation {
        return Err(NoEvidence::Incarnation(a.incarnation, b.incarnation));
    }
    if a.position != b.position {
        return Err(NoEvidence::Position(a.position, b.position));
    }
    if !a.contradicts(b) {
        return Err(NoEvidence::Same(a.position));
    }
    Ok(verdict(&home, &first, &second))
}

fn read(text: &str) -> Result<File, NoEvidence> {
    #[derive(Deserialize)]
    struct Version {
        comity_evidence: u64,
    }
    let shown = |error: serde_json::Error| NoEvidence::File(error.to_string());
    match serde_json::from_str::<Version>(text).map_err(shown)?.comity_evidence {
        VERSION => serde_json::from_str(text).map_err(shown),
        other => Err(NoEvidence::Version(other)),
    }
}

/// A verified object, with what it says.
struct Statement {
    claim: Claim,
    what: &'static str,
    about: String,
    signer: PublicKey,
}

impl Statement {
    fn read(which: &'static str, signed: &Signed, home: &Home) -> Result<Self, NoEvidence> {
        let keys = identity::ever_keys(home);
        let bytes = &signed.bytes.0;
        let wrong = |why: String| NoEvidence::Object(which, why);
        match signed.kind {
            Event::TYPE => {
                let event = open::<Event>(bytes, &keys).map_err(wrong)?;
                let (object, hash) = (event.object(), event.hash());
                let about = place(scope_of_event(object, hash));
                let claim = Claim::of_event(object, hash);
                Ok(Self { claim, what: "membership event", about, signer: event.signer() })
            }
            Snapshot::TYPE => {
                let snapshot = open::<Snapshot>(bytes, &keys).map_err(wrong)?;
                let claim = Claim::of_snapshot(snapshot.object());
                let about = place(snapshot.object().scope);
                Ok(Self { claim, what: "snapshot of the members", about, signer: snapshot.signer() })
            }
            Head::TYPE => {
                let head = open::<Head>(bytes, &keys).map_err(wrong)?;
                let (claim, object) = (Claim::of_head(head.object()), head.object());
                let about = format!("thread {}, as {} reads it", object.thread, place(object.scope));
                Ok(Self { claim, what: "head of the messages", about, signer: head.signer() })
            }
            other => Err(wrong(format!("objects of type {other} say nothing about a position"))),
        }
    }
}

fn place(scope: ScopeId) -> String {
    let kind = if scope.thread().is_some() { "thread" } else { "group" };
    format!("{kind} {scope}")
}

/// The accused cannot take back a signature by a key that it had: any key that its chain ever held counts.
fn open<T: Object>(bytes: &Blob, keys: &[PublicKey]) -> Result<Verified<T>, String> {
    let key = |hint: KeyId| keys.iter().find(|key| key.id() == hint).copied();
    envelope::open::<T>(bytes, None, key).map_err(|error| error.to_string())
}

fn verdict(home: &Home, first: &Statement, second: &Statement) -> Verdict {
    let manifest = &home.manifest;
    let position = if first.what == "head of the messages" { "entry" } else { "epoch" };
    let proves = format!(
        "{} ({}) signed two statements of which at most one can be true: a {} with the hash {}, and a {} with the hash \
         {}, both for {position} {} of {} in incarnation {}. Both signatures hold under keys of the workspace's own \
         manifests. An honest owner signs one thing for each {position}; who was a member, or what was written, depends \
         on which of the two one was shown.",
        manifest.name,
        manifest.domain,
        first.what,
        first.claim.hash,
        second.what,
        second.claim.hash,
        first.claim.position,
        first.about,
        first.claim.incarnation,
    );
    let revoked_by_any = |key: &PublicKey| identity::ever_revoked(home).contains(key);
    let mut revoked: Vec<PublicKey> =
        [first.signer, second.signer].into_iter().filter(revoked_by_any).collect();
    revoked.dedup();
    Verdict {
        accused: home.id,
        name: (manifest.name.clone(), manifest.domain.clone()),
        proves,
        revoked: revoked.iter().map(PublicKey::fingerprint).collect(),
    }
}
