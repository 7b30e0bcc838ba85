//! Somebody with a token, as scripts and demos use the API in his name.
//!
//! Duty: requests of one person, waiting for what has to happen. Never: anything that the API does not offer.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::client::{Client, Events};

/// How long anything may take before it counts as failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Somebody with a token.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) token: String,
    pub(crate) http: SocketAddr,
}

/// A text field of an answer.
pub(crate) fn text(value: &Value, pointer: &str) -> Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.map(str::to_owned).with_context(|| format!("no {pointer} in {value}"))
}

impl Person {
    pub(crate) async fn client(&self) -> Result<Client> {
        Client::connect(&self.http.to_string(), &self.token).await
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.client().await?.get(path).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.client().await?.post(path, &body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        self.client().await?.call(hyper::Method::DELETE, path, None).await
    }

    pub(crate) async fn events(&self) -> Result<Events> {
        self.client().await?.events().await
    }

    /// Asks again whenever something happened, until the answer is as wanted.
    pub(crate) async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut events = self.events().await?;
        let asking = async {
            loop {
                match self.get(path).await {
                    Ok(answer) if wanted(&answer) => return Ok::<_, anyhow::Error>(answer),
                    Ok(_) | Err(_) => {}
                }
                let event = tokio::time::timeout(Duration::from_millis(500), events.next()).await;
                if let Ok(Ok(None) | Err(_)) = event {
                    bail!("the node ended the live events");
                }
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.with_context(|| format!("waited in vain for {path}"))?
    }
}

/// Adds somebody to a scope; invited from another workspace he accepts. Returns when he sees it.
pub(crate) async fn join(inviter: &Person, kind: &str, scope: &str, invited: &Person) -> Result<()> {
    invite(inviter, kind, scope, invited, json!({ "address": invited.address })).await
}

/// The same with all that was written before, which somebody of another workspace has of a group only if it is said (P2.6).
pub(crate) async fn join_with_history(
    inviter: &Person,
    kind: &str,
    scope: &str,
    invited: &Person,
) -> Result<()> {
    invite(inviter, kind, scope, invited, json!({ "address": invited.address, "history": "all" })).await
}

async fn invite(inviter: &Person, kind: &str, scope: &str, invited: &Person, body: Value) -> Result<()> {
    let asked = inviter.post(&format!("/{kind}/{scope}/members"), body).await?;
    if asked.get("status").and_then(Value::as_str) == Some("member") {
        return Ok(());
    }
    let to_scope = |answer: &Value| invitation(answer, scope).is_some();
    let waiting = invited.until("/invitations", to_scope).await?;
    let id = invitation(&waiting, scope).context("no invitation")?;
    invited.post(&format!("/invitations/{id}/accept"), json!({})).await?;
    invited.until(&format!("/{kind}/{scope}"), |_| true).await?;
    Ok(())
}

pub(crate) fn invitation(answer: &Value, scope: &str) -> Option<String> {
    let all = answer.get("invitations")?.as_array()?;
    let of_scope = all.iter().find(|invite| invite.get("scope").and_then(Value::as_str) == Some(scope));
    text(of_scope?, "/id").ok()
}
