//! How a database looks before an entrant's turn.

use anyhow::Context;
use fleet_queue::limits::{LimitRule, set_limit};
use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::{Connection, Job};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::ground::Ground;
use crate::kinds::{Noop, waiting};
use crate::player::Program;
use crate::server::connect;

/// Jobs in one call while a database is filled.
const FILL_BATCH: usize = 10_000;
const BACKLOG: &str = include_str!("../sql/backlog.sql");

/// How a database looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Setting {
    /// Our schema, and no jobs.
    Schema,
    /// The same, while a transaction elsewhere keeps vacuum from removing anything.
    HeldBack,
    /// Our schema, and the jobs of the turn, waiting.
    Waiting(Jobs),
    /// The same with limits.
    Limited(Jobs, Limits),
    /// Our schema, and far more than the jobs of the turn.
    Stocked(Stock),
    /// Another queue's tables and jobs.
    Peer,
}

/// What kind of jobs wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Jobs {
    pub(crate) tenants: u64,
    /// How long each sleeps.
    pub(crate) ms: u64,
}

impl Jobs {
    /// Jobs of one tenant that do nothing.
    pub(crate) const PLAIN: Self = Self { tenants: 1, ms: 0 };
}

/// Limits over all jobs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits {
    /// Running at most.
    pub(crate) cap: i32,
    /// Running at most of each tenant.
    pub(crate) tenant_cap: i32,
    /// Starts a second.
    pub(crate) rate: f64,
    pub(crate) burst: i32,
    /// Whether to watch that they hold, which costs the server something.
    pub(crate) watched: bool,
}

/// How much is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stock {
    pub(crate) ready: u64,
    pub(crate) scheduled: u64,
    pub(crate) ended: u64,
    pub(crate) tenants: u64,
}

impl Setting {
    pub(crate) fn is_held_back(&self) -> bool {
        *self == Self::HeldBack
    }

    pub(crate) fn watched(&self) -> Option<Limits> {
        match self {
            Self::Limited(_, limits) if limits.watched => Some(*limits),
            _ => None,
        }
    }

    /// Makes it so; `program` is the entrant, which knows its own tables where they are not ours.
    pub(crate) async fn make(
        &self,
        program: &Program,
        ground: &Ground,
        jobs: u64,
    ) -> anyhow::Result<()> {
        if *self == Self::Peer {
            return program.fill(ground.url(), jobs).await;
        }
        ground.migrate().await?;
        let mut conn = connect(ground.url()).await?;
        match self {
            Self::Schema | Self::HeldBack | Self::Peer => {}
            Self::Waiting(kind) => fill(&mut conn, *kind, jobs).await?,
            Self::Limited(kind, limits) => {
                limits.set(&mut conn).await?;
                fill(&mut conn, *kind, jobs).await?;
            }
            Self::Stocked(stock) => stock.put(&mut conn).await?,
        }
        Ok(conn.close().await?)
    }
}

async fn fill(conn: &mut Connection, kind: Jobs, jobs: u64) -> anyhow::Result<()> {
    for batch in waiting(jobs, kind.tenants, kind.ms).chunks(FILL_BATCH) {
        enqueue_many(conn, batch).await?;
    }
    Ok(())
}

impl Limits {
    async fn set(&self, conn: &mut Connection) -> anyhow::Result<()> {
        let rule = |name: &str| LimitRule {
            name: name.to_owned(),
            ..LimitRule::default()
        };
        let all = LimitRule {
            cap: Some(self.cap),
            ..rule("all")
        };
        let tenants = LimitRule {
            per_tenant: true,
            cap: Some(self.tenant_cap),
            ..rule("each tenant")
        };
        let starts = LimitRule {
            rate: Some(self.rate),
            burst: Some(self.burst),
            ..rule("starts")
        };
        for rule in [all, tenants, starts] {
            set_limit(conn, &rule).await?;
        }
        Ok(())
    }
}

impl Stock {
    async fn put(&self, conn: &mut Connection) -> anyhow::Result<()> {
        let Self {
            ready,
            scheduled,
            ended,
            tenants,
        } = self;
        // Numbers, and a name of ours.
        let sizes = format!(
            "SET bench.ready = {ready}; SET bench.scheduled = {scheduled}; SET bench.history = {ended}; SET bench.tenants = {tenants}; SET bench.kind = '{}'",
            Noop::KIND
        );
        sqlx::raw_sql(AssertSqlSafe(sizes))
            .execute(&mut *conn)
            .await?;
        let stocked = sqlx::raw_sql(BACKLOG).execute(conn).await;
        stocked.context("the tables could not be filled")?;
        Ok(())
    }
}
