//! The command line: a thin layer over the library.
//!
//! Duty: arguments in, text or JSON out. Exit codes: 0 done, 1 refused or failed, 2 wrong usage (by clap). Never: a rule.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};
use serde_json::json;

use crate::{
    node::identity::{self, Rotate},
    protocol::row::Home,
};

/// A self-hosted workspace node.
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
pub struct Cli {
    /// The node's folder.
    #[arg(long, global = true, env = "COMITY_DIR", default_value = "comity-data")]
    dir: PathBuf,
    /// Machine-readable output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a workspace: keys, identity, store. Safe to run again.
    Init {
        /// The display name.
        #[arg(long)]
        name: String,
        /// The domain of the members' addresses.
        #[arg(long)]
        domain: String,
        /// Where other nodes will reach this one, as host:port; may be repeated.
        #[arg(long = "endpoint")]
        endpoints: Vec<String>,
    },
    /// Show the identity in the folder.
    Show,
    /// Replace a key by a new one; needs the root key.
    Rotate {
        /// Which.
        key: Key,
        /// Only for `sign`: the old key leaked, nothing that it signed counts from now on.
        #[arg(long)]
        revoke: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Key {
    Sign,
    Tls,
    Root,
}

/// Runs what the arguments say.
///
/// # Errors
/// What was refused or failed, with what to do.
pub fn run(cli: Cli) -> Result<()> {
    let home = match cli.command {
        Command::Init { name, domain, endpoints } => identity::init(&cli.dir, &name, &domain, endpoints)?,
        Command::Show => identity::load(&cli.dir)?,
        Command::Rotate { key, revoke } => identity::rotate(&cli.dir, rotation(key, revoke)?)?,
    };
    print(&home, cli.json);
    Ok(())
}

fn rotation(key: Key, revoke: bool) -> Result<Rotate> {
    match key {
        Key::Sign => Ok(Rotate::Sign { revoke }),
        _ if revoke => {
            anyhow::bail!("--revoke: only for `sign`; a replaced TLS or root key stops counting by itself")
        }
        Key::Tls => Ok(Rotate::Tls),
        Key::Root => Ok(Rotate::Root),
    }
}

fn print(home: &Home, as_json: bool) {
    let (manifest, fingerprint) = (&home.manifest, identity::shown_fingerprint(home));
    if as_json {
        let shown = json!({
            "workspace": home.id, "name": manifest.name, "domain": manifest.domain, "revision": manifest.revision,
            "fingerprint": fingerprint, "endpoints": manifest.endpoints,
        });
        println!("{shown}");
    } else {
        println!("{} ({}), revision {}", manifest.name, manifest.domain, manifest.revision);
        println!("{}\nfingerprint {fingerprint}", home.id);
    }
}
