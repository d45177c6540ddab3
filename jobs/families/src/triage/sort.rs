//! Sorts tickets, in the caller's transaction: gathers, decides, and writes what follows, each statement for all of them.
//!
//! A decision that is not sure enough becomes an approval; what it would do is in the proposal, and nothing of it is applied
//! before a person says so. Where a person has said already what it is about, nobody is asked again. Only a message without words is filed at once, as the least it can be, and looked at as well.

use std::collections::HashMap;

use chrono::TimeDelta;
use fleet_queue::{Job, TenantId};
use serde::Serialize;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::apply::Apply;
use super::classifier::classify;
use super::decide::{Decision, Grounds, Opinion, by_person, decide};
use super::gather::{Gathered, gather_all};
use super::ground::{Ground, ground};
use super::kb::{Found, suggest};
use super::likes::{Member, acquaint, likes};
use super::record::{self, Change, Effect, Facts};
use super::reply::draft;
use super::room::take_rooms;
use super::{DECISION, sla};
use crate::approval::{self, Proposal};
use crate::telemetry;
use crate::tickets::{Held, Key, TicketError, hold_all};

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
        /// What it seems to be about.
        category: String,
        /// Why.
        why: &'static str,
        /// The approval that waits.
        approval_id: Uuid,
    },
}

impl Sorted {
    /// Counts it, once it is committed: what was rolled back is sorted again.
    pub(super) fn count(&self) {
        match self {
            Self::Skipped { .. } => {}
            Self::Applied { category, .. } => telemetry::triaged(category, true),
            Self::Review { category, .. } => telemetry::triaged(category, false),
        }
    }
}

/// What was found out before the ticket was held, because it took long.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) ground: Ground,
    /// About the revision that is to be sorted; it is worth nothing about another.
    pub(super) second: Option<String>,
}

/// A ticket that is to be sorted, as it is at a revision.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) key: Key,
    pub(super) revision: i32,
    pub(super) ground: &'a Ground,
    pub(super) second: Option<&'a str>,
}

/// Sorts a ticket at a revision; what was not prepared is found out here, without a second opinion.
pub async fn sort(
    conn: &mut PgConnection,
    tenant: TenantId,
    ticket: Uuid,
    revision: i32,
    prepared: Option<Prepared>,
) -> Result<Sorted, TicketError> {
    let prepared = match prepared {
        Some(it) => it,
        None => Prepared {
            ground: ground(conn, tenant).await?,
            second: None,
        },
    };
    let asked = Asked {
        key: (tenant, ticket),
        revision,
        ground: &prepared.ground,
        second: prepared.second.as_deref(),
    };
    let mut sorted = sort_all(conn, &[asked]).await?;
    Ok(sorted.pop().expect("one answer a ticket"))
}

/// Sorts tickets, each of them once in the list; one answer a ticket, in order.
pub(super) async fn sort_all(
    conn: &mut PgConnection,
    asked: &[Asked<'_>],
) -> Result<Vec<Sorted>, TicketError> {
    let keys: Vec<Key> = asked.iter().map(|it| it.key).collect();
    let held = hold_all(conn, &keys).await?;
    let standing = asked.iter().map(|it| due(it, held.get(&it.key)));
    let standing: Vec<_> = standing.collect();
    let due = asked.iter().zip(&standing);
    let due = due.filter_map(|(it, held)| Some((it, held.ok()?)));
    let mut cases = open(conn, due.collect()).await?;
    for case in &mut cases {
        case.look_up(conn).await?;
    }
    // Partners' rows are held from here on: all that can be read is read.
    let rooms = cases.iter_mut().filter(|case| case.applies());
    let rooms = rooms.map(|case| (case.asked.key.0, case.held, &mut case.decision.routed));
    take_rooms(conn, rooms.collect()).await?;
    write(conn, &cases).await?;
    let mut answers = HashMap::with_capacity(cases.len());
    for case in &cases {
        answers.insert(case.asked.key, follow(conn, case).await?);
    }
    let clocks = cases.iter().map(|case| (case.asked.key, case.ground()));
    sla::keep_all(conn, &clocks.collect::<Vec<_>>(), None).await?;
    let answer = |(it, standing): (&Asked<'_>, _)| match standing {
        Ok(_) => answers.remove(&it.key).unwrap_or(GONE),
        Err(why) => Sorted::Skipped { why },
    };
    Ok(asked.iter().zip(standing).map(answer).collect())
}

const GONE: Sorted = Sorted::Skipped {
    why: "the ticket is gone",
};

/// The ticket as it is held, or why it is left as it is.
fn due<'a>(asked: &Asked<'_>, held: Option<&'a Held>) -> Result<&'a Held, &'static str> {
    let held = held.ok_or("the ticket is gone")?;
    if asked.revision < held.revision {
        Err("the customer has said more since; a later job sorts it")
    } else if held.triaged >= Some(held.revision) {
        Err("this revision was sorted before")
    } else {
        Ok(held)
    }
}

/// A ticket with its decision and what that was made from.
struct Case<'a> {
    asked: &'a Asked<'a>,
    held: &'a Held,
    gathered: Gathered,
    opinion: Opinion,
    decision: Decision,
    found: Vec<Found>,
    reply: String,
}

