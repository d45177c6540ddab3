//! Duties over schedules: fire their ticks, and have those that ship with this binary.

use fleet_queue::WorkerId;
use fleet_queue::history::{Event, History};
use fleet_queue::schedules::{self, Fired};
use fleet_queue::telemetry;
use fleet_queue::wake::nudge;
use serde_json::json;

use super::{Round, Upkeep, commit};
use crate::DutyError;
use crate::defaults::default_schedules;

pub(super) async fn fire(upkeep: &Upkeep) -> Result<Round, DutyError> {
    let probes = upkeep.db.probes();
    probes.at("scheduler.before_tick").await?;
    let mut tx = upkeep.db.begin("schedules.fire_due").await?;
    let fired = schedules::fire_due(&mut tx, upkeep.settings.tick_batch).await?;
    probes.at("scheduler.before_commit").await?;
    commit(tx, "schedules.fire_due").await?;
    note(upkeep.db.history(), &fired);
    probes.at("scheduler.committed").await?;
    tell(&fired);
    let queues: Vec<String> = fired.queues.iter().cloned().collect();
    upkeep.wake(&queues).await;
    nudge_told(upkeep, &fired).await;
    Ok(Round {
        done: fired.schedules as u64,
        more: fired.more,
        result: json!({
            "schedules": fired.schedules,
            "ticks": fired.ticks.len(),
            "dropped": fired.dropped.iter().map(|(_, dropped)| dropped).sum::<usize>(),
            "failed": fired.failed,
        }),
    })
}

fn note(history: &History, fired: &Fired) {
    for tick in &fired.ticks {
        history.note(|| Event::Ticked {
            schedule: tick.schedule.clone(),
            tick_at: tick.tick_at,
            job: tick.job,
            fired: tick.fired,
        });
    }
}

/// Counts and logs what was committed.
fn tell(fired: &Fired) {
    for tick in fired.ticks.iter().filter(|tick| tick.fired) {
        metrics::counter!(telemetry::TICKS, "schedule" => tick.schedule.clone()).increment(1);
    }
    for (schedule, dropped) in &fired.dropped {
        metrics::counter!(telemetry::MISSED, "schedule" => schedule.clone())
            .increment(*dropped as u64);
        tracing::info!(schedule, dropped, "missed ticks were dropped");
    }
    for (schedule, error) in &fired.failed {
        tracing::warn!(schedule, error, "a tick could not be fired, and stays due");
    }
}

/// Has workers look at once for the jobs that a tick called off. A hint: they look by themselves within a second or two.
async fn nudge_told(upkeep: &Upkeep, fired: &Fired) {
    for worker in &fired.told {
        let nudged = async {
            let mut conn = upkeep.db.acquire("wake.nudge").await?;
            nudge(&mut conn, WorkerId(*worker)).await
        };
        if let Err(error) = nudged.await {
            tracing::debug!(%error, "a worker was not nudged");
        }
    }
}

pub(super) async fn apply_defaults(upkeep: &Upkeep) -> Result<Round, DutyError> {
    if !upkeep.settings.default_schedules {
        return Ok(Round::default());
    }
    let mut tx = upkeep.db.begin("schedules.apply").await?;
    let applied = schedules::apply(&mut tx, &default_schedules()).await?;
    upkeep.commit(tx, "schedules.apply").await?;
    for name in &applied.added {
        tracing::info!(schedule = name, "default schedule added");
    }
    Ok(Round {
        done: (applied.added.len() + applied.updated.len()) as u64,
        more: false,
        result: json!({ "added": applied.added, "updated": applied.updated, "skipped": applied.skipped }),
    })
}
