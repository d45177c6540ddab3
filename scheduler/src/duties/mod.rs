//! The duties: what each is called, when it is due, and one round of each. Each is safe when two processes do it at once (I8).
//!
//! A round is a plain function: tests call [`Upkeep::tick`] and need no loop. It runs in one transaction, and a test may stop it just before the commit.

mod counts;
mod jobs;
mod lanes;
mod storage;
mod ticks;

use std::sync::Arc;
use std::time::Duration;

use fleet_queue::{Db, Error, Tx};
use serde_json::Value;

use crate::place::Place;
use crate::rhythm::Rhythm;
use crate::{DutyError, SchedulerSettings};

/// A duty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Duty {
    /// Ticks of schedules that are due become jobs.
    Ticks,
    /// Scheduled jobs whose time came become available.
    Promote,
    /// Waiting jobs past their `expires_at` are discarded.
    Expire,
    /// Jobs of dead workers are taken from them.
    Rescue,
    /// Lanes whose jobs wait long become more urgent.
    Age,
    /// What the verbs did is added up.
    Fold,
    /// Lanes that hold a job nobody walks to are announced.
    Sweep,
    /// Lanes that have been empty leave the walk.
    Retire,
    /// Leftovers of limits, pauses and signals go.
    Clear,
    /// Partitions of the coming days are made.
    Partitions,
    /// What is past its retention goes.
    Prune,
    /// Schedules that ship with this binary are there.
    Defaults,
}

/// What one round did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// How many things it did, of whatever kind.
    pub done: u64,
    /// It stopped at its batch, and should go on at once.
    pub more: bool,
    /// What it did, for people.
    pub result: Value,
}

impl Duty {
    /// Every duty, in the order of the enum.
    pub const ALL: [Self; 12] = [
        Self::Ticks,
        Self::Promote,
        Self::Expire,
        Self::Rescue,
        Self::Age,
        Self::Fold,
        Self::Sweep,
        Self::Retire,
        Self::Clear,
        Self::Partitions,
        Self::Prune,
        Self::Defaults,
    ];

    /// Its name in metrics, logs and `fleet.duty`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ticks => "ticks",
            Self::Promote => "promote",
            Self::Expire => "expire",
            Self::Rescue => "rescue",
            Self::Age => "age",
            Self::Fold => "fold_counters",
            Self::Sweep => "sweep_lanes",
            Self::Retire => "retire_lanes",
            Self::Clear => "clear_leftovers",
            Self::Partitions => "partitions",
            Self::Prune => "prune",
            Self::Defaults => "default_schedules",
        }
    }

    pub(crate) fn rhythm(self) -> Rhythm {
        match self {
            Self::Ticks => Rhythm::Foreseen(|outlook| outlook.tick),
            Self::Promote => Rhythm::Foreseen(|outlook| outlook.promotion),
            Self::Expire => Rhythm::Foreseen(|outlook| outlook.expiry),
            Self::Rescue => Rhythm::Foreseen(|outlook| outlook.lease_end),
            // Nothing ages while no lane is walked.
            Self::Age => paced(1, 600, 20),
            Self::Fold => paced(1, 30, 10),
            // It reads every waiting lane, so it may take one part in fifty of the time.
            Self::Sweep => paced(2, 20, 50),
            Self::Retire => paced(30, 600, 20),
            Self::Clear => paced(30, 120, 20),
            Self::Partitions => paced(3600, 3600, 1),
            Self::Prune => paced(600, 600, 10),
            // A kind may be registered later than we start.
            Self::Defaults => paced(60, 600, 10),
        }
    }
}

fn paced(busy_s: u64, idle_s: u64, stretch: u32) -> Rhythm {
    Rhythm::Paced {
        busy: Duration::from_secs(busy_s),
        idle: Duration::from_secs(idle_s),
        stretch,
    }
}

/// What the duties need.
#[derive(Clone, Debug)]
pub struct Upkeep {
    db: Db,
    settings: SchedulerSettings,
    place: Arc<Place>,
}

impl Upkeep {
    /// Of this database.
    #[must_use]
    pub fn new(db: Db, settings: SchedulerSettings) -> Self {
        Self {
            db,
            settings,
            place: Arc::new(Place::new()),
        }
    }

    /// One round of a duty.
    pub async fn tick(&self, duty: Duty) -> Result<Round, DutyError> {
        match duty {
            Duty::Ticks => ticks::fire(self).await,
            Duty::Promote => jobs::promote(self).await,
            Duty::Expire => jobs::expire(self).await,
            Duty::Rescue => jobs::rescue(self).await,
            Duty::Age => lanes::age(self).await,
            Duty::Fold => counts::fold(self).await,
            Duty::Sweep => lanes::sweep(self).await,
            Duty::Retire => lanes::retire(self).await,
            Duty::Clear => storage::clear(self).await,
            Duty::Partitions => storage::partitions(self).await,
            Duty::Prune => storage::prune(self).await,
            Duty::Defaults => ticks::apply_defaults(self).await,
        }
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn settings(&self) -> &SchedulerSettings {
        &self.settings
    }

    /// Commits a round, unless a test stops it before, or lets it fail right after.
    async fn commit(&self, tx: Tx, verb: &'static str) -> Result<(), DutyError> {
        self.db.probes().at("upkeep.before_commit").await?;
        commit(tx, verb).await?;
        self.db.probes().at("upkeep.committed").await?;
        Ok(())
    }

    /// Wakes one sleeper for each queue. A hint: workers poll, so a failure costs a moment and fails no round.
    async fn wake(&self, queues: &[String]) {
        if queues.is_empty() {
            return;
        }
        let woken = async {
            let mut conn = self.db.acquire("wake.wake").await?;
            fleet_queue::wake::wake(&mut conn, queues).await
        };
        if let Err(error) = woken.await {
            tracing::debug!(%error, "nobody was woken");
        }
    }
}

async fn commit(tx: Tx, verb: &'static str) -> Result<(), Error> {
    tx.commit()
        .await
        .map_err(|source| Error::Database { verb, source })
}
