//! Two peered workspaces, with a member at A and one at B.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::cli::person::{Person, join, text};
use crate::demo::{
    cluster::{Workspace, free_udp},
    story,
};

/// Two nodes that run.
pub(super) struct Pair {
    pub(super) a: Workspace,
    pub(super) b: Workspace,
    pub(super) alice: Person,
    pub(super) bob: Person,
    _root: tempfile::TempDir,
}

/// A group at A with B's member in it.
pub(super) struct Shared {
    pub(super) group: String,
    pub(super) chat: String,
}

impl Pair {
    pub(super) async fn make() -> Result<Self> {
        let root = tempfile::tempdir()?;
        let (at_a, at_b) = (free_udp()?, free_udp()?);
        let mut a = Workspace::make(root.path(), "acme", "alice", at_a, at_a).await?;
        let mut b = Workspace::make(root.path(), "globex", "bob", at_b, at_b).await?;
        a.start().await?;
        b.start().await?;
        let (alice, bob) = (a.admin().await?, b.admin().await?);
        story::peer(&alice, &bob).await?;
        Ok(Self { a, b, alice, bob, _root: root })
    }

    /// A new group that both are in.
    pub(super) async fn shared(&self, name: &str) -> Result<Shared> {
        let group = self.alice.post("/groups", json!({ "name": name })).await?;
        let shared = Shared { group: text(&group, "/id")?, chat: text(&group, "/chat")? };
        join(&self.alice, "groups", &shared.group, &self.bob).await?;
        self.bob.until(&format!("/threads/{}", shared.chat), |_| true).await?;
        Ok(shared)
    }

    pub(super) fn pids(&self) -> Result<[u32; 2]> {
        Ok([self.a.pid().context("A does not run")?, self.b.pid().context("B does not run")?])
    }

    pub(super) async fn stop(mut self) -> Result<()> {
        self.a.stop().await?;
        self.b.stop().await
    }
}
