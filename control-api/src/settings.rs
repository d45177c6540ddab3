//! What can be set of the API.

use std::sync::Arc;
use std::time::Duration;

/// Writes the metrics of the process as Prometheus text; the binary that installed the recorder gives it.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Bounds and times of the API (I9).
#[derive(Clone)]
pub struct ApiSettings {
    /// Largest body of a request.
    pub body_bytes_max: usize,
    /// Largest body of a batch of jobs.
    pub batch_bytes_max: usize,
    /// Requests worked on at a time; past it 503 at once, before everything slows down together.
    pub in_flight_max: usize,
    /// Large bodies taken in at a time; with `batch_bytes_max` it bounds the memory.
    pub bulk_max: usize,
    /// Requests that wait for a job's end at a time; past it they are answered at once with what there is.
    pub waits_max: usize,
    /// Longest wait for a job's end.
    pub wait_max: Duration,
    /// A request that takes longer is given up.
    pub request_timeout: Duration,
    /// Requests a second that a tenant's key may make to this process, on average.
    pub rate_per_second: u32,
    /// Requests that may come at once after a quiet time.
    pub rate_burst: u32,
    /// How long a key that was checked is believed: a revoked one works at most so long.
    pub key_cache_ttl: Duration,
    /// How long answers are kept for their Idempotency-Key.
    pub idempotency_kept: Duration,
    /// Tasks that commit gathered enqueues, each over one connection.
    pub enqueue_writers: usize,
    /// Most enqueues of a shared commit.
    pub enqueue_gathered_max: usize,
    /// `/metrics` without a key, for a network of its own.
    pub metrics_open: bool,
    /// `/openapi.json` and `/docs` without a key; they hold no data.
    pub docs_open: bool,
    /// The metrics of this process.
    pub render_metrics: RenderMetrics,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            body_bytes_max: 2 << 20,
            batch_bytes_max: 32 << 20,
            in_flight_max: 1_024,
            bulk_max: 8,
            waits_max: 2_000,
            wait_max: Duration::from_secs(60),
            request_timeout: Duration::from_secs(30),
            rate_per_second: 1_000,
            rate_burst: 2_000,
            key_cache_ttl: Duration::from_secs(1),
            idempotency_kept: Duration::from_secs(86_400),
            enqueue_writers: 2,
            enqueue_gathered_max: 500,
            metrics_open: false,
            docs_open: true,
            render_metrics: Arc::new(String::new),
        }
    }
}
