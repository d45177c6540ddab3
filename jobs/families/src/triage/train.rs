//! `triage.train`: makes a model from a dataset, and proposes it where it can be used and is no worse than the one in use.
//!
//! Trigger: on demand, through the API or `fleet enqueue`; an hourly schedule and the first start of `fleet up`, without a
//! dataset, for the platform's first model.
//! Effect: a row of `triage_models`; an approval that waits for an admin, unless the model is useless or clearly worse.
//! Safe to repeat because: training is deterministic, and the model commits together with the job's completion.
//! Gives up when: there is no such dataset of the tenant, or no classifier can be made of it; both need other texts.

use std::time::Duration;

use fleet_queue::{
    Cx, Done, Job, JobError, JobResult, NewJob, OnDuplicate, Policy, TenantId, Unique, UniqueScope,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::background::Training;
use super::model::{Example, Metrics, TrainError, Trained};
use super::models::{self, ModelVersion, Origin};
use super::{dataset, promotion, shipped};
use crate::telemetry;

const NAME_MAX: usize = 200;

/// Makes a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// The labelled texts; left out: those that ship with the program, for the platform where it has no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_id: Option<Uuid>,
    /// What the model is called.
    pub name: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TrainedModel {
    /// The model.
    pub model_version: ModelVersion,
    /// What it is called.
    pub name: String,
    /// Texts it was trained on.
    pub rows: u64,
    /// How good it was on texts it had not seen.
    pub holdout: Metrics,
    /// `active`, or `candidate`.
    pub status: &'static str,
    /// The approval that an admin is asked for.
    pub approval_id: Option<Uuid>,
    /// Why none is asked for.
    pub note: Option<String>,
}

impl Train {
    /// The first model of a fleet, from the tickets that ship with it.
    pub fn shipped() -> NewJob {
        let train = Self {
            dataset_id: None,
            name: shipped::NAME.to_owned(),
        };
        NewJob::of(&train).unique(Unique {
            key: "triage.train shipped".to_owned(),
            scope: UniqueScope::Live,
            window_s: None,
            on_duplicate: OnDuplicate::Return,
        })
    }

    async fn examples(
        &self,
        conn: &mut PgConnection,
        tenant: TenantId,
    ) -> Result<Vec<Example>, JobError> {
        let Some(dataset) = self.dataset_id else {
            return Ok(shipped::examples());
        };
        let examples = dataset::examples(conn, tenant, dataset).await?;
        if examples.is_empty() {
            let unknown = format!("dataset_id: the tenant has no dataset {dataset}");
            return Err(JobError::discard(unknown));
        }
        Ok(examples)
    }
}

impl Job for Train {
    const KIND: &'static str = "triage.train";
    const DESCRIPTION: &'static str = "Makes a ticket classifier from labelled texts.";

    type Deps = ();

    fn policy() -> Policy {
        Policy {
            timeout: Duration::from_mins(10),
            max_attempts: 5,
            ..Policy::DEFAULT
        }
    }

    fn example() -> Self {
        Self {
            dataset_id: Some(Uuid::nil()),
            name: "tickets of the spring".to_owned(),
        }
    }

    async fn run(self, cx: Cx<()>) -> JobResult {
        if self.name.is_empty() || self.name.chars().count() > NAME_MAX {
            return Err(JobError::discard(format!(
                "name: it must have 1 to {NAME_MAX} characters"
            )));
        }
        let mut conn = cx.pool().acquire().await?;
        if self.dataset_id.is_none() {
            if cx.tenant() != TenantId::PLATFORM {
                return Err(JobError::discard(
                    "dataset_id: say which; the tickets that ship are the platform's",
                ));
            }
            if shipped::first_model(&mut conn).await?.is_none() {
                return Ok(Done::nothing_to_do("the platform has a model"));
            }
        }
        let examples = self.examples(&mut conn, cx.tenant()).await?;
        drop(conn);
        let rows = examples.len();
        let trained = watched(examples, &cx).await?;
        telemetry::trained(&trained.holdout);
        let mut tx = cx.pool().begin().await?;
        let origin = Origin {
            tenant: cx.tenant(),
            name: &self.name,
            dataset: self.dataset_id,
            rows,
            active: false,
        };
        let made = keep(&mut tx, origin, &trained).await?;
        let done = cx.settle_in(&mut tx, Some(&made)).await?;
        tx.commit().await?;
        Ok(done)
    }
}

/// Trains, and says how far it is.
async fn watched(examples: Vec<Example>, cx: &Cx<()>) -> Result<Trained, JobError> {
    let mut training = Training::start(examples);
    loop {
        if let Some(ended) = training.look().await {
            return ended.map_err(|error| match error {
                TrainError::Stopped => JobError::from(error),
                _ => JobError::discard(error.to_string()),
            });
        }
        let (done, all) = training.progress();
        cx.progress(done, all, "training").await?;
    }
}

/// Keeps a trained model and proposes it, in the caller's transaction.
pub(super) async fn keep(
    conn: &mut PgConnection,
    origin: Origin<'_>,
    trained: &Trained,
) -> Result<TrainedModel, sqlx::Error> {
    let first =
        origin.dataset.is_none() && models::active_version(conn, origin.tenant).await?.is_none();
    let origin = Origin {
        active: first,
        ..origin
    };
    let version = models::insert(conn, &origin, trained).await?;
    let proposed = if first {
        promotion::Proposed::default()
    } else {
        promotion::propose(conn, origin.tenant, version, &trained.model).await?
    };
    Ok(TrainedModel {
        model_version: version,
        name: origin.name.to_owned(),
        rows: origin.rows as u64,
        holdout: trained.holdout.clone(),
        status: if first { "active" } else { "candidate" },
        approval_id: proposed.approval,
        note: proposed.note,
    })
}

/// Keeps a model that was trained without a job, for a command.
pub async fn keep_trained(
    conn: &mut PgConnection,
    tenant: TenantId,
    name: &str,
    dataset: Uuid,
    rows: usize,
    trained: &Trained,
) -> Result<TrainedModel, sqlx::Error> {
    let origin = Origin {
        tenant,
        name,
        dataset: Some(dataset),
        rows,
        active: false,
    };
    keep(conn, origin, trained).await
}
