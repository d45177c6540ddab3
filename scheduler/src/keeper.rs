//! Keeps one duty: waits until it is due, does a round, notes how it went, and so on until told to stop.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use fleet_queue::{Outlook, telemetry};
use futures::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::rhythm::{Last, Rhythm, Seen};
use crate::status::Board;
use crate::{Duty, DutyError, Round, Upkeep};

/// What the loops of one process share.
pub(crate) struct House {
    pub(crate) upkeep: Upkeep,
    pub(crate) soft: CancellationToken,
    /// This process among the schedulers; new at each start.
    pub(crate) process: Uuid,
    pub(crate) outlooks: watch::Sender<Seen>,
    /// A duty did something, so the outlook has changed.
    pub(crate) look: Notify,
    pub(crate) board: Board,
}

impl House {
    pub(crate) fn new(upkeep: Upkeep, soft: CancellationToken) -> Self {
        let seen = Seen {
            at: Instant::now(),
            outlook: Outlook::default(),
        };
        Self {
            upkeep,
            soft,
            process: Uuid::new_v4(),
            outlooks: watch::Sender::new(seen),
            look: Notify::new(),
            board: Board::default(),
        }
    }

    /// Ends a while after the house was told to stop.
    pub(crate) async fn out_of_patience(&self) {
        self.soft.cancelled().await;
        tokio::time::sleep(STOP_PATIENCE).await;
    }
}

/// A round that is under way at a stop may take so long to end; in an outage it would wait for a connection for longer.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Keeps `duty` until the house is stopped.
pub(crate) async fn keep(house: Arc<House>, duty: Duty) {
    let mut outlooks = house.outlooks.subscribe();
    let mut last: Option<Last> = None;
    while wait_until_due(&house, duty, last.as_ref(), &mut outlooks).await {
        let failures = last.map_or(0, |last| last.failures);
        tokio::select! {
            ended = round(&house, duty, failures) => last = Some(ended),
            // Dropped half-way it is rolled back, as if the process had been killed.
            () = house.out_of_patience() => return,
        }
        if matches!(duty.rhythm(), Rhythm::Foreseen(_)) {
            house.look.notify_one(); // it waits for an outlook from after its round
        }
    }
}

/// False where the house stops instead.
async fn wait_until_due(
    house: &House,
    duty: Duty,
    last: Option<&Last>,
    outlooks: &mut watch::Receiver<Seen>,
) -> bool {
    loop {
        if house.soft.is_cancelled() {
            return false;
        }
        let seen = *outlooks.borrow_and_update();
        let due = duty.rhythm().next(last, &seen, house.process);
        if due.is_some_and(|due| due <= Instant::now()) {
            return true;
        }
        let until_due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        // Whatever ends the wait, the question is asked anew; the sender lives in `house`, so `changed` cannot fail.
        tokio::select! {
            () = house.soft.cancelled() => {}
            () = until_due => {}
            _ = outlooks.changed() => {}
        }
    }
}

async fn round(house: &House, duty: Duty, failures_before: i16) -> Last {
    let began = Instant::now();
    let result = AssertUnwindSafe(house.upkeep.tick(duty))
        .catch_unwind()
        .await;
    let result = result.unwrap_or_else(|panic| Err(DutyError::Panicked(words_of(&*panic))));
    let ended = Instant::now();
    let took = ended - began;
    metrics::histogram!(telemetry::DUTY_SECONDS, "duty" => duty.name()).record(took.as_secs_f64());
    let failures = report(duty, &result, failures_before);
    house.board.record(duty, began, took, &result);
    let round = result.unwrap_or_else(|_| Round::default());
    Last {
        ended,
        took,
        failures,
        fruitful: round.done > 0,
        more: round.more,
    }
}

/// Logs and counts a failure, and says how many in a row there are now.
fn report(duty: Duty, result: &Result<Round, DutyError>, before: i16) -> i16 {
    let Err(error) = result else {
        if before > 0 {
            tracing::info!(duty = duty.name(), failures = before, "duty works again");
        }
        return 0;
    };
    metrics::counter!(telemetry::DUTY_FAILURES, "duty" => duty.name()).increment(1);
    let failures = before.saturating_add(1);
    // In an outage every round fails: the first is news, then every doubling.
    if failures.count_ones() == 1 {
        tracing::warn!(duty = duty.name(), failures, error = %chain(error), "duty failed, will be tried again");
    }
    failures
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |line, cause| format!("{line}: {cause}"))
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without words".to_owned())
}
