//! A workspace's identity on disk (spec 2.3): root key kept apart, online keys, manifest chain in the store.
//!
//! Duty: founding, rotation. Never: needing the root key for running; it may lie on another medium.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    clock,
    handle::{AskError, Handle},
    journal::{Found, Journal, JournalError},
    key_file::{self, KeyFileError},
};
use crate::{
    crypto::{PublicKey, Random, SecretKey, fingerprint},
    ids::{Hash, UserId},
    protocol::{
        Change, Command, Ctx, Reject, Reply, State, account, decide, identity,
        journal::records as records_of,
        row::{self, Home, Role, Row},
    },
    store::{Fault, Store},
    wire::{
        Blob, Object as _, envelope,
        objects::{Extensions, Manifest, WorkspaceKind},
    },
};

/// Why an identity cannot be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The file system.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    /// The operating system has no random bytes.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
    /// A value that was given breaks its rule.
    #[error("{0}")]
    Invalid(String),
    /// The core refuses the manifest.
    #[error(transparent)]
    Refused(#[from] Reject),
    /// The keys on disk are not those that the manifest names.
    #[error(
        "{0}: the keys are not those of the manifest: run `comity rotate` again, or restore the keys from a backup"
    )]
    Mismatch(PathBuf),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no identity in this folder.
    #[error("{0} holds no workspace: run `comity init --dir {0}` first")]
    Missing(PathBuf),
}

/// Which key is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotate {
    /// The key that signs objects; the old one stays valid, or is revoked at once if it leaked.
    Sign {
        /// Whether objects of the old key stop counting now.
        revoke: bool,
    },
    /// The key of the TLS certificate.
    Tls,
    /// The root key; this revision is the last that the old one signs.
    Root,
}

/// Where things lie in a node's folder.
#[derive(Clone, Debug)]
pub struct Layout(PathBuf);

impl Layout {
    /// The layout of this folder.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self(dir.to_owned())
    }

    /// The root key, to be moved to a safe place after founding.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.0.join("root").join("root.key")
    }

    /// The key that signs objects.
    #[must_use]
    pub fn sign(&self) -> PathBuf {
        self.0.join("keys").join("sign.key")
    }

    /// The key of the TLS certificate.
    #[must_use]
    pub fn tls(&self) -> PathBuf {
        self.0.join("keys").join("tls.key")
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("comity.redb")
    }
}

/// Makes keys, genesis manifest and store, as far as they are not there: safe to run again.
///
/// # Errors
/// A value breaks its rule, a file cannot be made, or what is there does not fit together.
pub fn init(dir: &Path, name: &str, domain: &str, endpoints: Vec<String>) -> Result<Home, IdentityError> {
    found(dir, WorkspaceKind::Workspace, name, domain, endpoints)
}

/// The same for a realm of free accounts (P1.2).
///
/// # Errors
/// As [`init`].
pub fn init_realm(dir: &Path, host: &Manifest, endpoints: Vec<String>) -> Result<Home, IdentityError> {
    let name: String = format!("Free accounts at {}", host.name).chars().take(60).collect();
    found(dir, WorkspaceKind::Free, &name, &host.domain, endpoints)
}

fn found(
    dir: &Path,
    kind: WorkspaceKind,
    name: &str,
    domain: &str,
    endpoints: Vec<String>,
) -> Result<Home, IdentityError> {
    let layout = Layout::new(dir);
    fs::create_dir_all(dir).map_err(|error| IdentityError::Io(dir.to_owned(), error))?;
    let (mut store, state) = Store::open(&layout.store())?;
    if let Some(home) = own(&state) {
        return Ok(home);
    }
    let root = ensure(&layout.root())?;
    let (sign, tls) = (ensure(&layout.sign())?.public(), ensure(&layout.tls())?.public());
    let manifest = Manifest {
        revision: 0,
        previous: Hash::ZERO,
        kind,
        name: name.into(),
        domain: domain.to_lowercase(),
        endpoints,
        root: root.public(),
        sign: vec![sign],
        tls: vec![tls],
        revoked: vec![],
        time: clock::now(),
        extensions: Extensions::default(),
    };
    manifest.bounds().map_err(IdentityError::Invalid)?;
    let signed = envelope::sign(manifest, None, &root);
    let home = identity::verify_chain(None, std::slice::from_ref(signed.bytes()))?;
    store.commit(&identity::found(home.clone(), tls))?;
    Ok(home)
}

/// The identity in this folder.
///
/// # Errors
/// There is none, or the store cannot be opened.
pub fn load(dir: &Path) -> Result<Home, IdentityError> {
    open(dir).map(|(_, _, home)| home)
}

