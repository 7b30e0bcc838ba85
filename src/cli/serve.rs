//! `comity serve`: a node until it is told to stop.

use std::{io::IsTerminal as _, net::SocketAddr, path::Path};

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    api,
    config::{self, Config},
    federation, mail,
    node::{Handle, Node, realm},
    protocol::{Command, Reply, account::By, row::Role},
    web,
};

/// The workspace's node, and the realm that it hosts.
struct Running {
    node: Node,
    realm: Option<Node>,
    http: SocketAddr,
    link: SocketAddr,
}

/// Runs the node in this folder until SIGINT, SIGTERM, or a failing disk.
pub(super) async fn run(dir: &Path, as_json: bool) -> Result<()> {
    let config = config::load(dir)?;
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log).context("log")?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let running = start(dir, &config).await?;
    let first = first_admin(&running.node.handle).await?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    greet(&running, &config, first, as_json);
    let Running { node, realm, .. } = running;
    let failed = node.handle.tasks().stop_signal().clone();
    let realm_failed = realm.as_ref().map(|realm| realm.handle.tasks().stop_signal().clone());
    let ended = tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = failed.cancelled() => Err(anyhow::anyhow!("the node stopped: see the log")),
        () = cancelled(realm_failed) => Err(anyhow::anyhow!("the realm of free accounts stopped: see the log")),
    };
    if let Some(realm) = realm {
        tokio::join!(node.stop(), realm.stop());
    } else {
        node.stop().await;
    }
    ended
}

async fn cancelled(signal: Option<tokio_util::sync::CancellationToken>) {
    match signal {
        Some(signal) => signal.cancelled().await,
        None => std::future::pending().await,
    }
}

async fn start(dir: &Path, config: &Config) -> Result<Running> {
    let node = Node::with_journal(dir, config.journal(dir).as_deref())?;
    node.boot().await?;
    let link = federation::start(&node.handle, &node.tls, config.link)?;
    let realm = if config.free_accounts { Some(host(dir, config, &node, link).await?) } else { None };
    let handle = realm.as_ref().map(|realm| &realm.handle);
    let proxies = config.trusted_proxies.clone();
    let pages = |api| web::around(api, node.handle.me());
    let http = api::start_with(&node.handle, handle, config.http, proxies, pages).await;
    let http = http.with_context(|| format!("http = \"{}\"", config.http))?;
    if let Some(letters) = &config.mail {
        let settings = letters.settings(&config.base(http))?;
        for handle in [Some(&node.handle), handle].into_iter().flatten() {
            mail::start(handle, &settings)?;
            handle.ask(Command::Mails(true)).await?;
        }
    }
    Ok(Running { node, realm, http, link })
}

/// The realm of free accounts, beside the workspace's node.
async fn host(dir: &Path, config: &Config, node: &Node, link: SocketAddr) -> Result<Node> {
    let snapshot = node.handle.snapshot();
    let home = snapshot.state.homes.get(&node.handle.me()).context("the node has no identity")?;
    let journal = config.realm_journal(dir);
    let hosted = realm::start(&realm::folder(dir), &home.manifest, journal.as_deref())?;
    hosted.boot().await?;
    let at = federation::start(&hosted.handle, &hosted.tls, config.realm_link)?;
    realm::join((&node.handle, link), (&hosted.handle, at)).await?;
    Ok(hosted)
}

/// While nobody has ever set a password, the first admin gets a link to set his: an older one stops working.
async fn first_admin(handle: &Handle) -> Result<Option<String>> {
    let snapshot = handle.snapshot();
    let mut admins = snapshot.state.users.values().filter(|user| user.role == Role::Admin);
    let (Some(admin), None, true) = (admins.next(), admins.next(), snapshot.state.credentials.is_empty())
    else {
        return Ok(None);
    };
    match handle.ask(Command::PasswordLink(admin.id, By::Hand, None)).await? {
        Reply::Link(_, path) => Ok(Some(path)),
        _ => Ok(None),
    }
}

fn greet(running: &Running, config: &Config, first: Option<String>, as_json: bool) {
    let Running { node, realm, http, link } = running;
    let base = config.base(*http);
    let first = first.map(|path| format!("{}{path}", base.trim_end_matches('/')));
    let trusted = node.is_trusted() && realm.as_ref().is_none_or(Node::is_trusted);
    if as_json {
        let shown = json!({
            "http": http, "link": link, "workspace": node.handle.me(), "journal_trusted": trusted,
            "realm": realm.as_ref().map(|realm| realm.handle.me()), "first_admin": first,
        });
        println!("{shown}");
        return;
    }
    println!(
        "comity serves {} at http://{http}, other nodes at {link} (UDP). Ctrl-C stops.",
        node.handle.me()
    );
    if !trusted {
        println!(
            "The journal is missing or older than the data: partners are NOT served until an admin runs `comity \
             journal confirm`. See `comity journal show`."
        );
    }
    if let Some(first) = first {
        println!("Nobody has a password yet. The first admin sets his, once, within 7 days, at\n  {first}");
    }
}
