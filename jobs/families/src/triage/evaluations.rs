//! Evaluations in the database, and their predictions as CSV.

use chrono::{DateTime, Utc};
use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::evaluate::Evaluate;
use super::model::{Judged, Metrics};
use super::models::summary;

/// Evaluations of a tenant that are kept.
const KEPT: i64 = 50;
/// Rows in a statement, and in a piece of the CSV.
const BATCH: usize = 5_000;

/// An evaluation in a list.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "TriageEvaluation")]
pub struct Evaluation {
    /// It.
    pub evaluation_id: Uuid,
    /// Whose it is.
    pub tenant_id: Uuid,
    /// The model that was measured.
    pub model_version: Uuid,
    /// On which dataset.
    pub dataset_id: Uuid,
    /// How good it was.
    pub metrics: Value,
    /// When.
    pub evaluated_at: DateTime<Utc>,
}

/// Keeps an evaluation in the caller's transaction, and drops those that are too many.
pub(super) async fn keep(
    conn: &mut PgConnection,
    tenant: TenantId,
    of: &Evaluate,
    metrics: &Metrics,
    judged: &[Judged],
) -> Result<Uuid, sqlx::Error> {
    let metrics = serde_json::to_value(summary(metrics)).expect("figures are JSON");
    let evaluation = sqlx::query_scalar!(
        r#"-- triage.insert_evaluation
        INSERT INTO fleet.triage_evaluations (tenant_id, model_version, dataset_id, metrics)
        VALUES ($1, $2, $3, $4)
        RETURNING evaluation_id"#,
        tenant.0,
        of.model_version.0,
        of.dataset_id,
        metrics,
    )
    .fetch_one(&mut *conn)
    .await?;
    let mut position = 1;
    for batch in judged.chunks(BATCH) {
        insert_predictions(conn, tenant, evaluation, position, batch).await?;
        position += batch.len() as i32;
    }
    drop_old(conn, tenant).await?;
    Ok(evaluation)
}

async fn insert_predictions(
    conn: &mut PgConnection,
    tenant: TenantId,
    evaluation: Uuid,
    first: i32,
    batch: &[Judged],
) -> Result<(), sqlx::Error> {
    let predicted: Vec<&str> = batch.iter().map(|it| it.said.label.as_str()).collect();
    let confidence: Vec<f64> = batch.iter().map(|it| it.said.confidence).collect();
    sqlx::query!(
        r#"-- triage.insert_predictions
        INSERT INTO fleet.triage_predictions (tenant_id, evaluation_id, position, predicted, confidence)
        SELECT $1, $2, $3 + n::integer - 1, predicted, confidence
        FROM unnest($4::text[], $5::float8[]) WITH ORDINALITY AS p (predicted, confidence, n)"#,
        tenant.0,
        evaluation,
        first,
        &predicted as &[&str],
        &confidence,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn drop_old(conn: &mut PgConnection, tenant: TenantId) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- triage.drop_evaluations
        DELETE FROM fleet.triage_evaluations AS e
        WHERE e.tenant_id = $1
          AND e.evaluation_id IN (SELECT o.evaluation_id FROM fleet.triage_evaluations AS o
                                  WHERE o.tenant_id = $1
                                  ORDER BY o.evaluated_at DESC, o.evaluation_id DESC
                                  OFFSET $2)"#,
        tenant.0,
        KEPT,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Evaluations, latest first.
pub async fn list_evaluations(
    conn: &mut PgConnection,
    limit: i64,
) -> Result<Vec<Evaluation>, sqlx::Error> {
    sqlx::query_as!(
        Evaluation,
        r#"-- triage.list_evaluations
        SELECT evaluation_id, tenant_id, model_version, dataset_id, metrics, evaluated_at
        FROM fleet.triage_evaluations
        ORDER BY evaluated_at DESC, evaluation_id
        LIMIT $1"#,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// One evaluation. `None` where the session may not know of it.
pub async fn find_evaluation(
    conn: &mut PgConnection,
    evaluation: Uuid,
) -> Result<Option<Evaluation>, sqlx::Error> {
    sqlx::query_as!(
        Evaluation,
        r#"-- triage.find_evaluation
        SELECT evaluation_id, tenant_id, model_version, dataset_id, metrics, evaluated_at
        FROM fleet.triage_evaluations
        WHERE evaluation_id = $1"#,
        evaluation,
    )
    .fetch_optional(conn)
    .await
}

/// The predictions' first line.
pub const CSV_HEADER: &str = "text,label,predicted,confidence\n";

/// The next lines of an evaluation's predictions after a position, and the position they end at; none at the end.
///
/// The texts are looked up one by one: of a fresh dataset there are no statistics, and a join would pair all with all.
pub async fn csv_after(
    conn: &mut PgConnection,
    evaluation: &Evaluation,
    after: i32,
) -> Result<Option<(i32, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- triage.csv_after
        SELECT p.position, e.text, e.label, p.predicted, p.confidence
        FROM fleet.triage_predictions AS p
        CROSS JOIN LATERAL (
            SELECT x.text, x.label FROM fleet.triage_examples AS x
            WHERE x.tenant_id = p.tenant_id AND x.dataset_id = $3 AND x.position = p.position
            LIMIT 1) AS e
        WHERE p.tenant_id = $1 AND p.evaluation_id = $2 AND p.position > $4
        ORDER BY p.position
        LIMIT $5"#,
        evaluation.tenant_id,
        evaluation.evaluation_id,
        evaluation.dataset_id,
        after,
        BATCH as i64,
    )
    .fetch_all(conn)
    .await?;
    let Some(last) = rows.last().map(|row| row.position) else {
        return Ok(None);
    };
    let lines = rows
        .iter()
        .map(|row| csv_line(&row.text, &row.label, &row.predicted, row.confidence));
    Ok(Some((last, lines.collect())))
}

/// One prediction as a line of CSV.
pub fn csv_line(text: &str, label: &str, predicted: &str, confidence: f64) -> String {
    format!(
        "{},{},{},{confidence:.6}\n",
        quoted(text),
        quoted(label),
        quoted(predicted)
    )
}

/// A field in quotes where it needs them.
fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_quotes_what_needs_it_and_only_that() {
        let line = csv_line("say \"hi\",\nthere", "a b", "c", 0.5);
        assert_eq!(line, "\"say \"\"hi\"\",\nthere\",a b,c,0.500000\n");
    }
}
