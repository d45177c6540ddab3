//! How each duty of this process last went: kept in memory, and written down once a minute for people to see.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fleet_queue::Error;
use fleet_queue::duties::{DutyNote, note};
use serde_json::Value;
use tokio::time::Instant;

use crate::keeper::{House, chain};
use crate::{Duty, DutyError, Round};

/// Seldom enough not to count in an idle fleet, often enough to tell a silent process.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// The first time, so that a process shows soon after its start; then after twice as long, and so on: what failed while
/// everything started is soon told to be well.
const WRITE_FIRST: Duration = Duration::from_secs(2);

/// The last round of each duty.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<[Option<Entry>; Duty::ALL.len()]>);

#[derive(Clone, Debug)]
struct Entry {
    began: Instant,
    took: Duration,
    rounds: i64,
    failures: i64,
    error: Option<String>,
    result: Value,
}

impl Board {
    pub(crate) fn record(
        &self,
        duty: Duty,
        began: Instant,
        took: Duration,
        result: &Result<Round, DutyError>,
    ) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = entries[duty as usize].take();
        let error = result.as_ref().err().map(|error| chain(error));
        let result_before = before
            .as_ref()
            .map_or(Value::Null, |entry| entry.result.clone());
        entries[duty as usize] = Some(Entry {
            began,
            took,
            rounds: before.as_ref().map_or(0, |entry| entry.rounds) + 1,
            failures: before.map_or(0, |entry| entry.failures) + i64::from(error.is_some()),
            error,
            result: result
                .as_ref()
                .map_or(result_before, |round| round.result.clone()),
        });
    }

    fn notes(&self) -> Vec<DutyNote> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = Duty::ALL.into_iter().filter_map(|duty| {
            let entry = entries[duty as usize].clone()?;
            Some(DutyNote {
                name: duty.name(),
                ago_s: entry.began.elapsed().as_secs_f64(),
                took_ms: entry.took.as_secs_f64() * 1000.0,
                rounds: entry.rounds,
                failures: entry.failures,
                error: entry.error,
                result: entry.result,
            })
        });
        noted.collect()
    }
}

/// Writes the board down until the house is stopped, and once more then.
pub(crate) async fn write_down(house: &House) {
    let mut pause = WRITE_FIRST;
    while !house.soft.is_cancelled() {
        tokio::select! {
            () = house.soft.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(WRITE_EVERY);
        tokio::select! {
            written = write(house) => if let Err(error) = written {
                tracing::debug!(error = %chain(&error), "the duties' status was not written down");
            },
            () = house.out_of_patience() => {}
        }
    }
}

async fn write(house: &House) -> Result<(), Error> {
    let mut conn = house.upkeep.db().acquire("duties.note").await?;
    let host = &house.upkeep.settings().host;
    note(&mut conn, house.process, host, &house.board.notes()).await
}
