//! Listening for this worker's notifications, for as long as that works.
//!
//! A connection through a pooler in transaction mode takes LISTEN without a word and never hears anything, so the ear is proved:
//! the worker sends itself a word and waits for it. Where it does not come, the worker polls, and this is tried again now and then.

use std::sync::Arc;
use std::time::Duration;

use fleet_queue::WorkerId;
use fleet_queue::wake::{self, Listener};

use crate::identity::Standing;
use crate::line::{CallError, Pauses, causes, within};
use crate::shared::Shared;

/// How long our own word may take to come back.
const PROOF_LIMIT: Duration = Duration::from_secs(2);
/// How often a deaf connection is tried again.
const DEAF_PAUSE: Duration = Duration::from_secs(60);

/// Why listening ended.
enum Ended {
    /// Our own word never came.
    Deaf,
    /// The connection broke.
    Broken(CallError),
    /// The process became another worker, with another channel.
    Renamed,
}

/// The loop; it ends only by being aborted.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut pauses = Pauses::new(Duration::from_millis(100), Duration::from_secs(5));
    let mut warned = false;
    loop {
        let ended = listen(&shared, &mut pauses).await;
        shared.words.set_hearing(false);
        match ended {
            Ended::Renamed => {}
            Ended::Broken(error) => {
                tracing::info!(error = causes(&error), "not listening; polling meanwhile");
                tokio::time::sleep(pauses.next()).await;
            }
            Ended::Deaf => {
                if !std::mem::replace(&mut warned, true) {
                    tracing::warn!(
                        "notifications do not arrive over this connection (a pooler in transaction mode?); polling instead"
                    );
                }
                tokio::time::sleep(DEAF_PAUSE).await;
            }
        }
    }
}

/// Listens under the worker's present name.
async fn listen(shared: &Shared, pauses: &mut Pauses) -> Ended {
    let mut standing = shared.identity.watch();
    let worker = standing.borrow_and_update().worker;
    let mut ear = match within(
        PROOF_LIMIT,
        Listener::start(&shared.db, &wake::channel(worker)),
    )
    .await
    {
        Ok(ear) => ear,
        Err(error) => return Ended::Broken(error),
    };
    match prove(shared, worker, &mut ear).await {
        Ok(true) => {}
        Ok(false) => return Ended::Deaf,
        Err(error) => return Ended::Broken(error),
    }
    pauses.reset();
    // Words may have been missed before.
    shared.words.set_hearing(true);
    shared.words.wake(shared.queues.iter().cloned());
    let renamed = |standing: &Standing| standing.worker != worker;
    tokio::select! {
        ended = hear(shared, &mut ear) => ended,
        _ = standing.wait_for(renamed) => Ended::Renamed,
    }
}

/// Sends ourselves a word, and sees whether it comes.
async fn prove(shared: &Shared, worker: WorkerId, ear: &mut Listener) -> Result<bool, CallError> {
    let mut conn = within(PROOF_LIMIT, shared.db.acquire("worker.prove_ear")).await?;
    within(PROOF_LIMIT, wake::nudge(&mut conn, worker)).await?;
    match within(PROOF_LIMIT, ear.hear()).await {
        Ok(word) => Ok(word.is_some()),
        Err(CallError::Slow(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn hear(shared: &Shared, ear: &mut Listener) -> Ended {
    loop {
        match ear.hear().await {
            Ok(Some(word)) if word.is_empty() => shared.words.nudge(),
            Ok(Some(queue)) => shared.words.wake([queue]),
            // The driver reconnects by itself; what was said meanwhile is lost.
            Ok(None) => {
                shared.words.nudge();
                shared.words.wake(shared.queues.iter().cloned());
            }
            Err(error) => return Ended::Broken(error.into()),
        }
    }
}
