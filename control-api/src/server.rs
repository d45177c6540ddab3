//! Wiring: the tasks behind the handlers, the layers around them, and a graceful end.

use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum::serve::ListenerExt;
use fleet_queue::kinds::{KindInfo, register_kinds};
use fleet_queue::{Db, Registry};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_swagger_ui::SwaggerUi;

use crate::auth::{self, KeyCache};
use crate::checks::Checks;
use crate::gather::gathering;
use crate::kinds::Kinds;
use crate::settings::ApiSettings;
use crate::state::{ApiState, Shared};
use crate::system::Sampler;
use crate::waiting::Waiting;
use crate::{guard, idempotency, measure, openapi, request_id, routes};

/// From one sweep of old answers to the next.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Why the API could not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The database's schema is not this binary's, or the database is out of reach.
    #[error("the API cannot start on this database")]
    Database(#[source] fleet_queue::Error),
    /// The listening socket failed.
    #[error("the API's socket failed")]
    Socket(#[source] std::io::Error),
}

/// Serves the API on `listener` until `soft` is cancelled; then answers what is under way, and returns.
pub async fn serve(
    settings: ApiSettings,
    db: Db,
    registry: Registry,
    listener: TcpListener,
    soft: CancellationToken,
) -> Result<(), ApiError> {
    prepare(&db, &registry).await.map_err(ApiError::Database)?;
    let mut tasks = JoinSet::new();
    let state = start(settings, db, soft.clone(), &mut tasks);
    // Answers are small and wanted at once.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let served = axum::serve(listener, app(state))
        .with_graceful_shutdown(soft.cancelled_owned())
        .await;
    tasks.shutdown().await;
    served.map_err(ApiError::Socket)
}

async fn prepare(db: &Db, registry: &Registry) -> Result<(), fleet_queue::Error> {
    db.check_schema().await?;
    let kinds: Vec<KindInfo> = registry.infos().cloned().collect();
    let mut conn = db.acquire("api.register_kinds").await?;
    register_kinds(&mut conn, &kinds).await
}

/// The state, and the tasks that work for it.
fn start(
    settings: ApiSettings,
    db: Db,
    stopping: CancellationToken,
    tasks: &mut JoinSet<()>,
) -> ApiState {
    let (gatherer, intake) = gathering(db.clone(), settings.enqueue_gathered_max);
    for _ in 0..settings.enqueue_writers.max(1) {
        tasks.spawn(intake.clone().run());
    }
    let waiting = Waiting::default();
    tasks.spawn(waiting.clone().run(db.clone()));
    let sampler = Sampler::new();
    tasks.spawn(sampler.clone().run());
    tasks.spawn(sweep(db.clone()));
    ApiState::new(Shared {
        keys: KeyCache::new(settings.key_cache_ttl),
        kinds: Kinds::new(db.clone()),
        in_flight: Semaphore::new(settings.in_flight_max),
        bulk: Semaphore::new(settings.bulk_max),
        waits: Semaphore::new(settings.waits_max),
        gatherer,
        waiting,
        sampler,
        checks: Checks::default(),
        settings,
        db,
        stopping,
    })
}

/// Removes answers that were kept long enough; a sweep that fails is made up for by the next.
async fn sweep(db: Db) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        while idempotency::sweep(db.pool())
            .await
            .is_ok_and(|swept| swept > 0)
        {}
    }
}

fn app(state: ApiState) -> Router {
    let settings = &state.settings;
    let (short, short_paths) = routes::short(settings).split_for_parts();
    let (bulk, bulk_paths) = routes::bulk(settings).split_for_parts();
    let (waits, waits_paths) = routes::waits().split_for_parts();
    let (open, open_paths) = routes::open().split_for_parts();
    let paths = [short_paths, bulk_paths, waits_paths, open_paths];
    let docs = docs(&openapi::document(paths, routes::schemas()));

    let short = short.layer(from_fn_with_state(state.clone(), guard::in_time));
    let bulk = bulk.layer(from_fn_with_state(state.clone(), guard::in_turn));
    let mut busy = short.merge(bulk);
    let mut app = open;
    for (is_open, router) in [
        (settings.metrics_open, routes::metrics()),
        (settings.docs_open, docs),
    ] {
        if is_open {
            app = app.merge(router);
        } else {
            busy = busy.merge(router);
        }
    }
    // From the outside in: the bound on how much is under way (for those who wait, a bound of their own), then the key.
    let with_key = from_fn_with_state(state.clone(), auth::check_key);
    let bounded = from_fn_with_state(state.clone(), guard::in_bounds);
    app.merge(busy.layer(with_key.clone()).layer(bounded))
        .merge(waits.layer(with_key))
        .fallback(guard::no_route)
        .method_not_allowed_fallback(guard::no_method)
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(from_fn(measure::measure))
        .layer(from_fn(request_id::name))
        .with_state(state)
}

fn docs(document: &Value) -> Router<ApiState> {
    let text = document.to_string();
    let json = [(header::CONTENT_TYPE, "application/json")];
    let page = SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json"));
    Router::new().merge(page).route(
        "/openapi.json",
        get(move || async move { (StatusCode::OK, json, text.clone()) }),
    )
}

/// The OpenAPI document, for whoever makes clients or checks it.
#[must_use]
pub fn document() -> Value {
    let settings = ApiSettings::default();
    let routers = [
        routes::short(&settings),
        routes::bulk(&settings),
        routes::waits(),
        routes::open(),
    ];
    openapi::document(routers.map(OpenApiRouter::into_openapi), routes::schemas())
}
