//! A group whose owner does not come back (spec 14.7): request at the new owner, signature by the root key, take.
//!
//! Duty: the file between the two machines. Never: the root key on a running node.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::Client;
use crate::{
    ids::{Hash, ScopeId, WorkspaceId},
    node::{clock, key_file},
    wire::{envelope, objects},
};

/// Steps of a handover.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// At the workspace that is to own a group: what the dead owner's root key has to sign.
    Request {
        /// The group.
        group: String,
        /// Where to write it.
        #[arg(long)]
        out: PathBuf,
    },
    /// With the dead owner's root key, on any machine: sign what is requested.
    Sign {
        /// The root key of the dead owner.
        #[arg(long)]
        root_key: PathBuf,
        /// What was requested.
        #[arg(long)]
        request: PathBuf,
        /// Where to write the handover.
        #[arg(long)]
        out: PathBuf,
    },
    /// At the workspace that is to own the group: take what was signed.
    Take {
        /// The handover.
        file: PathBuf,
    },
}

/// What the new owner holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    group: String,
    name: String,
    from: WorkspaceId,
    to: WorkspaceId,
    scopes: Vec<Base>,
}

/// Where one scope stands there.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base {
    scope: String,
    incarnation: u64,
    epoch: u64,
    hash: Hash,
}

impl Base {
    fn id(&self) -> Result<ScopeId> {
        let group = self.scope.parse().map(ScopeId::Group);
        group.or_else(|_| self.scope.parse().map(ScopeId::Thread)).context("scope")
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// Signs a request with the root key; needs no node.
pub(super) fn sign(root_key: &Path, request: &Path, out: &Path, as_json: bool) -> Result<()> {
    let Request { group, name, from, to, scopes } = read(request)?;
    let key = key_file::read(root_key)?;
    let time = clock::now();
    let mut handovers = Vec::with_capacity(scopes.len());
    for base in &scopes {
        let (scope, incarnation, epoch, hash) = (base.id()?, base.incarnation, base.epoch, base.hash);
        let handover = objects::Handover { scope, from, to, incarnation, epoch, hash, time };
        handovers.push(BASE64.encode(envelope::sign(handover, None, &key).bytes()));
    }
    write(out, &json!({ "handovers": handovers }))?;
    if as_json {
        println!("{}", json!({ "group": group, "from": from, "to": to, "scopes": scopes.len() }));
    } else {
        println!("{group} ({name}) with {} threads is handed over", scopes.len().saturating_sub(1));
        println!(
            "from {from}\nto   {to}\nGive {} to its admin, who runs: comity handover take",
            out.display()
        );
    }
    Ok(())
}

/// The steps at the new owner.
pub(super) async fn run(client: &mut Client, command: Command) -> Result<Value> {
    match command {
        Command::Request { group, out } => {
            let answer = client.get(&format!("/groups/{group}/handover")).await?;
            let request = answer.get("handover").context("the node is of another version")?;
            write(&out, request)?;
            Ok(json!({ "written": out.display().to_string() }))
        }
        Command::Take { file } => client.post("/handovers", &read::<Value>(&file)?).await,
        Command::Sign { .. } => bail!("signing needs no node"),
    }
}
