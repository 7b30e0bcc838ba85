//! Incoming connections.
//!
//! Duty: a bounded number of greetings at a time. Never: work for a stranger beyond the greeting.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::{Federation, LinkError, greet, link};
use crate::limits;

/// Accepts until the node stops.
pub(super) async fn run(federation: Arc<Federation>) {
    let greetings = Arc::new(Semaphore::new(limits::GREETINGS));
    while let Some(incoming) = federation.endpoint.accept().await {
        let Ok(permit) = greetings.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let serving = federation.clone();
        federation.handle.tasks().spawn(async move {
            let from = incoming.remote_address();
            let greeted = async {
                let connection = incoming.await.map_err(|error| LinkError::Transport(error.to_string()))?;
                let greeted = greet::accepted(&serving, &connection).await;
                if let Err(error) = &greeted {
                    connection.close(quinn::VarInt::from_u32(2), error.to_string().as_bytes());
                }
                Ok::<_, LinkError>((greeted?, connection))
            };
            let greeted = greeted.await;
            drop(permit);
            match greeted {
                Ok((greeted, connection)) => {
                    let dialler = greeted.peer;
                    link::run(&serving, connection, greeted, dialler).await;
                }
                Err(error) => tracing::info!(%from, %error, "a connection was refused"),
            }
        });
    }
}
