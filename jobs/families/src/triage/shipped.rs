//! The tickets that ship with the program, written for it, and the first model, which is made of them.
//!
//! They are the categories that the pipeline routes by. A tenant's own tickets, labelled, make a better model; until then this one
//! knows the usual ones and sends the rest to a person.

use fleet_queue::{NewJob, TenantId};
use sqlx::PgConnection;

use super::model::{Example, OUTSIDE};
use super::models;
use super::train::Train;

/// What the first model is called.
pub const NAME: &str = "tickets that ship with the fleet";
/// What tickets are about.
pub const CATEGORIES: [&str; 11] = [
    "billing",
    "bug",
    "campaign_performance",
    "cancellation",
    "feature_request",
    "how_to",
    "integration",
    "login_security",
    "other",
    "outage",
    "refund",
];
/// One `label<TAB>text` a line, so that a text needs no quotes.
const TICKETS: &str = include_str!("../../data/tickets.tsv");

/// The tickets with their labels.
pub fn examples() -> Vec<Example> {
    let lines = TICKETS.lines().filter_map(|line| line.split_once('\t'));
    lines
        .map(|(label, text)| Example {
            text: text.to_owned(),
            label: label.to_owned(),
        })
        .collect()
}

/// The job that makes the platform's first model, where it has none.
pub async fn first_model(conn: &mut PgConnection) -> Result<Option<NewJob>, sqlx::Error> {
    let active = models::active_version(conn, TenantId::PLATFORM).await?;
    Ok(active.is_none().then(Train::shipped))
}

/// True for a label that a ticket of ours may carry.
pub fn is_category(label: &str) -> bool {
    label == OUTSIDE || CATEGORIES.contains(&label)
}
