//! Duties that move jobs: promote, expire, rescue.

use fleet_queue::history::Event;
use fleet_queue::telemetry;
use fleet_queue::transitions::{promote, rescue};
use fleet_queue::wake::slept_for;
use serde_json::json;

use super::{Round, Upkeep};
use crate::DutyError;

pub(super) async fn promote(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let batch = upkeep.settings.batch;
    let mut tx = upkeep.db.begin("queue.promote").await?;
    let promoted = promote::promote(&mut tx, upkeep.place.due_from(), batch).await?;
    if promoted.available > 0 {
        upkeep.db.probes().at("upkeep.promoted").await?;
    }
    upkeep.commit(tx, "queue.promote").await?;
    upkeep.wake(&promoted.queues).await;
    let done = promoted.available as u64;
    let more = promoted.available as i64 >= batch;
    if more {
        upkeep.place.reach(promoted.reached);
    }
    metrics::counter!(telemetry::PROMOTED).increment(done);
    Ok(Round {
        done,
        more,
        result: json!({ "available": done, "queues": promoted.queues }),
    })
}

pub(super) async fn expire(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let batch = upkeep.settings.batch;
    let mut tx = upkeep.db.begin("queue.expire").await?;
    let expired = promote::expire(&mut tx, batch).await?;
    upkeep.commit(tx, "queue.expire").await?;
    metrics::counter!(telemetry::EXPIRED).increment(expired as u64);
    Ok(Round {
        done: expired as u64,
        more: expired as i64 >= batch,
        result: json!({ "discarded": expired }),
    })
}

pub(super) async fn rescue(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let mut tx = upkeep.db.begin("queue.rescue").await?;
    let rescued = rescue::rescue(&mut tx, upkeep.settings.lease_ttl).await?;
    if rescued.workers > 0 {
        upkeep.db.probes().at("upkeep.rescued").await?;
    }
    upkeep.commit(tx, "queue.rescue").await?;
    if rescued.workers > 0 {
        upkeep.db.history().note(|| Event::Rescued {
            workers: rescued.workers,
            returned: rescued.returned,
            discarded: rescued.discarded,
        });
        tracing::warn!(
            workers = rescued.workers,
            returned = rescued.returned,
            discarded = rescued.discarded,
            "workers died"
        );
        wake_everybodys_queues(upkeep).await?;
    }
    metrics::counter!(telemetry::DEAD_WORKERS).increment(rescued.workers as u64);
    metrics::counter!(telemetry::RESCUED, "outcome" => "returned")
        .increment(rescued.returned as u64);
    metrics::counter!(telemetry::RESCUED, "outcome" => "discarded")
        .increment(rescued.discarded as u64);
    Ok(Round {
        done: rescued.workers as u64,
        more: false,
        result: json!({ "dead_workers": rescued.workers, "returned": rescued.returned, "discarded": rescued.discarded }),
    })
}

/// A dead worker's jobs may be of any queue: whoever sleeps for one looks.
async fn wake_everybodys_queues(upkeep: &Upkeep) -> Result<(), DutyError> {
    let mut conn = upkeep.db.acquire("wake.slept_for").await?;
    let sleepers = slept_for(&mut conn).await?;
    drop(conn);
    let mut queues: Vec<String> = sleepers.into_iter().map(|(queue, _)| queue).collect();
    queues.dedup(); // they come sorted
    upkeep.wake(&queues).await;
    Ok(())
}
