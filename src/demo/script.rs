//! The steps of a story: played one after the other, each with its outcome and how long it took.
//!
//! Duty: the printed line, the JSON, the verdict. Never: going on after a step that failed.

use std::{future::Future, time::Instant};

use anyhow::Result;
use serde_json::json;

/// A step that was played.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Step {
    name: &'static str,
    ok: bool,
    detail: String,
    millis: u128,
}

/// Plays and notes.
pub(super) struct Script {
    as_json: bool,
    steps: Vec<Step>,
}

impl Script {
    pub(super) fn new(as_json: bool) -> Self {
        Self { as_json, steps: Vec::new() }
    }

    /// Plays a step; after a failure the next ones are not played, since they build on it.
    pub(super) async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Result<(T, String)>>,
    ) -> Result<T> {
        #[expect(clippy::disallowed_methods, reason = "how long a step took, for people")]
        let begin = Instant::now();
        let result = work.await;
        let millis = begin.elapsed().as_millis();
        let (ok, detail) = match &result {
            Ok((_, detail)) => (true, detail.clone()),
            Err(error) => (false, format!("{error:#}")),
        };
        let step = Step { name, ok, detail, millis };
        if !self.as_json {
            println!(
                "{} {:<46} {:>6} ms  {}",
                if ok { "ok  " } else { "FAIL" },
                step.name,
                step.millis,
                step.detail
            );
        }
        self.steps.push(step);
        result.map(|(value, _)| value)
    }

    /// Prints the end. Whether every step was as promised.
    pub(super) fn finish(self, played: &Result<()>) -> bool {
        let ok = played.is_ok() && self.steps.iter().all(|step| step.ok);
        if self.as_json {
            println!("{}", json!({ "ok": ok, "steps": self.steps }));
        } else {
            println!(
                "{} steps, {}",
                self.steps.len(),
                if ok { "all as promised" } else { "NOT as promised" }
            );
        }
        ok
    }
}
