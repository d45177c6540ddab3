//! Decides on one client: looks at all partners, takes a slot of the best that still has one, or keeps one while a person decides,
//! or puts the client on the waitlist. All of it, with the decision and its events, is the caller's one transaction.

use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::candidates::{Found, candidates};
use super::client::Client;
use super::decision::{self, Decision, Mode};
use super::desk::Filter;
use super::overdue::Overdue;
use super::rationale::{Candidate, Rationale, Rules};
use super::reservation::{self, End};
use super::roster::Roster;
use super::slot::{self, Claim};
use super::{closing, propose, waitlist};
use crate::approval;
use crate::event::{self, Event};
use crate::telemetry;

/// Looks at all partners before a job gives way to others and tries later.
const ROUNDS: usize = 3;

/// What became of a client.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It has a partner already; a transfer would be needed to change that.
    Kept {
        /// Who looks after it.
        partner_id: Uuid,
    },
    /// A proposal for it waits for a person already.
    Waiting,
    /// The client is closed, and keeps nobody.
    Closed,
    /// A partner looks after it from now on.
    Assigned {
        /// Who.
        partner_id: Uuid,
        /// Why.
        decision_id: Uuid,
    },
    /// A person is asked; the slot is kept.
    PendingApproval {
        /// Who is proposed.
        partner_id: Uuid,
        /// Why.
        decision_id: Uuid,
        /// The question.
        approval_id: Uuid,
    },
    /// Nobody can take it now.
    Waitlisted {
        /// Why.
        decision_id: Uuid,
        /// What stands in the way of most.
        why: String,
    },
}

/// Why nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum AssignError {
    /// Every candidate's last slot went to somebody else while it was being decided on.
    #[error(
        "every candidate for client {0} was taken meanwhile, {ROUNDS} times over; trying again"
    )]
    Contended(Uuid),
    /// Somebody made room while the client was being put on the waitlist, and may not have seen it there.
    #[error("room for client {0} came up while it was put on the waitlist; trying again")]
    RoomCameUp(Uuid),
    /// A job that follows from it has no place.
    #[error(
        "queue \"{0}\" is full, so that what follows from the decision cannot be enqueued; trying again"
    )]
    QueueFull(String),
    /// A job that follows from it was refused.
    #[error("what follows from the decision could not be enqueued")]
    Queue(#[source] fleet_queue::Error),
    /// The database did not carry it out.
    #[error("the database did not carry it out")]
    Database(#[from] sqlx::Error),
}

/// What the caller wants of a decision.
#[derive(Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) roster: &'a Roster,
    pub(super) mode: Mode,
    /// Partners that are out of the question.
    pub(super) exclude: &'a [Uuid],
}

/// Decides on a client that is locked.
pub(super) async fn assign(
    conn: &mut PgConnection,
    client: &Client,
    rules: &Rules,
    wish: Wish<'_>,
) -> Result<Outcome, AssignError> {
    if let Some(settled) = settled(conn, client, rules).await? {
        return Ok(settled);
    }
    let exclude = waitlist::excluded(conn, client, wish.exclude).await?;
    let settings = &rules.settings;
    let wish = Wish {
        exclude: &exclude,
        ..wish
    };
    for round in 0..ROUNDS {
        let found = candidates(conn, wish.roster, client, settings, wish.exclude).await?;
        if found.desks.is_empty() {
            return wait(conn, client, rules, wish).await;
        }
        let all = Candidate::all(client, &found, settings);
        for (tried, chosen) in all.iter().enumerate() {
            let mut rationale = Rationale::begin(client, &found, rules);
            rationale.choose(chosen, &all[tried..], settings.confidence_slope);
            if round + tried > 0 {
                rationale.flags.push("taken_meanwhile".to_owned());
            }
            if let Some(outcome) = take(conn, client, rules, wish.mode, rationale).await? {
                return Ok(outcome);
            }
        }
    }
    Err(AssignError::Contended(client.client_id))
}

/// What needs no decision.
pub(super) async fn settled(
    conn: &mut PgConnection,
    client: &Client,
    rules: &Rules,
) -> Result<Option<Outcome>, sqlx::Error> {
    if client.status == "closed" {
        closing::give_back(conn, client, rules.version).await?;
        return Ok(Some(Outcome::Closed));
    }
    if let Some(partner_id) = client.partner_id {
        return Ok(Some(Outcome::Kept { partner_id }));
    }
    Ok(client.is_proposed.then_some(Outcome::Waiting))
}

/// Takes a proposal for the client back and gives its slot back. False where there was none.
pub(super) async fn take_back(
    conn: &mut PgConnection,
    client: &Client,
    why: &str,
) -> Result<bool, sqlx::Error> {
    let Some(open) = reservation::of_client(conn, client).await? else {
        return Ok(false);
    };
    for decision in [propose::ASSIGNMENT, propose::REBALANCE] {
        approval::withdraw(conn, client.tenant(), decision, client.client_id, why).await?;
    }
    reservation::release(conn, &open, End::Released).await?;
    Ok(true)
}

