//! One round of each duty: what it does, that a failure leaves nothing of it, and that many at once do it once.

use fleet_queue::ProbeAction;
use fleet_scheduler::{Duty, DutyError, Round, SchedulerSettings, Upkeep};
use fleet_tests::{TestDb, database, invariants};
use serde_json::json;

use super::{due_in, put, toy, worker_holding_all};

fn upkeep(db: &TestDb) -> Upkeep {
    let settings = SchedulerSettings {
        lease_ttl: std::time::Duration::from_secs(1),
        batch: 100,
        ..SchedulerSettings::default()
    };
    Upkeep::new(db.db.clone(), settings)
}

async fn round(db: &TestDb, duty: Duty) -> Round {
    upkeep(db).tick(duty).await.unwrap()
}

/// Work for every duty.
async fn work_for_all(db: &TestDb) {
    put(db, &[toy(), toy(), toy()]).await;
    worker_holding_all(db, -3600).await;
    let mut late = toy();
    late.rare.expires_at = Some("2026-01-01T00:00:00Z".parse().unwrap());
    put(db, &[late, due_in(3_600_000)]).await;
    db.execute(
        "UPDATE fleet.job SET run_at = now() - interval '1 hour' WHERE state = 'scheduled';
         DELETE FROM fleet.arrival;
         INSERT INTO fleet.lane (id, queue, priority, level, tenant_id, kind, version, suspect, head, head_at, active, active_until)
            SELECT 1, 'old', 2, 2, tenant_id, 'toy', 1, false, now(), now(), true, now() - interval '1 minute' FROM fleet.job LIMIT 1;
         INSERT INTO fleet.pause (scope, name, reason, paused_by, since, until) VALUES ('queue', 'q', 'r', 'p', now(), now() - interval '1 second');
         INSERT INTO fleet.counter VALUES (now() - interval '90 days', 'q', '00000000-0000-0000-0000-000000000000', 'toy', 'enqueued', 1, 0, 0);
         CREATE TABLE fleet.job_log_20200101 PARTITION OF fleet.job_log FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')",
    )
    .await;
}

/// Everything that duties change, as one text.
async fn everything(db: &TestDb) -> String {
    db.text(
            "SELECT concat_ws(' | ',
                (SELECT string_agg(format('%s %s %s', state, attempt, crashes), ',' ORDER BY id) FROM fleet.job),
                (SELECT count(*) FROM fleet.job_history), (SELECT count(*) FROM fleet.arrival), (SELECT count(*) FROM fleet.lane WHERE active),
                (SELECT count(*) FROM fleet.worker WHERE ended_at IS NULL), (SELECT count(*) FROM fleet.flow), (SELECT sum(n) FROM fleet.total),
                (SELECT count(*) FROM fleet.pause), (SELECT count(*) FROM fleet.counter), (SELECT count(*) FROM pg_inherits))",
        )
        .await
}

#[tokio::test]
async fn a_round_that_fails_leaves_nothing_and_the_next_does_all() {
    for duty in Duty::ALL.into_iter().filter(|duty| {
        !matches!(
            duty,
            Duty::Ticks | Duty::Age | Duty::Partitions | Duty::Defaults
        )
    }) {
        let db = database().await;
        work_for_all(&db).await;
        let before = everything(&db).await;
        db.probes().set("upkeep.before_commit", ProbeAction::Fail);
        let failed = upkeep(&db).tick(duty).await;
        assert!(
            matches!(failed, Err(DutyError::Probe(_))),
            "{duty:?}: {failed:?}"
        );
        db.at_rest().await;
        assert_eq!(everything(&db).await, before, "{duty:?}");
        db.probes()
            .set("upkeep.before_commit", ProbeAction::Continue);
        let done = round(&db, duty).await;
        assert!(done.done > 0, "{duty:?}: {done:?}");
        assert_ne!(everything(&db).await, before, "{duty:?}");
    }
}

