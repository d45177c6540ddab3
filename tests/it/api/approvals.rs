//! Approvals over HTTP: who sees them, who decides, and that a decision and its job are one.

use fleet_control_api::Scope;
use fleet_jobs::approval::{Proposal, Status, ask, policy, verdict, withdraw};
use fleet_queue::TenantId;
use fleet_queue::kinds::register_kinds;
use fleet_tests::eventually;
use fleet_worker::WorkerSettings;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::served::{Reply, Served, pick};

const TENANT: Uuid = Uuid::from_u128(0x7e7a);
const OTHER: Uuid = Uuid::from_u128(9);
const SUBJECT: Uuid = Uuid::from_u128(0xc1);
const APPLIED: &str = "SELECT count(*) FROM fleet.job WHERE kind = 'capacity.score_all'";

/// What a family would ask; any registered kind can carry the verdict out.
fn proposal(subject: Uuid) -> Proposal<'static> {
    Proposal {
        tenant: TenantId(TENANT),
        decision: "triage_model",
        subject,
        proposal: json!({ "model_version": 3 }),
        rationale: json!({ "macro_f1": 0.9 }),
        confidence: Some(0.6),
        threshold: Some(0.75),
        apply_kind: "capacity.score_all",
        expires_at: None,
    }
}

async fn asked(api: &Served, proposal: &Proposal<'_>) -> Uuid {
    ask(&mut *api.db.conn().await, proposal).await.unwrap()
}

/// A served API with one question that waits.
async fn waiting() -> (Served, Uuid) {
    let api = Served::start_serving(fleet_jobs::registry()).await;
    let kinds: Vec<_> = fleet_jobs::registry().infos().cloned().collect();
    register_kinds(&mut *api.db.conn().await, &kinds)
        .await
        .unwrap();
    let id = asked(&api, &proposal(SUBJECT)).await;
    (api, id)
}

fn at(id: Uuid, verb: &str) -> String {
    format!("/v1/approvals/{id}/{verb}")
}

async fn put_policy(api: &Served, key: &str, decision: &str, body: Value) -> Reply {
    let path = format!("/v1/approval-policies/{decision}");
    let request = api.request(Method::PUT, &path).bearer_auth(key);
    api.send(request.json(&body)).await
}

#[tokio::test]
async fn an_approval_and_the_job_that_carries_it_out_are_one() {
    let (api, id) = waiting().await;
    assert_eq!(api.db.number(APPLIED).await, 0, "nothing before a person");
    let body = json!({ "note": "looks right", "revision": 1 });
    let done = api.post(&at(id, "approve"), body).await.ok();
    assert_eq!(
        pick(&done, ["status", "note", "proposal/model_version"]),
        json!(["approved", "looks right", 3])
    );
    let job = "SELECT kind || ' ' || (payload = jsonb_build_object('approval_id', (SELECT approval_id FROM fleet.approvals))) || ' ' || tenant_id FROM fleet.job";
    let carried = format!("capacity.score_all true {TENANT}");
    assert_eq!(api.db.text(job).await, carried);
    let audited = "SELECT count(*) FROM fleet.audit WHERE action = 'approvals.approve' AND reason = 'looks right'";
    assert_eq!(api.db.number(audited).await, 1);
    let told = "SELECT string_agg(kind, ', ' ORDER BY id) FROM fleet.event";
    assert_eq!(api.db.text(told).await, "approval.asked, approval.approved");
    let mut conn = api.db.conn().await;
    let found = verdict(&mut conn, id, TenantId(TENANT)).await.unwrap();
    assert_eq!(found.map(|it| it.status), Some(Status::Approved));
    let foreign = verdict(&mut conn, id, TenantId(OTHER)).await.unwrap();
    assert!(
        foreign.is_none(),
        "another tenant's job carries nothing out"
    );
}

#[tokio::test]
async fn what_is_decided_is_not_decided_again() {
    let (api, id) = waiting().await;
    api.post(&at(id, "reject"), json!({})).await.ok();
    let again = api.post(&at(id, "approve"), json!({})).await;
    again.refused(409, "settled", None);
    assert_eq!(api.db.number(APPLIED).await, 1, "the rejection's");
    let record = api.get("/v1/approvals/record").await.ok();
    assert_eq!(
        pick(
            &record["decisions"][0],
            ["decision", "rejected", "overruled"]
        ),
        json!(["triage_model", 1, 1.0])
    );
}

