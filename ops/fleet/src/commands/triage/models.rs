//! Which models there are, and which one is meant.

use std::sync::Arc;

use anyhow::{anyhow, bail};
use fleet_jobs::triage::model::Model;
use fleet_jobs::triage::{ModelVersion, active_model, list_models, load};
use fleet_queue::TenantId;
use serde_json::json;
use sqlx::PgConnection;

use super::draw;
use crate::database::{Database, now};
use crate::output::Out;

/// Models of one name that a refusal can list.
const SEVERAL: i64 = 10;

/// Lists a tenant's models, or everybody's.
pub(super) async fn ls(
    database: &Database,
    tenant: Option<TenantId>,
    limit: i64,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let models = list_models(&mut tx, tenant, None, limit).await?;
    out.answer(&json!({ "models": models }), |page| {
        draw::models(page, &models, now);
    })?;
    Ok(())
}

/// The model of that version or name, or the one in use; ambiguity is refused with the candidates.
pub(super) async fn choose(
    conn: &mut PgConnection,
    tenant: TenantId,
    called: Option<&str>,
) -> anyhow::Result<(ModelVersion, Arc<Model>)> {
    let Some(called) = called else {
        let active = active_model(conn, tenant).await?;
        return active.ok_or_else(|| {
            anyhow!(
                "no model is in use yet; say which with --model, `fleet triage models` lists them"
            )
        });
    };
    let found = list_models(conn, None, Some(called), SEVERAL).await?;
    match found.as_slice() {
        [] => bail!(
            "no model is called \"{called}\" or has that version; `fleet triage models` lists those there are"
        ),
        [one] => {
            let loaded = load(conn, ModelVersion(one.model_version)).await?;
            loaded.ok_or_else(|| anyhow!("there is no model {} any more", one.model_version))
        }
        several => {
            let versions: Vec<_> = several
                .iter()
                .map(|it| it.model_version.to_string())
                .collect();
            bail!(
                "several models are called \"{called}\"; say which by version: {}",
                versions.join(", ")
            )
        }
    }
}
