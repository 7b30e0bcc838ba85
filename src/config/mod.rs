//! The node's configuration: one TOML file and environment overrides.
//!
//! Duty: every key with its meaning and default, unknown keys refused, unsafe combinations refused with a reason. Never:
//! showing a secret; keys and tokens lie in files of their own.

mod mail;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use mail::Mail;

/// The version of the format. A file of a later version is refused.
const VERSION: u32 = 1;

/// The file that `comity init` writes.
const TEMPLATE: &str = r#"# comity, configuration format 1. Each key can be overridden by the environment variable in brackets.
version = 1

# Where the API listens [COMITY_HTTP]. Plain HTTP: only loopback, unless public_url and trusted_proxies are set.
http = "@http@"

# Where other nodes reach this one over QUIC (UDP) [COMITY_LINK].
link = "@link@"

# Memberships and peerings also go to this small file, which belongs on another disk than the data: after the data was
# restored from a backup it keeps who was removed out [COMITY_JOURNAL]. "off": none; default: the folder's name + .journal.
# journal = "/var/lib/comity-journal/acme.journal"

# Whoever is invited by e-mail and has no workspace makes a free account here [COMITY_FREE_ACCOUNTS].
free_accounts = true

# Where the free accounts of this node listen for partners who invite them (UDP); any port by default, since they also
# dial [COMITY_REALM_LINK].
# realm_link = "0.0.0.0:7402"

# What is logged: error, warn, info, debug, or per module [COMITY_LOG].
log = "info"

# Behind a reverse proxy that ends TLS: the address that people type [COMITY_PUBLIC_URL] ...
# public_url = "https://comity.acme.example"
# ... and the proxies' addresses [COMITY_TRUSTED_PROXIES, separated by commas].
# trusted_proxies = ["10.0.0.2"]
"#;

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read or written.
    #[error("{0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
    /// The file is not TOML, or has an unknown key or a wrong value.
    #[error("{0}: {1}")]
    Malformed(PathBuf, String),
    /// A value is not safe or makes no sense.
    #[error("{0}")]
    Refused(String),
}

/// The configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of the format.
    pub version: u32,
    /// Where the API listens.
    #[serde(default = "default_http")]
    pub http: SocketAddr,
    /// Where other nodes reach this one.
    #[serde(default = "default_link")]
    pub link: SocketAddr,
    /// Where the journal lies; `off`: nowhere. Not given: beside the folder.
    #[serde(default)]
    pub journal: Option<PathBuf>,
    /// Whether free accounts are made here (P1.2).
    #[serde(default = "default_free_accounts")]
    pub free_accounts: bool,
    /// Where the realm of free accounts listens for partners.
    #[serde(default = "default_realm_link")]
    pub realm_link: SocketAddr,
    /// What is logged.
    #[serde(default = "default_log")]
    pub log: String,
    /// The address that people type.
    #[serde(default)]
    pub public_url: Option<String>,
    /// Addresses of the reverse proxies.
    #[serde(default)]
    pub trusted_proxies: Vec<std::net::IpAddr>,
    /// The server that takes letters; without it links are shown to be passed on.
    #[serde(default)]
    pub mail: Option<Mail>,
}

impl Config {
    /// The address that people type; the API's own when no proxy stands in front of it.
    #[must_use]
    pub fn base(&self, http: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{http}"))
    }

    /// The journal's file; `None`: it is switched off (spec 12.6).
    #[must_use]
    pub fn journal(&self, dir: &Path) -> Option<PathBuf> {
        match &self.journal {
            Some(path) if path.as_os_str() == "off" => None,
            Some(path) => Some(path.clone()),
            None => {
                let whole = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
                Some(whole.with_added_extension("journal"))
            }
        }
    }
}

impl Config {
    /// The file of the realm's journal, beside the workspace's.
    #[must_use]
    pub fn realm_journal(&self, dir: &Path) -> Option<PathBuf> {
        self.journal(dir).map(|path| path.with_added_extension("realm"))
    }
}

/// Where the API listens by default.
#[must_use]
pub fn default_http() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7400))
}

/// Where other nodes reach this one by default.
#[must_use]
pub fn default_link() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 7401))
}

fn default_free_accounts() -> bool {
    true
}

fn default_realm_link() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 0))
}

fn default_log() -> String {
    "info".into()
}

/// The configuration's place in a node's folder.
#[must_use]
pub fn path(dir: &Path) -> PathBuf {
    dir.join("comity.toml")
}

/// Writes the commented file, unless there is one.
///
/// # Errors
/// The file system refuses.
pub fn create(dir: &Path, http: SocketAddr, link: SocketAddr) -> Result<(), ConfigError> {
    let path = path(dir);
    if path.exists() {
        return Ok(());
    }
    let text = [TEMPLATE, mail::TEMPLATE]
        .concat()
        .replace("@http@", &http.to_string())
        .replace("@link@", &link.to_string());
    fs::write(&path, text).map_err(|error| ConfigError::Io(path, error))
}

