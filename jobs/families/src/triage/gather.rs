//! Reads what a decision rests on: the ticket's text, who sent it, whose it could be, what looks the same.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::priority::Sender;
use super::settings::Settings;
use super::text::{TEXT_MAX, Text};

/// Messages of a ticket that are read: its first, for what it is about stands there.
const MESSAGES: i64 = 10;
/// Most tickets of a client that are counted as its recent ones.
const RECENT_MAX: u32 = 100;
/// Earlier tickets of a client that are compared.
const COMPARED: i64 = 200;

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
    pub(super) opened: DateTime<Utc>,
    pub(super) text: Text,
    pub(super) sender: Sender,
    pub(super) partner: Option<Uuid>,
    /// Earlier tickets of the client, the latest first, with their likeness.
    pub(super) earlier: Vec<(Uuid, u64)>,
    /// Earlier tickets of the client that came by one of this one's messages.
    pub(super) same_message: Vec<Uuid>,
}

/// `None` where the ticket is gone.
pub(super) async fn gather(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    settings: &Settings,
) -> Result<Option<Gathered>, sqlx::Error> {
    let gathered = gather_all(conn, &[(tenant, ticket, settings)]).await?;
    Ok(gathered.into_iter().next().flatten())
}

/// The same of several tickets, in order.
pub(super) async fn gather_all(
    conn: &mut PgConnection,
    of: &[(TenantId, Uuid, &Settings)],
) -> Result<Vec<Option<Gathered>>, sqlx::Error> {
    let days = of.iter().map(|(.., it)| it.priority.repeated_days as i32);
    let hours = of.iter().map(|(.., it)| it.duplicate_hours as i32);
    let repeated = of
        .iter()
        .map(|(.., it)| it.priority.repeated.min(RECENT_MAX) as i32);
    let rows = sqlx::query_file!(
        "src/triage/gather.sql",
        &of.iter().map(|(tenant, ..)| tenant.0).collect::<Vec<_>>(),
        &of.iter().map(|(_, ticket, _)| *ticket).collect::<Vec<_>>(),
        &days.collect::<Vec<_>>(),
        &hours.collect::<Vec<_>>(),
        TEXT_MAX as i32,
        MESSAGES,
        COMPARED,
        &repeated.collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    let mut gathered = vec![None; of.len()];
    for row in rows {
        let hashes = row.hashes.into_iter().map(|hash| hash as u64);
        gathered[row.ord as usize] = Some(Gathered {
            opened: row.opened,
            text: Text::of(&row.subject, &row.body),
            sender: Sender {
                plan: row.plan.unwrap_or_default(),
                monthly_budget_micros: row.budget.unwrap_or_default(),
                recent: row.recent,
            },
            partner: row.partner_id,
            earlier: row.earlier.into_iter().zip(hashes).collect(),
            same_message: row.same_message,
        });
    }
    Ok(gathered)
}
