//! `fleet assignments settings`, `fleet partners settings`: what a family is weighed by, with its past; and another version of it.

use std::process::ExitCode;

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Args;
use fleet_jobs::settings::{Version, Versioned};
use serde::Serialize;
use serde_json::json;

use crate::audit;
use crate::database::{Database, now};
use crate::output::{Out, Page, ago};

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
    /// For the family whose settings `S` are; `action` names a change in the audit.
    pub(super) async fn run<S: Versioned>(
        self,
        database: &Database,
        action: &str,
        out: Out,
    ) -> anyhow::Result<ExitCode> {
        let mut tx = database.begin().await?;
        if let Some(text) = &self.set {
            let settings: S = serde_json::from_str(text)
                .context("--set is not JSON that settings can be read from")?;
            let by = audit::actor();
            let version = settings
                .change(&mut tx, &by, self.reason.as_deref())
                .await?;
            let subject = format!("version {}", version.version);
            audit::record(&mut tx, action, &subject, self.reason.as_deref()).await?;
        }
        let versions = S::history(&mut tx, 20).await?;
        let now = now(&mut tx).await?;
        tx.commit().await?;
        out.answer(&json!({ "versions": versions }), |page| {
            draw(page, &versions, now);
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A family's settings, the newest version first.
fn draw<S: Serialize>(page: &mut Page, versions: &[Version<S>], now: DateTime<Utc>) {
    for it in versions {
        page.heading(&format!(
            "version {}, {} by {}",
            it.version,
            ago(now, it.changed_at),
            it.changed_by
        ));
        page.field_if("reason", it.reason.as_ref());
        let fields = serde_json::to_value(&it.settings).unwrap_or_default();
        for (name, value) in fields.as_object().into_iter().flatten() {
            page.field(name, value);
        }
    }
}
