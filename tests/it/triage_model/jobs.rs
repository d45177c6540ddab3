//! `triage.train` and `triage.evaluate`, run by a worker.

use fleet_jobs::triage::model::{Example, Model, ModelError};
use fleet_jobs::triage::{Evaluate, ModelVersion, Train, UseError, active_model};
use fleet_queue::{NewJob, TenantId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::stage::{Stage, TENANT, shop, train};

fn evaluate(tenant: TenantId, version: &Value, dataset: Uuid) -> NewJob {
    let version = version.as_str().unwrap().parse().unwrap();
    NewJob::of(&Evaluate {
        model_version: ModelVersion(version),
        dataset_id: dataset,
    })
    .tenant(tenant)
}

#[tokio::test]
async fn a_dataset_becomes_a_model_that_is_measured_text_by_text() {
    let stage = Stage::open().await;
    let dataset = stage.dataset(TENANT, shop(20, 0)).await;
    let made = stage.trained(TENANT, dataset, "shop").await;
    assert_eq!(made["rows"], 60);
    assert_eq!(made["status"], "candidate");
    assert!(made["holdout"]["accuracy"].as_f64() > Some(0.9), "{made}");

    let (state, said) = stage
        .run(&evaluate(TENANT, &made["model_version"], dataset))
        .await;
    assert_eq!(state, "completed", "{said}");
    assert_eq!(said["accuracy"], 1.0);
    assert_eq!(said["oos_auroc"], Value::Null);
    assert_eq!(said["at"]["0.50"]["accuracy"], 1.0);
    let lines = "SELECT string_agg(concat_ws(' ', e.position, e.label, p.predicted), '; ' ORDER BY e.position)
        FROM fleet.triage_examples e JOIN fleet.triage_predictions p USING (tenant_id, position) WHERE e.position <= 3";
    assert_eq!(
        stage.db.text(lines).await,
        "1 refund refund; 2 login login; 3 bug bug"
    );
}

#[tokio::test]
async fn what_cannot_be_done_is_given_up_with_the_reason() {
    let stage = Stage::open().await;
    let one_label = vec![
        Example {
            text: "a".to_owned(),
            label: "x".to_owned(),
        };
        3
    ];
    let dull = stage.dataset(TENANT, one_label).await;
    let theirs = stage
        .dataset(TenantId(Uuid::from_u128(2)), shop(3, 0))
        .await;
    let none = json!(Uuid::nil());
    let no_dataset = NewJob::of(&Train {
        dataset_id: None,
        name: "mine".to_owned(),
    })
    .tenant(TENANT);
    for (job, word) in [
        (train(TENANT, dull, "dull"), "needs two at least"),
        (train(TENANT, theirs, "theirs"), "the tenant has no dataset"),
        (train(TENANT, dull, ""), "name: it must have"),
        (no_dataset, "dataset_id: say which"),
        (evaluate(TENANT, &none, dull), "the tenant has no model"),
    ] {
        let (state, reason) = stage.run(&job).await;
        assert_eq!(state, "discarded", "{reason}");
        assert!(reason.as_str().unwrap().contains(word), "{reason}");
    }
    let made = "SELECT count(*) FROM fleet.triage_models";
    assert_eq!(stage.db.number(made).await, 0);
}

#[tokio::test]
async fn the_first_model_is_the_one_that_ships_and_is_made_once() {
    let stage = Stage::open().await;
    assert_eq!(stage.in_use(TENANT).await, None);
    let (state, said) = stage.run(&Train::shipped()).await;
    assert_eq!(
        (state.as_str(), &said["status"]),
        ("completed", &json!("active")),
        "{said}"
    );
    // A tenant without a model of its own uses the platform's.
    assert_eq!(
        stage.in_use(TENANT).await.as_deref(),
        said["model_version"].as_str()
    );
    let (state, again) = stage.run(&Train::shipped()).await;
    assert_eq!(
        (state.as_str(), &again["nothing_to_do"]),
        ("completed", &json!("the platform has a model"))
    );
}

#[tokio::test]
async fn a_damaged_model_is_an_error_that_says_which() {
    let stage = Stage::open().await;
    let dataset = stage.dataset(TENANT, shop(4, 0)).await;
    let made = stage.trained(TENANT, dataset, "shop").await;
    stage
        .db
        .execute("UPDATE fleet.triage_models SET status = 'active', activated_at = now(), artefact = set_byte(artefact, 60, 0)")
        .await;
    let error = active_model(&mut *stage.db.conn().await, TENANT)
        .await
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains(made["model_version"].as_str().unwrap())
    );
    assert!(matches!(
        error,
        UseError::Model {
            source: ModelError::Damaged(_),
            ..
        }
    ));
    let (state, reason) = stage
        .run(&evaluate(TENANT, &made["model_version"], dataset))
        .await;
    assert_eq!(state, "discarded", "{reason}");
}

