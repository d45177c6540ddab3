//! Looks after jobs whose handlers said that they settled in a transaction of their own: a commit that was forgotten would leave
//! the job running for ever under a worker that lives (I2, I3).

use std::sync::{Mutex, PoisonError};

use fleet_queue::transitions::renew::standing;
use fleet_queue::{Connection, Error};

use crate::batch::{Finished, count_settled};
use crate::held::ClaimKey;

/// Most claims looked at in one call.
const LOOK_MAX: usize = 1_000;

/// What is said of a job whose handler forgot the commit.
pub(crate) const FORGOTTEN: &str = "the handler said that it settled in its own transaction, but that transaction was not committed: \
     commit after settle_in, before returning what it gave";

/// Claims that their handlers settled, each with the failure it is if that was never committed.
#[derive(Default)]
pub(crate) struct Unproven(Mutex<Vec<Finished>>);

impl Unproven {
    /// Notes a claim.
    pub(crate) fn note(&self, forgotten: Finished) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(forgotten);
    }

    fn take(&self) -> Vec<Finished> {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *list)
    }

    fn put_back(&self, mut these: Vec<Finished>) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.append(&mut these);
    }

    /// Looks which of them still stand, although they were settled; those are to be settled as failures.
    pub(crate) async fn forgotten(&self, conn: &mut Connection) -> Result<Vec<Finished>, Error> {
        let mut unproven = self.take();
        let mut forgotten = Vec::new();
        while !unproven.is_empty() {
            let looked_at = unproven.split_off(unproven.len().saturating_sub(LOOK_MAX));
            match split(conn, looked_at).await {
                Ok(mut standing) => forgotten.append(&mut standing),
                Err((error, mut looked_at)) => {
                    unproven.append(&mut looked_at);
                    unproven.append(&mut forgotten);
                    self.put_back(unproven);
                    return Err(error);
                }
            }
        }
        Ok(forgotten)
    }
}

/// Counts those that no longer stand as completed; gives those that do.
async fn split(
    conn: &mut Connection,
    claims: Vec<Finished>,
) -> Result<Vec<Finished>, (Error, Vec<Finished>)> {
    let Some(worker) = claims.first().map(|done| done.settlement.claim.worker()) else {
        return Ok(claims);
    };
    let keys: Vec<ClaimKey> = claims.iter().map(key).collect();
    let standing = match standing(conn, worker, &keys).await {
        Ok(standing) => standing,
        Err(error) => return Err((error, claims)),
    };
    let (forgotten, settled): (Vec<_>, Vec<_>) = claims
        .into_iter()
        .partition(|done| standing.contains(&done.job.id));
    for done in settled {
        count_settled(&done.job.queue, &done.job.kind, "completed", 1);
    }
    Ok(forgotten)
}

fn key(done: &Finished) -> ClaimKey {
    let claim = &done.settlement.claim;
    (claim.id(), claim.token())
}
