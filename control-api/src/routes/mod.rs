//! The routes, one file an endpoint group.
//!
//! `short` ones are bounded by the request's clock, `bulk` ones take much in, `waits` may wait for a job; `open` ones need no key.

mod api_keys;
mod audit;
mod families;
mod health;
mod jobs_batch;
mod jobs_change;
mod jobs_create;
mod jobs_list;
mod jobs_read;
mod jobs_result;
mod kinds;
mod limits;
mod metrics;
mod pauses;
mod queues;
mod schedules;
mod schedules_preview;
mod schedules_run;
mod system;
mod tenants;
mod workers;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;

pub(crate) use metrics::router as metrics;

use crate::openapi::Schemas;
use crate::settings::ApiSettings;
use crate::state::ApiState;

/// Routes that answer within the request's clock.
pub(crate) fn short(settings: &ApiSettings) -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .merge(jobs_create::router())
        .merge(jobs_list::router())
        .merge(jobs_read::router())
        .merge(jobs_change::router())
        .merge(kinds::router())
        .merge(queues::router())
        .merge(pauses::router())
        .merge(tenants::router())
        .merge(limits::router())
        .merge(workers::router())
        .merge(schedules::router())
        .merge(schedules_run::router())
        .merge(schedules_preview::router())
        .merge(system::router())
        .merge(api_keys::router())
        .merge(audit::router())
        .merge(families::router())
        .layer(DefaultBodyLimit::max(settings.body_bytes_max))
}

/// Routes that take much in.
pub(crate) fn bulk(settings: &ApiSettings) -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .merge(jobs_batch::router())
        .merge(families::streams())
        .layer(DefaultBodyLimit::max(settings.batch_bytes_max))
}

/// Routes that may wait for long, holding next to nothing meanwhile.
pub(crate) fn waits() -> OpenApiRouter<ApiState> {
    jobs_result::router()
}

/// Routes without a key: whether the process lives, and whether it is ready.
pub(crate) fn open() -> OpenApiRouter<ApiState> {
    health::router()
}

/// Every schema the routes refer to.
pub(crate) fn schemas() -> Schemas {
    let mut schemas = Schemas::new();
    jobs_create::schemas(&mut schemas);
    jobs_batch::schemas(&mut schemas);
    jobs_list::schemas(&mut schemas);
    jobs_read::schemas(&mut schemas);
    jobs_result::schemas(&mut schemas);
    jobs_change::schemas(&mut schemas);
    kinds::schemas(&mut schemas);
    queues::schemas(&mut schemas);
    pauses::schemas(&mut schemas);
    tenants::schemas(&mut schemas);
    limits::schemas(&mut schemas);
    workers::schemas(&mut schemas);
    schedules::schemas(&mut schemas);
    schedules_run::schemas(&mut schemas);
    schedules_preview::schemas(&mut schemas);
    system::schemas(&mut schemas);
    api_keys::schemas(&mut schemas);
    audit::schemas(&mut schemas);
    families::schemas(&mut schemas);
    health::schemas(&mut schemas);
    schemas
}
