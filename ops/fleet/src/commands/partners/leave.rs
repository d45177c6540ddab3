//! `fleet partners leave`: when a partner takes no new work.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use chrono::{DateTime, Utc};
use fleet_jobs::capacity::Listed;
use fleet_jobs::partners::{add_leave, list_leaves, remove_leave};
use serde_json::json;
use uuid::Uuid;

use crate::audit;
use crate::database::Database;
use crate::output::{Out, Table};

/// Leaves that are listed.
const SHOWN: i64 = 50;

/// Adds a leave, takes one back, or does neither.
pub(super) async fn change(
    database: &Database,
    partner: &Listed,
    span: Option<(DateTime<Utc>, DateTime<Utc>)>,
    removed: Option<Uuid>,
) -> anyhow::Result<()> {
    let (id, actor) = (partner.partner_id, audit::actor());
    let mut tx = database.begin().await?;
    let verb = if let Some((from, until)) = span {
        let added = add_leave(&mut tx, id, from, until, &actor).await?;
        added.ok_or_else(|| anyhow!("there is no partner {id} any more"))?;
        "partners.leave"
    } else if let Some(leave) = removed {
        if !remove_leave(&mut tx, id, leave, &actor).await? {
            bail!("{} has no leave {leave}", partner.name);
        }
        "partners.leave_removed"
    } else {
        return Ok(());
    };
    audit::record(&mut tx, verb, &id.to_string(), None).await?;
    Ok(tx.commit().await?)
}

/// Lists a partner's leaves.
pub(super) async fn list(
    database: &Database,
    partner: &Listed,
    out: Out,
) -> anyhow::Result<ExitCode> {
    let mut tx = database.begin().await?;
    let leaves = list_leaves(&mut tx, partner.partner_id, SHOWN).await?;
    out.answer(&json!({ "leaves": leaves }), |page| {
        let mut table = Table::new(&["ID", "FROM", "UNTIL"]);
        for leave in &leaves {
            let at = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M").to_string();
            table.row([
                leave.leave_id.to_string().into(),
                at(leave.starts_at).into(),
                at(leave.ends_at).into(),
            ]);
        }
        page.table(&table, "no leave");
    })?;
    Ok(ExitCode::SUCCESS)
}
