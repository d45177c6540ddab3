//! Schedules on a real database, with the clock in the test's hand: each tick once (I7), and what people do to schedules.

mod control;
mod defaults;
mod firing;
mod killing;
mod overlap;
mod putting;
mod rounds;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use fleet_queue::kinds::{KindInfo, register_kinds};
use fleet_queue::schedules::{self, Definition, Expect, Put};
use fleet_queue::{Db, Error, Policy, TenantId};
use fleet_scheduler::{Duty, SchedulerSettings, Upkeep};
use fleet_tests::{TestDb, database};
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::postgres::PgPoolOptions;

/// A database whose sessions all see the time that the test says.
struct Stage {
    db: TestDb,
    pinned: Db,
    clock: Arc<Mutex<String>>,
}

impl Stage {
    /// At noon of a day in May, with the kind `toy`.
    async fn set() -> Self {
        let db = database().await;
        let clock = Arc::new(Mutex::new(String::new()));
        let (fresh, reused) = (Arc::clone(&clock), Arc::clone(&clock));
        let pool = PgPoolOptions::new()
            .max_connections(12)
            .after_connect(move |conn, _| {
                let clock = Arc::clone(&fresh);
                Box::pin(async move { pin(conn, &clock).await })
            })
            .before_acquire(move |conn, _| {
                let clock = Arc::clone(&reused);
                Box::pin(async move { pin(conn, &clock).await.map(|()| true) })
            })
            .connect_lazy(&db.url)
            .expect("the URL is right");
        let pinned = Db::with_probes(pool, db.probes().clone());
        let stage = Self { db, pinned, clock };
        stage.at("2026-05-05T12:00:00Z");
        register_toy(&mut *stage.conn().await).await;
        stage
    }

    /// Sets the clock.
    fn at(&self, time: &str) {
        *self.clock.lock().unwrap() = time.to_owned();
    }

    async fn conn(&self) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
        self.pinned.acquire("test").await.unwrap()
    }

    fn upkeep(&self) -> Upkeep {
        Upkeep::new(self.pinned.clone(), SchedulerSettings::default())
    }

    /// Another process, which no probe stops.
    fn unprobed(&self) -> Upkeep {
        let db = Db::new(self.pinned.pool().clone());
        Upkeep::new(db, SchedulerSettings::default())
    }

    async fn try_put(&self, fields: Value) -> Result<Put, Error> {
        let definition = definition(fields);
        let conn = &mut *self.conn().await;
        schedules::put(conn, TenantId::PLATFORM, &definition, Expect::Any, "tester").await
    }

    async fn put(&self, fields: Value) -> Put {
        self.try_put(fields).await.unwrap()
    }

    /// One round of the ticks duty.
    async fn tick(&self) {
        self.upkeep().tick(Duty::Ticks).await.unwrap();
    }

    /// What was decided: `minute:second outcome` a tick, in order.
    async fn ticks(&self) -> String {
        self.db
            .text("SELECT COALESCE(string_agg(to_char(tick_at AT TIME ZONE 'UTC', 'HH24:MI:SS ') || outcome, ', ' ORDER BY tick_at), '') FROM fleet.schedule_tick")
            .await
    }

    async fn jobs(&self) -> i64 {
        self.db.number("SELECT count(*) FROM fleet.job").await
    }
}

async fn pin(conn: &mut PgConnection, clock: &Mutex<String>) -> Result<(), sqlx::Error> {
    let time = clock.lock().unwrap().clone();
    sqlx::query("SELECT set_config('fleet.now', $1, false)")
        .bind(time)
        .execute(conn)
        .await
        .map(|_| ())
}

async fn register_toy(conn: &mut PgConnection) {
    let toy = KindInfo {
        kind: "toy",
        version: 1,
        policy: Policy::DEFAULT,
        schema: json!(true),
        example: json!({}),
        description: "plays",
    };
    register_kinds(conn, &[toy]).await.unwrap();
}

/// A schedule of the kind `toy`, every minute, any number at a time, unless the fields say otherwise.
fn definition(fields: Value) -> Definition {
    let mut whole = json!({ "name": "s", "kind": "toy", "cron": "* * * * *", "overlap": "allow" });
    let Value::Object(fields) = fields else {
        panic!("fields are an object")
    };
    whole.as_object_mut().unwrap().extend(fields);
    serde_json::from_value(whole).unwrap()
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}
