//! A fresh database for one entrant's turn, gone afterwards.

use std::time::Duration;

use anyhow::Context;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::{Instant, sleep};

use crate::server::{Server, connect};

/// How long a process that has ended may still be seen by the server.
const LEAVE_LIMIT: Duration = Duration::from_secs(5);

/// A database, and a connection to another one from which it can be watched and dropped.
#[derive(Debug)]
pub(crate) struct Ground {
    url: String,
    name: String,
    pub(crate) beside: PgConnection,
}

impl Ground {
    /// Made anew on the server.
    pub(crate) async fn fresh(server: &Server) -> anyhow::Result<Self> {
        let mut url =
            reqwest::Url::parse(server.url()).context("the database URL cannot be read")?;
        let name = format!("fleet_bench_{}", std::process::id());
        url.set_path(&name);
        let mut beside = connect(server.url()).await?;
        run(
            &mut beside,
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        )
        .await?;
        // The name is ours: letters and the number of this process.
        run(&mut beside, format!("CREATE DATABASE {name}"))
            .await
            .context("could not make a database; this user needs CREATEDB")?;
        Ok(Self {
            url: url.into(),
            name,
            beside,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// As an installation that has run for a while: statistics are there, and the filling's own aftermath is over.
    pub(crate) async fn come_to_rest(&mut self) -> anyhow::Result<()> {
        let mut conn = connect(&self.url).await?;
        run(&mut conn, "VACUUM (ANALYZE)".to_owned()).await?;
        run(&mut conn, "CHECKPOINT".to_owned()).await?;
        conn.close().await?;
        self.wait_until_left().await
    }

    /// Our schema.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        let mut conn = connect(&self.url).await?;
        let migrated = fleet_queue::MIGRATOR.run(&mut conn).await;
        migrated.context("the schema could not be made")?;
        Ok(conn.close().await?)
    }

    /// From now on every statement in it is in the server's log with its application's name; false where that cannot be read here.
    pub(crate) async fn log_statements(&mut self) -> anyhow::Result<bool> {
        let readable = sqlx::query_scalar!(
            r#"-- bench.log_readable
            SELECT pg_current_logfile() IS NOT NULL AND current_setting('log_line_prefix') LIKE '%\%a%'
                AND (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS "readable!""#
        );
        let readable = readable.fetch_one(&mut self.beside).await?;
        if readable {
            let all = format!(
                "ALTER DATABASE {} SET log_min_duration_statement = 0",
                self.name
            );
            run(&mut self.beside, all).await?;
        }
        Ok(readable)
    }

    /// How long the server's log is.
    pub(crate) async fn log_end(&mut self) -> anyhow::Result<i64> {
        let end = sqlx::query_scalar!(
            r#"-- bench.log_end
            SELECT COALESCE((SELECT size FROM pg_stat_file(pg_current_logfile(), true)), 0) AS "size!""#
        );
        Ok(end.fetch_one(&mut self.beside).await?)
    }

    /// What the server's log says from there on.
    pub(crate) async fn log_since(&mut self, from: i64) -> anyhow::Result<String> {
        let log = sqlx::query_scalar!(
            r#"-- bench.log
            SELECT COALESCE(pg_read_file(pg_current_logfile(), $1, 1 << 26, true), '') AS "log!""#,
            from,
        );
        Ok(log.fetch_one(&mut self.beside).await?)
    }

    /// A transaction that keeps its snapshot for as long as the connection lives, and with it every row version that it might see.
    pub(crate) async fn hold_back(&self) -> anyhow::Result<PgConnection> {
        let mut conn = connect(&self.url).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM fleet.kind";
        run(&mut conn, begin.to_owned()).await?;
        Ok(conn)
    }

    /// Commits in it so far, once everybody has left: a process reports its own last when it goes.
    pub(crate) async fn commits(&mut self) -> anyhow::Result<i64> {
        self.wait_until_left().await?;
        let commits = sqlx::query_scalar!(
            r#"-- bench.commits
            SELECT xact_commit AS "commits!" FROM pg_stat_database WHERE datname = $1"#,
            self.name,
        );
        Ok(commits.fetch_one(&mut self.beside).await?)
    }

    async fn wait_until_left(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < LEAVE_LIMIT {
            let present = sqlx::query_scalar!(
                r#"-- bench.present
                SELECT count(*) AS "n!" FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'"#,
                self.name,
            );
            if present.fetch_one(&mut self.beside).await? == 0 {
                return Ok(());
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Drops it.
    pub(crate) async fn clear(mut self) -> anyhow::Result<()> {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        run(&mut self.beside, drop)
            .await
            .with_context(|| format!("could not drop {}", self.name))?;
        Ok(self.beside.close().await?)
    }
}

async fn run(conn: &mut PgConnection, statement: String) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(conn)
        .await?;
    Ok(())
}