#[tokio::test]
async fn of_two_that_decide_at_once_one_does() {
    let (api, id) = waiting().await;
    let (approve, reject) = (at(id, "approve"), at(id, "reject"));
    let (one, two) = tokio::join!(api.post(&approve, json!({})), api.post(&reject, json!({})));
    let mut answers = [one.status.as_u16(), two.status.as_u16()];
    answers.sort_unstable();
    assert_eq!(answers, [200, 409]);
    assert_eq!(api.db.number(APPLIED).await, 1);
}

#[tokio::test]
async fn nobody_approves_what_was_replaced_since() {
    let (api, id) = waiting().await;
    let newer = Proposal {
        proposal: json!({ "model_version": 4 }),
        ..proposal(SUBJECT)
    };
    assert_eq!(asked(&api, &newer).await, id, "the same question");
    let stale = api.post(&at(id, "approve"), json!({ "revision": 1 })).await;
    stale.refused(409, "replaced", Some("revision"));
    let done = api.post(&at(id, "approve"), json!({ "revision": 2 })).await;
    assert_eq!(done.ok()["proposal"]["model_version"], 4);
}

#[tokio::test]
async fn a_decision_without_a_shape_for_corrections_refuses_them() {
    let (api, id) = waiting().await;
    let body = json!({ "correction": { "model_version": 2 } });
    let refused = api.post(&at(id, "correct"), body).await;
    refused.refused(422, "invalid_field", Some("correction"));
    assert_eq!(api.db.number(APPLIED).await, 0);
    api.post(&at(id, "correct"), json!({}))
        .await
        .refused(422, "invalid_field", Some("correction"));
    let long = json!({ "note": "x".repeat(1001) });
    api.post(&at(id, "approve"), long)
        .await
        .refused(422, "invalid_field", Some("note"));
    api.post(&at(Uuid::new_v4(), "approve"), json!({}))
        .await
        .refused(404, "not_found", None);
}

#[tokio::test]
async fn a_decision_that_nobody_could_carry_out_is_not_taken() {
    let (api, id) = waiting().await;
    api.db
        .execute("UPDATE fleet.approvals SET apply_kind = 'none.such'")
        .await;
    let refused = api.post(&at(id, "approve"), json!({})).await;
    refused.refused(409, "kind_not_run", None);
    let path = format!("/v1/approvals/{id}");
    assert_eq!(api.get(&path).await.ok()["status"], "pending");
}

#[tokio::test]
async fn i12_a_tenant_sees_and_decides_its_own_questions_and_no_others() {
    let (api, id) = waiting().await;
    let ours = api.tenant_key(TENANT).await;
    let theirs = api.tenant_key(OTHER).await;
    let path = format!("/v1/approvals/{id}");
    let seen = api.get_as(&theirs, &path).await;
    seen.refused(404, "not_found", None);
    let none = api.get_as(&theirs, "/v1/approvals").await.ok();
    assert_eq!(none["approvals"], json!([]));
    for verb in ["approve", "reject"] {
        let tried = api.post_as(&theirs, &at(id, verb), json!({})).await;
        tried.refused(404, "not_found", None);
    }
    let list = api.get_as(&ours, "/v1/approvals?status=pending").await.ok();
    assert_eq!(list["approvals"][0]["approval_id"], json!(id));
    let reader = api.key(Some(TENANT), &[Scope::JobsRead]).await;
    let unscoped = api.post_as(&reader, &at(id, "approve"), json!({})).await;
    unscoped.refused(403, "missing_scope", None);
    api.post_as(&ours, &at(id, "approve"), json!({})).await.ok();
}

