//! The least that a queue on PostgreSQL can be, on a table of its own: what ours is held against where it should cost little more.

use std::time::Duration;

use fleet_queue::Db;
use futures::future::try_join_all;
use sqlx::postgres::PgListener;
use sqlx::{Connection, PgConnection};
use tokio::time::interval;
use tokio_util::task::AbortOnDropHandle;

use crate::stage::{Stage, Summary};
use crate::stamps::Stamps;

const SCHEMA: &str = include_str!("../../sql/bare.sql");
const SEND: &str = "INSERT INTO bare.job (number) VALUES ($1)";
/// In one commit: the fastest way while nobody else sends.
const SEND_AND_WAKE: &str =
    "WITH sent AS (INSERT INTO bare.job (number) VALUES ($1)) SELECT pg_notify('bare', '')";
const WAKE: &str = "SELECT pg_notify('bare', '')";
const SEND_MANY: &str = "INSERT INTO bare.job (number) SELECT NULL FROM generate_series(1, $1)";
const TAKE: &str = "DELETE FROM bare.job WHERE ctid = ANY (ARRAY(SELECT ctid FROM bare.job ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED)) RETURNING number";
/// Between two batches of other work.
const BESIDE_EVERY: Duration = Duration::from_millis(10);

/// Insert, wake, take: one row every so often, taken by a connection that waits for its notification.
pub(super) async fn play_latency(
    db: &Db,
    every: Duration,
    beside: u64,
    jobs: u64,
) -> anyhow::Result<()> {
    let mut conn = db.connect("bench.plain").await?;
    sqlx::raw_sql(SCHEMA).execute(&mut conn).await?;
    let stamps = Stamps::of(jobs);
    let mut listener = PgListener::connect_with(db.pool()).await?;
    listener.listen("bare").await?;
    let taking = take(listener, db.connect("bench.take").await?, stamps.clone());
    let taking = AbortOnDropHandle::new(tokio::spawn(taking));
    let other = AbortOnDropHandle::new(tokio::spawn(send_beside(db.clone(), beside)));
    let mut stage = Stage::enter().await?;
    send(&mut conn, every, jobs, &stamps).await?;
    stamps.all().await;
    stage.done().await?;
    drop((taking, other));
    stage.leave(&Summary {
        ran: stamps.count(),
        figures: stamps.figures(),
        ..Summary::default()
    })
}

#[expect(clippy::disallowed_methods, reason = "the table is no migration's")]
async fn send(
    conn: &mut PgConnection,
    every: Duration,
    jobs: u64,
    stamps: &Stamps,
) -> anyhow::Result<()> {
    let mut ticks = interval(every);
    for _ in 0..jobs {
        ticks.tick().await;
        let number = stamps.send() as i64;
        let sent = sqlx::query(SEND_AND_WAKE).bind(number);
        sent.execute(&mut *conn).await?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the table is no migration's")]
async fn send_beside(db: Db, a_second: u64) -> anyhow::Result<()> {
    if a_second == 0 {
        return Ok(());
    }
    let mut conn = db.connect("bench.beside").await?;
    let batch = (a_second * BESIDE_EVERY.as_millis() as u64 / 1_000) as i64;
    let mut ticks = interval(BESIDE_EVERY);
    loop {
        ticks.tick().await;
        sqlx::query(SEND_MANY)
            .bind(batch)
            .execute(&mut conn)
            .await?;
        sqlx::query(WAKE).execute(&mut conn).await?;
    }
}

/// Takes until nothing is left, then waits for the next word.
#[expect(clippy::disallowed_methods, reason = "the table is no migration's")]
async fn take(
    mut words: PgListener,
    mut conn: PgConnection,
    stamps: Stamps,
) -> Result<(), sqlx::Error> {
    loop {
        let taken: Vec<Option<i64>> = sqlx::query_scalar(TAKE).fetch_all(&mut conn).await?;
        if taken.is_empty() {
            words.recv().await?;
        }
        for number in taken.into_iter().flatten() {
            stamps.started(number as usize);
        }
    }
}

/// So many connections, each inserting row after row, a commit each.
pub(super) async fn play_commits(db: &Db, connections: u64, jobs: u64) -> anyhow::Result<()> {
    let mut conn = db.connect("bench.plain").await?;
    sqlx::raw_sql(SCHEMA).execute(&mut conn).await?;
    let writers = (0..connections).map(|_| db.connect("bench.commits"));
    let writers = try_join_all(writers).await?;
    let mut stage = Stage::enter().await?;
    let each = jobs.div_ceil(connections);
    let writing = writers
        .into_iter()
        .map(|conn| tokio::spawn(insert(conn, each)));
    for written in try_join_all(writing).await? {
        written?;
    }
    stage.done().await?;
    conn.close().await?;
    stage.leave(&Summary {
        ran: jobs,
        ..Summary::default()
    })
}

#[expect(clippy::disallowed_methods, reason = "the table is no migration's")]
async fn insert(mut conn: PgConnection, rows: u64) -> Result<(), sqlx::Error> {
    for number in 0..rows {
        sqlx::query(SEND)
            .bind(number as i64)
            .execute(&mut conn)
            .await?;
    }
    Ok(())
}
