//! Resume: ends a pause.

use sqlx::PgConnection;

use super::pause::PauseScope;
use crate::Error;

/// Resumes; false where nothing was paused. Waking the workers is the caller's, after the commit.
pub async fn resume(conn: &mut PgConnection, scope: PauseScope, name: &str) -> Result<bool, Error> {
    sqlx::query!(
        r#"-- queue.resume
        DELETE FROM fleet.pause WHERE scope = $1 AND name = $2"#,
        scope.as_str(),
        name,
    )
    .execute(conn)
    .await
    .map(|done| done.rows_affected() > 0)
    .map_err(Error::database("queue.resume"))
}