#[tokio::test]
async fn a_question_that_nobody_answers_ends_and_is_told() {
    let (api, waits) = waiting().await;
    let ending = |at| Proposal {
        expires_at: Some(at),
        ..proposal(Uuid::from_u128(2))
    };
    let now = chrono::Utc::now();
    let later = now + chrono::TimeDelta::hours(24);
    let id = asked(&api, &ending(later)).await;
    // Put forward: the job of the first end finds the question ended, or not due.
    assert_eq!(asked(&api, &ending(now)).await, id);
    let scheduled = "SELECT string_agg(kind || ' ' || state, ', ' ORDER BY run_at) FROM fleet.job";
    assert_eq!(
        api.db.text(scheduled).await,
        "approval.expire available, approval.expire scheduled"
    );
    let stop = CancellationToken::new();
    let (db, registry) = (api.db.db.clone(), fleet_jobs::registry());
    let worker = fleet_worker::run(
        WorkerSettings::default(),
        db,
        registry,
        stop.clone(),
        stop.clone(),
    );
    let worker = tokio::spawn(worker);
    let expired = "SELECT count(*) FROM fleet.approvals WHERE status = 'expired'";
    eventually("it ends", || async {
        (api.db.number(expired).await == 1).then_some(())
    })
    .await;
    stop.cancel();
    worker.await.unwrap().unwrap();
    let late = api.post(&at(id, "approve"), json!({})).await;
    late.refused(409, "settled", None);
    let told = "SELECT (SELECT count(*) FROM fleet.job WHERE kind = 'capacity.score_all') + (SELECT count(*) FROM fleet.job_history WHERE kind = 'capacity.score_all')";
    assert_eq!(api.db.number(told).await, 1, "so that it is released");
    let path = format!("/v1/approvals/{waits}");
    assert_eq!(api.get(&path).await.ok()["status"], "pending");
}

#[tokio::test]
async fn a_question_can_be_taken_back() {
    let (api, id) = waiting().await;
    for there_is_one in [true, false] {
        let mut conn = api.db.conn().await;
        let tenant = TenantId(TENANT);
        let done = withdraw(&mut conn, tenant, "triage_model", SUBJECT, "retrained").await;
        assert_eq!(done.unwrap(), there_is_one);
    }
    let refused = api.post(&at(id, "approve"), json!({})).await;
    refused.refused(409, "settled", None);
    assert_eq!(api.db.number(APPLIED).await, 0);
}

#[tokio::test]
async fn policies_are_read_by_all_and_turned_by_the_platform() {
    let (api, _) = waiting().await;
    let ours = api.tenant_key(TENANT).await;
    let body = json!({ "review": "always", "threshold": 0.9, "tenant_id": TENANT, "note": "new partner team" });
    put_policy(&api, &ours, "triage", body.clone())
        .await
        .refused(403, "platform_only", None);
    let set = put_policy(&api, &api.admin, "triage", body).await.ok();
    assert_eq!(pick(&set, ["version", "review"]), json!([1, "always"]));
    let seen = api
        .get_as(&ours, "/v1/approval-policies?decision=triage")
        .await
        .ok();
    let reviews = pick(&seen, ["policies/0/review", "policies/1/review"]);
    assert_eq!(reviews, json!(["below_threshold", "always"]));
    let default = json!({ "review": "never", "threshold": 0.5 });
    let set = put_policy(&api, &api.admin, "triage", default).await.ok();
    assert_eq!(pick(&set, ["version", "review"]), json!([2, "never"]));
    let mut conn = api.db.conn().await;
    let own = policy(&mut conn, TenantId(TENANT), "triage").await;
    assert!(own.unwrap().waits(1.0), "its own");
    let default = policy(&mut conn, TenantId(OTHER), "triage").await;
    assert!(!default.unwrap().waits(0.0), "the platform's");
}

#[tokio::test]
async fn policies_set_at_once_follow_one_another() {
    let (api, _) = waiting().await;
    let body = json!({ "review": "always", "threshold": 0.5 });
    let sent = (0..8).map(|_| put_policy(&api, &api.admin, "triage", body.clone()));
    let mut versions = Vec::new();
    for answer in futures::future::join_all(sent).await {
        versions.push(answer.ok()["version"].as_i64().unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (2..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn policies_that_make_no_sense_are_refused() {
    let (api, _) = waiting().await;
    let body = json!({ "review": "always", "threshold": 1.5 });
    put_policy(&api, &api.admin, "triage", body).await.refused(
        422,
        "invalid_field",
        Some("threshold"),
    );
    let body = json!({ "review": "always", "threshold": 0.5 });
    put_policy(&api, &api.admin, "astrology", body)
        .await
        .refused(404, "not_found", None);
    let body = json!({ "review": "sometimes", "threshold": 0.5 });
    let unread = put_policy(&api, &api.admin, "triage", body).await;
    unread.refused(422, "invalid_field", Some("review"));
}
