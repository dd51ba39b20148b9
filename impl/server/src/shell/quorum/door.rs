//! Who calls on a port between servers: few may wait at a time before they have said
//! who they are, and who is turned away is counted, and logged without flooding the log.

use super::told::Told;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use zk_node::Shared;

/// Callers of one port that may wait at a time. One more, and the oldest is turned away, so that
/// a flood of silent callers cannot keep the members out: a member greets at once.
// spec: FT-QRM-10, P-BOUND
const WAITING: usize = 256;

/// Why a caller was turned away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("its greeting cannot be read: {0}")]
    Greeting(#[from] io::Error),
    #[error("it did not say in time who it is")]
    Late,
    #[error("server {0} is not a member of this ensemble")]
    Stranger(i64),
    #[error("others came after it and it had not said who it is")]
    Crowded,
}

/// The callers of one port.
pub(crate) struct Door {
    port: &'static str,
    shared: Arc<Shared>,
    told: Told,
}

impl Door {
    /// `port`: what the log calls it.
    pub(crate) fn new(port: &'static str, shared: Arc<Shared>) -> Self {
        Self {
            port,
            shared,
            told: Told::default(),
        }
    }

    /// Accepts until the task is dropped; `greet` finds out who calls.
    // spec: QP-CNX-13, FT-QRM-10
    pub(crate) async fn accept<F>(
        self: Arc<Self>,
        listener: TcpListener,
        greet: impl Fn(TcpStream) -> F,
    ) where
        F: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        let mut waiting = VecDeque::new();
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, port = self.port, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (door, greeting) = (Arc::clone(&self), greet(stream));
            let task = tokio::spawn(async move {
                if let Err(refusal) = greeting.await {
                    door.refused(&refusal);
                }
            });
            waiting.push_back(task.abort_handle());
            self.make_room(&mut waiting);
        }
    }

    fn make_room(&self, waiting: &mut VecDeque<AbortHandle>) {
        if waiting.len() <= WAITING {
            return;
        }
        waiting.retain(|task| !task.is_finished());
        if waiting.len() > WAITING
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.abort();
            self.refused(&Refusal::Crowded);
        }
    }

    /// Counts, and says so unless something was said a moment ago.
    // spec: FT-QRM-03
    fn refused(&self, refusal: &Refusal) {
        self.shared.totals.peers_refused.add(1);
        if let Some(untold) = self.told.untold() {
            tracing::warn!(port = self.port, untold, "a caller was refused: {refusal}");
        }
    }
}
