//! `assignment.rebalance`: proposes which clients of a busy partner others should take over.
//!
//! Trigger: a person, or whoever watches `capacity.near_full`.
//! Effect: proposals, each with a slot kept at the partner that would take over, until the load would be down to the share of its cap
//! that the settings name. Nothing moves before a person approves.
//! Safe to repeat because: a client whose proposal waits counts as moved and is not proposed again.
//! Gives up when: there is no such partner, or not of the job's tenant.

use std::time::Duration;

use fleet_queue::{Cx, Done, Job, JobError, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::auto::{refused, rules};
use super::candidates::{Field, candidates};
use super::client::{self, Client, ClientError};
use super::decision::{self, Decision, Mode};
use super::propose::{self, REBALANCE};
use super::rationale::{Candidate, Rationale, Rules};
use super::roster::Roster;
use super::slot::Claim;
use super::{partner, standing};
use crate::approval;
use crate::partners::is_known;

/// Clients that are looked at.
const LOOKED_AT: i64 = 100;
/// Proposals that one job makes: a person has to read them.
const PROPOSED_MAX: usize = 20;

/// Relieves a partner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebalance {
    /// The partner.
    pub partner_id: Uuid,
    /// Why; at most 1,000 characters.
    #[schemars(length(max = 1000))]
    pub reason: String,
}

/// What was proposed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rebalanced {
    /// How much the partner carries beyond what it should.
    pub excess: f64,
    /// Questions to a person.
    pub approvals: Vec<Uuid>,
    /// Load that would go.
    pub relieved: f64,
}

impl Job for Rebalance {
    const KIND: &'static str = "assignment.rebalance";
    const DESCRIPTION: &'static str =
        "Proposes which clients of a busy partner others should take over.";

    type Deps = Roster;

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(5),
            max_attempts: 8,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            partner_id: Uuid::nil(),
            reason: "over its cap since it was lowered".to_owned(),
        }
    }

    async fn run(self, cx: Cx<Roster>) -> JobResult {
        if !(1..=1000).contains(&self.reason.chars().count()) {
            return Err(JobError::discard("reason: must be 1 to 1,000 characters"));
        }
        let run = standing::follow(cx.pool(), cx.deps()).await?;
        let mut conn = cx.pool().acquire().await?;
        if !is_known(&mut conn, self.partner_id, cx.tenant()).await? {
            let unknown = format!("partner_id: there is no partner {}", self.partner_id);
            return Err(JobError::discard(unknown));
        }
        let rules = rules(&mut conn, run).await?;
        let excess = excess(&mut conn, self.partner_id, rules.settings.rebalance_to).await?;
        let mut done = Rebalanced {
            excess,
            ..Rebalanced::default()
        };
        if excess <= 0.0 {
            return Done::output(&done);
        }
        for (tenant, client) in self.order(&mut conn, cx.deps(), &rules).await? {
            if done.relieved >= excess || done.approvals.len() >= PROPOSED_MAX {
                break;
            }
            let mut tx = conn.begin().await?;
            if let Some((approval, weight)) = self
                .propose(&mut tx, cx.deps(), (tenant, client), &rules)
                .await?
            {
                done.approvals.push(approval);
                done.relieved += weight;
            }
            tx.commit().await?;
        }
        Done::output(&done)
    }
}

impl Rebalance {
    /// Clients whom somebody else would serve, those first who would gain most by it.
    async fn order(
        &self,
        conn: &mut PgConnection,
        roster: &Roster,
        rules: &Rules,
    ) -> Result<Vec<(Uuid, Uuid)>, JobError> {
        let (tenants, clients) = partner::clients_of(conn, self.partner_id, LOOKED_AT).await?;
        let clients = client::read(conn, &tenants, &clients).await?;
        let (field, settings) = (Field::look(conn, roster, &clients).await?, &rules.settings);
        let mut order = Vec::new();
        for (place, client) in clients.iter().enumerate() {
            if client.is_proposed || client.partner_id != Some(self.partner_id) {
                continue;
            }
            let found = field.candidates(place, client, settings, &[self.partner_id]);
            let best = found.desks.first();
            let best = best.map(|desk| Candidate::of(client, desk, settings).score);
            order.extend(best.map(|best| (best, client.tenant_id, client.client_id)));
        }
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
        Ok(order
            .into_iter()
            .map(|(_, tenant, client)| (tenant, client))
            .collect())
    }

    /// Keeps a slot and asks. `None`: the client has moved, or nobody can take it any more.
    async fn propose(
        &self,
        conn: &mut PgConnection,
        roster: &Roster,
        (tenant, client): (Uuid, Uuid),
        rules: &Rules,
    ) -> Result<Option<(Uuid, f64)>, JobError> {
        let client = match client::lock(conn, client, TenantId(tenant)).await {
            Ok(client) => client,
            Err(ClientError::Unknown(_)) => return Ok(None),
            Err(error) => return Err(refused(error)),
        };
        if client.is_proposed || client.partner_id != Some(self.partner_id) {
            return Ok(None);
        }
        let not = [self.partner_id];
        let found = candidates(conn, roster, &client, &rules.settings, &not).await?;
        let all = Candidate::all(&client, &found, &rules.settings);
        let Some(best) = all.first() else {
            return Ok(None);
        };
        let mut rationale = Rationale::begin(&client, &found, rules);
        rationale.choose(best, &all, rules.settings.confidence_slope);
        rationale.flags.push("rebalance".to_owned());
        let names = decision::names(conn, &rationale.speaks_of()).await?;
        rationale.put_into_words(&client.name, &names);
        self.ask(conn, &client, best.partner_id, rules, &rationale)
            .await
    }

    async fn ask(
        &self,
        conn: &mut PgConnection,
        client: &Client,
        to: Uuid,
        rules: &Rules,
        rationale: &Rationale,
    ) -> Result<Option<(Uuid, f64)>, JobError> {
        let claim = Claim {
            client,
            partner: to,
            weight: rationale.weight,
            decision: rationale.decision_id,
            by_hand: false,
            overload: false,
        };
        let policy = approval::policy(conn, client.tenant(), REBALANCE).await?;
        let asked =
            propose::ask(conn, &claim, rules, REBALANCE, rationale, policy.threshold).await?;
        let Some(approval) = asked else {
            return Ok(None);
        };
        let decision = Decision {
            reason: Some(&self.reason),
            ..Decision::reasoned(Mode::Rebalance, "pending_approval", rationale)
        };
        decision::record(conn, client, &decision).await?;
        Ok(Some((approval, claim.weight)))
    }
}

/// By how much the partner's load is above the share of its cap; what is proposed to go already does not count.
async fn excess(conn: &mut PgConnection, partner: Uuid, share: f64) -> Result<f64, sqlx::Error> {
    let excess = sqlx::query_scalar!(
        r#"-- assignment.excess
        SELECT (c.load::float8 - $2::float8 * c.cap::float8 - COALESCE((
                   SELECT sum(a.weight) FROM fleet.client_assignments AS a
                   JOIN fleet.assignment_reservations AS r ON r.tenant_id = a.tenant_id AND r.client_id = a.client_id AND r.ended_at IS NULL
                   WHERE a.partner_id = c.partner_id AND a.ended_at IS NULL), 0)::float8) AS "excess!"
        FROM fleet.partner_capacity AS c WHERE c.partner_id = $1"#,
        partner,
        share,
    )
    .fetch_optional(conn)
    .await?;
    Ok(excess.unwrap_or(0.0))
}
