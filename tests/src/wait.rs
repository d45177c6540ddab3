//! Waiting for a state to be reached: asked again and again until a deadline, never for a fixed time.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// How long a state may take to be reached before the test fails; generous, because machines are shared.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits until `look` gives a value.
///
/// # Panics
/// At the deadline, naming what was waited for.
pub async fn eventually<T, F>(what: &str, look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    within(DEADLINE, what, look).await
}

/// The same with a deadline of one's own.
pub async fn within<T, F>(deadline: Duration, what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            begun.elapsed() < deadline,
            "{what}: not within {deadline:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
