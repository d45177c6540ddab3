//! One server for the run, one template, a copy for each test, dropped when the test is over.
//!
//! `cargo test` runs the integration tests in one process, so the server lives in a static and dies with the process.
//! Under a runner that gives each test a process of its own, `FLEET_TEST_SERVER` names a server they share.

use std::sync::atomic::{AtomicU32, Ordering};

use fleet_queue::{Db, MIGRATOR, Probes};
use fleet_runtime::postgres::Embedded;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};
use tokio::sync::OnceCell;

use crate::broom::{Broom, Lent};
use crate::wait::eventually;

static SERVER: OnceCell<Server> = OnceCell::const_new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Bumped by nothing but a new process: names of databases are unique on a shared server.
fn next_name() -> String {
    format!(
        "t{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

struct Server {
    options: PgConnectOptions,
    template: String,
    broom: Broom,
    // Held for its `Drop`: the server ends with the process in any case.
    _embedded: Option<Embedded>,
}

impl Server {
    async fn start() -> Self {
        fleet_runtime::crypto::install();
        let shared = std::env::var("FLEET_TEST_SERVER").ok();
        let embedded = match shared {
            Some(_) => None,
            None => Some(Embedded::throw_away().await.expect("PostgreSQL starts")),
        };
        let url = shared
            .or_else(|| embedded.as_ref().map(Embedded::url))
            .expect("one of them");
        let options: PgConnectOptions = url.parse().expect("a database URL");
        let template = format!("template_{}", std::process::id());
        let server = Self {
            broom: Broom::new(options.clone().database("postgres")),
            options,
            template,
            _embedded: embedded,
        };
        server.make_template().await;
        server
    }

    async fn admin(&self) -> PgConnection {
        let options = self
            .options
            .clone()
            .database("postgres")
            .disable_statement_logging();
        PgConnection::connect_with(&options)
            .await
            .expect("the test server answers")
    }

    async fn make_template(&self) {
        let mut admin = self.admin().await;
        let sql = format!("CREATE DATABASE {}", self.template);
        admin
            .execute(sqlx::AssertSqlSafe(sql))
            .await
            .expect("a template can be made");
        let options = self
            .options
            .clone()
            .database(&self.template)
            .disable_statement_logging();
        let mut conn = PgConnection::connect_with(&options)
            .await
            .expect("the template answers");
        MIGRATOR
            .run_direct(None, &mut conn, false)
            .await
            .expect("the migrations run");
        conn.close().await.expect("the template is left");
    }

    /// A copy under a fresh name; copies are made one after another, as PostgreSQL wants it.
    async fn copy(&self, template: &str) -> (PgConnectOptions, Lent) {
        static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let name = next_name();
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy");
        let _one = ONE.lock().await;
        let mut admin = self.admin().await;
        admin
            .execute(sqlx::AssertSqlSafe(sql))
            .await
            .expect("the template can be copied");
        (self.options.clone().database(&name), self.broom.lend(&name))
    }
}

/// A database of a test's own, which goes with this value.
pub struct TestDb {
    /// Connections to it.
    pub pool: PgPool,
    /// The engine's handle, with probes that the test steers.
    pub db: Db,
    /// Where other processes find it.
    pub url: String,
    // Last: by then the pool has let go of it.
    _lent: Option<Lent>,
}

impl TestDb {
    /// A database on a server of the test's own, with which it goes.
    #[must_use]
    pub fn elsewhere(pool: PgPool, url: String) -> Self {
        Self {
            db: Db::new(pool.clone()),
            pool,
            url,
            _lent: None,
        }
    }

    /// A connection of its own.
    pub async fn conn(&self) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
        self.pool.acquire().await.expect("a connection is free")
    }

    /// The probes of this database's roles.
    #[must_use]
    pub fn probes(&self) -> &Probes {
        self.db.probes()
    }

    /// Runs statements that answer nothing.
    pub async fn execute(&self, sql: &'static str) {
        sqlx::raw_sql(sql)
            .execute(&self.pool)
            .await
            .expect("a test's SQL is right");
    }

    /// Waits until no transaction is open: one that its owner dropped is rolled back a moment later, and holds its locks until then.
    ///
    /// # Panics
    /// At the deadline.
    pub async fn at_rest(&self) {
        const OPEN: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()";
        eventually("no transaction is open", || async {
            (self.number(OPEN).await == 0).then_some(())
        })
        .await;
    }

    /// One number out of the database.
    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.pool)
            .await
            .expect("a test's SQL is right")
    }

    /// One text out of the database.
    pub async fn text(&self, sql: &'static str) -> String {
        sqlx::query_scalar(sql)
            .fetch_one(&self.pool)
            .await
            .expect("a test's SQL is right")
    }

    /// The whole queue as text, a job a line, oldest first: kind, state, attempt, crashes, reason.
    pub async fn queue(&self) -> String {
        self.text(
            "SELECT COALESCE(string_agg(line, E'\\n' ORDER BY id), '') FROM (
                SELECT id, format('%s %s attempt=%s crashes=%s', kind, state, attempt, crashes) AS line FROM fleet.job
                UNION ALL
                SELECT id, format('%s %s attempt=%s crashes=%s%s', kind, state, attempt, crashes, ' because ' || reason) FROM fleet.job_history) j",
        )
        .await
    }
}

/// A fresh, migrated database.
pub async fn database() -> TestDb {
    let server = SERVER.get_or_init(Server::start).await;
    open(server.copy(&server.template).await).await
}

/// A database in which nothing is.
pub async fn empty_database() -> TestDb {
    let server = SERVER.get_or_init(Server::start).await;
    open(server.copy("template0").await).await
}

async fn open((options, lent): (PgConnectOptions, Lent)) -> TestDb {
    let options = options.disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(20)
        .connect_with(options.clone())
        .await
        .expect("the copy answers");
    let url = options.to_url_lossy().to_string();
    let db = Db::with_probes(pool.clone(), Probes::steerable());
    TestDb {
        pool,
        db,
        url,
        _lent: Some(lent),
    }
}
