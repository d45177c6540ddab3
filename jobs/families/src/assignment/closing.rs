//! What a client that is closed gives back: its partner's slot, or the one kept for it, and its place on the waitlist.

use serde_json::json;
use sqlx::PgConnection;

use super::assign::{lock_all, take_back};
use super::client::Client;
use super::decision::{self, Decision, Mode};
use super::{slot, waitlist};
use crate::event::{self, Event};

/// Ends all that a closed client has. It is locked.
pub(super) async fn give_back(
    conn: &mut PgConnection,
    client: &Client,
    settings_version: i32,
) -> Result<(), sqlx::Error> {
    waitlist::remove(conn, client).await?;
    let partners: Vec<_> = client.partner_id.into_iter().collect();
    lock_all(conn, client, &partners).await?;
    take_back(conn, client, "the client was closed").await?;
    let Some(partner) = slot::end_assignment(conn, client).await? else {
        return Ok(());
    };
    slot::move_campaigns(conn, client, partner, None).await?;
    let summary = format!("{} was closed.", client.name);
    let decision = Decision::plain(
        Mode::Detach,
        "detached",
        partner,
        settings_version,
        &summary,
    );
    decision::record(conn, client, &decision).await?;
    let event = Event {
        kind: "assignment.detached",
        subject: client.client_id,
        payload: json!({ "partner_id": partner, "decision_id": decision.decision_id, "reason": "the client was closed" }),
    };
    event::record(conn, client.tenant(), &event).await
}
