//! Where a benchmark runs: a fresh database, on the server that was named or on one started for it, and gone afterwards.

use std::os::unix::fs::PermissionsExt;

use anyhow::Context;
use fleet_queue::{Db, Probes};
use fleet_runtime::config::Settings;
use fleet_runtime::postgres::{Embedded, Options};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use crate::roles;

/// A fresh database and what it stands on.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) settings: Settings,
    pub(super) db: Db,
    /// The server's main process, where it runs on this machine.
    pub(super) server_pid: Option<u32>,
    /// Where to drop the database from, unless the whole server goes.
    drop_from: Option<String>,
    name: String,
    server: Option<(Embedded, TempDir)>,
}

impl Stage {
    /// On the server of `url`, or on one of its own.
    pub(super) async fn set(url: Option<&str>) -> anyhow::Result<Self> {
        let server = if url.is_none() {
            Some(own_server().await?)
        } else {
            None
        };
        let own = server.as_ref().map(|(server, _)| server.url());
        let place = url
            .map(str::to_owned)
            .or(own)
            .expect("one of the two is there");
        let name = format!("fleet_bench_{}", std::process::id());
        let mut conn = PgConnection::connect(&place)
            .await
            .context("could not connect to the server")?;
        create(&mut conn, &name).await?;
        let server_pid = main_process(&mut conn).await;
        conn.close().await?;

        let settings = roles::settings(None, |sources| sources.set("diagnostics", true))?;
        let mut on_it = reqwest::Url::parse(&place).context("the database URL cannot be read")?;
        on_it.set_path(&name);
        let db = roles::connect(&settings, on_it.as_str(), "bench", Probes::default()).await?;
        fleet_queue::MIGRATOR
            .run(db.pool())
            .await
            .context("the schema could not be made")?;
        roles::register_kinds(&db, &roles::registry(true)).await?;
        let drop_from = server.is_none().then_some(place);
        Ok(Self {
            settings,
            db,
            server_pid,
            drop_from,
            name,
            server,
        })
    }

    /// Drops the database, or the whole server with it.
    pub(super) async fn clear(self) -> anyhow::Result<()> {
        self.db.pool().close().await;
        if let Some(place) = self.drop_from {
            let mut conn = PgConnection::connect(&place).await?;
            let drop = AssertSqlSafe(format!("DROP DATABASE {} WITH (FORCE)", self.name));
            sqlx::raw_sql(drop)
                .execute(&mut conn)
                .await
                .with_context(|| format!("could not drop {}", self.name))?;
            conn.close().await?;
        }
        if let Some((server, folder)) = self.server {
            server.stop().await?;
            folder.close()?;
        }
        Ok(())
    }
}

async fn create(conn: &mut PgConnection, name: &str) -> anyhow::Result<()> {
    // The name is ours: letters and the number of this process.
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(create)
        .execute(conn)
        .await
        .context("could not make a database; this user needs CREATEDB")?;
    Ok(())
}

/// Durable, unlike a test's: what is measured must be what is promised.
async fn own_server() -> anyhow::Result<(Embedded, TempDir)> {
    let folder = tempfile::Builder::new().prefix("fleet-bench-").tempdir()?;
    // As root the server runs under another account, which must pass; what matters inside is closed by itself.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
    Ok((
        Embedded::start(folder.path(), Options::default()).await?,
        folder,
    ))
}

/// The parent of our backend, if that is a process of this machine.
async fn main_process(conn: &mut PgConnection) -> Option<u32> {
    let backend = sqlx::query_scalar!(
        r#"-- bench.backend
        SELECT pg_backend_pid() AS "pid!""#
    );
    let backend = u32::try_from(backend.fetch_one(conn).await.ok()?).ok()?;
    let mut system = sysinfo::System::new().ok()?;
    let pid = sysinfo::Pid::from_u32(backend);
    system.refresh_processes(sysinfo::ProcessesToUpdate::Some(&[pid]), false);
    let process = system.process(pid)?;
    process
        .name()
        .to_string_lossy()
        .contains("postgres")
        .then(|| process.parent())?
        .map(sysinfo::Pid::as_u32)
}
