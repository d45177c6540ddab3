//! What a campaign begins with: the schema, a key, limits, schedules.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::crew::{Crew, Role};
use crate::error::CampaignError;
use crate::plan::Plan;
use crate::portal::Portal;
use crate::server::Server;

/// Longest that processes may take to be at work.
const START_WITHIN: Duration = Duration::from_secs(60);

/// Migrates as an operator would, and gives the first admin's key.
pub(crate) async fn migrate(plan: &Plan, server: &Server) -> Result<String, CampaignError> {
    let output = Command::new(&plan.binary)
        .args(["migrate", "--json"])
        .env("DATABASE_URL", server.url_through(server.port()))
        .current_dir(&plan.folder)
        .output();
    let output = output
        .await
        .map_err(CampaignError::file("run", &plan.binary))?;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let key = said["admin_key"].as_str().map(str::to_owned);
    key.ok_or_else(|| CampaignError::Process {
        who: "fleet migrate".to_owned(),
        what: format!(
            "gave no key: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ),
        log: plan.logs(),
    })
}

/// Waits until every worker has registered, and with it the kinds.
pub(crate) async fn at_work(crew: &mut Crew, server: &Server) -> Result<(), CampaignError> {
    let workers = crew
        .members
        .iter()
        .filter(|member| member.role == Role::Worker)
        .count();
    let deadline = Instant::now() + START_WITHIN;
    while living_workers(server).await < workers as i64 {
        crew.look_after()?;
        if Instant::now() > deadline {
            return Err(CampaignError::Process {
                who: "a worker".to_owned(),
                what: format!("was not at work within {START_WITHIN:?}"),
                log: crew.log_of(0),
            });
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn living_workers(server: &Server) -> i64 {
    let asked = sqlx::query_scalar!(
        r#"-- campaign.living_workers
        SELECT count(*) AS "n!" FROM fleet.worker WHERE ended_at IS NULL"#
    );
    asked.fetch_one(server.pool()).await.unwrap_or(0)
}

/// Limits that the load runs into, and schedules of a beat.
pub(crate) async fn rules(portal: &Portal) -> Result<(), CampaignError> {
    let limits = [
        ("capped", json!({ "queue": "capped", "cap": 2 })),
        (
            "shared",
            json!({ "queue": "shared", "per_tenant": true, "cap": 2 }),
        ),
        (
            "rated",
            json!({ "queue": "rated", "rate": 8.0, "burst": 4 }),
        ),
    ];
    for (name, body) in &limits {
        let path = format!("/v1/limits/{name}");
        portal
            .insist(&format!("set limit {name}"), Method::PUT, &path, Some(body))
            .await?;
    }
    for (name, body) in schedules() {
        let path = format!("/v1/schedules/{name}");
        portal
            .insist(
                &format!("put schedule {name}"),
                Method::PUT,
                &path,
                Some(&body),
            )
            .await?;
    }
    Ok(())
}

fn schedules() -> [(&'static str, Value); 3] {
    [
        (
            "every-second",
            json!({ "kind": "diagnostics.noop", "cron": "* * * * * *", "overlap": "allow", "missed": "all" }),
        ),
        (
            "every-two",
            json!({ "kind": "diagnostics.sleep", "payload": { "ms": 50 }, "cron": "@every 2s", "overlap": "buffer_all", "missed": "all" }),
        ),
        (
            "one-at-a-time",
            json!({ "kind": "diagnostics.sleep", "payload": { "ms": 1500 }, "cron": "*/3 * * * * *", "overlap": "skip" }),
        ),
    ]
}

/// Has the schedules fire no more.
pub(crate) async fn quiet(portal: &Portal) -> Result<(), CampaignError> {
    let body = json!({ "reason": "the campaign is over" });
    for (name, _) in schedules() {
        let path = format!("/v1/schedules/{name}/pause");
        portal
            .insist(
                &format!("pause schedule {name}"),
                Method::POST,
                &path,
                Some(&body),
            )
            .await?;
    }
    Ok(())
}
