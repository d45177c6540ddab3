//! Datasets in the database. Row-level security decides which there are for the session.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::read::Labelled;
use crate::triage::model::Example;

/// Most datasets of a tenant.
pub const DATASETS_MAX: i64 = 200;
/// Rows in a statement.
const BATCH: usize = 5_000;
const NAME_MAX: usize = 200;

/// A dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "TriageDataset")]
pub struct Dataset {
    /// It.
    pub dataset_id: Uuid,
    /// Whose it is.
    pub tenant_id: Uuid,
    /// What it is called.
    pub name: String,
    /// Its texts.
    pub rows: i32,
    /// The different labels of them, that for texts out of scope among them.
    pub labels: i32,
    /// Rows of the file that could not be used.
    pub refused: i32,
    /// Who brought it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// Why a dataset is not kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Its name cannot be used.
    #[error("the name must have 1 to {NAME_MAX} characters, and has {0}")]
    Name(usize),
    /// There are enough.
    #[error(
        "there are {DATASETS_MAX} datasets already, the most there may be; delete one (DELETE /v1/triage/datasets/ID)"
    )]
    Full,
    /// The database did not take it.
    #[error("storing the dataset failed; nothing of it is kept")]
    Database(#[from] sqlx::Error),
}

/// Keeps what a file held, in the caller's transaction.
pub async fn keep(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: &str,
    by: &str,
    labelled: &Labelled,
) -> Result<Uuid, StoreError> {
    check_name(name)?;
    if count(conn, tenant).await? >= DATASETS_MAX {
        return Err(StoreError::Full);
    }
    let dataset = insert(conn, tenant, name.trim(), by, labelled).await?;
    let mut position = 1;
    for batch in labelled.examples.chunks(BATCH) {
        insert_examples(conn, tenant, dataset, position, batch).await?;
        position += batch.len() as i32;
    }
    Ok(dataset)
}

/// Whether a dataset may be called so, for whoever has long work to do before it is kept.
pub fn check_name(name: &str) -> Result<(), StoreError> {
    match name.chars().count() {
        length if name.trim().is_empty() || length > NAME_MAX => Err(StoreError::Name(length)),
        _ => Ok(()),
    }
}

async fn count(conn: &mut PgConnection, tenant: TenantId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- triage.count_datasets
        SELECT count(*) AS "datasets!" FROM fleet.triage_datasets WHERE tenant_id = $1"#,
        tenant.0,
    )
    .fetch_one(conn)
    .await
}

async fn insert(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: &str,
    by: &str,
    labelled: &Labelled,
) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- triage.insert_dataset
        INSERT INTO fleet.triage_datasets (tenant_id, name, rows, labels, refused, created_by)
        VALUES ($1, $2, $3, $4, $5, left($6, 400))
        RETURNING dataset_id"#,
        tenant.0,
        name,
        labelled.examples.len() as i32,
        labelled.labels() as i32,
        i32::try_from(labelled.refused).unwrap_or(i32::MAX),
        by,
    )
    .fetch_one(conn)
    .await
}

async fn insert_examples(
    conn: &mut PgConnection,
    tenant: TenantId,
    dataset: Uuid,
    first: i32,
    batch: &[Example],
) -> Result<(), sqlx::Error> {
    let texts: Vec<&str> = batch.iter().map(|it| it.text.as_str()).collect();
    let labels: Vec<&str> = batch.iter().map(|it| it.label.as_str()).collect();
    sqlx::query!(
        r#"-- triage.insert_examples
        INSERT INTO fleet.triage_examples (tenant_id, dataset_id, position, text, label)
        SELECT $1, $2, $3 + n::integer - 1, text, label
        FROM unnest($4::text[], $5::text[]) WITH ORDINALITY AS e (text, label, n)"#,
        tenant.0,
        dataset,
        first,
        &texts as &[&str],
        &labels as &[&str],
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The texts of a tenant's dataset, in their order.
pub async fn examples(
    conn: &mut PgConnection,
    tenant: TenantId,
    dataset: Uuid,
) -> Result<Vec<Example>, sqlx::Error> {
    sqlx::query_as!(
        Example,
        r#"-- triage.examples
        SELECT text, label FROM fleet.triage_examples WHERE tenant_id = $1 AND dataset_id = $2 ORDER BY position"#,
        tenant.0,
        dataset,
    )
    .fetch_all(conn)
    .await
}

/// Datasets, latest first.
pub async fn list(conn: &mut PgConnection, limit: i64) -> Result<Vec<Dataset>, sqlx::Error> {
    sqlx::query_as!(
        Dataset,
        r#"-- triage.list_datasets
        SELECT dataset_id, tenant_id, name, rows, labels, refused, created_by, created_at
        FROM fleet.triage_datasets
        ORDER BY created_at DESC, dataset_id
        LIMIT $1"#,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// One dataset. `None` where the session may not know of it.
pub async fn find(conn: &mut PgConnection, dataset: Uuid) -> Result<Option<Dataset>, sqlx::Error> {
    sqlx::query_as!(
        Dataset,
        r#"-- triage.find_dataset
        SELECT dataset_id, tenant_id, name, rows, labels, refused, created_by, created_at
        FROM fleet.triage_datasets
        WHERE dataset_id = $1"#,
        dataset,
    )
    .fetch_optional(conn)
    .await
}

/// Whose dataset it is. `None` where the session may not know of it.
pub async fn tenant_of(
    conn: &mut PgConnection,
    dataset: Uuid,
) -> Result<Option<TenantId>, sqlx::Error> {
    let found = find(conn, dataset).await?;
    Ok(found.map(|found| TenantId(found.tenant_id)))
}

/// Deletes a dataset with its texts and the evaluations on it; models made of it stay. `None` where there is none.
pub async fn delete(
    conn: &mut PgConnection,
    dataset: Uuid,
) -> Result<Option<TenantId>, sqlx::Error> {
    let tenant = sqlx::query_scalar!(
        r#"-- triage.delete_dataset
        DELETE FROM fleet.triage_datasets WHERE dataset_id = $1 RETURNING tenant_id"#,
        dataset,
    )
    .fetch_optional(conn)
    .await?;
    Ok(tenant.map(TenantId))
}
