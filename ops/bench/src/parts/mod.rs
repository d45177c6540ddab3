//! What this program does when it is an entrant's process.

mod api;
mod bare;
mod enqueue;
mod latency;
mod plain;
mod steady;
mod worker;

use std::time::Duration;

use anyhow::Context;
use fleet_queue::Db;
use fleet_runtime::pool::{self, PoolSettings};
use serde::{Deserialize, Serialize};

use crate::stage::Summary;

/// A part that an entrant's process of ours can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A worker as in production.
    Worker {
        /// Handlers at once.
        concurrency: usize,
        /// When its turn is over.
        until: Until,
    },
    /// The engine's claims and settles in a loop, without handlers: what the database allows.
    Bare {
        /// Jobs in a call.
        batch: usize,
        /// Whether nothing is left when the turn is over.
        all: bool,
    },
    /// The engine's bulk enqueue.
    Enqueue {
        /// Jobs in a call.
        batch: usize,
    },
    /// The same rows straight into the table.
    Unnest {
        /// Rows in a statement.
        batch: usize,
    },
    /// The API, and clients that enqueue a job a request.
    Api {
        /// Clients at once.
        clients: u64,
    },
    /// The least that an insert can be, a commit each.
    Commits {
        /// Connections at once.
        connections: u64,
    },
    /// A worker, and a job for it every so often.
    PickUp(PickUp),
    /// The least that insert, wake and take can be.
    PlainPickUp(PickUp),
    /// The engine's statements at a steady pace.
    Steady {
        /// Jobs a second.
        a_second: u64,
    },
}

/// When a worker's turn is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// It has run all there is.
    Drained,
    /// It has run the turn's jobs of more that wait.
    Enough,
    /// It and others have run the turn's jobs together.
    AllHave,
}

/// Jobs one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PickUp {
    /// Milliseconds between two.
    pub every_ms: u64,
    /// Other jobs a second.
    pub beside: u64,
}

impl PickUp {
    fn every(self) -> Duration {
        Duration::from_millis(self.every_ms)
    }
}

/// Plays a part in this process, over standard input and output.
pub async fn play(part: Part, url: &str, jobs: u64) -> anyhow::Result<()> {
    let db = connect(url).await?;
    match part {
        Part::Worker { concurrency, until } => worker::play(&db, concurrency, until, jobs).await,
        Part::Bare { batch, all } => bare::play(&db, batch, all, jobs).await,
        Part::Enqueue { batch } => enqueue::play(&db, batch, jobs).await,
        Part::Unnest { batch } => enqueue::play_bare(&db, batch, jobs).await,
        Part::Api { clients } => api::play(&db, clients, jobs).await,
        Part::Commits { connections } => plain::play_commits(&db, connections, jobs).await,
        Part::PickUp(how) => latency::play(&db, how.every(), how.beside, jobs).await,
        Part::PlainPickUp(how) => plain::play_latency(&db, how.every(), how.beside, jobs).await,
        Part::Steady { a_second } => steady::play(&db, a_second, jobs).await,
    }
}

async fn connect(url: &str) -> anyhow::Result<Db> {
    let settings = PoolSettings {
        max: 20,
        application_name: "fleet bench".to_owned(),
        // PostgreSQL reads 0 as no limit.
        statement_timeout: Duration::ZERO,
        transaction_pooler: false,
    };
    let pool = pool::connect(url, &settings).await?;
    Ok(Db::new(pool))
}

async fn left(db: &Db) -> anyhow::Result<u64> {
    let left = sqlx::query_scalar!(
        r#"-- bench.left
        SELECT count(*) AS "n!" FROM fleet.job"#
    );
    let left = left.fetch_one(db.pool()).await;
    Ok(left.context("could not count what is left")?.unsigned_abs())
}

/// How many have ended, from what the settles counted: that is a row a batch.
async fn ended(db: &Db) -> anyhow::Result<u64> {
    let ended = sqlx::query_scalar!(
        r#"-- bench.ended
        SELECT COALESCE(sum(n), 0)::bigint AS "n!" FROM fleet.flow WHERE event = 'completed'"#
    );
    let ended = ended.fetch_one(db.pool()).await;
    Ok(ended.context("could not count what ended")?.unsigned_abs())
}

/// What the database says when all jobs should have ended.
async fn summary(db: &Db, ran: u64) -> anyhow::Result<Summary> {
    let left = left(db).await?;
    Ok(Summary {
        left,
        ..summary_of_some(db, ran).await?
    })
}

/// The same where others may wait.
async fn summary_of_some(db: &Db, ran: u64) -> anyhow::Result<Summary> {
    let doubled = sqlx::query_scalar!(
        r#"-- bench.doubled
        SELECT count(*) - count(DISTINCT id) AS "n!" FROM fleet.job_history WHERE worker_id IS NOT NULL"#
    );
    let doubled = doubled.fetch_one(db.pool()).await;
    Ok(Summary {
        ran,
        doubled: doubled
            .context("could not count what ended")?
            .unsigned_abs(),
        ..Summary::default()
    })
}