/// Reads the file and the environment.
///
/// # Errors
/// What is wrong, with the key and what to do.
pub fn load(dir: &Path) -> Result<Config, ConfigError> {
    let path = path(dir);
    let text = fs::read_to_string(&path).map_err(|error| ConfigError::Io(path.clone(), error))?;
    parse(&text, &path, |name| std::env::var(name).ok())
}

fn parse(text: &str, path: &Path, env: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
    let mut config: Config = toml::from_str(text)
        .map_err(|error| ConfigError::Malformed(path.to_owned(), malformed(text, &error)))?;
    if config.version != VERSION {
        let found = config.version;
        return Err(ConfigError::Refused(format!("version = {found}: this program knows version {VERSION}")));
    }
    if let Some(value) = env("COMITY_HTTP") {
        config.http = overridden("COMITY_HTTP", &value)?;
    }
    if let Some(value) = env("COMITY_LINK") {
        config.link = overridden("COMITY_LINK", &value)?;
    }
    if let Some(value) = env("COMITY_FREE_ACCOUNTS") {
        config.free_accounts = overridden("COMITY_FREE_ACCOUNTS", &value)?;
    }
    if let Some(value) = env("COMITY_REALM_LINK") {
        config.realm_link = overridden("COMITY_REALM_LINK", &value)?;
    }
    if let Some(value) = env("COMITY_JOURNAL") {
        config.journal = Some(value.into());
    }
    if let Some(value) = env("COMITY_LOG") {
        config.log = value;
    }
    if let Some(value) = env("COMITY_PUBLIC_URL") {
        config.public_url = Some(value);
    }
    if let Some(value) = env("COMITY_TRUSTED_PROXIES") {
        let proxies = value.split(',').map(|proxy| overridden("COMITY_TRUSTED_PROXIES", proxy.trim()));
        config.trusted_proxies = proxies.collect::<Result<_, _>>()?;
    }
    config.mail = mail::overridden(config.mail, env)?;
    check(&config)?;
    Ok(config)
}

/// What is wrong, with the line that is, unless it may hold a password.
fn malformed(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.lines().count().max(1) - usize::from(before.ends_with('\n'));
    let around = text.lines().skip(line.saturating_sub(1)).take(2);
    if around.into_iter().any(|line| line.contains("password")) {
        return format!("line {line}: a password is a text in quotes");
    }
    error.to_string()
}

fn overridden<T: std::str::FromStr<Err: std::fmt::Display>>(
    name: &str,
    value: &str,
) -> Result<T, ConfigError> {
    value.parse().map_err(|error| ConfigError::Refused(format!("{name}={value}: {error}")))
}

/// Plain HTTP must not leave the machine unless a proxy ends TLS in front of it.
fn check(config: &Config) -> Result<(), ConfigError> {
    let behind_proxy = config.public_url.is_some() && !config.trusted_proxies.is_empty();
    if !config.http.ip().is_loopback() && !behind_proxy {
        return Err(ConfigError::Refused(format!(
            "http = \"{}\": plain HTTP would be readable on the network. Listen on 127.0.0.1, or put a proxy with TLS \
             in front and set public_url and trusted_proxies",
            config.http
        )));
    }
    if let Some(url) = config.public_url.as_ref().filter(|url| !url.starts_with("https://")) {
        return Err(ConfigError::Refused(format!("public_url = \"{url}\": it must begin with https://")));
    }
    config.mail.as_ref().map(|mail| mail.settings(&config.base(config.http)).map(drop)).transpose()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, env: &[(&str, &str)]) -> Result<Config, String> {
        let find =
            |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        parse(text, Path::new("comity.toml"), find).map_err(|error| error.to_string())
    }

    #[test]
    fn the_template_is_valid() {
        let text = [TEMPLATE, mail::TEMPLATE]
            .concat()
            .replace("@http@", "127.0.0.1:1")
            .replace("@link@", "0.0.0.0:2");
        assert_eq!(read(&text, &[]).unwrap().http.port(), 1);
        assert_eq!(read(&text, &[("COMITY_HTTP", "127.0.0.1:9")]).unwrap().http.port(), 9);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, env, expected) in [
            ("version = 2", &[][..], "this program knows version 1"),
            ("version = 1\nhtpp = \"127.0.0.1:1\"", &[], "unknown field `htpp`"),
            ("version = 1\nhttp = \"0.0.0.0:80\"", &[], "plain HTTP would be readable"),
            ("version = 1", &[("COMITY_HTTP", "localhost")], "COMITY_HTTP=localhost"),
            ("version = 1\npublic_url = \"http://a\"", &[], "must begin with https://"),
            ("version = 1\n[mail]\nfrom = \"x\"", &[], "[mail] server: it is missing"),
            ("version = 1\n[mail]\nsrever = \"x\"", &[], "unknown field `srever`"),
            ("version = 1\n[mail]\npassword = 5\n", &[], "a password is a text in quotes"),
            ("version = 1\n[mail]\npassword = \"5\n", &[], "a password is a text in quotes"),
        ] {
            let error = read(text, env).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
