//! Reads what a decision rests on: the ticket's text, who sent it, whose it could be, what looks the same.

use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::priority::Sender;
use super::settings::Settings;
use super::text::{TEXT_MAX, Text};

/// Messages of a ticket that are read: its first, for what it is about stands there.
const MESSAGES: i64 = 10;
/// Earlier tickets of a client that are compared.
const COMPARED: i64 = 200;

/// What was read.
#[derive(Clone, Debug)]
pub(super) struct Gathered {
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
    let row = sqlx::query_file!(
        "src/triage/gather.sql",
        tenant.0,
        ticket,
        settings.priority.repeated_days as i32,
        TEXT_MAX as i32,
        MESSAGES,
        settings.duplicate_hours as i32,
        COMPARED,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Gathered {
        text: Text::of(&row.subject, &row.body),
        sender: Sender {
            plan: row.plan.unwrap_or_default(),
            monthly_budget_micros: row.budget.unwrap_or_default(),
            recent: row.recent,
        },
        partner: row.partner_id,
        earlier: row
            .earlier
            .into_iter()
            .zip(row.hashes.into_iter().map(|hash| hash as u64))
            .collect(),
        same_message: row.same_message,
    }))
}
