//! Waking sleepers: a hint, never a promise. Polling is the truth.
//!
//! A worker that finds nothing writes its name beside the queue, looks once more, and sleeps.
//! Whoever enqueues looks for one name after its commit, and notifies that worker alone: outside the transaction,
//! because NOTIFY serializes commits, and one worker, because waking all for a lone job costs all of them a claim.

use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use uuid::Uuid;

use crate::{Db, Error, WorkerId};

/// The channel schedulers listen on: something was scheduled for soon (`fleet.foretell`), look again.
pub const SCHEDULERS: &str = "fleet_scheduler";

/// The channel a worker listens on.
#[must_use]
pub fn channel(worker: WorkerId) -> String {
    format!("fleet_worker_{}", worker.0.simple())
}

/// Notes that a worker is about to sleep for want of jobs of these queues.
pub async fn fall_asleep(
    conn: &mut PgConnection,
    worker: WorkerId,
    queues: &[String],
) -> Result<(), Error> {
    sqlx::query!(
        r#"-- wake.fall_asleep
        INSERT INTO fleet.sleeper (queue, worker_id) SELECT q, $1 FROM unnest($2::text[]) q ON CONFLICT DO NOTHING"#,
        worker.0,
        queues,
    )
    .execute(conn)
    .await
    .map_err(Error::database("wake.fall_asleep"))?;
    Ok(())
}

/// Strikes a worker's name off: it is busy.
pub async fn awake(conn: &mut PgConnection, worker: WorkerId) -> Result<(), Error> {
    sqlx::query!(
        r#"-- wake.awake
        DELETE FROM fleet.sleeper WHERE worker_id = $1"#,
        worker.0,
    )
    .execute(conn)
    .await
    .map_err(Error::database("wake.awake"))?;
    Ok(())
}

/// Wakes one sleeper for each of these queues, where any sleeps. Call it after the commit.
pub async fn wake(conn: &mut PgConnection, queues: &[String]) -> Result<usize, Error> {
    let woken = sqlx::query_scalar!(
        r#"-- wake.wake
        SELECT pg_notify('fleet_worker_' || replace(s.worker_id::text, '-', ''), q.name) IS NULL AS "woken!"
        FROM unnest($1::text[]) AS q (name)
        CROSS JOIN LATERAL (SELECT worker_id FROM fleet.sleeper WHERE queue = q.name ORDER BY random() LIMIT 1) s"#,
        queues,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("wake.wake"))?;
    Ok(woken.len())
}

/// Wakes a certain worker, so that it looks for signals at once.
pub async fn nudge(conn: &mut PgConnection, worker: WorkerId) -> Result<(), Error> {
    let name: String = channel(worker);
    sqlx::query!(
        r#"-- wake.nudge
        SELECT pg_notify($1, '') IS NULL AS sent"#,
        name,
    )
    .fetch_one(conn)
    .await
    .map_err(Error::database("wake.nudge"))?;
    Ok(())
}

/// Every queue that somebody sleeps for, for a duty that made jobs of many queues available.
pub async fn slept_for(conn: &mut PgConnection) -> Result<Vec<(String, Uuid)>, Error> {
    let rows = sqlx::query!(
        r#"-- wake.slept_for
        SELECT queue, worker_id FROM fleet.sleeper ORDER BY queue, worker_id"#
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("wake.slept_for"))?;
    Ok(rows
        .into_iter()
        .map(|row| (row.queue, row.worker_id))
        .collect())
}

/// Which of these queues may have something now for a claim by this worker: one look at all of them, instead of a claim each.
///
/// A backlog that is paused, at its limits, or of kinds that the worker does not serve is none.
/// It may name a queue of which a claim then gets nothing (others were quicker, or what was given back is of no use); it misses none.
pub async fn worth_a_claim(
    conn: &mut PgConnection,
    worker: WorkerId,
    queues: &[String],
    kinds: &[(String, i16)],
) -> Result<Vec<String>, Error> {
    let (kinds, versions): (Vec<&str>, Vec<i16>) = kinds
        .iter()
        .map(|(kind, version)| (kind.as_str(), *version))
        .unzip();
    // Arrivals count whatever they are of: the claim that folds them into lanes ends that. What is given back to a bucket waits for a claim, too.
    sqlx::query_scalar!(
        r#"-- wake.worth_a_claim
        SELECT q.name AS "name!" FROM unnest($2::text[]) AS q (name) CROSS JOIN (SELECT fleet.clock() AS now) c
        WHERE NOT EXISTS (SELECT FROM fleet.pause p WHERE p.scope = 'queue' AND p.name = q.name AND (p.until IS NULL OR p.until > c.now))
          AND (EXISTS (SELECT FROM fleet.arrival a WHERE a.queue = q.name)
            OR EXISTS (SELECT FROM fleet.lane l
                WHERE l.queue = q.name AND l.active AND l.kind = ANY ($3) AND l.version <= ($4::smallint[])[array_position($3, l.kind)]
                  AND NOT EXISTS (SELECT FROM fleet.pause p
                    WHERE (p.scope, p.name) IN (('tenant', l.tenant_id::text), ('kind', l.kind)) AND (p.until IS NULL OR p.until > c.now))
                  AND EXISTS (SELECT FROM fleet.job j
                    WHERE j.lane = l.id AND j.shelf = 0 AND j.run_at >= l.head AND j.run_at <= c.now AND j.state = 'available' OFFSET 0)
                  AND NOT EXISTS (SELECT FROM fleet.buckets_of(ARRAY[l], $1) w
                    JOIN fleet.bucket b ON b.id = w.bucket_id LEFT JOIN fleet.limit_rule r ON r.id = b.rule_id
                    WHERE fleet.allowance(b, r, l.concurrency_limit, c.now) = 0
                      AND NOT EXISTS (SELECT FROM fleet.bucket_release x WHERE x.bucket_id = b.id))))"#,
        worker.0,
        queues,
        &kinds as &[&str],
        &versions,
    )
    .fetch_all(conn)
    .await
    .map_err(Error::database("wake.worth_a_claim"))
}

/// Hears what is said on a channel, on a connection of its own.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// Starts to listen.
    pub async fn start(db: &Db, channel: &str) -> Result<Self, Error> {
        let failed = |source| Error::Database {
            verb: "wake.listen",
            source,
        };
        let mut listener = PgListener::connect_with(db.pool()).await.map_err(failed)?;
        listener.listen(channel).await.map_err(failed)?;
        Ok(Self(listener))
    }

    /// The next word: a queue's name, or nothing for "look for signals". `None` where the connection broke, and words may have been missed.
    pub async fn hear(&mut self) -> Result<Option<String>, Error> {
        let heard = self.0.try_recv().await;
        heard
            .map(|word| word.map(|word| word.payload().to_owned()))
            .map_err(Error::database("wake.listen"))
    }
}
