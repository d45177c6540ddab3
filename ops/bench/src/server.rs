//! The server that everything runs on: the one that was named, or one started for the purpose and gone afterwards.

use std::os::unix::fs::PermissionsExt;

use anyhow::Context;
use fleet_runtime::postgres::{Embedded, Options};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::cpu;

/// A server, and what it stands on where it is ours.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    pid: Option<u32>,
    about: String,
    own: Option<(Embedded, TempDir)>,
}

impl Server {
    /// The server of `url`, or one of its own.
    pub(crate) async fn start(url: Option<&str>) -> anyhow::Result<Self> {
        let own = match url {
            Some(_) => None,
            None => Some(own_server().await?),
        };
        let own_url = own.as_ref().map(|(server, _)| server.url());
        let url = url.map(str::to_owned).or(own_url);
        let url = url.expect("a server is named or started");
        let mut conn = connect(&url).await?;
        let pid = main_process(&mut conn).await?;
        let about = about(&mut conn).await?;
        conn.close().await?;
        Ok(Self {
            url,
            pid,
            about,
            own,
        })
    }

    /// Where to make databases from.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its first process, where it runs on this machine.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// What it is and how durable, for the report.
    pub(crate) fn about(&self) -> &str {
        &self.about
    }

    /// Stops what was started.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        if let Some((server, folder)) = self.own {
            server.stop().await?;
            folder.close()?;
        }
        Ok(())
    }
}

pub(crate) async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    PgConnection::connect(url)
        .await
        .context("could not connect to the server")
}

/// Durable, unlike a test's: what is measured must be what is promised.
async fn own_server() -> anyhow::Result<(Embedded, TempDir)> {
    let folder = tempfile::Builder::new().prefix("fleet-bench-").tempdir()?;
    // As root the server runs under another account, which must pass; what matters inside is closed by itself.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
    let server = Embedded::start(folder.path(), Options::default()).await?;
    Ok((server, folder))
}

/// The parent of our backend, if that is a process of this machine.
async fn main_process(conn: &mut PgConnection) -> anyhow::Result<Option<u32>> {
    let backend = sqlx::query_scalar!(
        r#"-- bench.backend
        SELECT pg_backend_pid() AS "pid!""#
    );
    let backend = u32::try_from(backend.fetch_one(conn).await?)?;
    Ok(cpu::postmaster_of(backend))
}

async fn about(conn: &mut PgConnection) -> anyhow::Result<String> {
    let about = sqlx::query_scalar!(
        r#"-- bench.about
        SELECT format('PostgreSQL %s, fsync %s, synchronous_commit %s, shared_buffers %s', current_setting('server_version'),
            current_setting('fsync'), current_setting('synchronous_commit'), current_setting('shared_buffers')) AS "about!""#
    );
    Ok(about.fetch_one(conn).await?)
}
