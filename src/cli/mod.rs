//! The command line: a thin layer over the library and the API.
//!
//! Duty: arguments in, text or JSON out. Exit codes: 0 done, 1 refused or failed, 2 wrong usage (by clap). Never: a rule.

mod audit;
pub mod client;
mod evidence;
mod handover;
mod offline;
mod online;
pub(crate) mod person;
mod serve;
mod text;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use crate::{bench, demo, import};

use client::Client;

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
    /// Where the node's API is, as host:port; else as the folder's configuration says.
    #[arg(long, global = true, env = "COMITY_API")]
    api: Option<String>,
    /// In whose name; else the first admin's, from the folder.
    #[arg(long, global = true, env = "COMITY_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a workspace: keys, identity, store, first admin. Safe to run again.
    Init(offline::Init),
    /// Run the node.
    Serve,
    /// Show the identity in the folder.
    Show,
    /// Replace a key by a new one; needs the root key and a stopped node.
    Rotate {
        /// Which.
        key: offline::Key,
        /// Only for `sign`: the old key leaked, nothing that it signed counts from now on.
        #[arg(long)]
        revoke: bool,
    },
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// What was done on this node.
    #[command(subcommand)]
    Audit(audit::Command),
    /// What owners signed twice.
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// A group whose owner does not come back.
    #[command(subcommand)]
    Handover(handover::Command),
    /// The API as an OpenAPI 3.1 document.
    Openapi,
    /// Messages and events as they happen.
    Watch,
    /// Three workspaces on this machine, to try.
    Demo {
        /// Play the whole story without a person; fails if any step is not as promised.
        #[arg(long, conflicts_with = "replay")]
        script: bool,
        /// Replay a Slack export with its people spread over the three workspaces, then compare what each shows.
        #[arg(long, value_name = "FILE.zip")]
        replay: Option<PathBuf>,
        /// Kill a node every few seconds during the replay.
        #[arg(long, requires = "replay")]
        kill: bool,
    },
    /// Take conversations over from elsewhere.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Measure two nodes on this machine; JSON out.
    Bench(bench::Options),
    #[command(flatten)]
    Online(online::Command),
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// A Slack export. Running it again continues, and doubles nothing.
    Slack {
        /// The zip file.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Whether the file and the environment are valid.
    Check,
}

/// Runs what the arguments say.
///
/// # Errors
/// What was refused or failed, with what to do.
pub fn run(cli: Cli) -> Result<()> {
    let Cli { dir, json, api, token, command } = cli;
    match command {
        Command::Init(init) => offline::init(&dir, init, json),
        Command::Show => offline::identity(&dir, json),
        Command::Rotate { key, revoke } => offline::rotate(&dir, key, revoke, json),
        Command::Config(ConfigCommand::Check) => offline::check_config(&dir, json),
        Command::Serve => wait(serve::run(&dir, json)),
        Command::Demo { replay: Some(file), kill, .. } => wait(demo::replay(&file, kill, json)),
        Command::Demo { script: true, .. } => wait(demo::script(json)),
        Command::Demo { .. } => wait(demo::open(json)),
        Command::Bench(options) => wait(bench::run(options)),
        Command::Audit(audit::Command::Verify { file }) => audit::verify(&file, json),
        Command::Audit(command) => {
            wait(async { audit::run(&mut connect(&dir, api, token).await?.0, command, json).await })
        }
        Command::Evidence(evidence::Command::Verify { file }) => evidence::verify(&file, json),
        Command::Evidence(command) => {
            wait(async { evidence::run(&mut connect(&dir, api, token).await?.0, command, json).await })
        }
        Command::Handover(handover::Command::Sign { root_key, request, out }) => {
            handover::sign(&root_key, &request, &out, json)
        }
        Command::Handover(command) => wait(async {
            let answer = handover::run(&mut connect(&dir, api, token).await?.0, command).await?;
            online::print(&answer, json);
            Ok(())
        }),
        Command::Openapi => offline::openapi(),
        Command::Watch => wait(async { online::watch(connect(&dir, api, token).await?.0, json).await }),
        Command::Import(ImportCommand::Slack { file }) => wait(async {
            let (mut admin, host, token) = connect(&dir, api, token).await?;
            import::slack(&file, &mut admin, &host, &token, json).await
        }),
        Command::Online(command) => {
            wait(async { online::run(&mut connect(&dir, api, token).await?.0, command, json).await })
        }
    }
}

fn wait(work: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

async fn connect(
    dir: &std::path::Path,
    api: Option<String>,
    token: Option<String>,
) -> Result<(Client, String, String)> {
    let host = match api {
        Some(api) => api.trim_start_matches("http://").trim_end_matches('/').to_owned(),
        None => crate::config::load(dir)
            .context("no --api given, and no configuration in the folder")?
            .http
            .to_string(),
    };
    let token = match token {
        Some(token) => token,
        None => {
            let path = offline::token_path(dir);
            let read = std::fs::read_to_string(&path);
            read.with_context(|| format!("no --token given, and {} cannot be read", path.display()))?
        }
    };
    let token = token.trim().to_owned();
    Ok((Client::connect(&host, &token).await?, host, token))
}
