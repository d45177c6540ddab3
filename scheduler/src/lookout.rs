//! The lookout: asks the database how long until the next of each thing, and tells the duties.

use std::time::Duration;

use fleet_queue::{Error, Outlook};
use tokio::time::Instant;

use crate::SchedulerSettings;
use crate::keeper::{House, chain};
use crate::rhythm::{Seen, retry_wait};

/// Even where duties keep asking for a new look, there are at most so many.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(20);
/// Something this close is worth looking at more often: the next one may come before it.
const SOON: Duration = Duration::from_secs(5);

/// Looks out until the house is stopped.
pub(crate) async fn look_out(house: &House) {
    let mut failures = 0_i16;
    while !house.soft.is_cancelled() {
        let seen = tokio::select! {
            () = house.soft.cancelled() => return,
            seen = look(house) => seen,
        };
        let pause = match seen {
            Ok(outlook) => {
                failures = 0;
                house.outlooks.send_replace(Seen {
                    at: Instant::now(),
                    outlook,
                });
                pause_after(&outlook, house.upkeep.settings())
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                if failures.count_ones() == 1 {
                    tracing::warn!(failures, error = %chain(&error), "cannot see what is due, will look again");
                }
                retry_wait(house.process, failures)
            }
        };
        tokio::select! {
            () = house.soft.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
            () = asked(house, failures) => {}
        }
    }
}

async fn look(house: &House) -> Result<Outlook, Error> {
    let mut conn = house.upkeep.db().acquire("upkeep.outlook").await?;
    let place = house.upkeep.place();
    let began = Instant::now();
    let from = place.for_look(began);
    let outlook = fleet_queue::outlook(&mut conn, house.upkeep.settings().lease_ttl, from).await?;
    if from.is_none() {
        place.looked_at_all(Instant::now(), began.elapsed());
    }
    place.reach(outlook.due_from);
    Ok(outlook)
}

fn pause_after(outlook: &Outlook, settings: &SchedulerSettings) -> Duration {
    let soon = |wait: Option<Duration>| wait.is_some_and(|wait| wait < SOON);
    if outlook.busy || soon(outlook.promotion) || soon(outlook.tick) {
        settings.tick_busy
    } else {
        settings.tick_max
    }
}

/// Ends when a duty asks for a new look; never while the database is out of reach.
async fn asked(house: &House, failures: i16) {
    if failures > 0 {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(LOOK_EVERY_MIN).await;
    house.look.notified().await;
}
