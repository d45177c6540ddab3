//! What a person decides about a ticket. It stands: triage never overwrites a field that a person has set.
//!
//! A category that a person gives is a labelled example for the next training. An edit may name the version that it looked at;
//! where another change came between, it is refused.

use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::TicketError;
use super::hold::{Held, hold};
use crate::approval;
use crate::event::{self, Event};
use crate::triage::{self, Priority, keep};

/// Whose a ticket is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The first line's.
    Tier1,
    /// The client's partner's.
    Partner,
    /// A senior partner's.
    Senior,
    /// An admin's.
    Admin,
}

/// What is to change; what is left out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The version that was looked at; another one now refuses the edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<Whose>,
    /// True: it is done with; false: it is not, after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<bool>,
    /// Whether it waits for the customer; no promise runs meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<bool>,
}

impl Edit {
    fn check(&self) -> Result<(), TicketError> {
        let bare = Self {
            version: self.version,
            ..Self::default()
        };
        if *self == bare {
            let problem =
                "nothing is to change: give category, priority, assigned_to, resolved or waiting";
            return Err(TicketError::refused("category", problem));
        }
        match &self.category {
            Some(category) => triage::check_category(category)
                .map_err(|problem| TicketError::refused("category", problem)),
            None => Ok(()),
        }
    }

    /// The fields that are a person's from now on.
    fn human_set(&self) -> Vec<String> {
        let fields = [
            (self.category.is_some(), "category"),
            (self.priority.is_some(), "priority"),
            (self.assigned_to.is_some(), "route"),
        ];
        fields
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, field)| (*field).to_owned())
            .collect()
    }
}

/// Carries an edit out. `None` where there is no such ticket.
pub async fn edit(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    edit: &Edit,
    actor: &str,
) -> Result<Option<i32>, TicketError> {
    edit.check()?;
    let Some(held) = hold(conn, tenant, ticket).await? else {
        return Ok(None);
    };
    if let Some(given) = edit.version.filter(|given| *given != held.version) {
        return Err(TicketError::Changed {
            given,
            now: held.version,
        });
    }
    let (level, partner) = place(conn, tenant, &held, edit.assigned_to).await?;
    if let Some(category) = &edit.category {
        triage::label(conn, tenant, ticket, category, "edited").await?;
    }
    let version = write(conn, tenant, ticket, edit, level, partner).await?;
    if !edit.human_set().is_empty() {
        approval::withdraw(
            conn,
            tenant,
            triage::DECISION,
            ticket,
            "a person has decided",
        )
        .await?;
    }
    if edit.resolved == Some(true) {
        release(conn, tenant, ticket).await?;
    }
    let payload = json!({ "by": actor, "set": edit });
    event::record(
        conn,
        tenant,
        &Event {
            kind: "ticket.edited",
            subject: ticket,
            payload,
        },
    )
    .await?;
    keep(conn, tenant, ticket, None).await?;
    Ok(Some(version))
}

/// The level, and the partner where it is one's.
async fn place(
    conn: &mut PgConnection,
    tenant: TenantId,
    held: &Held,
    to: Option<Whose>,
) -> Result<(Option<i16>, Option<Uuid>), TicketError> {
    let none = |who: &str| {
        TicketError::refused(
            "assigned_to",
            format!("no {who} has room for this client's ticket now"),
        )
    };
    match to {
        None => Ok((None, None)),
        Some(Whose::Tier1) => Ok((Some(0), None)),
        Some(Whose::Admin) => Ok((Some(3), None)),
        Some(Whose::Partner) => {
            let of = held.partner.filter(|_| held.level == 1);
            let partner = triage::take_partner(conn, tenant, held.client, of).await?;
            Ok((Some(1), Some(partner.ok_or_else(|| none("partner"))?)))
        }
        Some(Whose::Senior) => {
            let partner = match held.partner.filter(|_| held.level == 2) {
                // It has a senior already, whose room is not taken twice.
                Some(own) => Some(own),
                None => triage::take_senior(conn, tenant, None).await?,
            };
            Ok((
                Some(2),
                Some(partner.ok_or_else(|| none("senior partner"))?),
            ))
        }
    }
}

async fn write(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    edit: &Edit,
    level: Option<i16>,
    partner: Option<Uuid>,
) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- tickets.edit
        UPDATE fleet.tickets
        SET category = COALESCE($3, category), priority = COALESCE($4, priority),
            escalation_level = COALESCE($5, escalation_level),
            -- An admin still sees whose it was.
            partner_id = CASE WHEN $5 IN (1, 2) THEN $6 WHEN $5 = 0 THEN NULL ELSE partner_id END,
            watched = watched AND $5::smallint IS NULL, wants_partner = wants_partner AND $5::smallint IS NULL,
            status = CASE WHEN $7 THEN 'resolved' WHEN $7 = false AND status = 'resolved' THEN 'in_progress' ELSE status END,
            closed_at = CASE WHEN $7 THEN COALESCE(closed_at, GREATEST(fleet.clock(), opened_at)) WHEN $7 = false THEN NULL ELSE closed_at END,
            waiting = COALESCE($8, waiting) AND NOT COALESCE($7, false),
            human_set = ARRAY(SELECT DISTINCT unnest(human_set || $9::text[]) ORDER BY 1),
            needs_review = needs_review AND $9 = '{}', review_since = CASE WHEN $9 = '{}' THEN review_since END,
            version = version + 1
        WHERE tenant_id = $1 AND ticket_id = $2
        RETURNING version"#,
        tenant.0,
        ticket,
        edit.category,
        edit.priority.map(Priority::name),
        level,
        partner,
        edit.resolved,
        edit.waiting,
        &edit.human_set(),
    )
    .fetch_one(conn)
    .await
}

/// What the ticket barred its partners from ends with it.
async fn release(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- tickets.release
        UPDATE fleet.partner_escalations SET closed_at = GREATEST(fleet.clock(), opened_at)
        WHERE tenant_id = $1 AND ticket_id = $2 AND closed_at IS NULL"#,
        tenant.0,
        ticket,
    )
    .execute(conn)
    .await?;
    Ok(())
}
