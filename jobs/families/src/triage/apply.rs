//! `triage.apply`: carries out what a person said about a decision that waited.
//!
//! Trigger: the verdict, in the same transaction.
//! Effect: approved or corrected, the ticket's category, priority and route, of which the category stands from then on, and a labelled
//! example for the next training; rejected, the ticket stays with the first line, unsorted.
//! Safe to repeat because: applying the same again changes nothing, and it commits together with the job's completion.
//! Gives up when: the ticket or the approval is gone, which completes it as skipped.

use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::gather::gather;
use super::priority::{Priority, judge};
use super::record::{self, Change, Effect};
use super::room::take_room;
use super::route::route;
use super::sentiment::sentiment;
use super::settings::settings;
use super::{DECISION, check_category, label, rules, sla};
use crate::approval::{self, CorrectionError, Status, Verdict};
use crate::event::{self, Event};
use crate::tickets::{Held, TicketError, hold};

/// Carries a verdict out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Apply {
    /// The approval that was decided.
    pub approval_id: Uuid,
}

/// What is proposed, and what a correction may say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proposed {
    category: String,
    #[serde(default)]
    priority: Option<Priority>,
}

impl Proposed {
    /// What stands from now on, as after an edit: what it is about, and how urgent it is where the person said so.
    fn set(&self, corrected: bool) -> Vec<&'static str> {
        let urgency = (corrected && self.priority.is_some()).then_some("priority");
        ["category"].into_iter().chain(urgency).collect()
    }
}

impl Job for Apply {
    const KIND: &'static str = "triage.apply";
    const DESCRIPTION: &'static str =
        "Carries out what a person said about the sorting of a ticket.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            priority: 1,
            timeout: Duration::from_secs(30),
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            approval_id: Uuid::nil(),
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut tx = cx.pool().begin().await?;
        let Some(verdict) = approval::verdict(&mut tx, self.approval_id, cx.tenant()).await? else {
            return Ok(Done::nothing_to_do("the approval is gone"));
        };
        let told = carry_out(&mut tx, cx.tenant(), &verdict).await?;
        let done = cx.settle_in(&mut tx, Some(&json!({ "did": told }))).await?;
        tx.commit().await?;
        Ok(done)
    }
}

/// Says what it did.
async fn carry_out(
    conn: &mut PgConnection,
    tenant: TenantId,
    verdict: &Verdict,
) -> Result<&'static str, TicketError> {
    let ticket = verdict.subject;
    let Some(held) = hold(conn, tenant, ticket).await? else {
        return Ok("the ticket is gone");
    };
    let (said, source) = match verdict.status {
        Status::Approved => (Some(&verdict.proposal), "approved"),
        Status::Corrected => (verdict.correction.as_ref(), "corrected"),
        Status::Rejected => (None, "rejected"),
        Status::Expired | Status::Withdrawn | Status::Pending => return Ok("nobody has decided"),
    };
    let by = verdict.decided_by.as_deref().unwrap_or("a person");
    let said = said.and_then(|said| serde_json::from_value::<Proposed>(said.clone()).ok());
    // Whoever has edited the ticket since then had the last word.
    let said = said.filter(|_| held.said.is_none());
    if let Some(proposed) = &said {
        apply(conn, tenant, (ticket, &held), proposed, by, source).await?;
        // Sorting would not ask any more; and a second answer would find the category set, and go nowhere.
        approval::withdraw(conn, tenant, DECISION, ticket, "a person has decided").await?;
    }
    let corrected = verdict.status == Status::Corrected;
    let set = said.map(|said| said.set(corrected)).unwrap_or_default();
    reviewed(conn, tenant, ticket, &set).await?;
    let payload = json!({ "verdict": source, "by": by, "note": verdict.note });
    event::record(
        conn,
        tenant,
        &Event {
            kind: "ticket.reviewed",
            subject: ticket,
            payload,
        },
    )
    .await?;
    sla::keep(conn, tenant, ticket, None).await?;
    Ok(source)
}

/// Routes by what was said, and keeps it as a labelled example.
async fn apply(
    conn: &mut PgConnection,
    tenant: TenantId,
    (ticket, held): (Uuid, &Held),
    said: &Proposed,
    by: &str,
    source: &str,
) -> Result<(), sqlx::Error> {
    let in_force = settings(conn, tenant).await?;
    let Some(gathered) = gather(conn, tenant, ticket, &in_force.settings).await? else {
        return Ok(());
    };
    let hits = rules::hits(&gathered.text.masked);
    let severe = hits.iter().any(|hit| rules::SEVERE.contains(&hit.rule));
    let raising = &in_force.settings.priority;
    // As sorting would: what is said about the category says nothing against what makes it urgent.
    let judged = || {
        let mood = sentiment(&gathered.text.masked);
        judge(&said.category, &hits, mood, &gathered.sender, raising).priority
    };
    let priority = said.priority.unwrap_or_else(judged);
    let routed = route(&said.category, priority, severe, gathered.partner);
    let routed = take_room(conn, tenant, held, routed).await?;
    let effect = Effect {
        category: said.category.clone(),
        priority,
        route: routed.route,
        partner: routed.partner,
        watched: routed.watched,
        wants_partner: routed.wants_partner,
    };
    let change = Change {
        key: (tenant, ticket),
        facts: None,
        effect: Some((&effect, by)),
    };
    record::change(conn, &[change]).await?;
    label(conn, tenant, ticket, &said.category, source).await
}

/// The customer may have said more meanwhile; that waits for its own verdict.
async fn reviewed(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    set: &[&str],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- triage.reviewed
        UPDATE fleet.tickets AS t
        SET needs_review = t.needs_review AND p.pending, review_since = CASE WHEN p.pending THEN t.review_since END,
            human_set = ARRAY(SELECT DISTINCT unnest(t.human_set || $4::text[]) ORDER BY 1), version = t.version + 1
        FROM (SELECT EXISTS (SELECT FROM fleet.approvals
                             WHERE tenant_id = $1 AND subject = $2 AND decision::text = $3 AND status = 'pending') AS pending) AS p
        WHERE t.tenant_id = $1 AND t.ticket_id = $2"#,
        tenant.0,
        ticket,
        DECISION,
        set as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a person's correction can be carried out: `{"category": …, "priority": …}`, the priority may be left out.
pub async fn check_correction(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    correction: &Value,
) -> Result<(), CorrectionError> {
    let proposed: Proposed = serde_json::from_value(correction.clone()).map_err(|error| {
        CorrectionError::Refused(format!(
            "a correction is {{\"category\": …, \"priority\": low, medium or high}}: {error}"
        ))
    })?;
    check_category(&proposed.category).map_err(CorrectionError::Refused)?;
    if there(conn, tenant, ticket).await? {
        Ok(())
    } else {
        let gone = format!("there is no ticket {ticket} any more; reject it instead");
        Err(CorrectionError::Refused(gone))
    }
}

/// Without holding it: whoever decides holds the approval, and whoever sorts holds the ticket before the approval.
async fn there(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- triage.there
        SELECT EXISTS (SELECT FROM fleet.tickets WHERE tenant_id = $1 AND ticket_id = $2) AS "there!""#,
        tenant.0,
        ticket,
    )
    .fetch_one(conn)
    .await
}
