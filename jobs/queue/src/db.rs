//! The handle on the database that roles hold, and the schema it must have.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnection, PgPool};

use crate::history::History;
use crate::{Error, Probes};

/// A connection that somebody owns.
pub type Connection = PgConnection;

/// Every migration, compiled in.
///
/// What was applied is noted in a table named with its schema: by its bare name it would be looked for first in a schema called as the
/// user, and where the user is `fleet`, that one exists from the first migration on.
pub static MIGRATOR: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrator = sqlx::migrate!("../../migrations");
    migrator.dangerous_set_table_name("public._sqlx_migrations");
    migrator
});

/// The newest migration that this binary knows.
#[must_use]
pub fn expected_version() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// A transaction of its own, rolled back where it is dropped.
pub type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

/// The database, the process's probes and its history. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
    probes: Probes,
    history: History,
}

impl Db {
    /// A handle on a pool, without probes.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self::with_probes(pool, Probes::default())
    }

    /// The same with probes that a test steers.
    #[must_use]
    pub fn with_probes(pool: PgPool, probes: Probes) -> Self {
        Self {
            pool,
            probes,
            history: History::default(),
        }
    }

    /// The same, with a history kept of what its process does.
    #[must_use]
    pub fn remembering(self, history: History) -> Self {
        Self { history, ..self }
    }

    /// The pool, for handlers and reads.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The named points where a test may wait, pause or kill.
    #[must_use]
    pub fn probes(&self) -> &Probes {
        &self.probes
    }

    /// Where the process notes what it asked and was answered.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// A connection from the pool.
    pub async fn acquire(
        &self,
        verb: &'static str,
    ) -> Result<sqlx::pool::PoolConnection<sqlx::Postgres>, Error> {
        self.pool.acquire().await.map_err(Error::database(verb))
    }

    /// A transaction on a connection from the pool.
    pub async fn begin(&self, verb: &'static str) -> Result<Tx, Error> {
        self.pool.begin().await.map_err(Error::database(verb))
    }

    /// A connection of the caller's own, outside the pool: what a process lives by must not wait for what its handlers hold.
    pub async fn connect(&self, verb: &'static str) -> Result<Connection, Error> {
        Connection::connect_with(&self.pool.connect_options())
            .await
            .map_err(Error::database(verb))
    }

    /// Refuses a database whose schema is older than this binary's, or so new that it says it is not for it.
    pub async fn check_schema(&self) -> Result<(), Error> {
        let mut conn = self.acquire("db.check_schema").await?;
        let found = schema_version(&mut conn).await?;
        let needed = expected_version();
        if found < needed {
            return Err(Error::Schema {
                found,
                needed,
                advice: "run `fleet migrate` first",
            });
        }
        // Newer is fine: migrations only add (migrations/README.md), so an old binary runs beside a new one during a deploy.
        Ok(())
    }
}

/// The newest migration that was applied; 0 in an empty database.
#[allow(
    clippy::disallowed_methods,
    reason = "the migrator's own table is in no migration"
)]
pub async fn schema_version(conn: &mut PgConnection) -> Result<i64, Error> {
    let exists = sqlx::query_scalar!(
        r#"-- db.schema_exists
        SELECT to_regclass('public._sqlx_migrations') IS NOT NULL AS "exists!""#
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(Error::database("db.schema_version"))?;
    if !exists {
        return Ok(0);
    }
    sqlx::query_scalar::<_, Option<i64>>(
        "SELECT max(version) FROM public._sqlx_migrations WHERE success",
    )
    .fetch_one(conn)
    .await
    .map(|version| version.unwrap_or(0))
    .map_err(Error::database("db.schema_version"))
}

/// The database's clock, which decides what is due: the processes' own may differ.
pub async fn clock(conn: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- queue.clock
        SELECT fleet.clock() AS "now!""#
    )
    .fetch_one(conn)
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Event, Record};

    #[derive(Debug)]
    struct Deaf;

    impl Record for Deaf {
        fn record(&self, _: Event) {}
    }

    #[tokio::test]
    async fn a_handle_remembers_only_where_it_is_told_to() {
        let pool = PgPool::connect_lazy("postgres://nowhere").expect("a URL");
        let db = Db::new(pool);
        assert!(!db.history().is_kept());
        assert!(db.remembering(History::kept_by(Deaf)).history().is_kept());
    }
}
