//! What a turn took: time, processor time of entrant and server apart, and write-ahead log.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use sqlx::PgConnection;
use tokio::time::Instant;

use crate::cpu;
use crate::figure::Figure;

/// Begun before the work, read after it.
#[derive(Debug)]
pub(crate) struct Meter {
    clients: Vec<u32>,
    server: Option<u32>,
    before: Reading,
}

#[derive(Debug)]
struct Reading {
    at: Instant,
    client: Option<Duration>,
    server: Option<Duration>,
    wal: i64,
}

/// What lies between two readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) wall: Duration,
    client: Option<Duration>,
    server: Option<Duration>,
    wal: i64,
}

impl Meter {
    /// `clients` are the entrant's processes; `server` PostgreSQL's first, where it runs on this machine.
    pub(crate) async fn begin(
        conn: &mut PgConnection,
        clients: Vec<u32>,
        server: Option<u32>,
    ) -> anyhow::Result<Self> {
        let before = Reading::now(conn, &clients, server).await?;
        Ok(Self {
            clients,
            server,
            before,
        })
    }

    pub(crate) async fn end(self, conn: &mut PgConnection) -> anyhow::Result<Used> {
        // Before the reading, which takes a round trip.
        let wall = self.before.at.elapsed();
        let after = Reading::now(conn, &self.clients, self.server).await?;
        let before = self.before;
        let spent = |after: Option<Duration>, before: Option<Duration>| {
            Some(after?.saturating_sub(before?))
        };
        Ok(Used {
            wall,
            client: spent(after.client, before.client),
            server: spent(after.server, before.server),
            wal: after.wal - before.wal,
        })
    }
}

impl Reading {
    async fn now(
        conn: &mut PgConnection,
        clients: &[u32],
        server: Option<u32>,
    ) -> anyhow::Result<Self> {
        let wal = sqlx::query_scalar!(
            r#"-- bench.wal
            SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS "wal!""#
        )
        .fetch_one(conn)
        .await
        .context("could not read the server's place in its log")?;
        Ok(Self {
            client: clients.iter().map(|pid| cpu::of_process(*pid)).sum(),
            server: server.and_then(cpu::of_family),
            wal,
            at: Instant::now(),
        })
    }
}

impl Used {
    /// By job.
    pub(crate) fn figures(&self, jobs: u64) -> BTreeMap<Figure, f64> {
        let jobs = jobs as f64;
        let micros = |spent: Duration| spent.as_secs_f64() * 1e6 / jobs;
        let both = self.client.zip(self.server);
        let known = [
            (Figure::JobsPerSecond, Some(jobs / self.wall.as_secs_f64())),
            (Figure::CpuUsPerJob, both.map(|(c, s)| micros(c + s))),
            (Figure::ClientCpuUsPerJob, self.client.map(micros)),
            (Figure::ServerCpuUsPerJob, self.server.map(micros)),
            (Figure::WalBytesPerJob, Some(self.wal as f64 / jobs)),
        ];
        let known = known.into_iter();
        known
            .filter_map(|(figure, value)| Some((figure, value?)))
            .collect()
    }
}
