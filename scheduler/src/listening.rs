//! Listening for word that something was scheduled for soon, so that an idle fleet need not look often. Upholds I3.
//!
//! A hint only: through a pooler in transaction mode no word ever comes, and the lookout finds the job at its next look.

use std::time::Duration;

use fleet_queue::wake::{self, Listener};
use fleet_queue::{Backoff, Error, JobId};

use crate::keeper::{House, chain};

/// A connection that broke is made anew after a while; what was said meanwhile is found by looking.
const RETRY: Backoff = Backoff {
    first: Duration::from_millis(250),
    factor: 2.0,
    longest: Duration::from_secs(5),
    jitter: 0.5,
};

/// Listens until the house is stopped.
pub(crate) async fn listen(house: &House) {
    let mut failures = 0_i16;
    loop {
        tokio::select! {
            () = house.soft.cancelled() => return,
            error = hear(house, &mut failures) => {
                tracing::debug!(error = %chain(&error), "not listening; looking meanwhile");
            }
        }
        failures = failures.saturating_add(1);
        tokio::select! {
            () = house.soft.cancelled() => return,
            () = tokio::time::sleep(RETRY.delay(JobId(house.process), failures)) => {}
        }
    }
}

/// Asks for a look at each word, until listening fails.
async fn hear(house: &House, failures: &mut i16) -> Error {
    let mut ear = match Listener::start(house.upkeep.db(), wake::SCHEDULERS).await {
        Ok(ear) => ear,
        Err(error) => return error,
    };
    *failures = 0;
    loop {
        // Words may have been missed before, and whenever the driver had to connect again.
        house.look.notify_one();
        if let Err(error) = ear.hear().await {
            return error;
        }
    }
}
