//! Sorts one ticket, in the caller's transaction: gathers, decides, and writes what follows.
//!
//! A decision that is not sure enough becomes an approval; what it would do is in the proposal, and nothing of it is applied
//! before a person says so. Where a person has said already what it is about, nobody is asked again. Only a message without words is filed at once, as the least it can be, and looked at as well.

use fleet_queue::TenantId;
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::apply::Apply;
use super::classifier::classify;
use super::decide::{Decision, Grounds, Opinion, by_person, decide};
use super::gather::{Gathered, gather};
use super::ground::{Ground, ground};
use super::kb::suggest;
use super::likes::likes;
use super::record::{self, Effect, Facts};
use super::reply::draft;
use super::room::take_room;
use super::{DECISION, sla};
use crate::approval::{self, Proposal};
use crate::telemetry;
use crate::tickets::{Held, TicketError, hold};
use fleet_queue::Job;

/// What became of a ticket.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Sorted {
    /// It is gone, or was sorted as it is.
    Skipped {
        /// Why.
        why: &'static str,
    },
    /// The decision was applied.
    Applied {
        /// What it is about.
        category: String,
        /// How urgent.
        priority: super::Priority,
        /// Whose.
        route: super::Route,
    },
    /// A person decides.
    Review {
        /// Why.
        why: &'static str,
        /// The approval that waits.
        approval_id: Uuid,
    },
}

/// What was found out before the ticket was held, because it took long.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) ground: Ground,
    /// What the second opinion is about; it is worth nothing about another.
    pub(super) revision: i32,
    pub(super) second: Option<String>,
}

/// Sorts a ticket at a revision; what was not prepared is found out here, without a second opinion.
pub async fn sort(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    revision: i32,
    prepared: Option<Prepared>,
) -> Result<Sorted, TicketError> {
    let Some(held) = hold(conn, tenant, ticket).await? else {
        return Ok(Sorted::Skipped {
            why: "the ticket is gone",
        });
    };
    if revision < held.revision {
        return Ok(Sorted::Skipped {
            why: "the customer has said more since; a later job sorts it",
        });
    }
    if held.triaged >= Some(held.revision) {
        return Ok(Sorted::Skipped {
            why: "this revision was sorted before",
        });
    }
    let (ground, second) = match prepared {
        Some(it) => (
            it.ground,
            it.second.filter(|_| it.revision == held.revision),
        ),
        None => (ground(conn, tenant).await?, None),
    };
    let settings = &ground.in_force.settings;
    let Some(gathered) = gather(conn, tenant, ticket, settings).await? else {
        return Ok(Sorted::Skipped {
            why: "the ticket is gone",
        });
    };
    let opinion = match &held.said {
        Some(category) => by_person(category),
        None => classify(conn, tenant, ground.model, &gathered.text).await?,
    };
    let decision = make(&gathered, opinion.clone(), second, &ground);
    let mut made = Made {
        gathered,
        opinion,
        decision,
        ground,
    };
    write(conn, tenant, ticket, &held, &mut made).await
}

/// A decision with what it was made from.
struct Made {
    gathered: Gathered,
    opinion: Opinion,
    decision: Decision,
    ground: Ground,
}

impl Made {
    /// Whether the decision is carried out at once.
    fn applies(&self) -> bool {
        self.decision.review.is_none() || self.gathered.text.is_empty()
    }
}

fn make(
    gathered: &Gathered,
    opinion: Opinion,
    second: Option<String>,
    ground: &Ground,
) -> Decision {
    decide(&Grounds {
        text: &gathered.text,
        opinion,
        second,
        sender: gathered.sender.clone(),
        partner: gathered.partner,
        settings: &ground.in_force.settings,
        policy: ground.policy,
    })
}

async fn write(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    held: &Held,
    made: &mut Made,
) -> Result<Sorted, TicketError> {
    let (text, settings) = (&made.gathered.text, &made.ground.in_force.settings);
    let found = suggest(conn, tenant, &made.ground.articles, &text.masked).await?;
    let likes = likes(&made.gathered, settings.duplicate_bits);
    record::links(conn, tenant, ticket, &likes).await?;
    // The partner's row is held from here on: all that can be read is read.
    if made.applies() {
        made.decision.routed = take_room(conn, tenant, held, made.decision.routed).await?;
    }
    let Made {
        gathered,
        opinion,
        decision,
        ground,
    } = &*made;
    let settings = &ground.in_force.settings;
    let promised = settings.sla.of(decision.priority).first_response;
    let reply = draft(&decision.category, &found, promised);
    let facts = Facts {
        revision: held.revision,
        text: &gathered.text,
        decision,
        suggestions: &found,
        draft: &reply,
        model: &opinion.by,
        settings_version: ground.in_force.version,
        threshold: ground.policy.threshold,
    };
    let sorted = follow(conn, tenant, ticket, held, made, &facts).await?;
    if settings.auto_reply && held.revision == 1 && decision.review.is_none() {
        record::send(conn, tenant, ticket, &reply).await?;
    }
    sla::keep_by(conn, tenant, ticket, None, ground).await?;
    telemetry::triaged(&decision.category, decision.review.is_none());
    Ok(sorted)
}

/// Writes the facts; applies the decision, or asks a person.
async fn follow(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    held: &Held,
    made: &Made,
    facts: &Facts<'_>,
) -> Result<Sorted, TicketError> {
    let decision = &made.decision;
    let effect = Effect::of(decision);
    let by = format!("triage, {}", made.opinion.by);
    let applied = made.applies().then_some((&effect, by.as_str()));
    record::change(conn, tenant, ticket, Some(facts), applied).await?;
    let Some(why) = decision.review else {
        if held.asks {
            // What a person was asked of an earlier revision is answered.
            approval::withdraw(conn, tenant, DECISION, ticket, "the ticket was sorted anew")
                .await?;
        }
        return Ok(Sorted::Applied {
            category: effect.category,
            priority: effect.priority,
            route: effect.route,
        });
    };
    let proposal = Proposal {
        tenant,
        decision: DECISION,
        subject: ticket,
        proposal: json!({ "category": effect.category, "priority": effect.priority }),
        rationale: decision.explanation.clone(),
        confidence: Some(decision.confidence),
        threshold: Some(made.ground.policy.threshold),
        apply_kind: Apply::KIND,
        expires_at: None,
    };
    let approval_id = approval::ask(conn, &proposal).await?;
    Ok(Sorted::Review { why, approval_id })
}
