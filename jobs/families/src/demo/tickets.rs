//! Tickets that clients of the demo have open now, and the articles that may answer them: made by the same door as any other ticket,
//! so that sorting, clocks and reviews happen as they would.

use chrono::{DateTime, TimeDelta, Utc};
use fleet_queue::TenantId;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Options;
use super::dice::Dice;
use super::population::Client;
use crate::tickets::{NewTicket, TicketError, create};
use crate::triage::{NewArticle, put_article};

/// What clients write.
const ASKED: &[(&str, &str)] = &[
    (
        "Charged twice",
        "Hello, your October invoice was charged twice to our credit card. Please send one payment back.",
    ),
    (
        "Invoice address",
        "Please change the address on our invoice, and tell me where the VAT number appears in billing.",
    ),
    (
        "Cannot log in",
        "I forgot my password and am locked out since this morning. The login page refuses everything.",
    ),
    (
        "Second user",
        "How do I add a second user to our account? Where can I find the team page?",
    ),
    (
        "Conversions fell",
        "Our conversions fell by half since Monday while impressions stayed the same. What happened to the campaign performance?",
    ),
    (
        "Webhook stopped",
        "The webhook to our shop stopped on Friday, the API answers 401 although the API key is the same.",
    ),
    (
        "Report page",
        "The report page crashes with an error as soon as I choose more than 30 days. Looks like a bug.",
    ),
    (
        "Everything is down",
        "NOTHING LOADS! The platform is down for our whole team, this is costing us money every minute!!",
    ),
    (
        "Dark mode",
        "It would be great if the dashboard had a dark mode. Please add it, our night shift would love you.",
    ),
    (
        "Leaving",
        "We want to cancel our subscription at the end of the month and close our account.",
    ),
    (
        "Refund",
        "The campaign never ran, so I want a refund. Please reimburse the June budget, we want our money back.",
    ),
    ("Hm", "Could you have a look at the thing we spoke about?"),
    (
        "Frage",
        "Guten Tag, wir können seit gestern keine neuen Anzeigen mehr anlegen und brauchen dringend Ihre Hilfe.",
    ),
    (
        "Budget",
        "How can I change the daily budget of a running campaign? Is it possible to do that for all of them at once?",
    ),
    (
        "Someone else",
        "We were hacked: someone else logged in last night from another country and changed the payout account.",
    ),
];

/// What is known already.
const KNOWN: &[(&str, &str)] = &[
    (
        "Reset your password",
        "On the login page choose \"Forgot password\". A link arrives by mail and is good for an hour. Locked out? Wait 15 minutes after five failures.",
    ),
    (
        "Add or remove a user",
        "Owners add users under Team. Each user gets a mail with a link and sets a password. A user who is removed loses access at once.",
    ),
    (
        "Read your invoice",
        "Each invoice lists the plan, usage and VAT. The billing address is changed under Billing, and holds from the next invoice on.",
    ),
    (
        "Ask for a refund",
        "Refunds of a charge are asked for within 60 days. A charge that was made twice goes back to the same card within five days.",
    ),
    (
        "Change a campaign's budget",
        "Open the campaign and choose Budget. Several campaigns are changed at once from the list. Changes take effect within an hour.",
    ),
    (
        "Why conversions change",
        "Check the tag, the landing page and the attribution window first. Impressions without conversions point to the tag.",
    ),
    (
        "Connect a webhook",
        "Create a webhook under Integrations. Answer with 200 within ten seconds; a 401 means that the API key was rotated.",
    ),
    (
        "Close your account",
        "A subscription is cancelled under Billing and ends with the period that is paid for. Data is kept for 30 days.",
    ),
];

/// Articles for everybody.
pub(super) async fn articles(
    conn: &mut PgConnection,
    options: &Options,
) -> Result<(), sqlx::Error> {
    for (index, (title, body)) in KNOWN.iter().enumerate() {
        let id = Dice::of(options.seed, "article", index as u64).id();
        let article = NewArticle {
            title: (*title).to_owned(),
            body: (*body).to_owned(),
            published: true,
        };
        match put_article(conn, TenantId::PLATFORM, id, &article).await {
            Ok(_) => {}
            Err(crate::triage::ArticleError::Database(error)) => return Err(error),
            Err(refused) => unreachable!("the demo's articles are sound: {refused}"),
        }
    }
    Ok(())
}

/// A ticket for every other client, asked within the last hours, so that some promises are nearly due; the same again adds nothing.
pub(super) async fn tickets(
    conn: &mut PgConnection,
    options: &Options,
    clients: &[Client],
) -> Result<(), TicketError> {
    let now = now(conn).await?;
    // As many as people can look at, however large the demo is.
    for (index, client) in clients.iter().step_by(2).take(60).enumerate() {
        let mut dice = Dice::of(options.seed, "ticket", index as u64);
        let (subject, body) = dice.pick(ASKED);
        let ticket = NewTicket {
            client_id: client.id,
            subject: (*subject).to_owned(),
            body: (*body).to_owned(),
            external_id: Some(format!("demo-{}-{index}", options.seed)),
            message_id: None,
            opened_at: Some(now - TimeDelta::minutes(dice.below(300) as i64)),
        };
        create(conn, TenantId(client.tenant), &[ticket]).await?;
    }
    Ok(())
}

/// Most of the demo's tenants work in their own hours; the first round the clock, so that its promises move whenever one looks.
pub(super) async fn hours(conn: &mut PgConnection, tenants: &[Uuid]) -> Result<(), sqlx::Error> {
    let Some(first) = tenants.first() else {
        return Ok(());
    };
    sqlx::query!(
        r#"-- demo.hours
        INSERT INTO fleet.business_hours (tenant_id, zone, work_days, opens, closes)
        VALUES ($1, 'UTC', '{1,2,3,4,5,6,7}', 0, 1440)
        ON CONFLICT DO NOTHING"#,
        first,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- demo.now
        SELECT fleet.clock() AS "now!""#
    )
    .fetch_one(conn)
    .await
}
