//! Duties over what is stored: partitions ahead, retention, leftovers.

use fleet_queue::schedules::prune_ticks;
use fleet_queue::transitions::prune as verb;
use fleet_queue::upkeep as engine;
use serde_json::json;

use super::{Round, Upkeep};
use crate::DutyError;

pub(super) async fn clear(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let mut tx = upkeep.db.begin("upkeep.clear_leftovers").await?;
    let rows = engine::clear_leftovers(&mut tx).await?;
    upkeep.commit(tx, "upkeep.clear_leftovers").await?;
    Ok(Round {
        done: rows,
        more: false,
        result: json!({ "rows": rows }),
    })
}

pub(super) async fn partitions(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let mut tx = upkeep.db.begin("upkeep.make_partitions").await?;
    let made = engine::make_partitions(&mut tx, upkeep.settings.partitions_ahead).await?;
    upkeep.commit(tx, "upkeep.make_partitions").await?;
    Ok(Round {
        done: u64::from(made.unsigned_abs()),
        more: false,
        result: json!({ "made": made }),
    })
}

pub(super) async fn prune(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let settings = &upkeep.settings;
    let mut tx = upkeep.db.begin("queue.prune").await?;
    let pruned = verb::prune(&mut tx, settings.keep_days, settings.batch).await?;
    let ticks = prune_ticks(&mut tx, settings.keep_days, settings.batch).await?;
    upkeep.commit(tx, "queue.prune").await?;
    let rows = pruned.rows + ticks;
    Ok(Round {
        done: rows + pruned.partitions.len() as u64,
        more: rows >= settings.batch.unsigned_abs(),
        result: json!({ "rows": rows, "partitions": pruned.partitions }),
    })
}