/// Locks these partners together with the one that keeps a slot for the client, in the one order.
pub(super) async fn lock_all(
    conn: &mut PgConnection,
    client: &Client,
    partners: &[Uuid],
) -> Result<(), sqlx::Error> {
    let kept = reservation::of_client(conn, client)
        .await?
        .map(|open| open.partner_id);
    let all: Vec<Uuid> = partners.iter().copied().chain(kept).collect();
    slot::lock(conn, &all).await
}

/// Takes a slot of the partner that was chosen, or keeps it for a person's decision. `None`: there is none any more.
pub(super) async fn take(
    conn: &mut PgConnection,
    client: &Client,
    rules: &Rules,
    mode: Mode,
    mut rationale: Rationale,
) -> Result<Option<Outcome>, AssignError> {
    let Some(partner) = rationale.chosen else {
        return Ok(None);
    };
    let confidence = rationale.confidence.unwrap_or(0.0);
    let policy = approval::policy(conn, client.tenant(), propose::ASSIGNMENT).await?;
    let by_value = rationale.high_value && rules.settings.review_high_value;
    let names = decision::names(conn, &rationale.speaks_of()).await?;
    rationale.put_into_words(&client.name, &names);
    let claim = Claim {
        client,
        partner,
        weight: rationale.weight,
        decision: rationale.decision_id,
        by_hand: false,
        overload: false,
    };
    if policy.waits(confidence) || by_value {
        let asked = propose::assignment(conn, &claim, rules, mode, &rationale, policy.threshold);
        return asked.await;
    }
    if slot::assign(conn, &claim).await?.is_none() {
        return Ok(None);
    }
    let payload = json!({ "partner_id": partner, "decision_id": rationale.decision_id, "mode": mode.name(), "confidence": confidence,
        "weight": rationale.weight, "flags": rationale.flags });
    let decision = Decision::reasoned(mode, "assigned", &rationale);
    decision::conclude(conn, client, &decision, &payload).await?;
    telemetry::assigned(mode.name(), "assigned");
    Ok(Some(Outcome::Assigned {
        partner_id: partner,
        decision_id: rationale.decision_id,
    }))
}

/// Puts the client on the waitlist, with somebody to be told if it stays there.
/// Looks at all partners once more, at a moment at which nobody makes room unseen: whoever does later finds the client on the list.
async fn wait(
    conn: &mut PgConnection,
    client: &Client,
    rules: &Rules,
    wish: Wish<'_>,
) -> Result<Outcome, AssignError> {
    waitlist::lock(conn).await?;
    let found = &candidates(conn, wish.roster, client, &rules.settings, wish.exclude).await?;
    if !found.desks.is_empty() {
        // To take it now would be to wait for a partner while whoever holds it may wait for this lock.
        return Err(AssignError::RoomCameUp(client.client_id));
    }
    let mut rationale = Rationale::begin(client, found, rules);
    rationale.put_into_words(&client.name, &std::collections::BTreeMap::new());
    let why = stands_in_the_way(found);
    let decision_id = rationale.decision_id;
    decision::record(
        conn,
        client,
        &Decision::reasoned(wish.mode, "waitlisted", &rationale),
    )
    .await?;
    if waitlist::put(
        conn,
        client,
        rationale.weight,
        decision_id,
        &why,
        wish.exclude,
    )
    .await?
    {
        let event = Event {
            kind: "assignment.waitlisted",
            subject: client.client_id,
            payload: json!({ "decision_id": decision_id, "why": why, "filters": rationale.filters }),
        };
        event::record(conn, client.tenant(), &event).await?;
        Overdue::schedule(conn, client, rules.settings.alert_hours).await?;
    }
    telemetry::assigned(wish.mode.name(), "waitlisted");
    Ok(Outcome::Waitlisted { decision_id, why })
}

/// The filter that removed most.
fn stands_in_the_way(found: &Found) -> String {
    let most = found
        .removed
        .iter()
        .max_by_key(|(filter, count)| (*count, std::cmp::Reverse(*filter)));
    let name = |filter: &Filter| {
        serde_json::to_value(filter)
            .ok()?
            .as_str()
            .map(str::to_owned)
    };
    most.and_then(|(filter, _)| name(filter))
        .unwrap_or_else(|| "no_partners".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_removed_most_stands_in_the_way() {
        let found = |removed: &[(Filter, i64)]| Found {
            desks: Vec::new(),
            removed: removed.to_vec(),
            looked_at: 0,
        };
        let why = |removed| stands_in_the_way(&found(removed));
        assert_eq!(why(&[]), "no_partners");
        assert_eq!(why(&[(Filter::Full, 2), (Filter::OnLeave, 1)]), "full");
        assert_eq!(why(&[(Filter::Inactive, 2), (Filter::Full, 2)]), "inactive");
    }
}