/// Everything that a running node needs from its folder.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) state: State,
    pub(super) home: Home,
    pub(super) sign: SecretKey,
    pub(super) tls: SecretKey,
}

pub(super) fn open_all(dir: &Path) -> Result<Opened, IdentityError> {
    let (store, state, home) = open(dir)?;
    let layout = Layout::new(dir);
    let (sign, tls) = (key_file::read(&layout.sign())?, key_file::read(&layout.tls())?);
    let named = home.manifest.sign.first() == Some(&sign.public())
        && home.manifest.tls.first() == Some(&tls.public());
    if named {
        Ok(Opened { store, state, home, sign, tls })
    } else {
        Err(IdentityError::Mismatch(layout.sign()))
    }
}

/// Opens the journal, and takes back what the store lacks of it; whether it may be trusted.
pub(super) fn take_back(opened: &mut Opened, path: &Path) -> Result<(Option<Journal>, bool), IdentityError> {
    let known = opened.state.node.as_ref().map_or((0, Hash::ZERO), |node| node.journal);
    let (journal, found) = Journal::open(path, opened.home.id, known)?;
    let mut journal = journal;
    let Found::Ahead(records) = found else {
        tracing::warn!(
            journal = %path.display(),
            "the journal is missing or older than the store: partners wait until `comity journal confirm`"
        );
        return Ok((Some(journal), false));
    };
    if records.is_empty() {
        return Ok((Some(journal), true));
    }
    tracing::warn!(records = records.len(), "the store is older than the journal: taking memberships back");
    for record in records {
        let (reader, random) = (opened.store.reader()?, Random::from_seed(clock::seed()?));
        let (now, boot, key) = (clock::now(), clock::boot(), &opened.sign);
        let ctx = Ctx { now, boot, random, key, records: &reader };
        let decision = decide(&opened.state, Command::Recorded(record.clone()), ctx)?;
        // What the record led to beside itself is new, and belongs there too.
        let mut led_to = records_of(&opened.state, &decision.changes);
        led_to.retain(|led_to| *led_to != record);
        journal.append(&led_to)?;
        decision.changes.iter().for_each(|change| opened.state.apply(change));
        opened.store.commit(&decision.changes)?;
    }
    if let Some(node) = opened.state.node.clone() {
        let change = Change::Put(Row::Node(row::Node { journal: journal.position(), ..node }));
        opened.state.apply(&change);
        opened.store.commit(&[change])?;
    }
    Ok((Some(journal), true))
}

fn open(dir: &Path) -> Result<(Store, State, Home), IdentityError> {
    let path = Layout::new(dir).store();
    if !path.exists() {
        return Err(IdentityError::Missing(dir.to_owned()));
    }
    let (store, state) = Store::open(&path)?;
    let home = own(&state).ok_or_else(|| IdentityError::Missing(dir.to_owned()))?;
    Ok((store, state, home))
}

/// Makes the first admin with a token, unless there is a user already. The token is shown once.
///
/// # Errors
/// There is no identity in this folder, or the name is malformed.
pub fn first_admin(dir: &Path, local: &str) -> Result<Option<String>, IdentityError> {
    let (mut store, mut state, _) = open(dir)?;
    if !state.users.is_empty() {
        return Ok(None);
    }
    let sign = key_file::read(&Layout::new(dir).sign())?;
    let token = clock::token()?;
    let mut changes = Vec::new();
    let mut ask = |state: &mut State, command: Command| {
        let (reader, random) = (store.reader()?, Random::from_seed(clock::seed()?));
        let ctx = Ctx { now: clock::now(), boot: clock::boot(), random, key: &sign, records: &reader };
        let decision = decide(state, command, ctx)?;
        decision.changes.iter().for_each(|change| state.apply(change));
        changes.extend(decision.changes);
        Ok::<_, IdentityError>(decision.reply)
    };
    let add = Command::AddUser { local: local.into(), name: local.into(), role: Role::Admin };
    if let Reply::User(user) = ask(&mut state, add)? {
        ask(&mut state, Command::OpenSession(account::full_token(user, account::token_hash(&token))))?;
    }
    store.commit(&changes)?;
    Ok(Some(token))
}

fn own(state: &State) -> Option<Home> {
    state.homes.get(&state.me()?).map(|home| (**home).clone())
}

fn ensure(path: &Path) -> Result<SecretKey, IdentityError> {
    if !path.exists() {
        key_file::create(path, &SecretKey::from_seed(&clock::seed()?))?;
    }
    Ok(key_file::read(path)?)
}

