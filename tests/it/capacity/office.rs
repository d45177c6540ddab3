//! An office on a database of its own: one partner of the platform, whose every figure a test writes down.

use chrono::{DateTime, Utc};
use fleet_jobs::capacity::{Capacity, ScoredAll, capacity_of, score_all};
use fleet_queue::kinds::register_kinds;
use fleet_tests::{TestDb, database};
use uuid::Uuid;

/// The partner.
pub(super) const ANN: Uuid = Uuid::from_u128(0xa1);

const OPEN: &str = "
    INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since)
    VALUES ('00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-0000000000a1', 'Ann', '2024-01-01')";

/// How many jobs of the family wait.
pub(super) const ASKED: &str = "SELECT count(*) FROM fleet.job WHERE kind = 'capacity.score'";

pub(super) struct Office {
    pub(super) db: TestDb,
}

impl Office {
    /// An office whose kinds are registered, and whose partner was not scored yet.
    pub(super) async fn open() -> Self {
        let db = database().await;
        let kinds: Vec<_> = fleet_jobs::registry().infos().cloned().collect();
        register_kinds(&mut *db.conn().await, &kinds).await.unwrap();
        db.execute(OPEN).await;
        Self { db }
    }

    /// The same with the partner scored, so that its changes ask for more.
    pub(super) async fn scored() -> Self {
        let office = Self::open().await;
        office.score().await;
        office
    }

    /// Scores everybody as of now.
    pub(super) async fn score(&self) -> ScoredAll {
        let now = self.now().await;
        score_all(&self.db.pool, now).await.unwrap()
    }

    pub(super) async fn now(&self) -> DateTime<Utc> {
        let sql = "SELECT fleet.clock()";
        sqlx::query_scalar(sql)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// The partner's capacity with all its past.
    pub(super) async fn ann(&self) -> Capacity {
        capacity_of(&mut *self.db.conn().await, ANN, 200)
            .await
            .unwrap()
            .expect("scored")
    }

    /// Makes a change, scores, and gives the new score.
    pub(super) async fn score_after(&self, change: &'static str) -> f64 {
        self.db.execute(change).await;
        self.score().await;
        self.ann().await.score
    }

    /// How many events of a kind there are.
    pub(super) async fn events(&self, kind: &str) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM fleet.event WHERE kind = $1")
            .bind(kind)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }
}
