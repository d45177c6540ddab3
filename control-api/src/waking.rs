//! Waking workers after a commit: a hint. What was asked for is done by then and workers poll, so one that fails fails no request.

use fleet_queue::wake::wake;
use fleet_queue::{Db, Error, Probes};
use sqlx::PgConnection;

/// Wakes one sleeper for each queue.
pub(crate) async fn wake_for(db: &Db, queues: &[String]) {
    if queues.is_empty() {
        return;
    }
    match db.acquire("api.wake").await {
        Ok(mut conn) => wake_over(&mut conn, db.probes(), queues).await,
        Err(error) => missed(&error),
    }
}

/// The same, over a connection that is at hand.
pub(crate) async fn wake_over(conn: &mut PgConnection, probes: &Probes, queues: &[String]) {
    if queues.is_empty() || probes.at("api.before_wake").await.is_err() {
        return;
    }
    if let Err(error) = wake(conn, queues).await {
        missed(&error);
    }
}

fn missed(error: &Error) {
    tracing::debug!(%error, "no worker was woken");
}
