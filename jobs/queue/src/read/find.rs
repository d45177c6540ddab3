//! One job, live or ended.

use sqlx::PgConnection;

use crate::{Error, JobId, JobState};

/// The state of a job; `None` where there is no such job, or none the session may see.
pub async fn find_state(conn: &mut PgConnection, id: JobId) -> Result<Option<JobState>, Error> {
    let state = sqlx::query_scalar!(
        r#"-- read.find_state
        SELECT state::text AS "state!" FROM fleet.job WHERE id = $1
        UNION ALL SELECT state::text FROM fleet.job_history WHERE id = $1 LIMIT 1"#,
        id.0,
    )
    .fetch_optional(conn)
    .await
    .map_err(Error::database("read.find_state"))?;
    Ok(state.map(|word| word.parse().expect("the database knows the same states")))
}
