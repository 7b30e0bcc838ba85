//! Outgoing mail: what waits, and whether the server takes letters.
//!
//! Duty: the four things that an admin does with the queue. Never: a rule.

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use super::super::{client::Client, text};
use crate::time::Millis;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Mail {
    /// Letters that wait, with why the last try failed.
    List {
        /// Letters after this number.
        #[arg(long)]
        after: Option<u64>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// Send a letter right now, and show what the mail server says.
    Test {
        /// To whom.
        address: String,
        /// Put it into the queue instead, the way that all letters go.
        #[arg(long)]
        queue: bool,
    },
    /// Try a letter again now.
    Retry {
        /// Its number.
        number: u64,
    },
    /// Do not send a letter.
    Drop {
        /// Its number.
        number: u64,
    },
}

/// Carries it out.
pub(super) async fn run(client: &mut Client, command: Mail, as_json: bool) -> Result<Value> {
    match command {
        Mail::List { after, limit } => {
            let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
            let answer = client.get(&format!("/mail?limit={limit}{after}")).await?;
            Ok(if as_json { answer } else { readable(answer) })
        }
        Mail::Test { address, queue } => {
            client.post("/mail/test", &json!({ "to": address, "queue": queue })).await
        }
        Mail::Retry { number } => client.post(&format!("/mail/{number}/retry"), &json!({})).await,
        Mail::Drop { number } => client.call(hyper::Method::DELETE, &format!("/mail/{number}"), None).await,
    }
}

/// The way that mail goes above the list, and times as people read them.
fn readable(mut answer: Value) -> Value {
    match answer.pointer("/mail/server").and_then(Value::as_str) {
        Some(server) => println!("{}", text::clean(&format!("mail goes to {server}"))),
        None => println!("no mail server is configured: see [mail] in comity.toml"),
    }
    let mut letters = answer.get_mut("letters").map(Value::take).unwrap_or_default();
    for time in letters.as_array_mut().into_iter().flatten().filter_map(|letter| letter.get_mut("next")) {
        if let Some(ms) = time.as_u64() {
            *time = Millis(ms).to_string().into();
        }
    }
    json!({ "letters": letters })
}
