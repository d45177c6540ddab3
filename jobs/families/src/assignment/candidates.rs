//! Who could take a client: one statement over all partners (`candidates.sql`) that rules out, counts why, and orders the rest; and, for a
//! batch, every partner with room.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::client::Client;
use super::fit::{Desk, Filter, opens_at};
use super::settings::Settings;

/// As many candidates as are tried, one after the other, before everything is looked at anew.
pub(super) const TRIED_MAX: i64 = 10;

/// What a look at all partners found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The best first.
    pub(super) desks: Vec<Desk>,
    /// How many each filter removed.
    pub(super) removed: Vec<(Filter, i64)>,
    /// How many partners there are.
    pub(super) looked_at: i64,
}

/// A candidate as the statement gives it, with the account of all partners beside it.
struct Row {
    partner_id: Option<Uuid>,
    tenant_id: Option<Uuid>,
    tier: Option<String>,
    status: Option<String>,
    serves: Option<Vec<Uuid>>,
    industries: Option<Vec<String>>,
    channels: Option<Vec<String>>,
    languages: Option<Vec<String>>,
    regions: Option<Vec<String>>,
    week_share: Option<f32>,
    opens_utc: Option<i16>,
    open_for: Option<i16>,
    load: Option<f64>,
    cap: Option<f64>,
    score: Option<f64>,
    computed_at: Option<DateTime<Utc>>,
    percentile: Option<f64>,
    recent: Option<i64>,
    filters: Vec<i32>,
    removed: Vec<i64>,
    looked_at: i64,
}

impl Row {
    fn desk(self) -> Option<Desk> {
        Some(Desk {
            partner_id: self.partner_id?,
            tenant_id: self.tenant_id?,
            tier: self.tier?,
            status: self.status?,
            serves: self.serves,
            industries: self.industries?,
            channels: self.channels?,
            languages: self.languages?,
            regions: self.regions?,
            week_share: self.week_share?,
            opens_utc: self.opens_utc?,
            open_for: self.open_for?,
            load: self.load?,
            cap: self.cap?,
            score: self.score?,
            computed_at: self.computed_at?,
            percentile: self.percentile,
            recent: self.recent.unwrap_or(0),
            away: false,
        })
    }
}

/// The best partners for a client, and why the others are out of the question.
pub(super) async fn candidates(
    conn: &mut PgConnection,
    client: &Client,
    settings: &Settings,
    exclude: &[Uuid],
) -> Result<Found, sqlx::Error> {
    let rows = sqlx::query_file_as!(
        Row,
        "src/assignment/candidates.sql",
        client.tenant_id,
        client.client_id,
        client.industry,
        &client.channels,
        &client.languages,
        client.region,
        client.weight(settings),
        exclude,
        client.is_high_value(settings),
        settings.unranked_percentile,
        &settings.weights.list(),
        f64::from(settings.recent_full),
        settings.top_share,
        client.needs() as f64,
        opens_at(client.ahead),
        TRIED_MAX,
    )
    .fetch_all(conn)
    .await?;
    Ok(found(rows))
}

fn found(rows: Vec<Row>) -> Found {
    let (mut removed, mut looked_at) = (Vec::new(), 0);
    if let Some(first) = rows.first() {
        looked_at = first.looked_at;
        let filter = |number: i32| Filter::ALL.get(usize::try_from(number - 1).ok()?).copied();
        let counts = first.filters.iter().zip(&first.removed);
        removed = counts
            .filter_map(|(number, count)| Some((filter(*number)?, *count)))
            .collect();
    }
    Found {
        desks: rows.into_iter().filter_map(Row::desk).collect(),
        removed,
        looked_at,
    }
}

/// Partners that are open to somebody, those with the highest score and standing first, at most `limit`.
pub(super) async fn open_desks(
    conn: &mut PgConnection,
    settings: &Settings,
    limit: i64,
) -> Result<Vec<Desk>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"-- assignment.open_desks
        SELECT c.partner_id AS "partner_id?", c.tenant_id AS "tenant_id?", c.tier, c.status, c.serves, c.industries, c.channels, c.languages,
               c.regions, c.week_share, c.opens_utc, c.open_for, c.load::float8 AS load, c.cap::float8 AS cap, c.score::float8 AS score,
               c.computed_at AS "computed_at?", c.percentile, n.n AS "recent?", '{}'::integer[] AS "filters!", '{}'::bigint[] AS "removed!", 0::bigint AS "looked_at!"
        FROM fleet.partner_capacity AS c
        LEFT JOIN (SELECT a.partner_id, count(*) AS n FROM fleet.client_assignments AS a
                   WHERE a.started_at > fleet.clock() - interval '24 hours'
                   GROUP BY a.partner_id) AS n ON n.partner_id = c.partner_id
        WHERE c.status = 'active' AND c.room >= 0.499 AND NOT EXISTS (
            SELECT FROM fleet.partner_leaves AS l
            WHERE l.partner_id = c.partner_id AND l.ends_at > fleet.clock() AND l.starts_at <= fleet.clock()
              AND (c.tenant_id = '00000000-0000-0000-0000-000000000000' OR l.tenant_id = c.tenant_id))
        ORDER BY $1 * c.points / 100 + $2 * COALESCE(c.percentile, $3::float8) DESC, c.partner_id
        LIMIT $4"#,
        settings.weights.capacity,
        settings.weights.leaderboard,
        settings.unranked_percentile,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(Row::desk).collect())
}

/// Where clients cannot go because a competitor is there: pairs of a client's place in the lists and a partner.
pub(super) async fn rivals(
    conn: &mut PgConnection,
    tenants: &[Uuid],
    clients: &[Uuid],
) -> Result<Vec<(usize, Uuid)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"-- assignment.rivals
        SELECT w.place AS "place!", r.partner_id AS "partner_id!"
        FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS w (tenant_id, client_id, place)
        CROSS JOIN LATERAL fleet.rivals_of(w.tenant_id, w.client_id) AS r"#,
        tenants,
        clients,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.place as usize - 1, row.partner_id))
        .collect())
}