/// Replaces a key by a new one, in a new revision of the manifest, while the node does not run.
///
/// The new key lies beside the old one as `*.next` until the manifest is committed, so that a crash at any point
/// leaves a pair that fits: running again finishes the work.
///
/// # Errors
/// The root key is not there, or the core refuses the revision.
pub fn rotate(dir: &Path, which: Rotate) -> Result<Home, IdentityError> {
    let (mut store, state, home) = open(dir)?;
    let rotation = Rotation::prepare(&Layout::new(dir), &home, which)?;
    if let Some(manifest) = rotation.manifest.clone() {
        let (reader, random) = (store.reader()?, Random::from_seed(clock::seed()?));
        let sign = key_file::read(&Layout::new(dir).sign())?;
        let ctx = Ctx { now: clock::now(), boot: clock::boot(), random, key: &sign, records: &reader };
        let decision = decide(&state, Command::Manifest(manifest), ctx)?;
        store.commit(&decision.changes)?;
    }
    rotation.finish()?;
    drop(store);
    load(dir)
}

/// The same while the node runs, by one of its admins: peers that are connected learn of it at once.
///
/// # Errors
/// As [`rotate`].
pub async fn rotate_running(
    handle: &Handle,
    dir: &Path,
    which: Rotate,
    by: UserId,
) -> Result<(), RotateError> {
    let snapshot = handle.snapshot();
    let home = own(&snapshot.state).ok_or_else(|| IdentityError::Missing(dir.to_owned()))?;
    let rotation = Rotation::prepare(&Layout::new(dir), &home, which)?;
    if matches!(which, Rotate::Sign { .. }) {
        handle.add_key(rotation.key.clone()).await?;
    }
    if let Some(manifest) = rotation.manifest.clone() {
        handle.ask(Command::By(by, Box::new(Command::Manifest(manifest)))).await?;
    }
    if which == Rotate::Tls {
        handle.use_tls_key(rotation.key.clone());
    }
    rotation.finish()?;
    Ok(())
}

/// Why a running node did not rotate.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The keys on disk.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The node.
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// A key that replaces another.
struct Rotation {
    key: SecretKey,
    /// The new revision, unless it was committed before a crash.
    manifest: Option<Blob>,
    next: PathBuf,
    path: PathBuf,
}

impl Rotation {
    fn prepare(layout: &Layout, home: &Home, which: Rotate) -> Result<Self, IdentityError> {
        let path = match which {
            Rotate::Sign { .. } => layout.sign(),
            Rotate::Tls => layout.tls(),
            Rotate::Root => layout.root(),
        };
        let next = path.with_extension("key.next");
        let key = ensure(&next)?;
        if holds(&home.manifest, which, key.public()) {
            return Ok(Self { key, manifest: None, next, path });
        }
        let root = key_file::read(&layout.root())?;
        let signed = envelope::sign(next_manifest(home, which, key.public()), None, &root);
        Ok(Self { key, manifest: Some(signed.bytes().clone()), next, path })
    }

    fn finish(self) -> Result<(), IdentityError> {
        fs::rename(&self.next, &self.path).map_err(|error| IdentityError::Io(self.path, error))
    }
}

fn holds(manifest: &Manifest, which: Rotate, key: PublicKey) -> bool {
    match which {
        Rotate::Sign { .. } => manifest.sign.first() == Some(&key),
        Rotate::Tls => manifest.tls.first() == Some(&key),
        Rotate::Root => manifest.root == key,
    }
}

/// The next revision. One old key of a use stays valid, so that what is on its way still counts.
fn next_manifest(home: &Home, which: Rotate, key: PublicKey) -> Manifest {
    let mut manifest = home.manifest.clone();
    (manifest.revision, manifest.previous, manifest.time) = (manifest.revision + 1, home.hash, clock::now());
    let in_use = |keys: &[PublicKey]| keys.iter().take(1).copied().collect::<Vec<_>>();
    match which {
        Rotate::Sign { revoke: true } => {
            manifest.revoked.append(&mut manifest.sign);
            manifest.sign = vec![key];
        }
        Rotate::Sign { revoke: false } => manifest.sign = [vec![key], in_use(&manifest.sign)].concat(),
        Rotate::Tls => manifest.tls = [vec![key], in_use(&manifest.tls)].concat(),
        Rotate::Root => manifest.root = key,
    }
    manifest
}

/// What two admins compare over the phone: of the workspace id, which never changes.
#[must_use]
pub fn shown_fingerprint(home: &Home) -> String {
    fingerprint(&home.id.0)
}
