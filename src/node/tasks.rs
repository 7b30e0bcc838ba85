//! The node's tasks: everything that runs beside the loop, and the one signal that stops it.
//!
//! Duty: the one place that spawns; a stop waits for all. Never: a task that nobody waits for.

use std::{future::Future, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a stop waits for tasks that do not end by themselves, in seconds.
const STOP_SECONDS: u64 = 5;

/// The tasks of one node. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Runs a task until it ends by itself or the node stops.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Runs a task that ends by itself soon after the stop signal; the stop waits for it.
    pub fn at_start(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Runs a task when the node stops; the stop waits for it.
    pub fn at_stop(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            stop.cancelled().await;
            task.await;
        });
    }

    /// The signal: cancelled once the node stops.
    #[must_use]
    pub fn stop_signal(&self) -> &CancellationToken {
        &self.stop
    }

    /// Stops everything, and waits for it.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(Duration::from_secs(STOP_SECONDS), self.tracker.wait()).await.is_err() {
            tracing::warn!("some tasks did not end in time");
        }
    }
}
