//! Which database a command means, and how it gets there.
//!
//! Commands act as an administrator: each works in a transaction that may see every tenant's rows.
//! Nothing is set on a session, so commands work through PgBouncer in transaction mode.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use fleet_queue::Db;
use fleet_runtime::config::{Database as Settings, DatabaseUrl};
use fleet_runtime::pool::{self, PoolSettings};
use sqlx::{PgConnection, Postgres, Transaction};

use crate::roles;

/// Where `fleet up` keeps its data unless told otherwise.
pub(crate) const DEFAULT_DATA: &str = ".fleet";
/// A command asks one thing at a time, or two.
const CONNECTIONS: u32 = 4;

/// Which database.
#[derive(Args, Clone, Debug)]
pub(crate) struct Target {
    /// The database [default: that of the `fleet up` that runs on the data folder]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true
    )]
    database_url: Option<String>,
    /// The data folder of a running `fleet up`; goes before DATABASE_URL [default: .fleet]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Target {
    /// Connects, and refuses a schema that is older than this binary.
    pub(crate) async fn connect(&self) -> anyhow::Result<Database> {
        let database = self.connect_unchecked().await?;
        database.db.check_schema().await?;
        Ok(database)
    }

    /// Connects to whatever is there, as `doctor` wants it.
    pub(crate) async fn connect_unchecked(&self) -> anyhow::Result<Database> {
        let settings = roles::settings(None, |sources| sources)?;
        let url = self.url_or(settings.database.url.as_ref()).await?;
        Database::open(&url, &settings.database).await
    }

    /// Connects for work that takes as long as it takes: migrations, files, generators.
    pub(crate) async fn connect_for_changes(&self) -> anyhow::Result<Database> {
        let mut settings = roles::settings(None, |sources| sources)?;
        // PostgreSQL reads 0 as no limit.
        settings.database.statement_timeout = Duration::ZERO;
        let url = self.url_or(settings.database.url.as_ref()).await?;
        Database::open(&url, &settings.database).await
    }

    /// The database that was named outright, if one was.
    pub(crate) fn given(&self) -> Option<String> {
        self.database_url.clone().filter(|_| self.data.is_none())
    }

    /// True where a database or a data folder was named.
    pub(crate) fn is_named(&self) -> bool {
        self.database_url.is_some() || self.data.is_some()
    }

    /// The data folder, where it is what is meant and nothing runs on it.
    pub(crate) async fn idle_folder(&self) -> anyhow::Result<Option<PathBuf>> {
        let folder = match &self.data {
            Some(data) => data.as_path(),
            None if self.database_url.is_some() => return Ok(None),
            None => Path::new(DEFAULT_DATA),
        };
        let set = || roles::settings(None, |sources| sources);
        if self.data.is_none() && set()?.database.url.is_some() {
            return Ok(None);
        }
        let running = fleet_runtime::postgres::running(folder).await?;
        Ok(running.is_none().then(|| folder.to_owned()))
    }

    /// The URL: a named folder's, else the given one, else the settings', else the default folder's.
    pub(crate) async fn url_or(&self, set: Option<&DatabaseUrl>) -> anyhow::Result<String> {
        if let Some(data) = &self.data {
            return url_of(data).await;
        }
        match self
            .database_url
            .as_deref()
            .or(set.map(DatabaseUrl::expose))
        {
            Some(url) => Ok(url.to_owned()),
            None => url_of(Path::new(DEFAULT_DATA)).await,
        }
    }
}

async fn url_of(data: &Path) -> anyhow::Result<String> {
    match fleet_runtime::postgres::running(data).await? {
        Some(url) => Ok(url),
        None => bail!(
            "no database: nothing runs on {}; start `fleet up`, or name one with --database-url or DATABASE_URL",
            data.display()
        ),
    }
}

/// A connected database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    db: Db,
}

impl Database {
    /// Connects; a wrong address is known now.
    pub(crate) async fn open(url: &str, settings: &Settings) -> anyhow::Result<Self> {
        let pool = PoolSettings {
            max: CONNECTIONS,
            application_name: "fleet cli".to_owned(),
            statement_timeout: settings.statement_timeout,
            transaction_pooler: settings.transaction_pooler,
        };
        Ok(Self {
            db: Db::new(pool::connect(url, &pool).await?),
        })
    }

    pub(crate) fn db(&self) -> &Db {
        &self.db
    }

    /// A transaction that may see and touch every tenant's rows.
    pub(crate) async fn begin(&self) -> anyhow::Result<Transaction<'static, Postgres>> {
        let mut tx = self
            .db
            .pool()
            .begin()
            .await
            .context("could not begin a transaction")?;
        sqlx::query!(
            r#"-- fleet.see_all
            SELECT set_config('fleet.tenant', '*', true)"#
        )
        .fetch_one(&mut *tx)
        .await
        .context("could not act as an administrator")?;
        Ok(tx)
    }

    /// Wakes a sleeping worker of each queue; call it after the commit. A hint: workers find the jobs anyway.
    pub(crate) async fn wake(&self, queues: &[String]) {
        if let Ok(mut conn) = self.db.acquire("wake.wake").await {
            let _ = fleet_queue::wake::wake(&mut conn, queues).await;
        }
    }
}

/// The database's time, so that ages on a page agree with the rows beside them.
pub(crate) async fn now(conn: &mut PgConnection) -> anyhow::Result<DateTime<Utc>> {
    fleet_queue::clock(conn)
        .await
        .context("could not read the database's clock")
}
