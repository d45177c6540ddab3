//! `triage.evaluate`: measures a model on a dataset.
//!
//! Trigger: on demand, through the API or `fleet enqueue`.
//! Effect: an evaluation with a prediction for each text, for whoever downloads it; the tenant's oldest beyond fifty go.
//! Safe to repeat because: the evaluation commits together with the job's completion, and nothing else is written.
//! Gives up when: the tenant has no such model or dataset, or the model is damaged.

use std::time::Duration;

use fleet_queue::{Cx, Job, JobError, JobResult, Policy, TenantId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::model::{Example, Judged, Metrics, Model};
use super::models::{self, ModelVersion, UseError};
use super::{dataset, evaluations};
use crate::telemetry;

/// Measures a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// The model: the tenant's own or the platform's.
    pub model_version: ModelVersion,
    /// The texts, with the labels they should get.
    pub dataset_id: Uuid,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Evaluated {
    evaluation_id: Uuid,
    model_version: ModelVersion,
    dataset_id: Uuid,
    /// Where the predictions are.
    csv: String,
    #[serde(flatten)]
    metrics: Metrics,
}

impl Job for Evaluate {
    const KIND: &'static str = "triage.evaluate";
    const DESCRIPTION: &'static str = "Measures a ticket classifier on labelled texts.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(5),
            max_attempts: 5,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            model_version: ModelVersion(Uuid::nil()),
            dataset_id: Uuid::nil(),
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        let mut conn = cx.pool().acquire().await?;
        let model = own_model(&mut conn, cx.tenant(), self.model_version).await?;
        let examples = dataset::examples(&mut conn, cx.tenant(), self.dataset_id).await?;
        if examples.is_empty() {
            let unknown = format!("dataset_id: the tenant has no dataset {}", self.dataset_id);
            return Err(JobError::discard(unknown));
        }
        drop(conn);
        cx.progress(0, 1, "predicting").await?;
        let judged = tokio::task::spawn_blocking(move || judge(&model, examples)).await?;
        let metrics = Metrics::of(&judged);
        telemetry::evaluated(&metrics);
        let mut tx = cx.pool().begin().await?;
        let kept = evaluations::keep(&mut tx, cx.tenant(), &self, &metrics, &judged).await?;
        let evaluated = Evaluated {
            evaluation_id: kept,
            model_version: self.model_version,
            dataset_id: self.dataset_id,
            csv: format!("/v1/triage/evaluations/{kept}.csv"),
            metrics,
        };
        let done = cx.settle_in(&mut tx, Some(&evaluated)).await?;
        tx.commit().await?;
        Ok(done)
    }
}

async fn own_model(
    conn: &mut PgConnection,
    tenant: TenantId,
    version: ModelVersion,
) -> Result<std::sync::Arc<Model>, JobError> {
    let unknown = || JobError::discard(format!("model_version: the tenant has no model {version}"));
    models::standing(conn, tenant, version)
        .await?
        .ok_or_else(unknown)?;
    match models::load(conn, version).await {
        Ok(loaded) => Ok(loaded.ok_or_else(unknown)?.1),
        Err(UseError::Database(error)) => Err(error.into()),
        Err(damaged) => Err(JobError::discard(damaged.to_string())),
    }
}

/// What a model says of labelled texts.
pub fn judge(model: &Model, examples: Vec<Example>) -> Vec<Judged> {
    let judged = examples.into_iter().map(|it| Judged {
        said: model.predict(&it.text),
        label: it.label,
    });
    judged.collect()
}
