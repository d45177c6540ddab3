//! `fleet pg`: the embedded PostgreSQL apart from the fleet: its state, its binaries, a prompt, its end.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use fleet_runtime::postgres::{self, Binaries};
use serde_json::json;

use crate::database::DEFAULT_DATA;
use crate::output::{Out, bytes};

/// The embedded PostgreSQL: its state, its binaries, a prompt, its end
#[derive(Args, Debug)]
pub(crate) struct Pg {
    /// The data folder
    #[arg(long, global = true, value_name = "DIR", default_value = DEFAULT_DATA)]
    data: PathBuf,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say whether it runs, where, and with which binaries (the default)
    Status,
    /// Fetch PostgreSQL's binaries into the data folder, for machines without a system package
    Install,
    /// Open a psql prompt on it
    Psql {
        /// Passed on to psql
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Stop a server that a killed fleet left behind
    Stop,
}

impl Pg {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        match self.action.unwrap_or(Action::Status) {
            Action::Status => status(&self.data, out).await,
            Action::Install => install(&self.data, out).await,
            Action::Psql { arguments } => psql(&self.data, &arguments).await,
            Action::Stop => stop(&self.data, out).await,
        }
    }
}

async fn status(data: &Path, out: Out) -> anyhow::Result<ExitCode> {
    let url = postgres::running(data).await?;
    let binaries = Binaries::find(data, None);
    let (folder, version) = match &binaries {
        Ok(found) => (
            Some(found.dir().display().to_string()),
            Some(found.version().to_string()),
        ),
        Err(_) => (None, None),
    };
    let said =
        json!({ "running": url.is_some(), "url": url, "binaries": folder, "version": version });
    out.answer(&said, |page| {
        page.field("data", data.display());
        page.field("running", url.as_deref().map_or("no", |_| "yes"));
        page.field_if("url", url.as_deref());
        match &binaries {
            Ok(found) => page.field(
                "binaries",
                format_args!("{} in {}", found.version(), found.dir().display()),
            ),
            Err(error) => page.field("binaries", error),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn install(data: &Path, out: Out) -> anyhow::Result<ExitCode> {
    let bar = out.progress().bytes("downloading", 0);
    let installed = postgres::install(data, &mut |progress| {
        bar.set_length(progress.total.max(progress.done));
        bar.set_position(progress.done);
    })
    .await;
    let size = bar.position();
    bar.finish_and_clear();
    let folder = installed?;
    let said = json!({ "installed": folder, "bytes": size });
    out.answer(&said, |page| {
        page.line(format_args!("{} in {}", bytes(size), folder.display()));
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Becomes psql. The password goes by the environment, for arguments are everybody's to read.
async fn psql(data: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some(url) = postgres::running(data).await? else {
        bail!(
            "nothing runs on {}; start `fleet up --data {0}` first",
            data.display()
        );
    };
    let url = reqwest::Url::parse(&url).context("the server's own URL cannot be read")?;
    let folder = Binaries::find(data, None)?.dir().to_owned();
    let mut psql = Command::new(folder.join("psql"));
    psql.args(arguments)
        .env("PGHOST", url.host_str().unwrap_or_default())
        .env("PGPORT", url.port().unwrap_or_default().to_string())
        .env("PGUSER", url.username())
        .env("PGPASSWORD", url.password().unwrap_or_default())
        .env("PGDATABASE", url.path().trim_start_matches('/'));
    // exec only comes back when it failed.
    let error = psql.exec();
    Err(error).with_context(|| format!("could not run psql from {}", folder.display()))
}

/// Adopts the server to be its owner, and ends it; a fleet that still runs holds the folder and refuses us.
async fn stop(data: &Path, out: Out) -> anyhow::Result<ExitCode> {
    let runs = postgres::running(data).await?.is_some();
    if runs {
        let server = postgres::Embedded::start(data, postgres::Options::default()).await?;
        server.stop().await?;
    }
    out.answer(&json!({ "stopped": runs }), |page| {
        if runs {
            page.line(format_args!("stopped the server of {}", data.display()));
        } else {
            page.line(format_args!("nothing runs on {}", data.display()));
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
