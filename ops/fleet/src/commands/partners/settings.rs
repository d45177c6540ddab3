//! `fleet partners settings`: what capacities are weighed by, with its past; and another version of it, by which everybody is scored anew.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use fleet_jobs::capacity::{Settings, change_settings, settings_history};
use serde_json::json;

use super::super::assignments::draw;
use crate::audit;
use crate::database::{Database, now};
use crate::output::Out;

#[derive(Args, Debug)]
pub(super) struct SettingsCommand {
    /// What shall hold, as JSON; what is left out has its default
    #[arg(long, value_name = "JSON")]
    set: Option<String>,
    /// Why
    #[arg(long, requires = "set")]
    reason: Option<String>,
}

impl SettingsCommand {
    pub(super) async fn run(self, database: &Database, out: Out) -> anyhow::Result<ExitCode> {
        let mut tx = database.begin().await?;
        if let Some(text) = &self.set {
            let settings: Settings = serde_json::from_str(text)
                .context("--set is not JSON that settings can be read from")?;
            let by = audit::actor();
            let version = change_settings(&mut tx, &settings, &by, self.reason.as_deref()).await?;
            let subject = format!("version {}", version.version);
            audit::record(
                &mut tx,
                "capacity.settings",
                &subject,
                self.reason.as_deref(),
            )
            .await?;
        }
        let versions = settings_history(&mut tx, 20).await?;
        let now = now(&mut tx).await?;
        tx.commit().await?;
        out.answer(&json!({ "versions": versions }), |page| {
            draw::settings(page, &versions, now);
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
