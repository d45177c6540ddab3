//! What the families themselves offer: boards, capacities, what waits for a person, tickets, and data coming in.

mod approval_policies;
mod approvals;
mod assignment_settings;
mod assignments;
mod capacity;
mod capacity_settings;
mod clients;
mod holds;
mod ingest;
mod leaderboards;
mod partners;
mod promotions;
mod settings;
mod support;
mod tickets;
mod tickets_create;
mod tickets_ingest;
mod triage_datasets;
mod triage_models;
mod triage_reviewed;

use utoipa_axum::router::OpenApiRouter;

use crate::openapi::Schemas;
use crate::state::ApiState;

/// Routes that answer within the request's clock.
pub(super) fn router() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .merge(leaderboards::router())
        .merge(holds::router())
        .merge(promotions::router())
        .merge(partners::router())
        .merge(capacity::router())
        .merge(capacity_settings::router())
        .merge(clients::router())
        .merge(assignments::router())
        .merge(assignment_settings::router())
        .merge(approvals::router())
        .merge(approval_policies::router())
        .merge(tickets::router())
        .merge(support::router())
        .merge(triage_datasets::router())
        .merge(triage_reviewed::router())
        .merge(triage_models::router())
}

/// Routes that take much in, or streams of any size.
pub(super) fn streams() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .merge(ingest::router())
        .merge(clients::bulk())
        .merge(tickets_ingest::router())
        .merge(tickets_create::router())
        .merge(triage_datasets::streams())
}

pub(super) fn schemas(schemas: &mut Schemas) {
    leaderboards::schemas(schemas);
    holds::schemas(schemas);
    promotions::schemas(schemas);
    partners::schemas(schemas);
    capacity::schemas(schemas);
    capacity_settings::schemas(schemas);
    clients::schemas(schemas);
    assignments::schemas(schemas);
    assignment_settings::schemas(schemas);
    approvals::schemas(schemas);
    approval_policies::schemas(schemas);
    ingest::schemas(schemas);
    tickets::schemas(schemas);
    tickets_create::schemas(schemas);
    tickets_ingest::schemas(schemas);
    support::schemas(schemas);
    triage_datasets::schemas(schemas);
    triage_reviewed::schemas(schemas);
    triage_models::schemas(schemas);
}
