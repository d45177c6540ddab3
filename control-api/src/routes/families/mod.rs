//! What the families themselves offer: boards, capacities, what waits for a person, and metrics coming in.

mod approval_policies;
mod approvals;
mod capacity;
mod holds;
mod ingest;
mod leaderboards;
mod partners;
mod promotions;

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
        .merge(approvals::router())
        .merge(approval_policies::router())
}

/// Routes that take in streams of any size.
pub(super) fn streams() -> OpenApiRouter<ApiState> {
    ingest::router()
}

pub(super) fn schemas(schemas: &mut Schemas) {
    leaderboards::schemas(schemas);
    holds::schemas(schemas);
    promotions::schemas(schemas);
    partners::schemas(schemas);
    capacity::schemas(schemas);
    approvals::schemas(schemas);
    approval_policies::schemas(schemas);
    ingest::schemas(schemas);
}
