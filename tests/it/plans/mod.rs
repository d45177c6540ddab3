//! The hot statements on large tables: each is served by indexes, and reads rows by its batch and not by what is stored.
//!
//! Each is run often enough before it is judged that the session's cached plan is the one judged. FLEET_PLANS=full makes the tables as
//! large as the promise says: 1 million live jobs, 10 million ended, 1,000 tenants; without it they are a twentieth of that.

pub(crate) mod touched;
mod verbs;

use fleet_tests::{TestDb, database};

use self::touched::{Touched, touched_by};
use self::verbs::{VERBS, Verb};

/// Jobs in a call.
const BATCH: usize = 100;
/// From the sixth run on PostgreSQL may use a plan made without looking at the parameters.
const RUNS: usize = 7;
/// Tables that grow with what is stored. The others are as small as an installation's settings, or emptied as they fill.
const LARGE: &[&str] = &[
    "job",
    "job_history",
    "lane",
    "attempt",
    "job_output",
    "total",
    "counter",
];

/// Asked by a person, or by a duty every few seconds: these may sort what they could walk until the next ANALYZE, which is not far off.
/// What a worker does at every turn may not.
const SELDOM: &[&str] = &[
    "page of all",
    "page of a tenant",
    "page of failures",
    "age",
    "sweep lanes",
];

async fn fill(db: &TestDb) {
    let times = if std::env::var("FLEET_PLANS").is_ok_and(|size| size == "full") {
        20
    } else {
        1
    };
    let mut conn = db.conn().await;
    for (name, size) in [
        ("ready", 25_000 * times),
        ("scheduled", 25_000 * times),
        ("history", 500_000 * times),
        ("tenants", 1_000),
    ] {
        sqlx::query("SELECT set_config('bench.' || $1, $2::text, false)")
            .bind(name)
            .bind(size)
            .execute(&mut *conn)
            .await
            .unwrap();
    }
    sqlx::query("SELECT set_config('bench.kind', 'toy', false)")
        .execute(&mut *conn)
        .await
        .unwrap();
    sqlx::raw_sql(include_str!("../../../ops/bench/sql/backlog.sql"))
        .execute(&mut *conn)
        .await
        .unwrap();
    // A session of its own, which the next one to use it must not inherit.
    conn.detach();
}

/// A walk through an empty partition is as good as an index; one through a large table shows in the rows.
fn judge(verb: &Verb, touched: &Touched, broken: &mut Vec<String>) {
    let large = LARGE.iter().filter_map(|table| touched.get(*table));
    let read: i64 = large.map(|reads| reads.walked + reads.fetched).sum();
    if read > verb.rows_max {
        let (name, most) = (verb.name, verb.rows_max);
        broken.push(format!(
            "{name} reads {read} rows of large tables, more than {most}: {touched:?}"
        ));
    }
}

async fn judge_all(db: &TestDb, conn: &mut sqlx::PgConnection, verbs: impl Iterator<Item = &Verb>) {
    let scene = verbs::Scene::set(db).await;
    let mut broken = Vec::new();
    for verb in verbs {
        let mut touched = Touched::new();
        for _ in 0..RUNS {
            touched = touched_by(conn, async |conn| (verb.run)(&scene, conn).await).await;
        }
        judge(verb, &touched, &mut broken);
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[tokio::test]
async fn hot_statements_read_by_batch_on_large_tables() {
    let db = database().await;
    fill(&db).await;
    db.execute("ANALYZE").await;
    judge_all(&db, &mut *db.conn().await, VERBS.iter()).await;
}

/// What was planned before the tables grew must not walk them then. Nothing else is to gather statistics: new ones would have the plans
/// made anew.
async fn planned_before(db: &TestDb) {
    db.execute(
        "DO $$ DECLARE r regclass; BEGIN
            FOR r IN SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'fleet'::regnamespace AND c.relkind = 'r' LOOP
                EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', r);
            END LOOP;
        END $$",
    )
    .await;
    let mut conn = db.conn().await;
    let scene = verbs::Scene::set(db).await;
    for verb in VERBS {
        for _ in 0..RUNS {
            touched_by(&mut conn, async |conn| (verb.run)(&scene, conn).await).await;
        }
    }
    fill(db).await;
    let hot = VERBS.iter().filter(|verb| !SELDOM.contains(&verb.name));
    judge_all(db, &mut conn, hot).await;
}

#[tokio::test]
async fn plans_made_while_tables_were_empty_stay_right_when_they_are_large() {
    planned_before(&database().await).await;
}

/// A fleet that has worked, of which `left` jobs are left.
async fn plans_made_when_few_were_left(left: i64) {
    let db = database().await;
    db.execute(
        "INSERT INTO fleet.kind (kind, version, queue, priority, max_attempts, timeout_ms, schema, example) VALUES ('toy', 1, 'default', 1, 3, 1000, '{}', '{}');
         SELECT fleet.enqueue('toy', '{}', jsonb_build_object('tenant_id', t)) FROM (SELECT gen_random_uuid() AS t FROM generate_series(1, 30)) t, generate_series(1, 40);
         SELECT fleet.fold_arrivals('default', fleet.clock())",
    )
    .await;
    sqlx::query("DELETE FROM fleet.job WHERE id NOT IN (SELECT id FROM fleet.job LIMIT $1)")
        .bind(left)
        .execute(&db.pool)
        .await
        .unwrap();
    db.execute("ANALYZE").await;
    planned_before(&db).await;
}

#[tokio::test]
async fn plans_made_when_one_job_was_left_stay_right_when_tables_are_large() {
    plans_made_when_few_were_left(1).await;
}

#[tokio::test]
async fn plans_made_when_eight_jobs_were_left_stay_right_when_tables_are_large() {
    plans_made_when_few_were_left(8).await;
}
