//! Trained models in the database: kept, listed, and the one that is in use.
//!
//! A tenant uses its own active model, or else the platform's. Loaded models are kept in the process by their version: a version
//! never changes what it says.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::kept::Kept;
use super::model::{Metrics, Model, ModelError, Params, Trained};

/// Models that a process keeps loaded; a tenant's own takes up to some tens of megabytes.
const LOADED_MAX: usize = 8;
/// Models of a tenant that are kept, besides the one in use.
const KEPT: i64 = 20;
/// How far a model's macro-F1 may lie below that of the one it would replace.
pub(super) const WORSE_BY: f64 = 0.005;

/// Which model.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct ModelVersion(pub Uuid);

impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A model in a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "TriageModel")]
pub struct Listed {
    /// It.
    pub model_version: Uuid,
    /// Whose it is.
    pub tenant_id: Uuid,
    /// What it is called.
    pub name: String,
    /// `candidate`, `active` or `retired`.
    pub status: String,
    /// What it was trained on; absent for the one that ships with the program.
    pub dataset_id: Option<Uuid>,
    /// Texts it was trained on.
    pub rows: i32,
    /// Their labels.
    pub labels: i32,
    /// A digest of how models were made when it was.
    pub params_hash: String,
    /// How good it was on texts it had not seen.
    pub holdout: Value,
    /// The artefact's size.
    pub bytes: i32,
    /// Why it is not active, where that is known.
    pub note: Option<String>,
    /// When it was trained.
    pub trained_at: DateTime<Utc>,
    /// Since when it was in use.
    pub activated_at: Option<DateTime<Utc>>,
}

/// Why there is no model to use.
#[derive(Debug, thiserror::Error)]
pub enum UseError {
    /// What is stored is none.
    #[error("model {version} cannot be used")]
    Model {
        /// Which.
        version: ModelVersion,
        /// What is wrong with it.
        source: ModelError,
    },
    /// The database did not say.
    #[error("looking up the model failed")]
    Database(#[from] sqlx::Error),
}

/// What a new model comes from.
#[derive(Clone, Debug)]
pub(super) struct Origin<'a> {
    pub(super) tenant: TenantId,
    pub(super) name: &'a str,
    pub(super) dataset: Option<Uuid>,
    pub(super) rows: usize,
    /// Whether it is in use at once, which is for the first of the platform alone.
    pub(super) active: bool,
}

/// Keeps a model; of those not in use the tenant's oldest go that are too many.
pub(super) async fn insert(
    conn: &mut PgConnection,
    origin: &Origin<'_>,
    trained: &Trained,
) -> Result<ModelVersion, sqlx::Error> {
    let version = sqlx::query_scalar!(
        r#"-- triage.insert_model
        INSERT INTO fleet.triage_models (tenant_id, name, status, dataset_id, params_hash, rows, labels, holdout, macro_f1, artefact, activated_at)
        VALUES ($1, $2, CASE WHEN $9 THEN 'active' ELSE 'candidate' END, $3, $4, $5, $6, $7, $8, $10, CASE WHEN $9 THEN fleet.clock() END)
        RETURNING model_version"#,
        origin.tenant.0,
        origin.name,
        origin.dataset,
        Params::CURRENT.digest(),
        origin.rows as i32,
        trained.model.labels().count() as i32,
        serde_json::to_value(&trained.holdout).expect("figures are JSON"),
        trained.holdout.macro_f1,
        origin.active,
        trained.model.to_bytes(),
    )
    .fetch_one(&mut *conn)
    .await?;
    drop_old(conn, origin.tenant).await?;
    Ok(ModelVersion(version))
}

