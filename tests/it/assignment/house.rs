//! A house on a database of its own: partners and clients that a test writes down, and a worker that runs whatever is due.

use std::time::Duration;

use fleet_jobs::assignment::{Outcome, Roster, assign_now};
use fleet_jobs::capacity::score_all;
use fleet_queue::kinds::register_kinds;
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{NewJob, TenantId};
use fleet_tests::{TestDb, database, eventually};
use fleet_worker::WorkerSettings;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Whose clients they are.
pub(super) const TENANT: Uuid = Uuid::from_u128(0x7e7a);

/// Loads beside the rows that they are the sum of; every one that differs is a fault.
pub(super) const DRIFTED: &str = "
    SELECT count(*) FROM fleet.partner_capacity AS c
    WHERE c.load <> COALESCE((SELECT sum(a.weight) FROM fleet.client_assignments AS a WHERE a.partner_id = c.partner_id AND a.ended_at IS NULL), 0)
                  + COALESCE((SELECT sum(r.weight) FROM fleet.assignment_reservations AS r WHERE r.partner_id = c.partner_id AND r.ended_at IS NULL), 0)";
/// Partners beyond what they take.
pub(super) const OVER: &str = "SELECT count(*) FROM fleet.partner_capacity WHERE load > cap";
/// Clients that have more than one partner, or a partner and a proposal for the same.
pub(super) const DOUBLED: &str = "
    SELECT count(*) FROM (SELECT tenant_id, client_id FROM fleet.client_assignments WHERE ended_at IS NULL GROUP BY 1, 2 HAVING count(*) > 1) AS d";

pub(super) struct House {
    pub(super) db: TestDb,
    pub(super) roster: Roster,
}

/// The id that a name stands for.
pub(super) fn id(name: &str) -> Uuid {
    let mut bytes = [0; 16];
    for (at, byte) in name.bytes().take(16).enumerate() {
        bytes[at] = byte;
    }
    Uuid::from_bytes(bytes)
}

impl House {
    /// A house whose kinds are registered, with nobody in it, where software decides alone.
    pub(super) async fn open() -> Self {
        let db = database().await;
        let kinds: Vec<_> = fleet_jobs::registry().infos().cloned().collect();
        register_kinds(&mut *db.conn().await, &kinds).await.unwrap();
        let roster = Roster::default();
        let house = Self { db, roster };
        house.review("never").await;
        house
    }

