//! Requests on locked threads, invitations that wait for an admin, blocked people.
//!
//! Duty: asking and answering. Never: a rule.

use anyhow::Result;
use clap::Subcommand;
use hyper::Method;
use serde_json::{Value, json};

use super::super::client::Client;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Request {
    /// Mine; with a thread those in it.
    List {
        /// The thread.
        #[arg(long)]
        thread: Option<String>,
    },
    /// Ask that somebody be added to a locked thread.
    Add {
        /// The thread.
        thread: String,
        /// Whom.
        address: String,
        /// read or post.
        #[arg(long, default_value = "post")]
        grade: String,
        /// all or from-now.
        #[arg(long, default_value = "all")]
        history: String,
    },
    /// Yes: it becomes an invitation of mine.
    Approve {
        /// The thread.
        thread: String,
        /// The request.
        request: String,
    },
    /// No.
    Decline {
        /// The thread.
        thread: String,
        /// The request.
        request: String,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Block {
    /// Whom I block.
    List,
    /// No invitations and messages of this person any more; nobody is told.
    Add {
        /// The id.
        user: String,
    },
    /// As before.
    Remove {
        /// The id.
        user: String,
    },
}

/// Carries out what concerns a request.
pub(super) async fn request(client: &mut Client, command: Request) -> Result<Value> {
    match command {
        Request::List { thread: None } => client.get("/requests").await,
        Request::List { thread: Some(thread) } => client.get(&format!("/threads/{thread}/requests")).await,
        Request::Add { thread, address, grade, history } => {
            let body = json!({ "address": address, "grade": grade, "history": history });
            client.post(&format!("/threads/{thread}/requests"), &body).await
        }
        Request::Approve { thread, request } => {
            client.post(&format!("/threads/{thread}/requests/{request}/approve"), &json!({})).await
        }
        Request::Decline { thread, request } => {
            client.post(&format!("/threads/{thread}/requests/{request}/decline"), &json!({})).await
        }
    }
}

/// Carries out what concerns blocks.
pub(super) async fn block(client: &mut Client, command: Block) -> Result<Value> {
    match command {
        Block::List => client.get("/blocks").await,
        Block::Add { user } => client.post("/blocks", &json!({ "user": user })).await,
        Block::Remove { user } => {
            client.call(Method::DELETE, "/blocks", Some(&json!({ "user": user }))).await
        }
    }
}
