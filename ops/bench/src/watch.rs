//! Watching limits while jobs run: each look counts what runs in one snapshot, so what it sees was so at one moment.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

use crate::server::connect;
use crate::setting::Limits;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How far limits were passed at most while `work` went on: of all that ran, of what ran for one tenant, and of what started in any second.
/// 0 or less: never.
pub(crate) async fn watch(
    url: &str,
    limits: Limits,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<f64> {
    let mut conn = connect(url).await?;
    let mut most = f64::MIN;
    tokio::pin!(work);
    loop {
        most = most.max(running_over(&mut conn, limits).await?);
        tokio::select! {
            done = &mut work => break done?,
            () = sleep(LOOK_EVERY) => {}
        }
    }
    most = most.max(started_over(&mut conn, limits).await?);
    conn.close().await?;
    Ok(most)
}

async fn running_over(conn: &mut PgConnection, limits: Limits) -> anyhow::Result<f64> {
    let row = sqlx::query!(
        r#"-- bench.running
        SELECT COALESCE(sum(n), 0)::bigint AS "all!", COALESCE(max(n), 0) AS "of_one!"
        FROM (SELECT count(*) AS n FROM fleet.job WHERE state = 'running' GROUP BY tenant_id) t"#
    )
    .fetch_one(conn)
    .await?;
    let over = (row.all - i64::from(limits.cap)).max(row.of_one - i64::from(limits.tenant_cap));
    Ok(over as f64)
}

/// From what ended: the most starts in any second, against what the bucket may give in one.
async fn started_over(conn: &mut PgConnection, limits: Limits) -> anyhow::Result<f64> {
    let most = sqlx::query_scalar!(
        r#"-- bench.started
        SELECT COALESCE(max(n), 0) AS "n!" FROM (
            SELECT count(*) OVER (ORDER BY started_at RANGE BETWEEN CURRENT ROW AND '1 second' FOLLOWING) AS n
            FROM fleet.job_history) s"#
    )
    .fetch_one(conn)
    .await?;
    Ok(most as f64 - limits.rate - f64::from(limits.burst))
}
