//! `comity serve`: a node until it is told to stop.

use std::{io::IsTerminal as _, path::Path};

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{api, config, federation, node::Node};

/// Runs the node in this folder until SIGINT, SIGTERM, or a failing disk.
pub(super) async fn run(dir: &Path, as_json: bool) -> Result<()> {
    let config = config::load(dir)?;
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log).context("log")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let node = Node::with_journal(dir, config.journal(dir).as_deref())?;
    node.boot().await?;
    let link = federation::start(&node.handle, &node.tls, config.link)?;
    let http =
        api::start(&node.handle, config.http).await.with_context(|| format!("http = \"{}\"", config.http))?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    if as_json {
        let (workspace, trusted) = (node.handle.me(), node.is_trusted());
        println!(
            "{}",
            json!({ "http": http, "link": link, "workspace": workspace, "journal_trusted": trusted })
        );
    } else {
        println!(
            "comity serves {} at http://{http}, other nodes at {link} (UDP). Ctrl-C stops.",
            node.handle.me()
        );
        if !node.is_trusted() {
            println!(
                "The journal is missing or older than the data: partners are NOT served until an admin runs `comity \
                 journal confirm`. See `comity journal show`."
            );
        }
    }
    let failed = node.handle.tasks().stop_signal().clone();
    let ended = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = failed.cancelled() => Err(anyhow::anyhow!("the node stopped: see the log")),
    };
    node.stop().await;
    ended
}
