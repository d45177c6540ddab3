//! Keeps what choosing reads in step with what moves by itself: the leaderboard's latest run, and the zones' clocks.
//!
//! Both are copied to `partner_capacity`, once for each run and each hour, by whoever assigns first after it: so a choice reads one
//! table, and the percentiles it reads are all of one run, which its rationale names.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::roster::Roster;

/// Keeps all that a choice rests on in step, and says which run percentiles are of; none where no board of partners was published yet.
pub(super) async fn follow(pool: &PgPool, roster: &Roster) -> Result<Option<Uuid>, sqlx::Error> {
    let run = follow_board(pool).await?;
    roster.prepare(pool).await?;
    Ok(run)
}

async fn follow_board(pool: &PgPool) -> Result<Option<Uuid>, sqlx::Error> {
    let standing = read(&mut *pool.acquire().await?).await?;
    if standing.is_current {
        return Ok(standing.wanted);
    }
    let mut tx = pool.begin().await?;
    lock(&mut tx).await?;
    // Somebody else may have been here while we waited.
    let standing = read(&mut tx).await?;
    if !standing.is_current {
        copy(&mut tx, standing.wanted).await?;
        tx.commit().await?;
    }
    Ok(standing.wanted)
}

struct Standing {
    wanted: Option<Uuid>,
    is_current: bool,
}

async fn read(conn: &mut PgConnection) -> Result<Standing, sqlx::Error> {
    let row = sqlx::query!(
        r#"-- assignment.standing
        SELECT b.current_run_id AS "wanted?",
               b.current_run_id IS NOT DISTINCT FROM s.run_id AND s.offsets_at IS NOT NULL
               AND date_trunc('hour', fleet.clock()) = date_trunc('hour', s.offsets_at) AS "is_current!"
        FROM fleet.assignment_standing AS s
        LEFT JOIN fleet.leaderboards AS b ON b.tenant_id = s.tenant_id AND b.subject_kind = 'partner' AND b.period = 'rolling_30d' AND b.industry IS NULL"#
    )
    .fetch_one(conn)
    .await?;
    Ok(Standing {
        wanted: row.wanted,
        is_current: row.is_current,
    })
}

/// The row that says what was copied is who copies next; then every partner, in one order, as whoever locks several does.
async fn lock(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.lock_standing
        SELECT tenant_id FROM fleet.assignment_standing FOR UPDATE"#
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query!(
        r#"-- assignment.lock_partners
        SELECT count(*) AS locked
        FROM (SELECT FROM fleet.partner_capacity ORDER BY partner_id FOR NO KEY UPDATE) AS c"#
    )
    .fetch_one(conn)
    .await?;
    Ok(())
}

async fn copy(conn: &mut PgConnection, run: Option<Uuid>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- assignment.copy_standing
        WITH now_is AS (
            SELECT c.partner_id, e.percentile::float8 AS percentile,
                   (extract(epoch FROM p.opens) / 60 - fleet.utc_minutes(p.zone, fleet.clock()))::smallint AS opens_utc
            FROM fleet.partner_capacity AS c
            JOIN fleet.partners AS p ON p.tenant_id = c.tenant_id AND p.partner_id = c.partner_id
            LEFT JOIN fleet.leaderboard_entries AS e ON e.tenant_id = '00000000-0000-0000-0000-000000000000' AND e.run_id = $1
                 AND e.subject_id = c.partner_id AND e.subject_tenant_id = '00000000-0000-0000-0000-000000000000' AND e.status = 'ranked'
        ), copied AS (
            UPDATE fleet.partner_capacity AS c SET percentile = n.percentile, opens_utc = n.opens_utc
            FROM now_is AS n
            WHERE c.partner_id = n.partner_id AND (c.percentile, c.opens_utc) IS DISTINCT FROM (n.percentile, n.opens_utc)
        )
        UPDATE fleet.assignment_standing SET run_id = $1, offsets_at = fleet.clock()"#,
        run,
    )
    .execute(conn)
    .await?;
    Ok(())
}
