//! Signing in, what is signed in, and tokens.
//!
//! Duty: the requests; a password is read from the environment, never from the command line, where others see it. Never:
//! keeping a secret.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::super::client::Client;

/// Where a password is read from.
const PASSWORD: &str = "COMITY_PASSWORD";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Session {
    /// Sign in with an address and the password in COMITY_PASSWORD; prints the session's token.
    Open {
        /// The whole address.
        address: String,
    },
    /// My sessions and tokens.
    List,
    /// End one of them.
    End {
        /// Its id.
        id: String,
    },
    /// End all but this one.
    EndOthers,
    /// Set my password to the one in COMITY_PASSWORD; the one until now in COMITY_OLD_PASSWORD.
    Password,
    /// Use a link for a password: sets the one in COMITY_PASSWORD, and prints the session's token.
    Link {
        /// The link, or its code.
        link: String,
    },
    /// I forgot my password: a link by mail.
    Forgot {
        /// The whole address.
        address: String,
    },
    /// Of a free account: a code by mail that shows that the address is mine; with the code, show it.
    Verify {
        /// As it was mailed.
        code: Option<String>,
    },
    /// Make a token for a program.
    Token {
        /// What it is for.
        name: String,
        /// read, write or admin.
        #[arg(long, default_value = "write")]
        scope: String,
        /// For how many days.
        #[arg(long, default_value_t = 365)]
        days: u64,
    },
}

/// A password from the environment.
pub(super) fn password(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("set the environment variable {name} to the password"))
}

/// The code of a link.
pub(super) fn code(link: &str) -> &str {
    link.trim().rsplit('/').next().unwrap_or(link)
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: Session) -> Result<Value> {
    match command {
        Session::Open { address } => {
            let given = json!({ "address": address, "password": password(PASSWORD)? });
            client.post("/sessions", &given).await
        }
        Session::List => client.get("/sessions").await,
        Session::End { id } => client.call(Method::DELETE, &format!("/sessions/{id}"), None).await,
        Session::EndOthers => client.call(Method::DELETE, "/sessions", None).await,
        Session::Password => {
            let old = std::env::var("COMITY_OLD_PASSWORD").ok();
            client.post("/me/password", &json!({ "old": old, "new": password(PASSWORD)? })).await
        }
        Session::Link { link } => {
            let given = json!({ "password": password(PASSWORD)? });
            client.post(&format!("/join/{}/password", code(&link)), &given).await
        }
        Session::Forgot { address } => client.post("/forgotten", &json!({ "address": address })).await,
        Session::Verify { code: Some(code) } => client.post("/me/code/show", &json!({ "code": code })).await,
        Session::Verify { code: None } => client.post("/me/code", &json!({})).await,
        Session::Token { name, scope, days } => {
            let me = client.get("/me").await?;
            let id = me.get("id").and_then(Value::as_str).context("an unexpected answer")?;
            let wanted = json!({ "name": name, "scope": scope, "days": days });
            client.post(&format!("/users/{id}/tokens"), &wanted).await
        }
    }
}
