//! What people said tickets are about, as labelled texts: an answer that a reviewer gave becomes training data.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use sqlx::PgConnection;

use super::read::{Labelled, ROWS_MAX, TEXTS_BYTES_MAX};
use crate::triage::model::{Example, TEXT_MAX};
use crate::triage::shipped;

/// Which of them, and what beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reviewed {
    /// Only what was said since then.
    pub since: Option<DateTime<Utc>>,
    /// The tickets that ship with the program too: what few have said is too little for a model.
    pub with_shipped: bool,
}

/// Why there are no texts.
#[derive(Debug, thiserror::Error)]
pub enum ReviewedError {
    /// Nobody said anything.
    #[error(
        "nobody has said what a ticket is about{}; approve, correct or edit some first", .0.map_or(String::new(), |since| format!(" since {}", since.format("%Y-%m-%d %H:%M UTC")))
    )]
    Nothing(Option<DateTime<Utc>>),
    /// The database did not say.
    #[error("reading what people said of tickets failed")]
    Database(#[from] sqlx::Error),
}

/// Reads a tenant's: the last word about each ticket, the newest first, as many as a dataset takes.
pub async fn reviewed(
    conn: &mut PgConnection,
    tenant: TenantId,
    wanted: &Reviewed,
) -> Result<Labelled, ReviewedError> {
    let said = said(conn, tenant, wanted.since).await?;
    if said.is_empty() {
        return Err(ReviewedError::Nothing(wanted.since));
    }
    let mut examples = if wanted.with_shipped {
        shipped::examples()
    } else {
        Vec::new()
    };
    let mut bytes: usize = examples.iter().map(|it| it.text.len()).sum();
    for mut it in said {
        it.text.truncate(it.text.floor_char_boundary(TEXT_MAX));
        bytes += it.text.len();
        if examples.len() == ROWS_MAX || bytes > TEXTS_BYTES_MAX {
            break;
        }
        examples.push(it);
    }
    Ok(Labelled {
        examples,
        ..Labelled::default()
    })
}

async fn said(
    conn: &mut PgConnection,
    tenant: TenantId,
    since: Option<DateTime<Utc>>,
) -> Result<Vec<Example>, sqlx::Error> {
    sqlx::query_as!(
        Example,
        r#"-- triage.reviewed_texts
        SELECT text AS "text!: String", label AS "label!: String"
        FROM (SELECT DISTINCT ON (ticket_id) ticket_id, text, label, labelled_at FROM fleet.triage_labels
              WHERE tenant_id = $1 AND ($2::timestamptz IS NULL OR labelled_at >= $2)
              ORDER BY ticket_id, revision DESC) AS last
        ORDER BY labelled_at DESC, ticket_id
        LIMIT $3"#,
        tenant.0,
        since,
        ROWS_MAX as i64,
    )
    .fetch_all(conn)
    .await
}
