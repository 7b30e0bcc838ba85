//! `[mail]`: the server that takes outgoing letters.
//!
//! Duty: every key with its environment variable; nothing said in the clear on a network. Never: a password in an error.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::ConfigError;
use crate::{
    crypto::Secret,
    mail::{Settings, Tls},
    protocol::address::Address,
};

/// The part of the file that [`super::create`] writes for it.
pub(super) const TEMPLATE: &str = r#"
# Outgoing mail. Without it the links of invitations and new passwords are shown, to be passed on by hand. Each key can be
# overridden by COMITY_MAIL_ and its name in capitals, such as COMITY_MAIL_PASSWORD. Try it with `comity mail test`.
# [mail]
# server = "mail.acme.example:465"
# "required": TLS from the first byte (port 465), "starttls" (587), or "none", for a server on this machine only.
# tls = "required"
# from = "comity@acme.example"
# user = "comity"
# password_file = "/etc/comity/mail-password"
# The only certificates to trust, instead of the system's, in PEM.
# ca_file = "/etc/comity/mail-ca.pem"
"#;

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protection {
    #[default]
    Required,
    StartTls,
    None,
}

/// The section.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    server: Option<String>,
    #[serde(default)]
    tls: Protection,
    from: Option<String>,
    user: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
}

/// Takes the environment's word over the file's.
pub(super) fn overridden(
    mut held: Option<Mail>,
    env: impl Fn(&str) -> Option<String>,
) -> Result<Option<Mail>, ConfigError> {
    let named = |name: &str| env(&format!("COMITY_MAIL_{name}"));
    let keys = ["SERVER", "TLS", "FROM", "USER", "PASSWORD", "PASSWORD_FILE", "CA_FILE"];
    for (key, value) in keys.into_iter().filter_map(|key| Some((key, named(key)?))) {
        let mail = held.get_or_insert_default();
        match key {
            "SERVER" => mail.server = Some(value),
            "TLS" => mail.tls = protection(&value)?,
            "FROM" => mail.from = Some(value),
            "USER" => mail.user = Some(value),
            "PASSWORD" => (mail.password, mail.password_file) = (Some(Secret::new(value)), None),
            "PASSWORD_FILE" => (mail.password, mail.password_file) = (None, Some(value.into())),
            _ => mail.ca_file = Some(value.into()),
        }
    }
    Ok(held)
}

fn protection(value: &str) -> Result<Protection, ConfigError> {
    match value {
        "required" => Ok(Protection::Required),
        "starttls" => Ok(Protection::StartTls),
        "none" => Ok(Protection::None),
        other => Err(refused("tls", format!("`{other}` is unknown: required, starttls or none"))),
    }
}

fn refused(key: &str, why: impl fmt::Display) -> ConfigError {
    ConfigError::Refused(format!("[mail] {key}: {why}"))
}

impl Mail {
    /// What the mail shell needs; reads the files that the section names.
    ///
    /// # Errors
    /// What is wrong, with the key and what to do.
    pub fn settings(&self, base: &str) -> Result<Settings, ConfigError> {
        let server = self.server.as_deref().ok_or_else(|| refused("server", "it is missing: host:port"))?;
        let (host, port) = split(server)?;
        let tls = match self.tls {
            Protection::Required => Tls::Required,
            Protection::StartTls => Tls::StartTls,
            Protection::None if is_here(&host) => Tls::None,
            Protection::None => {
                let why = format!(
                    "\"none\" would send letters with their links, and the password, over the network for anybody to \
                     read; {host} is not this machine. Set \"required\" or \"starttls\""
                );
                return Err(refused("tls", why));
            }
        };
        let from = self.from.as_deref().ok_or_else(|| {
            refused("from", "it is missing: the address that letters come from, like comity@acme.example")
        })?;
        let from = Address::parse(from).map_err(|reject| refused("from", reject.detail))?;
        let roots = self.ca_file.as_deref().map(|path| read("ca_file", path)).transpose()?;
        let base = base.trim_end_matches('/').to_owned();
        Ok(Settings { host, port, tls, login: self.login()?, roots, from, base })
    }

