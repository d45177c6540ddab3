//! What the model in force takes a ticket to be about; without one, what its words say, and an alert.

use fleet_queue::TenantId;
use serde_json::json;
use sqlx::PgConnection;

use super::decide::{Opinion, by_rules};
use super::labels::check_category;
use super::model::Model;
use super::models::{ModelVersion, UseError, load};
use super::text::Text;
use crate::event::{self, Event};
use crate::telemetry;

/// The opinion about a text, of that model.
pub(super) async fn classify(
    conn: &mut PgConnection,
    tenant: TenantId,
    model: Option<ModelVersion>,
    text: &Text,
) -> Result<Opinion, sqlx::Error> {
    let loaded = match model {
        Some(version) => load(conn, version).await,
        None => Ok(None),
    };
    let said = match loaded {
        Ok(Some((version, model))) => by_model(version, &model, &text.masked),
        Ok(None) => Err("there is no model; `fleet triage train` makes one".to_owned()),
        Err(UseError::Database(error)) => return Err(error),
        Err(UseError::Model { version, source }) => Err(format!("model {version}: {source}")),
    };
    match said {
        Ok(opinion) => Ok(opinion),
        Err(why) => {
            degraded(conn, tenant, &why).await?;
            Ok(by_rules(&text.masked))
        }
    }
}

/// What a model says, and why; an error where its labels are no categories of tickets.
fn by_model(version: ModelVersion, model: &Model, text: &str) -> Result<Opinion, String> {
    let said = model.predict(text);
    check_category(&said.label).map_err(|wrong| format!("model {version}: its label {wrong}"))?;
    Ok(Opinion {
        by: version.to_string(),
        confidence: said.confidence,
        in_scope: said.in_scope,
        because: json!({
            "words": model.explain(text, &said.label), "ranked": said.ranked,
            "margin": said.margin, "scope_score": said.scope_score,
        }),
        category: said.label,
    })
}

/// Tells that rules stand in for the model: once an hour, however many tickets there are.
async fn degraded(conn: &mut PgConnection, tenant: TenantId, why: &str) -> Result<(), sqlx::Error> {
    telemetry::degraded();
    let told = sqlx::query_scalar!(
        r#"-- triage.told_of_degradation
        SELECT EXISTS (
            SELECT FROM fleet.event
            WHERE kind = 'triage.degraded' AND tenant_id = $1 AND created_at > fleet.clock() - interval '1 hour') AS "told!""#,
        tenant.0,
    )
    .fetch_one(&mut *conn)
    .await?;
    if told {
        return Ok(());
    }
    let event = Event {
        kind: "triage.degraded",
        subject: tenant.0,
        payload: json!({ "why": why }),
    };
    event::record(conn, tenant, &event).await
}