#[tokio::test]
async fn training_twice_gives_the_same_bytes() {
    let stage = Stage::open().await;
    let dataset = stage.dataset(TENANT, shop(5, 0)).await;
    stage.trained(TENANT, dataset, "one").await;
    stage.trained(TENANT, dataset, "two").await;
    let artefacts = sqlx::query_scalar::<_, Vec<u8>>("SELECT artefact FROM fleet.triage_models");
    let artefacts = artefacts.fetch_all(&stage.db.pool).await.unwrap();
    assert_eq!(artefacts.len(), 2);
    assert_eq!(artefacts[0], artefacts[1]);
    assert!(Model::load(&artefacts[0]).is_ok());
}

#[tokio::test]
async fn the_latest_fifty_evaluations_of_a_tenant_are_kept() {
    let stage = Stage::open().await;
    let dataset = stage.dataset(TENANT, shop(4, 0)).await;
    let made = stage.trained(TENANT, dataset, "shop").await;
    stage
        .db
        .execute("INSERT INTO fleet.triage_evaluations (tenant_id, model_version, dataset_id, metrics, evaluated_at)
            SELECT d.tenant_id, d.dataset_id, d.dataset_id, '{}', now() - n * interval '1 hour'
            FROM fleet.triage_datasets d, generate_series(1, 60) AS n")
        .await;
    stage
        .run(&evaluate(TENANT, &made["model_version"], dataset))
        .await;
    let kept = "SELECT count(*) FROM fleet.triage_evaluations";
    assert_eq!(stage.db.number(kept).await, 50);
    let fresh = "SELECT count(*) FROM fleet.triage_evaluations WHERE metrics <> '{}'";
    assert_eq!(stage.db.number(fresh).await, 1);
}

#[tokio::test]
async fn the_latest_twenty_models_of_a_tenant_and_the_one_in_use_are_kept() {
    let stage = Stage::open().await;
    let dataset = stage.dataset(TENANT, shop(4, 0)).await;
    stage.trained(TENANT, dataset, "used").await;
    stage
        .db
        .execute("UPDATE fleet.triage_models SET status = 'active', activated_at = now(), trained_at = '2020-01-01'")
        .await;
    stage
        .db
        .execute("INSERT INTO fleet.triage_models (tenant_id, name, status, params_hash, rows, labels, holdout, macro_f1, artefact, trained_at)
            SELECT tenant_id, 'old ' || n, 'candidate', params_hash, rows, labels, holdout, macro_f1, '', '2021-01-01'::timestamptz + n * interval '1 day'
            FROM fleet.triage_models, generate_series(1, 30) AS n")
        .await;
    stage.trained(TENANT, dataset, "new").await;
    let kept = "SELECT count(*) || ' ' || string_agg(name, ', ' ORDER BY trained_at)
            FILTER (WHERE name !~ 'old' OR name ~ '(11|12)')
        FROM fleet.triage_models";
    assert_eq!(stage.db.text(kept).await, "21 used, old 12, new");
}
