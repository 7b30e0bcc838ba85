//! People of this workspace.
//!
//! Duty: their accounts; finding somebody by address. Never: a rule.

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::{super::client::Client, confirmed};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum User {
    /// Add somebody.
    Add {
        /// What stands before the @.
        local: String,
        /// The display name.
        #[arg(long)]
        name: Option<String>,
        /// As an admin.
        #[arg(long)]
        admin: bool,
    },
    /// Everybody.
    List,
    /// A new token for somebody, shown once.
    Token {
        /// His id or address.
        user: String,
    },
    /// His sessions and tokens, without what would let anybody in.
    Tokens {
        /// His id or address.
        user: String,
    },
    /// End one of them.
    EndToken {
        /// His id or address.
        user: String,
        /// The id of the session or token.
        id: String,
    },
    /// A link to somebody's first or next password, to pass on.
    Link {
        /// His id or address.
        user: String,
    },
    /// Take every access away, here and at every partner; without --yes only show what that is.
    Suspend {
        /// His id or address.
        user: String,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
    /// Lift a suspension; what it ended needs new invitations.
    Restore {
        /// His id or address.
        user: String,
    },
    /// As suspend, for good: neither the id nor the address is ever given to somebody else.
    Remove {
        /// His id or address.
        user: String,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
    /// Take him out of one group or thread of another workspace.
    Withdraw {
        /// His id or address.
        user: String,
        /// The group or thread.
        scope: String,
    },
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: User, as_json: bool) -> Result<Value> {
    match command {
        User::Add { local, name, admin } => {
            let role = if admin { "admin" } else { "member" };
            let name = name.unwrap_or_else(|| local.clone());
            client.post("/users", &json!({ "local": local, "name": name, "role": role })).await
        }
        User::List => client.get("/users?limit=200").await,
        User::Token { user } => {
            let id = person(client, "/users", "users", &user).await?;
            client.post(&format!("/users/{id}/tokens"), &json!({})).await
        }
        User::Tokens { user } => {
            let id = person(client, "/users", "users", &user).await?;
            client.get(&format!("/users/{id}/tokens")).await
        }
        User::EndToken { user, id } => {
            let user = person(client, "/users", "users", &user).await?;
            client.call(Method::DELETE, &format!("/users/{user}/tokens/{id}"), None).await
        }
        User::Link { user } => {
            let id = person(client, "/users", "users", &user).await?;
            client.post(&format!("/users/{id}/link"), &json!({})).await
        }
        User::Suspend { user, yes } => {
            let id = departing(client, &user, yes, as_json).await?;
            client.call(Method::PATCH, &format!("/users/{id}"), Some(&json!({ "role": "suspended" }))).await
        }
        User::Restore { user } => {
            let id = person(client, "/users", "users", &user).await?;
            client.call(Method::PATCH, &format!("/users/{id}"), Some(&json!({ "role": "member" }))).await
        }
        User::Remove { user, yes } => {
            let id = departing(client, &user, yes, as_json).await?;
            client.call(Method::DELETE, &format!("/users/{id}"), None).await
        }
        User::Withdraw { user, scope } => {
            let id = person(client, "/users", "users", &user).await?;
            client.call(Method::DELETE, &format!("/users/{id}/memberships/{scope}"), None).await
        }
    }
}

/// Free accounts that the node hosts.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Account {
    /// Everybody.
    List,
    /// Remove one for good; without --yes only show what that ends.
    Remove {
        /// Its id or address.
        account: String,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
}

/// Carries it out.
pub(super) async fn account(client: &mut Client, command: Account, as_json: bool) -> Result<Value> {
    match command {
        Account::List => client.get("/accounts?limit=200").await,
        Account::Remove { account, yes } => {
            let id = person(client, "/accounts", "accounts", &account).await?;
            confirmed(client, &format!("/accounts/{id}/departure"), yes, as_json).await?;
            client.call(Method::DELETE, &format!("/accounts/{id}"), None).await
        }
    }
}

/// Whose account is to end, once it is confirmed.
async fn departing(client: &mut Client, user: &str, yes: bool, as_json: bool) -> Result<String> {
    let id = person(client, "/users", "users", user).await?;
    confirmed(client, &format!("/users/{id}/departure"), yes, as_json).await?;
    Ok(id)
}

/// An id as it is; an address is looked up in a list.
pub(super) async fn person(client: &mut Client, path: &str, list: &str, who: &str) -> Result<String> {
    if !who.contains('@') {
        return Ok(who.to_owned());
    }
    let mut after = String::new();
    loop {
        let page = client.get(&format!("{path}?limit=200{after}")).await?;
        let people = page.get(list).and_then(Value::as_array).context("an unexpected answer")?;
        let found = people.iter().find(|person| person.get("address").and_then(Value::as_str) == Some(who));
        if let Some(id) = found.and_then(|person| person.get("id")).and_then(Value::as_str) {
            return Ok(id.to_owned());
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = format!("&after={next}"),
            None => bail!("{who} is not there"),
        }
    }
}
