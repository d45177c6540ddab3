//! Wiring: the tasks behind the handlers, the layers around them, and a graceful end.

use std::future::IntoFuture;
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

use crate::auth::{self, KeyCache, Rates};
use crate::checks::Checks;
use crate::gather::gathering;
use crate::kinds::Kinds;
use crate::queries::Queries;
use crate::settings::ApiSettings;
use crate::state::{ApiState, Shared};
use crate::system::Sampler;
use crate::waiting::Waiting;
use crate::{guard, idempotency, measure, openapi, queries, request_id, routes, unstorable};

/// From one sweep of old answers to the next.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Between two tries to find the database at the start.
const PREPARE_AGAIN: Duration = Duration::from_millis(500);

/// Why the API could not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The database's schema is not this binary's, or it does not let us in.
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
    let mut tasks = JoinSet::new();
    let state = start(settings, db, soft.clone(), &mut tasks);
    let preparing = prepare_through_outages(state.clone(), registry);
    // Answers are small and wanted at once.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let serving = axum::serve(listener, app(state))
        .with_graceful_shutdown(soft.cancelled_owned())
        .into_future();
    let served = tokio::select! {
        served = serving => served.map_err(ApiError::Socket),
        refused = preparing => Err(ApiError::Database(refused)),
    };
    tasks.shutdown().await;
    served
}

/// Makes the database ready for requests, which are answered with 503 until then; ends only where it can never be.
async fn prepare_through_outages(state: ApiState, registry: Registry) -> fleet_queue::Error {
    let mut failures = 0_u32;
    loop {
        match prepare(&state.db, &registry).await {
            Ok(()) => break,
            Err(error) if error.is_transient() => failures += 1,
            Err(error) => return error,
        }
        if failures.is_power_of_two() {
            tracing::warn!(
                failures,
                "the database is out of reach: requests are refused until it answers"
            );
        }
        tokio::time::sleep(PREPARE_AGAIN).await;
    }
    state.prepared.cancel();
    std::future::pending().await
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
        rates: Rates::new(settings.rate_per_second, settings.rate_burst),
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
        prepared: CancellationToken::new(),
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
    let (metrics, metrics_paths) = routes::metrics().split_for_parts();
    let paths = [
        short_paths,
        bulk_paths,
        waits_paths,
        open_paths,
        metrics_paths,
    ];
    let document = openapi::document(paths, routes::schemas());
    let queries = Queries::of(&document);
    let docs = docs(&document);

    let short = short.layer(from_fn_with_state(state.clone(), guard::in_time));
    let bulk = bulk.layer(from_fn_with_state(state.clone(), guard::in_turn));
    let mut busy = short.merge(bulk);
    let mut app = open;
    for (is_open, router) in [(settings.metrics_open, metrics), (settings.docs_open, docs)] {
        if is_open {
            app = app.merge(router);
        } else {
            busy = busy.merge(router);
        }
    }
    // From the outside in: the bound on how much is under way (for those who wait, a bound of their own), then the key;
    // and before all, that there is a database to ask.
    let with_key = from_fn_with_state(state.clone(), auth::check_key);
    let bounded = from_fn_with_state(state.clone(), guard::in_bounds);
    let prepared = from_fn_with_state(state.clone(), guard::when_prepared);
    let parameters = from_fn_with_state(queries, queries::refuse_unknown);
    let busy = busy
        .layer(parameters.clone())
        .layer(with_key.clone())
        .layer(bounded);
    let keyed = busy.merge(waits.layer(parameters).layer(with_key));
    app.merge(keyed.layer(prepared))
        .fallback(guard::no_route)
        .method_not_allowed_fallback(guard::no_method)
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(from_fn(unstorable::refuse_in_uri))
        .layer(from_fn(measure::measure))
        .layer(from_fn(request_id::name))
        .with_state(state)
}

fn docs(document: &Value) -> Router<ApiState> {
    let text = document.to_string();
    let json = [(header::CONTENT_TYPE, "application/json")];
    // The key stays with the browser, so that a reload does not ask for it again.
    let config = utoipa_swagger_ui::Config::from("/openapi.json")
        .persist_authorization(true)
        .display_request_duration(true)
        .try_it_out_enabled(true);
    let page = SwaggerUi::new("/docs").config(config);
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
        routes::metrics(),
    ];
    openapi::document(routers.map(OpenApiRouter::into_openapi), routes::schemas())
}
