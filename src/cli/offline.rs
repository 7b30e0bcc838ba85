//! Commands on a node's folder, without a running node: `init`, `show`, `rotate`, `config check`.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::{
    api, config,
    node::identity::{self, Rotate},
    protocol::row::Home,
};

/// What a new workspace is.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The display name.
    #[arg(long)]
    name: String,
    /// The domain of the members' addresses.
    #[arg(long)]
    domain: String,
    /// Where other nodes will reach this one, as host:port; may be repeated.
    #[arg(long = "endpoint")]
    endpoints: Vec<String>,
    /// The first admin: what stands before the @ of the address.
    #[arg(long, default_value = "admin")]
    admin: String,
    /// Where the API will listen.
    #[arg(long, default_value_t = config::default_http())]
    http: SocketAddr,
    /// Where the link to other nodes will listen (UDP).
    #[arg(long, default_value_t = config::default_link())]
    link: SocketAddr,
}

/// Which key is replaced.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Key {
    /// The one that signs.
    Sign,
    /// The one of the TLS certificate.
    Tls,
    /// The root key.
    Root,
}

/// The first admin's token, for commands on the same machine.
pub(super) fn token_path(dir: &Path) -> PathBuf {
    dir.join("admin.token")
}

pub(super) fn init(dir: &Path, init: Init, as_json: bool) -> Result<()> {
    let Init { name, domain, endpoints, admin, http, link } = init;
    let home = identity::init(dir, &name, &domain, endpoints)?;
    config::create(dir, http, link)?;
    if let Some(token) = identity::first_admin(dir, &admin)? {
        let path = token_path(dir);
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        writeln!(file, "{token}")
            .and_then(|()| file.sync_all())
            .with_context(|| path.display().to_string())?;
    }
    show(&home, as_json);
    if !as_json {
        println!(
            "Next: `comity serve --dir {}`. Then move {} to a safe place.",
            dir.display(),
            dir.join("root").display()
        );
    }
    Ok(())
}

pub(super) fn rotate(dir: &Path, key: Key, revoke: bool, as_json: bool) -> Result<()> {
    let which = match key {
        Key::Sign => Rotate::Sign { revoke },
        _ if revoke => {
            bail!("--revoke: only for `sign`; a replaced TLS or root key stops counting by itself")
        }
        Key::Tls => Rotate::Tls,
        Key::Root => Rotate::Root,
    };
    show(&identity::rotate(dir, which)?, as_json);
    Ok(())
}

pub(super) fn identity(dir: &Path, as_json: bool) -> Result<()> {
    show(&identity::load(dir)?, as_json);
    Ok(())
}

/// For who makes a client without a node at hand.
pub(super) fn openapi() -> Result<()> {
    println!("{}", serde_json::to_string_pretty(&api::document())?);
    Ok(())
}

pub(super) fn check_config(dir: &Path, as_json: bool) -> Result<()> {
    let config = config::load(dir)?;
    if as_json {
        println!("{}", json!({ "http": config.http, "link": config.link, "log": config.log }));
    } else {
        println!(
            "{} is valid: the API at {}, the link at {}",
            config::path(dir).display(),
            config.http,
            config.link
        );
    }
    Ok(())
}

fn show(home: &Home, as_json: bool) {
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
