//! Signing in with a password: the one place where one is checked.
//!
//! Duty: slow hashing off the loop, a bounded number at a time; one answer for an unknown address
//! and a wrong password, after the same work. Never: who somebody is in a request; that is `viewer`'s.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::{
    crypto::{Secret, password},
    limits,
    node::clock,
};

/// What is checked where there is no account: as much work as for one.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$Y29taXR5LW5vYm9keSEhIQ$ODAdaF0dyXzVkKFTpGm4kA7nhXp9ILyBo2AnaBPGnGM";

/// What signing in needs.
#[derive(Clone, Debug)]
pub(super) struct Gatekeeper {
    hashing: Arc<Semaphore>,
}

impl Gatekeeper {
    pub(super) fn new() -> Self {
        Self { hashing: Arc::new(Semaphore::new(limits::HASHINGS)) }
    }

    /// Whether the password is that of the hash; without one it is wrong.
    pub(super) async fn verify(&self, given: Secret, held: Option<String>) -> Result<bool, Problem> {
        let (exists, hashed) = (held.is_some(), held.unwrap_or_else(|| NOBODY.into()));
        self.work(move || password::verify(given.reveal(), &hashed) && exists).await
    }

    /// The hash of a new password.
    pub(super) async fn hash(&self, new: Secret) -> Result<Secret, Problem> {
        if new.reveal().chars().count() < limits::PASSWORD_LEAST
            || new.reveal().len() > limits::PASSWORD_BYTES
        {
            let (least, most) = (limits::PASSWORD_LEAST, limits::PASSWORD_BYTES);
            let detail = format!("password: at least {least} characters, at most {most} bytes");
            return Err(Problem::invalid(detail));
        }
        let seed = clock::seed().map_err(|error| Problem::no_random(&error))?;
        let hashed =
            self.work(move || password::hash(new.reveal(), super::viewer::first_half(&seed))).await?;
        hashed
            .map(Secret::new)
            .ok_or_else(|| Problem::invalid("password: it cannot be hashed; take a shorter one"))
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let stopping = |error: &dyn std::fmt::Display| {
            tracing::debug!(%error, "a password was not worked on");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the node is stopping: try again")
        };
        let _permit = self.hashing.acquire().await.map_err(|error| stopping(&error))?;
        tokio::task::spawn_blocking(work).await.map_err(|error| stopping(&error))
    }
}