/// Reads what there is about each, and decides.
async fn open<'a>(
    conn: &mut PgConnection,
    due: Vec<(&'a Asked<'a>, &'a Held)>,
) -> Result<Vec<Case<'a>>, TicketError> {
    let of = due.iter().map(|(asked, _)| {
        let (tenant, ticket) = asked.key;
        (tenant, ticket, &asked.ground.in_force.settings)
    });
    let mut gathered = gather_all(conn, &of.collect::<Vec<_>>()).await?;
    let mut members = Vec::with_capacity(due.len());
    for ((asked, held), gathered) in due.iter().zip(&mut gathered) {
        let hours = asked.ground.in_force.settings.duplicate_hours;
        members.extend(gathered.as_mut().map(|gathered| Member {
            key: asked.key,
            client: held.client,
            within: TimeDelta::hours(i64::from(hours)),
            gathered,
        }));
    }
    acquaint(&mut members);
    let mut cases = Vec::with_capacity(due.len());
    for ((asked, held), gathered) in due.into_iter().zip(gathered) {
        let Some(gathered) = gathered else { continue };
        let opinion = if let Some(category) = &held.said {
            by_person(category)
        } else {
            let model = asked.ground.model;
            classify(conn, asked.key.0, model, &gathered.text).await?
        };
        cases.push(Case::of(asked, held, gathered, opinion));
    }
    Ok(cases)
}

impl<'a> Case<'a> {
    fn of(asked: &'a Asked<'a>, held: &'a Held, gathered: Gathered, opinion: Opinion) -> Self {
        let ground = asked.ground;
        let second = asked.second.filter(|_| asked.revision == held.revision);
        let decision = decide(&Grounds {
            text: &gathered.text,
            opinion: opinion.clone(),
            second: second.map(str::to_owned),
            sender: gathered.sender.clone(),
            partner: gathered.partner,
            settings: &ground.in_force.settings,
            policy: ground.policy,
        });
        Self {
            asked,
            held,
            gathered,
            opinion,
            decision,
            found: Vec::new(),
            reply: String::new(),
        }
    }

    fn ground(&self) -> &'a Ground {
        self.asked.ground
    }

    /// Whether the decision is carried out at once.
    fn applies(&self) -> bool {
        self.decision.review.is_none() || self.gathered.text.is_empty()
    }

    /// Articles that may help, a draft of an answer, and which earlier tickets it looks like.
    async fn look_up(&mut self, conn: &mut PgConnection) -> Result<(), TicketError> {
        let (tenant, ticket) = self.asked.key;
        let (ground, text) = (self.ground(), &self.gathered.text.masked);
        self.found = suggest(conn, tenant, &ground.articles, text).await?;
        let settings = &ground.in_force.settings;
        let promised = settings.sla.of(self.decision.priority).first_response;
        self.reply = draft(&self.decision.category, &self.found, promised);
        let likes = likes(&self.gathered, settings.duplicate_bits);
        record::links(conn, tenant, ticket, &likes).await?;
        Ok(())
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            revision: self.held.revision,
            text: &self.gathered.text,
            decision: &self.decision,
            suggestions: &self.found,
            draft: &self.reply,
            model: &self.opinion.by,
            settings_version: self.ground().in_force.version,
            threshold: self.ground().policy.threshold,
        }
    }
}

/// Writes the facts, and what applies of the decisions.
async fn write(conn: &mut PgConnection, cases: &[Case<'_>]) -> Result<(), sqlx::Error> {
    if cases.is_empty() {
        return Ok(());
    }
    let facts: Vec<Facts<'_>> = cases.iter().map(Case::facts).collect();
    let effect = |case: &Case<'_>| {
        let by = || format!("triage, {}", case.opinion.by);
        case.applies().then(|| (Effect::of(&case.decision), by()))
    };
    let effects: Vec<_> = cases.iter().map(effect).collect();
    let changes = cases.iter().zip(&facts).zip(&effects);
    let changes = changes.map(|((case, facts), effect)| Change {
        key: case.asked.key,
        facts: Some(facts),
        effect: effect.as_ref().map(|(effect, by)| (effect, by.as_str())),
    });
    record::change(conn, &changes.collect::<Vec<_>>()).await
}

/// Asks a person where the decision waits; answers the customer where that is wished.
async fn follow(conn: &mut PgConnection, case: &Case<'_>) -> Result<Sorted, TicketError> {
    let (tenant, ticket) = case.asked.key;
    let decision = &case.decision;
    let Some(why) = decision.review else {
        if case.held.asks {
            // What a person was asked of an earlier revision is answered.
            approval::withdraw(conn, tenant, DECISION, ticket, "the ticket was sorted anew")
                .await?;
        }
        if case.ground().in_force.settings.auto_reply && case.held.revision == 1 {
            record::send(conn, tenant, ticket, &case.reply).await?;
        }
        return Ok(Sorted::Applied {
            category: decision.category.clone(),
            priority: decision.priority,
            route: decision.routed.route,
        });
    };
    let approval_id = ask(conn, case).await?;
    let category = decision.category.clone();
    Ok(Sorted::Review {
        category,
        why,
        approval_id,
    })
}

async fn ask(conn: &mut PgConnection, case: &Case<'_>) -> Result<Uuid, sqlx::Error> {
    let (tenant, ticket) = case.asked.key;
    let decision = &case.decision;
    let proposal = Proposal {
        tenant,
        decision: DECISION,
        subject: ticket,
        proposal: json!({ "category": decision.category, "priority": decision.priority }),
        rationale: decision.explanation.clone(),
        confidence: Some(decision.confidence),
        threshold: Some(case.ground().policy.threshold),
        apply_kind: Apply::KIND,
        expires_at: None,
    };
    approval::ask(conn, &proposal).await
}
