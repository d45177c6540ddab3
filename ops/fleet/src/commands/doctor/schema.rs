//! The schema: applied migrations, the API's role, partitions ahead.

use fleet_queue::{expected_version, schema_version};
use sqlx::PgConnection;

use super::Finding;
use crate::database::Database;

/// Fewer days ahead than this, and nobody makes partitions any more.
const DAYS_AHEAD: i32 = 1;

/// Whether the schema is the one this binary needs; without it nothing else can be asked.
pub(super) async fn look(database: &Database) -> Finding {
    Finding::of("migrations", migrations(database).await)
}

/// What only a migrated database can be asked.
pub(super) async fn look_inside(database: &Database) -> Vec<Finding> {
    let mut tx = match database.begin().await {
        Ok(tx) => tx,
        Err(error) => return vec![Finding::of("schema", Err(error))],
    };
    let role = Finding::of("API role", role(&mut tx).await);
    let partitions = Finding::of("partitions", partitions(&mut tx).await);
    vec![role, partitions]
}

async fn migrations(database: &Database) -> anyhow::Result<Finding> {
    let mut conn = database.db().acquire("db.schema_version").await?;
    let (found, needed) = (schema_version(&mut conn).await?, expected_version());
    let said = format!("at {found}, this binary needs {needed}");
    Ok(match found.cmp(&needed) {
        std::cmp::Ordering::Less => Finding::fail("migrations", said, "run `fleet migrate`"),
        std::cmp::Ordering::Equal => Finding::pass("migrations", said),
        std::cmp::Ordering::Greater => Finding::warn(
            "migrations",
            said,
            "a newer binary migrated it; deploy that one everywhere",
        ),
    })
}

/// I12: the role that the API takes owns nothing and bypasses nothing.
async fn role(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let row = sqlx::query!(
        r#"-- doctor.role
        SELECT rolsuper OR rolbypassrls OR rolcanlogin AS "strong!", pg_has_role(current_user, oid, 'MEMBER') AS "ours!",
            EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid) AS "owns!"
        FROM pg_roles r WHERE rolname = 'fleet_api'"#
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else {
        return Ok(Finding::fail(
            "API role",
            "there is no role fleet_api",
            "run `fleet migrate` as a user who may create roles",
        ));
    };
    if row.strong || row.owns {
        let fix = "ALTER ROLE fleet_api NOLOGIN NOSUPERUSER NOBYPASSRLS, and give what it owns to another";
        return Ok(Finding::fail(
            "API role",
            "fleet_api could pass by row-level security",
            fix,
        ));
    }
    if !row.ours {
        return Ok(Finding::fail(
            "API role",
            "this user may not act as fleet_api",
            "GRANT fleet_api TO this user",
        ));
    }
    Ok(Finding::pass(
        "API role",
        "fleet_api owns nothing and bypasses nothing",
    ))
}

async fn partitions(conn: &mut PgConnection) -> anyhow::Result<Finding> {
    let missing = sqlx::query_scalar!(
        r#"-- doctor.partitions
        SELECT COALESCE(string_agg(name, ', '), '') AS "missing!" FROM (
            SELECT format('%s_%s', parent, to_char((fleet.clock() AT TIME ZONE 'UTC')::date + ahead, 'YYYYMMDD')) AS name
            FROM unnest(fleet.partitioned_tables()) parent, generate_series(0, $1::integer) ahead) wanted
        WHERE to_regclass('fleet.' || name) IS NULL"#,
        DAYS_AHEAD,
    )
    .fetch_one(conn)
    .await?;
    Ok(match missing.as_str() {
        "" => Finding::pass("partitions", "there for today and tomorrow"),
        missing => {
            let fix = "start a `fleet scheduler`: it makes them days ahead (rows of a day without one are kept in the default partition)";
            Finding::warn("partitions", format!("missing: {missing}"), fix)
        }
    })
}
