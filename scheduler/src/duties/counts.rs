//! The duty that adds up what the verbs did.

use fleet_queue::upkeep as engine;
use serde_json::json;

use super::{Round, Upkeep};
use crate::DutyError;

pub(super) async fn fold(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let batch = upkeep.settings.batch;
    let mut tx = upkeep.db.begin("upkeep.fold_counters").await?;
    let folded = engine::fold_counters(&mut tx, batch).await?;
    upkeep.commit(tx, "upkeep.fold_counters").await?;
    Ok(Round {
        done: folded.unsigned_abs(),
        more: folded >= batch,
        result: json!({ "rows": folded }),
    })
}
