//! The database that a command works on: the one that is named or runs, or else the data folder's own server, for as long as the
//! command takes. So a model can be made and measured without a fleet around it, in an empty folder.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use fleet_runtime::postgres::{Embedded, Options};

use crate::commands::migrate::migrate;
use crate::database::{Database, Target};
use crate::output::Out;

/// Does `work` there. Only a command that `makes` something may make the data folder.
pub(super) async fn work(
    target: &Target,
    makes: bool,
    out: Out,
    work: impl AsyncFnOnce(Database) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(folder) = idle(target, makes).await? else {
        // A large file may take its time to be stored.
        let database = target.connect_for_changes().await?;
        database.db().check_schema().await?;
        return work(database).await;
    };
    let waiting = out.progress().spinner("starting PostgreSQL");
    let server = Embedded::start(&folder, Options::default()).await;
    waiting.finish_and_clear();
    let server = server?;
    let working = async {
        let database = target.connect_for_changes().await?;
        migrate(&database).await?;
        work(database).await
    };
    let worked = tokio::select! {
        worked = working => worked,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted; nothing was kept")),
    };
    let stopped = server.stop().await;
    worked?;
    stopped.context("PostgreSQL did not stop in good order")
}

/// The folder to start a server on, if there is no other database.
async fn idle(target: &Target, makes: bool) -> anyhow::Result<Option<PathBuf>> {
    let folder = target.idle_folder().await?;
    Ok(folder.filter(|folder| makes || folder.join("pg").is_dir()))
}