    fn login(&self) -> Result<Option<(String, Secret)>, ConfigError> {
        let password = match (&self.password, &self.password_file) {
            (Some(_), Some(_)) => {
                return Err(refused("password", "set password or password_file, not both"));
            }
            (Some(password), None) => Some(password.clone()),
            (None, Some(path)) => {
                let text = String::from_utf8(read("password_file", path)?);
                let text = text.map_err(|error| refused("password_file", error.utf8_error()))?;
                Some(Secret::new(text.trim_end_matches(['\r', '\n'])))
            }
            (None, None) => None,
        };
        match (self.user.clone(), password) {
            (Some(user), Some(password)) => Ok(Some((user, password))),
            (None, None) => Ok(None),
            (Some(_), None) => Err(refused(
                "password",
                "it is missing: set password_file or COMITY_MAIL_PASSWORD, or no user",
            )),
            (None, Some(_)) => {
                Err(refused("user", "it is missing, and there is a password: set both or none"))
            }
        }
    }
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| refused(key, format!("{}: {error}", path.display())))
}

fn split(server: &str) -> Result<(String, u16), ConfigError> {
    let wrong = || refused("server", format!("`{server}` is not host:port, like mail.acme.example:465"));
    let (host, port) = server.rsplit_once(':').ok_or_else(wrong)?;
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let plain =
        |host: &str| !host.is_empty() && !host.chars().any(|c| c.is_whitespace() || "@/:[]".contains(c));
    let host = match bracketed {
        Some(host) if host.parse::<IpAddr>().is_ok() => host,
        None if plain(host) => host,
        _ => return Err(wrong()),
    };
    match port.parse() {
        Ok(port) if port != 0 => Ok((host.to_owned(), port)),
        _ => Err(wrong()),
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(toml: &str, env: &[(&str, &str)]) -> Result<Settings, String> {
        let find =
            |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let held = if toml.is_empty() { None } else { Some(toml::from_str(toml).unwrap()) };
        let mail = overridden(held, find).map_err(|error| error.to_string())?.ok_or("no mail")?;
        mail.settings("https://comity.acme.example/").map_err(|error| error.to_string())
    }

    const GOOD: &str = "server = \"mail.acme.example:465\"\nfrom = \"comity@acme.example\"\n";

    #[test]
    fn the_file_and_the_environment_make_one_whole() {
        let read = settings(GOOD, &[]).unwrap();
        assert_eq!((read.host.as_str(), read.port, read.tls), ("mail.acme.example", 465, Tls::Required));
        assert_eq!((read.base.as_str(), read.login), ("https://comity.acme.example", None));
        let env = [
            ("COMITY_MAIL_SERVER", "[::1]:2525"),
            ("COMITY_MAIL_TLS", "none"),
            ("COMITY_MAIL_FROM", "x@acme.example"),
            ("COMITY_MAIL_USER", "comity"),
            ("COMITY_MAIL_PASSWORD", "hunter2"),
        ];
        for toml in ["", GOOD, "password_file = \"/nowhere\""] {
            let read = settings(toml, &env).unwrap();
            assert_eq!((read.host.as_str(), read.port, read.tls), ("::1", 2525, Tls::None));
            assert!(!format!("{read:?}").contains("hunter2"), "a password in a debug text");
            assert_eq!(read.login.unwrap().1.reveal(), "hunter2");
        }
    }

    #[test]
    fn what_is_wrong_is_named_without_the_password() {
        for (toml, expected) in [
            ("tls = \"required\"", "server: it is missing"),
            ("server = \"mail.acme.example\"", "is not host:port"),
            ("server = \"mail.acme.example:0\"", "is not host:port"),
            ("server = \"::1:25\"", "is not host:port"),
            ("server = \"mail.acme.example:25\"", "from: it is missing"),
            ("server = \"mail.acme.example:25\"\nfrom = \"acme\"", "the @ is missing"),
            (
                "server = \"mail.acme.example:25\"\ntls = \"none\"\nfrom = \"a@b.example\"",
                "is not this machine",
            ),
            ("server = \"192.0.2.1:25\"\ntls = \"none\"\nfrom = \"a@b.example\"", "is not this machine"),
            (&format!("{GOOD}user = \"comity\""), "password: it is missing"),
            (&format!("{GOOD}password = \"hunter2\""), "user: it is missing"),
            (&format!("{GOOD}password = \"hunter2\"\npassword_file = \"x\""), "not both"),
            (&format!("{GOOD}user = \"x\"\npassword_file = \"/nowhere\""), "password_file: /nowhere"),
            (&format!("{GOOD}ca_file = \"/nowhere\""), "ca_file: /nowhere"),
        ] {
            let error = settings(toml, &[]).unwrap_err();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
        let error = settings(GOOD, &[("COMITY_MAIL_TLS", "maybe")]).unwrap_err();
        assert!(error.contains("required, starttls or none"), "{error}");
    }
}
