//! `fleet migrate`: brings the schema to what this binary needs. Apart from the roles, so that a deploy decides when.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use fleet_control_api::keys;
use fleet_queue::{MIGRATOR, expected_version, schema_version};
use serde_json::json;

use crate::database::{Database, Target};
use crate::output::{Hue, Out};

/// Bring the database's schema to what this binary needs
#[derive(Args, Debug)]
pub(crate) struct Migrate {
    #[command(flatten)]
    target: Target,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

impl Migrate {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect_for_changes().await?;
        let before = version(&database).await?;
        if self.dry_run {
            return Self::plan(before, out);
        }
        migrate(&database).await?;
        let key = first_key(&database).await?;
        let now = version(&database).await?;
        let said = json!({ "from": before, "to": now, "admin_key": key });
        out.answer(&said, |page| {
            match now - before {
                0 => page.line(format_args!("the schema is at {now} already")),
                _ => page.line(format_args!("the schema went from {before} to {now}")),
            }
            if let Some(key) = &key {
                page.field_hued("admin key", Hue::Green, key);
                page.line(
                    "This is the only time it is shown. `fleet keys create --admin` makes another.",
                );
            }
        })?;
        Ok(ExitCode::SUCCESS)
    }

    fn plan(before: i64, out: Out) -> anyhow::Result<ExitCode> {
        let steps: Vec<String> = MIGRATOR
            .iter()
            .filter(|step| step.version > before)
            .map(|step| format!("{:04} {}", step.version, step.description))
            .collect();
        let said = json!({ "from": before, "to": expected_version().max(before), "steps": steps });
        out.answer(&said, |page| {
            for step in &steps {
                page.line(step);
            }
            page.line(format_args!("{} to do from {before}", steps.len()));
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Applies what is missing, one process at a time.
///
/// A schema newer than this binary is left alone: migrations only add, so old binaries go on beside new ones.
pub(super) async fn migrate(database: &Database) -> anyhow::Result<()> {
    let mut conn = database.db().acquire("fleet.migrate").await?;
    if schema_version(&mut conn).await? < expected_version() {
        let applied = MIGRATOR.run(&mut *conn).await;
        applied.context("a migration failed; those before it stand, and it left nothing behind")?;
    }
    Ok(())
}

/// The first admin's key, where there is none that works.
async fn first_key(database: &Database) -> anyhow::Result<Option<String>> {
    let mut conn = database.db().acquire("keys.ensure_admin").await?;
    let created = keys::ensure_admin_key(&mut conn).await?;
    Ok(created.map(|created| created.key))
}

async fn version(database: &Database) -> anyhow::Result<i64> {
    let mut conn = database.db().acquire("db.schema_version").await?;
    Ok(schema_version(&mut conn).await?)
}
