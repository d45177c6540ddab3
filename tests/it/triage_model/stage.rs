//! A database with labelled texts, and a worker that runs what is enqueued.

use std::time::Duration;

use fleet_jobs::triage::dataset::{Labelled, keep};
use fleet_jobs::triage::model::Example;
use fleet_jobs::triage::{Train, active_model};
use fleet_queue::kinds::register_kinds;
use fleet_queue::transitions::enqueue::enqueue;
use fleet_queue::{NewJob, TenantId};
use fleet_tests::{TestDb, database, eventually};
use fleet_worker::WorkerSettings;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) const TENANT: TenantId = TenantId(Uuid::from_u128(0x7e7a));

pub(super) struct Stage {
    pub(super) db: TestDb,
}

impl Stage {
    pub(super) async fn open() -> Self {
        let db = database().await;
        let kinds: Vec<_> = fleet_jobs::registry().infos().cloned().collect();
        register_kinds(&mut *db.conn().await, &kinds).await.unwrap();
        Self { db }
    }

    /// Keeps labelled texts.
    pub(super) async fn dataset(&self, tenant: TenantId, examples: Vec<Example>) -> Uuid {
        let labelled = Labelled {
            examples,
            ..Labelled::default()
        };
        let mut tx = self.db.pool.begin().await.unwrap();
        let dataset = keep(&mut tx, tenant, "texts", "a test", &labelled).await;
        tx.commit().await.unwrap();
        dataset.unwrap()
    }

    /// Runs one job to its end: its state, and its output or the reason.
    pub(super) async fn run(&self, job: &NewJob) -> (String, Value) {
        let id = enqueue(&mut *self.db.conn().await, job).await.unwrap().id.0;
        self.work().await;
        let sql = "SELECT h.state::text, COALESCE(o.output, to_jsonb(h.reason)) FROM fleet.job_history h LEFT JOIN fleet.job_output o ON o.job_id = h.id WHERE h.id = $1";
        let row = sqlx::query_as(sql).bind(id);
        row.fetch_one(&self.db.pool).await.unwrap()
    }

    /// Runs whatever waits.
    pub(super) async fn work(&self) {
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let settings = WorkerSettings {
            shutdown_grace: Duration::from_secs(20),
            ..WorkerSettings::default()
        };
        let db = self.db.db.clone();
        let worker = fleet_worker::run(settings, db, fleet_jobs::registry(), soft.clone(), hard);
        let worker = tokio::spawn(worker);
        eventually("nothing is left", || async {
            (self.db.number("SELECT count(*) FROM fleet.job").await == 0).then_some(())
        })
        .await;
        soft.cancel();
        worker.await.unwrap().unwrap();
    }

    /// Trains a model of a dataset and gives what the job says.
    pub(super) async fn trained(&self, tenant: TenantId, dataset: Uuid, name: &str) -> Value {
        let (state, said) = self.run(&train(tenant, dataset, name)).await;
        assert_eq!(state, "completed", "{said}");
        said
    }

    /// The version in use, if there is one.
    pub(super) async fn in_use(&self, tenant: TenantId) -> Option<String> {
        let active = active_model(&mut *self.db.conn().await, tenant).await;
        active.unwrap().map(|(version, _)| version.to_string())
    }
}

pub(super) fn train(tenant: TenantId, dataset: Uuid, name: &str) -> NewJob {
    NewJob::of(&Train {
        dataset_id: Some(dataset),
        name: name.to_owned(),
    })
    .tenant(tenant)
}

/// Texts of three labels, so many of each, of which so many of a hundred carry a wrong one.
pub(super) fn shop(each: usize, wrong: usize) -> Vec<Example> {
    let about = [
        (
            "refund",
            ["give my money back", "refund the order", "want a refund"],
        ),
        (
            "login",
            [
                "cannot log in",
                "password is refused",
                "locked out of my account",
            ],
        ),
        (
            "bug",
            ["page crashes", "button does nothing", "error when saving"],
        ),
    ];
    let mut examples = Vec::new();
    for n in 0..each {
        for (at, (_, phrases)) in about.iter().enumerate() {
            let slipped = n * 100 < wrong * each;
            let label = about[if slipped { (at + 1) % 3 } else { at }].0;
            examples.push(Example {
                text: format!("{} please, case {n}", phrases[n % 3]),
                label: label.to_owned(),
            });
        }
    }
    examples
}
