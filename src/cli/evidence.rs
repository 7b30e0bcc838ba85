//! `comity evidence`: what owners signed twice, and the check of such a file on any machine (spec 12.8).

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;

use super::{client::Client, online, text};
use crate::{
    limits,
    protocol::evidence::{self, Verdict},
};

/// What can be done with evidence.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What this node holds, newest first; for admins.
    List,
    /// Write one to a file that anybody can check.
    Export {
        /// Its id.
        id: String,
        /// Where to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Check a file, with nothing but the file: what it proves, or why it proves nothing.
    Verify {
        /// The file.
        file: PathBuf,
    },
}

/// What needs a running node.
pub(super) async fn run(client: &mut Client, command: Command, as_json: bool) -> Result<()> {
    match command {
        Command::List => online::print(&client.get("/evidence").await?, as_json),
        Command::Export { id, out } => {
            let file = client.get(&format!("/evidence/{id}")).await?;
            let written = fs::write(&out, format!("{}\n", serde_json::to_string_pretty(&file)?));
            written.with_context(|| out.display().to_string())?;
        }
        Command::Verify { file } => verify(&file, as_json)?,
    }
    Ok(())
}

/// Offline.
pub(super) fn verify(file: &Path, as_json: bool) -> Result<()> {
    let at = || file.display().to_string();
    let length = fs::metadata(file).with_context(at)?.len();
    if length > limits::EVIDENCE_FILE_BYTES {
        bail!("{}: {length} bytes are more than evidence can have", at());
    }
    let bytes = fs::read(file).with_context(at)?;
    let verdict = evidence::verify(&String::from_utf8_lossy(&bytes)).with_context(at)?;
    if as_json {
        println!("{}", serde_json::to_string(&verdict)?);
    } else {
        print!("{}", shown(&verdict));
    }
    Ok(())
}

fn shown(verdict: &Verdict) -> String {
    let Verdict { accused, name: (name, domain), proves, revoked } = verdict;
    let mut lines = vec![format!("{name} ({domain}), {accused}"), proves.clone()];
    lines.extend(revoked.iter().map(|key| {
        format!("The key {key}, which signed, was revoked since: whether the workspace or a thief used it, this cannot tell.")
    }));
    lines.iter().map(|line| text::clean(line) + "\n").collect()
}
