//! A little of every work, and what must have come of it whatever happened meanwhile.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use fleet_jobs::diagnostics::{self, Effect, Fail};
use fleet_queue::kinds::{KindInfo, register_kinds};
use fleet_queue::schedules::{self, Definition, Expect};
use fleet_queue::transitions::claim::claim;
use fleet_queue::transitions::enqueue::enqueue_many;
use fleet_queue::workers::{Introduction, register};
use fleet_queue::{ClaimRequest, NewJob, TenantId, Turns, WorkerId};
use fleet_tests::{TestDb, eventually};
use serde_json::json;

/// Effects that a round asks for, the last of them over HTTP.
const EFFECTS: usize = 6;

/// Work that comes round after round.
#[derive(Default)]
pub(super) struct Work {
    rounds: usize,
    /// Ticks that there were when the round began.
    ticks: i64,
}

impl Work {
    /// A schedule of every second; all else comes in rounds.
    pub(super) async fn begin(db: &TestDb) -> Self {
        let mut conn = db.conn().await;
        let registry = diagnostics::registry();
        let kinds: Vec<KindInfo> = registry.infos().cloned().collect();
        register_kinds(&mut conn, &kinds).await.unwrap();
        schedules::put(
            &mut conn,
            TenantId::PLATFORM,
            &every_second(),
            Expect::New,
            "tester",
        )
        .await
        .unwrap();
        Self::default()
    }

    /// A job whose worker has died; jobs for now, for later, after another, and one that fails first.
    pub(super) async fn round(&mut self, db: &TestDb) {
        let first = self.rounds * EFFECTS;
        self.rounds += 1;
        self.ticks = db.number(TICKS).await;
        let mut conn = db.conn().await;
        orphan(db, effect(first)).await;
        let mut jobs: Vec<NewJob> = (1..EFFECTS - 1).map(|n| effect(first + n)).collect();
        jobs[1].rare.depends_on = vec![jobs[0].id];
        jobs[2].run_at = Some(Utc::now() + TimeDelta::milliseconds(300));
        jobs.push(NewJob::of(&Fail {
            times: 1,
            error: "once".into(),
        }));
        enqueue_many(&mut conn, &jobs).await.unwrap();
    }

    fn posted(&self) -> usize {
        self.rounds * EFFECTS - 1
    }

    /// Asks for the last effect over HTTP, again and again until it is answered.
    pub(super) async fn post(&self, poster: &Poster) {
        poster.post(self.posted()).await;
    }

    /// Waits until all of it has ended, and a second was fired meanwhile.
    pub(super) async fn done(&self, db: &TestDb) {
        let ended = "SELECT count(*) FROM fleet.job_history WHERE kind IN ('diagnostics.effect', 'diagnostics.fail')";
        let all = (self.rounds * (EFFECTS + 1)) as i64;
        eventually("all work has ended", || async {
            (db.number(ended).await >= all).then_some(())
        })
        .await;
        eventually("a tick is fired", || async {
            (db.number(TICKS).await > self.ticks).then_some(())
        })
        .await;
    }

    /// Every job completed, with its effect once; every tick has one job.
    pub(super) async fn check(&self, db: &TestDb) {
        let ends = "SELECT string_agg(line, ', ') FROM (SELECT kind || ' ' || state || ' ' || count(*) AS line FROM fleet.job_history
            WHERE kind IN ('diagnostics.effect', 'diagnostics.fail') GROUP BY kind, state ORDER BY kind) l";
        let (effects, failed) = (self.rounds * EFFECTS, self.rounds);
        assert_eq!(
            db.text(ends).await,
            format!("diagnostics.effect completed {effects}, diagnostics.fail completed {failed}")
        );
        let happened =
            "SELECT count(*) || ' of ' || count(DISTINCT key) FROM fleet.diagnostic_effect";
        assert_eq!(
            db.text(happened).await,
            format!("{effects} of {effects}"),
            "effects in all, and different ones"
        );
        // In one statement: the next tick may fire meanwhile.
        let of_ticks = "SELECT count(*) || ' jobs of ' || count(DISTINCT metadata->'schedule'->>'tick_at') || ' ticks, ' || (SELECT count(*) FROM fleet.schedule_tick) || ' fired'
            FROM (SELECT kind, metadata FROM fleet.job UNION ALL SELECT kind, metadata FROM fleet.job_history) j WHERE kind = 'diagnostics.noop'";
        let seen = db.text(of_ticks).await;
        let jobs = seen.split(' ').next().unwrap_or_default();
        assert_eq!(
            seen,
            format!("{jobs} jobs of {jobs} ticks, {jobs} fired"),
            "one job a tick"
        );
    }
}

/// A job whose worker has died with it; it is never seen waiting, so nobody else takes it before.
async fn orphan(db: &TestDb, job: NewJob) {
    let mut tx = db.db.begin("tests.orphan").await.unwrap();
    let dead = Introduction {
        id: WorkerId::generate(),
        host: "graveyard".into(),
        pid: 1,
        version: "test".into(),
        queues: [(job.queue.clone(), 1)].into(),
        kinds: vec![job.kind.clone()],
        capacity: 1,
    };
    register(&mut tx, &dead, Duration::from_secs(60))
        .await
        .unwrap();
    let queue = job.queue.clone();
    let kinds = [(job.kind.clone(), job.version)];
    enqueue_many(&mut tx, &[NewJob { priority: 0, ..job }])
        .await
        .unwrap();
    let request = ClaimRequest {
        worker: dead.id,
        token: 1,
        queue: &queue,
        limit: 1,
        kinds: &kinds,
    };
    let claimed = claim(&mut tx, request, &mut Turns::default())
        .await
        .unwrap();
    assert_eq!(claimed.len(), 1);
    sqlx::query("UPDATE fleet.worker SET lease_until = 'epoch' WHERE id = $1")
        .bind(dead.id.0)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

const TICKS: &str = "SELECT count(*) FROM fleet.schedule_tick";

fn effect(n: usize) -> NewJob {
    NewJob::of(&Effect {
        key: format!("effect {n}"),
        ms: 0,
    })
}

fn every_second() -> Definition {
    let definition =
        json!({ "name": "s", "kind": "diagnostics.noop", "cron": "@every 1s", "overlap": "allow" });
    serde_json::from_value(definition).unwrap()
}

/// A client that asks again, with the same Idempotency-Key, until it has an answer.
pub(super) struct Poster {
    url: String,
    key: String,
    client: reqwest::Client,
}

impl Poster {
    pub(super) fn new(base: String, key: String) -> Self {
        // An answer that is held up is given up soon: then the same request comes again beside the first.
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(1))
            .build()
            .unwrap();
        Self {
            url: format!("{base}/v1/jobs"),
            key,
            client,
        }
    }

    async fn post(&self, n: usize) {
        let body =
            json!({ "kind": "diagnostics.effect", "payload": { "key": format!("effect {n}") } });
        eventually("the API takes the job", || async {
            let request = self
                .client
                .post(&self.url)
                .bearer_auth(&self.key)
                .json(&body);
            let answer = request
                .header("idempotency-key", n.to_string())
                .send()
                .await;
            answer
                .is_ok_and(|answer| answer.status().is_success())
                .then_some(())
        })
        .await;
    }
}