    /// Whether people are asked: `never`, `below_threshold` or `always`.
    pub(super) async fn review(&self, review: &str) {
        let sql = "INSERT INTO fleet.approval_policies (decision, version, review, threshold, set_by)
            SELECT 'assignment', max(version) + 1, $1, 0.85, 'test' FROM fleet.approval_policies WHERE decision = 'assignment'";
        sqlx::query(sql)
            .bind(review)
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// A partner of the platform that takes so much; what else it is follows as SQL, such as `tier = 'senior'`.
    pub(super) async fn partner(&self, name: &str, cap: f64, more: &str) -> Uuid {
        let partner = id(name);
        let sql = "INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since, max_load)
            VALUES ('00000000-0000-0000-0000-000000000000', $1, $2, '2024-01-01', $3::float8::numeric)";
        let query = sqlx::query(sql).bind(partner).bind(name).bind(cap);
        query.execute(&self.db.pool).await.unwrap();
        if !more.is_empty() {
            self.change("partners", "partner_id", partner, more).await;
        }
        partner
    }

    /// A client of the tenant; what it needs follows as SQL, such as `plan = 'enterprise'`.
    pub(super) async fn client(&self, name: &str, more: &str) -> Uuid {
        let client = id(name);
        let sql = "INSERT INTO fleet.clients (tenant_id, client_id, name, active_since) VALUES ($1, $2, $3, '2024-01-01')";
        let query = sqlx::query(sql).bind(TENANT).bind(client).bind(name);
        query.execute(&self.db.pool).await.unwrap();
        if !more.is_empty() {
            self.change("clients", "client_id", client, more).await;
        }
        client
    }

    /// Sets columns of a row.
    pub(super) async fn change(&self, table: &str, key: &str, row: Uuid, set: &str) {
        let sql = format!("UPDATE fleet.{table} SET {set} WHERE {key} = '{row}'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// Scores everybody as of now.
    pub(super) async fn score(&self) {
        let now = sqlx::query_scalar("SELECT fleet.clock()");
        let now = now.fetch_one(&self.db.pool).await.unwrap();
        score_all(&self.db.pool, now).await.unwrap();
    }

    /// What the fleet decides on a client now.
    pub(super) async fn assign(&self, client: Uuid) -> Outcome {
        assign_now(&self.db.pool, &self.roster, client)
            .await
            .unwrap()
    }

    /// Who looks after the client.
    pub(super) async fn partner_of(&self, client: Uuid) -> Option<Uuid> {
        let sql = "SELECT partner_id FROM fleet.client_assignments WHERE client_id = $1 AND ended_at IS NULL";
        sqlx::query_scalar(sql)
            .bind(client)
            .fetch_optional(&self.db.pool)
            .await
            .unwrap()
    }

    /// The partner's load.
    pub(super) async fn load_of(&self, partner: Uuid) -> f64 {
        let sql = "SELECT load::float8 FROM fleet.partner_capacity WHERE partner_id = $1";
        sqlx::query_scalar(sql)
            .bind(partner)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// The latest decision's rationale on a client.
    pub(super) async fn rationale(&self, client: Uuid) -> Value {
        let sql = "SELECT rationale FROM fleet.assignment_decisions WHERE client_id = $1 ORDER BY decided_at DESC, decision_id DESC LIMIT 1";
        sqlx::query_scalar(sql)
            .bind(client)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// How many events of a kind there are.
    pub(super) async fn events(&self, kind: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM fleet.event WHERE kind = $1")
            .bind(kind)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// Enqueues a job for the tenant.
    pub(super) async fn put(&self, job: NewJob) -> Uuid {
        let job = if job.tenant == TenantId::PLATFORM {
            job.tenant(TenantId(TENANT))
        } else {
            job
        };
        enqueue(&mut *self.db.conn().await, &job)
            .await
            .unwrap()
            .id
            .0
    }

    /// Runs a worker until nothing is due any more; what is scheduled for later waits on.
    pub(super) async fn work(&self) {
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let settings = WorkerSettings {
            shutdown_grace: Duration::from_secs(20),
            ..WorkerSettings::default()
        };
        let db = self.db.db.clone();
        let worker = fleet_worker::run(settings, db, fleet_jobs::registry(), soft.clone(), hard);
        let worker = tokio::spawn(worker);
        let due = "SELECT count(*) FROM fleet.job WHERE state IN ('available', 'running')";
        eventually("nothing is due", || async {
            (self.db.number(due).await == 0).then_some(())
        })
        .await;
        soft.cancel();
        worker.await.unwrap().unwrap();
    }

    /// How a job ended, with its output or the reason.
    pub(super) async fn ended(&self, job: Uuid) -> (String, Value) {
        let sql = "SELECT h.state::text, COALESCE(o.output, to_jsonb(h.reason)) FROM fleet.job_history h LEFT JOIN fleet.job_output o ON o.job_id = h.id WHERE h.id = $1";
        sqlx::query_as(sql)
            .bind(job)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// Enqueues a job, works, and gives how it ended.
    pub(super) async fn run(&self, job: NewJob) -> (String, Value) {
        let job = self.put(job).await;
        self.work().await;
        self.ended(job).await
    }

    /// Nothing drifted, nobody is over, nobody twice.
    pub(super) async fn holds(&self) {
        for (sql, what) in [
            (DRIFTED, "loads that differ from their rows"),
            (OVER, "partners over their cap"),
            (DOUBLED, "clients with two partners"),
        ] {
            assert_eq!(self.db.number(sql).await, 0, "{what}");
        }
    }
}