#[tokio::test]
async fn many_at_once_do_each_thing_once() {
    let db = database().await;
    work_for_all(&db).await;
    for _ in 0..3 {
        let all = Duty::ALL.into_iter().flat_map(|duty| [duty; 4]);
        futures::future::join_all(all.map(|duty| round(&db, duty))).await;
    }
    let told = db.queue().await;
    assert_eq!(
        told.matches("toy available attempt=0 crashes=1").count(),
        3,
        "rescued once each:\n{told}"
    );
    assert_eq!(told.matches("expired: not started").count(), 1, "{told}");
    assert_eq!(
        told.matches("toy available attempt=0 crashes=0").count(),
        1,
        "promoted once:\n{told}"
    );
    assert_eq!(
        db.number("SELECT sum(n)::bigint FROM fleet.total WHERE event = 'crashed'")
            .await,
        3
    );
    invariants::assert_hold(&db.pool).await;
}

#[tokio::test]
async fn a_round_takes_a_bounded_batch_and_says_there_is_more() {
    let db = database().await;
    let jobs: Vec<_> = (0..150).map(|_| due_in(3_600_000)).collect();
    put(&db, &jobs).await;
    db.execute("UPDATE fleet.job SET run_at = now() - interval '1 second'")
        .await;
    let first = round(&db, Duty::Promote).await;
    assert_eq!((first.done, first.more), (100, true));
    let second = round(&db, Duty::Promote).await;
    assert_eq!((second.done, second.more), (50, false));
    assert_eq!(
        second.result,
        json!({ "available": 50, "queues": ["default"] })
    );
}

#[tokio::test]
async fn partitions_are_there_for_the_days_ahead_and_go_after_their_retention() {
    let db = database().await;
    db.execute("DO $$ DECLARE t text; BEGIN FOR t IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhrelid::regclass::text ~ '\\d{8}$' LOOP EXECUTE 'DROP TABLE ' || t; END LOOP; END $$").await;
    let rounds = futures::future::join_all((0..4).map(|_| round(&db, Duty::Partitions))).await;
    let made: u64 = rounds.iter().map(|round| round.done).sum();
    assert_eq!(
        made, 16,
        "today and three days ahead, for four tables, each once"
    );
    db.execute("CREATE TABLE fleet.attempt_20200101 PARTITION OF fleet.attempt FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')").await;
    let pruned = round(&db, Duty::Prune).await;
    assert_eq!(pruned.result["partitions"], json!(["attempt_20200101"]));
}

#[tokio::test]
async fn partitions_wait_for_no_reader_so_that_no_settle_waits_for_them() {
    let db = database().await;
    db.execute("CREATE TABLE fleet.job_history_20200101 PARTITION OF fleet.job_history FOR VALUES FROM ('2020-01-01 00:00+00') TO ('2020-01-02 00:00+00')").await;
    let mut reader = db.pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM fleet.job_history")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    let refused = upkeep(&db).tick(Duty::Prune).await.unwrap_err();
    assert!(
        matches!(&refused, DutyError::Engine(error) if error.is_transient()),
        "it is tried again: {refused:?}"
    );
    reader.commit().await.unwrap();
    let pruned = round(&db, Duty::Prune).await;
    assert_eq!(pruned.result["partitions"], json!(["job_history_20200101"]));
}

#[tokio::test]
async fn days_that_no_partition_was_made_for_are_pruned_too() {
    let db = database().await;
    let late = "
        INSERT INTO fleet.attempt (job_id, tenant_id, kind, attempt, claim_no, outcome, ended_at) VALUES (fleet.new_id(), fleet.new_id(), 'toy', 1, 1, 'failed', '1999-01-01');
        INSERT INTO fleet.job_log (job_id, tenant_id, at, seq, level, message) VALUES (fleet.new_id(), fleet.new_id(), '1999-01-01', 1, 'info', 'x');
        INSERT INTO fleet.job_output (job_id, tenant_id, at, output) VALUES (fleet.new_id(), fleet.new_id(), '1999-01-01', '1')";
    db.execute(late).await;
    round(&db, Duty::Prune).await;
    let left = "SELECT (SELECT count(*) FROM fleet.attempt) + (SELECT count(*) FROM fleet.job_log) + (SELECT count(*) FROM fleet.job_output)";
    assert_eq!(db.number(left).await, 0);
}