async fn drop_old(conn: &mut PgConnection, tenant: TenantId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- triage.drop_models
        DELETE FROM fleet.triage_models AS m
        WHERE m.tenant_id = $1
          AND m.model_version IN (SELECT o.model_version FROM fleet.triage_models AS o
                                  WHERE o.tenant_id = $1 AND o.status <> 'active'
                                  ORDER BY o.trained_at DESC, o.model_version DESC
                                  OFFSET $2)"#,
        tenant.0,
        KEPT,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The model that a tenant's tickets are triaged by, ready to use. `None` before the first was trained.
pub async fn active_model(
    conn: &mut PgConnection,
    tenant: TenantId,
) -> Result<Option<(ModelVersion, Arc<Model>)>, UseError> {
    match active_version(conn, tenant).await? {
        Some(version) => load(conn, version).await,
        None => Ok(None),
    }
}

/// Which model a tenant's tickets are triaged by: its own, or else the platform's.
pub(super) async fn active_version(
    conn: &mut PgConnection,
    tenant: TenantId,
) -> Result<Option<ModelVersion>, sqlx::Error> {
    let version = sqlx::query_scalar!(
        r#"-- triage.active_version
        SELECT model_version FROM fleet.triage_models
        WHERE status = 'active' AND tenant_id IN ($1, '00000000-0000-0000-0000-000000000000')
        ORDER BY tenant_id = $1 DESC
        LIMIT 1"#,
        tenant.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(version.map(ModelVersion))
}

/// The platform's serves most tenants and is old: what goes is what was used least recently.
static LOADED: Mutex<Kept<ModelVersion, Arc<Model>>> = Mutex::new(Kept::new(LOADED_MAX));

/// A model by its version, from the process or from the database.
pub async fn load(
    conn: &mut PgConnection,
    version: ModelVersion,
) -> Result<Option<(ModelVersion, Arc<Model>)>, UseError> {
    let loaded = || LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(model) = loaded().get(&version) {
        return Ok(Some((version, model)));
    }
    let Some(artefact) = artefact(conn, version).await? else {
        return Ok(None);
    };
    let model = Model::load(&artefact).map_err(|source| UseError::Model { version, source })?;
    let model = Arc::new(model);
    loaded().put(version, model.clone(), 1);
    Ok(Some((version, model)))
}

async fn artefact(
    conn: &mut PgConnection,
    version: ModelVersion,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"-- triage.artefact
        SELECT artefact FROM fleet.triage_models WHERE model_version = $1"#,
        version.0,
    )
    .fetch_optional(conn)
    .await
}

/// Models, latest first; only a tenant's, and only those of that version or name, where one is given.
pub async fn list_models(
    conn: &mut PgConnection,
    tenant: Option<TenantId>,
    called: Option<&str>,
    limit: i64,
) -> Result<Vec<Listed>, sqlx::Error> {
    sqlx::query_as!(
        Listed,
        r#"-- triage.list_models
        SELECT model_version, tenant_id, name, status, dataset_id, rows, labels, params_hash, holdout,
               octet_length(artefact) AS "bytes!", note, trained_at, activated_at
        FROM fleet.triage_models
        WHERE ($3::uuid IS NULL OR tenant_id = $3)
          AND ($1::text IS NULL OR model_version::text = lower($1) OR lower(name) = lower($1))
        ORDER BY trained_at DESC, model_version
        LIMIT $2"#,
        called,
        limit,
        tenant.map(|tenant| tenant.0),
    )
    .fetch_all(conn)
    .await
}

/// A model's standing, as far as promotion depends on it.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) name: String,
    pub(super) status: String,
    pub(super) macro_f1: f64,
    /// Its figures without those of each label.
    pub(super) summary: Value,
}

/// How a tenant's model stands; its own or the platform's.
pub(super) async fn standing(
    conn: &mut PgConnection,
    tenant: TenantId,
    version: ModelVersion,
) -> Result<Option<Standing>, sqlx::Error> {
    sqlx::query_as!(
        Standing,
        r#"-- triage.standing
        SELECT name, status, macro_f1, holdout - 'labels' AS "summary!"
        FROM fleet.triage_models
        WHERE model_version = $2 AND tenant_id IN ($1, '00000000-0000-0000-0000-000000000000')"#,
        tenant.0,
        version.0,
    )
    .fetch_optional(conn)
    .await
}

/// Says beside a model why it is not in use.
pub(super) async fn note(
    conn: &mut PgConnection,
    version: ModelVersion,
    note: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- triage.note
        UPDATE fleet.triage_models SET note = left($2, 1000) WHERE model_version = $1"#,
        version.0,
        note,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Puts a tenant's candidate to use, in place of the one in use. False where it is no candidate any more.
pub(super) async fn activate(
    conn: &mut PgConnection,
    tenant: TenantId,
    version: ModelVersion,
) -> Result<bool, sqlx::Error> {
    sqlx::query!(
        r#"-- triage.retire
        UPDATE fleet.triage_models SET status = 'retired'
        WHERE tenant_id = $1 AND status = 'active'
          AND EXISTS (SELECT FROM fleet.triage_models AS c
                      WHERE c.tenant_id = $1 AND c.model_version = $2 AND c.status = 'candidate')"#,
        tenant.0,
        version.0,
    )
    .execute(&mut *conn)
    .await?;
    let activated = sqlx::query!(
        r#"-- triage.activate
        UPDATE fleet.triage_models SET status = 'active', activated_at = fleet.clock(), note = NULL
        WHERE tenant_id = $1 AND model_version = $2 AND status = 'candidate'"#,
        tenant.0,
        version.0,
    )
    .execute(conn)
    .await?;
    Ok(activated.rows_affected() == 1)
}

/// The figures of a model whose labels are many, without the labels' own.
pub(super) fn summary(metrics: &Metrics) -> Metrics {
    Metrics {
        labels: Vec::new(),
        ..metrics.clone()
    }
}
