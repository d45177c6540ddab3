//! An example for each body that is sent, by the operation's id: what the pages fill in, to be tried as it stands.
//!
//! Left to itself a page makes one up, with every field and a nonsense in each, which the API rightly refuses.
//! A test sends each.

use serde_json::{Value, json};

/// The example of an operation's body.
pub(crate) fn of(operation_id: &str) -> Option<Value> {
    let example = match operation_id {
        "createJob" => json!({
            "kind": "leaderboard.refresh", "payload": { "kind": "partner", "period": "week" }, "priority": 1,
            "unique": { "key": "refresh partners" }, "tags": ["by hand"],
        }),
        "createJobs" => json!({ "jobs": [
            { "kind": "leaderboard.refresh", "payload": { "kind": "partner" } },
            { "kind": "leaderboard.refresh", "payload": { "kind": "client" } },
        ] }),
        "rescheduleJob" => json!({ "run_at": "2030-01-31T09:00:00Z" }),
        "reprioritizeJob" => json!({ "priority": 0 }),
        "cancelJob" | "retryJob" => json!({ "reason": "asked for by the customer" }),
        "pauseQueue" | "pauseKind" | "pauseTenant" => {
            json!({ "reason": "the gateway is down", "until": "2030-01-31T09:00:00Z" })
        }
        "changeQueue" => json!({ "max_depth": 100_000, "age_step_s": 60 }),
        "setTenantWeight" => json!({ "weight": 3 }),
        "setLimit" => {
            json!({ "kind": "leaderboard.refresh", "per_tenant": true, "cap": 2, "rate": 10, "burst": 20 })
        }
        "putSchedule" => json!({
            "kind": "leaderboard.refresh", "payload": { "kind": "partner" }, "cron": "30 6 * * mon-fri", "zone": "Europe/Berlin",
        }),
        "pauseSchedule" => json!({ "reason": "holidays" }),
        "previewTimes" => json!({ "cron": "30 6 * * mon-fri", "zone": "Europe/Berlin", "n": 5 }),
        "drainWorker" => json!({ "draining": true }),
        "createApiKey" => json!({
            "name": "portal", "tenant_id": "09adbcee-987c-409f-ab03-011fd54648b9", "scopes": ["jobs:enqueue", "jobs:read"],
        }),
        "changePartnerCapacity" => json!({ "max_load": 20, "reason": "agreed with the partner" }),
        "putPartner" => json!({
            "name": "Ann & Co.", "industries": ["retail"], "channels": ["search"], "languages": ["en", "de"], "zone": "Europe/Berlin",
        }),
        "addPartnerLeave" => {
            json!({ "starts_at": "2030-08-01T00:00:00Z", "ends_at": "2030-08-15T00:00:00Z" })
        }
        "createClients" => json!({
            "tenant_id": "09adbcee-987c-409f-ab03-011fd54648b9", "name": "Acme", "plan": "standard", "monthly_budget_micros": 2_500_000_000_u64,
            "industry": "retail", "channels": ["search"], "languages": ["en"], "region": "eu", "zone": "Europe/Berlin",
        }),
        "changeClient" => json!({ "plan": "enterprise" }),
        "assignClient" => json!({
            "client_id": "09adbcee-987c-409f-ab03-011fd54648b9", "partner_id": "09adbcee-987c-409f-ab03-011fd54648b9",
            "reason": "they have worked together before",
        }),
        "changeAssignmentSettings" => {
            json!({ "settings": { "reservation_hours": 48 }, "reason": "the team is small" })
        }
        "changeCapacitySettings" => {
            json!({ "settings": { "caps": { "standard": 12 } }, "reason": "the team is small" })
        }
        "refreshLeaderboard" => json!({ "dry_run": true }),
        "clearHold" | "approvePromotion" | "rejectPromotion" => {
            json!({ "note": "looked at with the partner" })
        }
        "approveApproval" | "rejectApproval" => json!({ "note": "agreed", "revision": 1 }),
        "correctApproval" => json!({
            "correction": { "partner_id": "09adbcee-987c-409f-ab03-011fd54648b9" }, "note": "they have met already",
        }),
        "setApprovalPolicy" => {
            json!({ "review": "below_threshold", "threshold": 0.8, "note": "few were overruled" })
        }
        _ => return of_support(operation_id),
    };
    Some(example)
}

/// The same for tickets and what support works by.
fn of_support(operation_id: &str) -> Option<Value> {
    let example = match operation_id {
        "createTickets" => json!({
            "client_id": "6f1c7a52-93b0-4f0e-8a57-2f4c1d3be901", "subject": "Charged twice",
            "body": "Your October invoice was charged twice to our card.", "external_id": "T-1001",
        }),
        "editTicket" => json!({ "category": "billing", "priority": "high" }),
        "sayInTicket" => {
            json!({ "author": "staff", "body": "The second charge is on its way back to you.", "waiting": true })
        }
        "putBusinessHours" => {
            json!({ "zone": "Europe/Berlin", "work_days": [1, 2, 3, 4, 5], "opens": "09:00", "closes": "18:00" })
        }
        "putHolidays" => json!({ "holidays": [{ "day": "2030-12-25", "name": "Christmas" }] }),
        "putArticle" => {
            json!({ "title": "Read an invoice", "body": "Each invoice lists your plan, usage and tax." })
        }
        "createReviewedTriageDataset" => {
            json!({ "name": "answers of the spring", "since": "2026-03-01T00:00:00Z", "with_shipped": true })
        }
        "putTriageSettings" => json!({ "duplicate_hours": 48, "backlog_days": 14 }),
        _ => return None,
    };
    Some(example)
}
