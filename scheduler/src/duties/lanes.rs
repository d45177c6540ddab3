//! Duties over lanes: age, sweep, retire.

use fleet_queue::transitions::promote;
use fleet_queue::upkeep as engine;
use serde_json::json;

use super::{Round, Upkeep};
use crate::DutyError;

pub(super) async fn age(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let mut tx = upkeep.db.begin("queue.age").await?;
    let lanes = promote::age(&mut tx).await?;
    upkeep.commit(tx, "queue.age").await?;
    Ok(round(lanes, "lanes"))
}

pub(super) async fn sweep(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let mut tx = upkeep.db.begin("upkeep.sweep_lanes").await?;
    let lanes = engine::sweep_lanes(&mut tx).await?;
    upkeep.commit(tx, "upkeep.sweep_lanes").await?;
    Ok(round(lanes, "announced"))
}

pub(super) async fn retire(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let mut tx = upkeep.db.begin("upkeep.retire_lanes").await?;
    let lanes = engine::retire_lanes(&mut tx).await?;
    upkeep.commit(tx, "upkeep.retire_lanes").await?;
    Ok(round(lanes, "lanes"))
}

fn round(done: u64, what: &str) -> Round {
    Round {
        done,
        more: false,
        result: json!({ what: done }),
    }
}
