//! What keeps the demo's partners busy, and how they have done: assignments, tickets, goals met and missed, leave.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Options;
use super::dice::Dice;
use super::population::{Campaign, Client, Partner};
use super::setup::noon;

/// Days of tickets: as many as capacity looks back.
const TICKET_DAYS: u64 = 85;

/// Gives every client a partner; what is already given is left alone.
pub(super) async fn assignments(
    conn: &mut PgConnection,
    options: &Options,
    clients: &[Client],
    partners: &[Partner],
) -> Result<(), sqlx::Error> {
    let (mut tenants, mut ids, mut of, mut by) = (vec![], vec![], vec![], vec![]);
    let (mut weights, mut since) = (vec![], vec![]);
    for (index, client) in clients.iter().enumerate() {
        let mut dice = Dice::of(options.seed, "assignment", index as u64);
        tenants.push(client.tenant);
        ids.push(dice.id());
        of.push(client.id);
        by.push(dice.pick(partners).id);
        weights.push(*dice.pick(&[0.5, 1.0, 1.0, 1.0, 1.0, 2.0]));
        since.push(noon(client.active_since));
    }
    sqlx::query!(
        r#"-- demo.assignments
        INSERT INTO fleet.client_assignments (tenant_id, assignment_id, client_id, partner_id, weight, started_at)
        SELECT tenant_id, assignment_id, client_id, partner_id, weight::numeric, started_at
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::float8[], $6::timestamptz[])
            AS a (tenant_id, assignment_id, client_id, partner_id, weight, started_at)
        ON CONFLICT DO NOTHING"#,
        &tenants,
        &ids,
        &of,
        &by,
        &weights,
        &since,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Tickets of each partner, a cap of its own for some, and leave for a few.
pub(super) async fn desks(
    conn: &mut PgConnection,
    options: &Options,
    partners: &[Partner],
    last_day: NaiveDate,
) -> Result<(), sqlx::Error> {
    for (index, partner) in partners.iter().enumerate() {
        let mut dice = Dice::of(options.seed, "desk", index as u64);
        if dice.chance(0.4) {
            cap(conn, partner.id, 2.0 + dice.below(4) as f64).await?;
        }
        if dice.chance(0.05) {
            leave(conn, partner.id, dice.id(), last_day).await?;
        }
        tickets(conn, partner, &mut dice, last_day).await?;
    }
    Ok(())
}

async fn cap(conn: &mut PgConnection, partner: Uuid, most: f64) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- demo.cap
        UPDATE fleet.partners SET max_load = $2::float8::numeric(8, 2) WHERE partner_id = $1 AND max_load IS NULL"#,
        partner,
        most,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn leave(
    conn: &mut PgConnection,
    partner: Uuid,
    id: Uuid,
    last_day: NaiveDate,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- demo.leave
        INSERT INTO fleet.partner_leaves (tenant_id, leave_id, partner_id, starts_at, ends_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING"#,
        TenantId::PLATFORM.0,
        id,
        partner,
        noon(last_day),
        noon(last_day + Days::new(10)),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Most are answered and closed; the reliable answer sooner.
async fn tickets(
    conn: &mut PgConnection,
    partner: &Partner,
    dice: &mut Dice,
    last_day: NaiveDate,
) -> Result<(), sqlx::Error> {
    let (mut ids, mut opened, mut answered, mut closed) = (vec![], vec![], vec![], vec![]);
    for _ in 0..8 + dice.below(30) {
        let at = noon(last_day) - TimeDelta::hours(dice.below(TICKET_DAYS * 24) as i64);
        let slow = 1.0 + 30.0 * (1.0 - partner.reliability);
        let minutes = 20.0 + 60.0 * slow * dice.unit();
        let is_open = dice.chance(0.3);
        ids.push(older(dice.id()));
        opened.push(at);
        answered.push(at + TimeDelta::minutes(minutes as i64));
        closed.push((!is_open).then(|| at + TimeDelta::days(2)));
    }
    sqlx::query!(
        r#"-- demo.tickets
        INSERT INTO fleet.tickets (tenant_id, ticket_id, client_id, partner_id, subject, escalation_level, category, priority, triaged_revision,
                                   status, opened_at, first_response_at, closed_at)
        SELECT $1, ticket_id, '00000000-0000-0000-0000-000000000000', $2, 'An earlier question', 1, 'other', 'low', 1,
               CASE WHEN closed_at IS NULL THEN 'in_progress' ELSE 'resolved' END, opened_at, answered_at, closed_at
        FROM unnest($3::uuid[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[]) AS t (ticket_id, opened_at, answered_at, closed_at)
        ON CONFLICT DO NOTHING"#,
        TenantId::PLATFORM.0,
        partner.id,
        &ids,
        &opened,
        &answered,
        &closed as &[Option<DateTime<Utc>>],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Tickets are listed by their ids, which rise with time: this one comes before any that will be taken in.
fn older(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128() >> 16)
}

/// Each campaign's goals that fell due: the skilled meet more of them.
pub(super) async fn outcomes(
    conn: &mut PgConnection,
    options: &Options,
    campaigns: &[Campaign<'_>],
    last_day: NaiveDate,
) -> Result<(), sqlx::Error> {
    let (mut tenants, mut ids, mut of, mut by) = (vec![], vec![], vec![], vec![]);
    let (mut met, mut at) = (vec![], vec![]);
    for campaign in campaigns {
        let Some(partner) = campaign.partner else {
            continue;
        };
        let mut dice = Dice::of(options.seed, "outcome", campaign.number);
        for goal in 0..3 + dice.below(6) {
            tenants.push(campaign.client.tenant);
            ids.push(dice.id());
            of.push(campaign.id);
            by.push(partner.id);
            met.push(dice.chance((0.6 * partner.skill.1.powi(3)).clamp(0.05, 0.95)));
            at.push(noon(last_day) - TimeDelta::days(14 * goal as i64));
        }
    }
    sqlx::query!(
        r#"-- demo.outcomes
        INSERT INTO fleet.campaign_outcomes (tenant_id, outcome_id, campaign_id, partner_id, goal_met, decided_at)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::boolean[], $6::timestamptz[])
        ON CONFLICT DO NOTHING"#,
        &tenants,
        &ids,
        &of,
        &by,
        &met,
        &at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
