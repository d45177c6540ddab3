//! The invariants as questions: each counts the rows that break it. The statements are in `ops/queries`, for people to run too.

use sqlx::PgConnection;

use super::Finding;
use crate::database::Database;

/// Asks one file's question; the macro, so that each is checked against the schema.
macro_rules! broken {
    ($conn:expr, $file:literal) => {
        sqlx::query_file_scalar!($file).fetch_one($conn).await
    };
}

pub(super) async fn look(database: &Database) -> Vec<Finding> {
    let mut tx = match database.begin().await {
        Ok(tx) => tx,
        Err(error) => return vec![Finding::of("invariants", Err(error))],
    };
    match ask(&mut tx).await {
        Ok(answers) => answers
            .into_iter()
            .map(|(promise, broken)| judge(promise, broken))
            .collect(),
        Err(error) => vec![Finding::of("invariants", Err(error.into()))],
    }
}

async fn ask(conn: &mut PgConnection) -> Result<Vec<(&'static str, i64)>, sqlx::Error> {
    Ok(vec![
        (
            "I2 a living worker holds what runs",
            broken!(&mut *conn, "../queries/i2_running_without_worker.sql")?,
        ),
        (
            "I3 what is blocked waits for something",
            broken!(&mut *conn, "../queries/i3_blocked_without_dependency.sql")?,
        ),
        (
            "I3 what is due is available",
            broken!(&mut *conn, "../queries/i3_due_but_scheduled.sql")?,
        ),
        (
            "I3 what is available can be claimed",
            broken!(&mut *conn, "../queries/i3_available_but_unseen.sql")?,
        ),
        (
            "I4 attempts and crashes are bounded",
            broken!(&mut *conn, "../queries/i4_attempts_over_bound.sql")?,
        ),
        (
            "I10 limits count what runs",
            broken!(&mut *conn, "../queries/i10_bucket_miscounts.sql")?,
        ),
        (
            "I10 no cap is exceeded",
            broken!(&mut *conn, "../queries/i10_cap_exceeded.sql")?,
        ),
        (
            "I12 tenants' tables are guarded",
            broken!(&mut *conn, "../queries/i12_tables_without_policy.sql")?,
        ),
        (
            "totals count what is there",
            broken!(&mut *conn, "../queries/totals_drift.sql")?,
        ),
    ])
}

fn judge(promise: &'static str, broken: i64) -> Finding {
    match broken {
        0 => Finding::pass(promise, "it holds"),
        n => {
            let fix = "ask again in a minute; if it stays, stop nothing, keep the logs, and see ARCHITECTURE.md, invariants";
            Finding::fail(promise, format!("{n} rows break it"), fix)
        }
    }
}
