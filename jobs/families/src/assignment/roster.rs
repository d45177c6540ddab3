//! All partners as a choice sees them, kept in the worker and brought up to date by one look each time.
//!
//! Reading ten thousand partners anew for each client would cost more than all the rest of an assignment; that hardly any of them has
//! changed is seen at once. What is kept was read outside any transaction, so all of it was committed. A look, which may be within one,
//! reads the rows that were written by transactions that were under way then, or began later: `xmin` tells. Whatever else there is stands
//! in what is kept, so that one too many in the sum of both is one who was removed; then, where another server answers, and each hour,
//! everything is read anew. So a look finds what a statement over all partners would.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::desk::Partner;

/// How long looks begin with the same, as a rule: what was written since is read by each of them.
const FRESH: Duration = Duration::from_secs(1);
/// By when everything is read anew: long before the numbers of transactions come round.
const LASTS: Duration = Duration::from_hours(1);

/// All partners, by id.
pub(super) type Partners = Arc<Vec<Arc<Partner>>>;

/// What is kept of all partners; one for all handlers of a process.
#[derive(Clone)]
pub struct Roster {
    fresh: Duration,
    kept: Arc<Mutex<Option<Arc<Seen>>>>,
    preparing: Arc<tokio::sync::Mutex<()>>,
}

/// What a look saw.
struct Seen {
    /// When it began.
    at: Instant,
    /// When the last began that read everybody.
    whole_at: Instant,
    /// The first transaction whose rows may have been missed.
    below: String,
    /// When the server started that answered.
    server: DateTime<Utc>,
    partners: Partners,
}

impl Default for Roster {
    fn default() -> Self {
        Self::fresh_for(FRESH)
    }
}

impl Roster {
    /// One that is brought up to date where that is so long ago.
    pub fn fresh_for(fresh: Duration) -> Self {
        Self {
            fresh,
            kept: Arc::default(),
            preparing: Arc::default(),
        }
    }

    /// Brings what is kept up to date, where that is some time ago: looks rely on it. On a connection of its own, because what a
    /// transaction has written may never have been.
    pub async fn prepare(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        if self.is_fresh() {
            return Ok(());
        }
        let _one = self.preparing.lock().await;
        if self.is_fresh() {
            return Ok(());
        }
        let seen = see(&mut *pool.acquire().await?, self.kept().as_deref()).await?;
        *self.lock() = Some(Arc::new(seen));
        Ok(())
    }

    /// All partners, as a statement over all of them would find them now.
    pub(super) async fn look(&self, conn: &mut PgConnection) -> Result<Partners, sqlx::Error> {
        Ok(see(conn, self.kept().as_deref()).await?.partners)
    }

    /// The partners of whom a look differs from what the table says: none, or there is an error here.
    pub async fn strays(&self, conn: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
        let seen = self.look(conn).await?;
        let there = see(conn, None).await?.partners;
        let only_in = |one: &Partners, other: &Partners| -> Vec<Uuid> {
            let one = one.iter().filter(|it| !other.contains(it));
            one.map(|it| it.partner_id).collect()
        };
        let mut strays = only_in(&seen, &there);
        strays.extend(only_in(&there, &seen));
        Ok(strays)
    }

    fn is_fresh(&self) -> bool {
        self.kept().is_some_and(|it| it.at.elapsed() < self.fresh)
    }

    fn kept(&self) -> Option<Arc<Seen>> {
        let lasts = |it: &Arc<Seen>| it.whole_at.elapsed() < LASTS;
        self.lock().clone().filter(lasts)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<Seen>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All partners now, beside those that are kept where these can be relied on.
async fn see(conn: &mut PgConnection, kept: Option<&Seen>) -> Result<Seen, sqlx::Error> {
    if let Some(kept) = kept {
        let (seen, count) = read(conn, Some(kept)).await?;
        if seen.server == kept.server && seen.partners.len() == count {
            return Ok(seen);
        }
    }
    let (seen, _) = read(conn, None).await?;
    Ok(seen)
}

/// The partners with some of them changed.
fn merged(known: Partners, mut changed: Vec<Arc<Partner>>) -> Partners {
    if changed.is_empty() {
        return known;
    }
    // Of two with an id the sort leaves the first in front.
    changed.extend(known.iter().cloned());
    changed.sort_by_key(|it| it.partner_id);
    changed.dedup_by_key(|it| it.partner_id);
    Arc::new(changed)
}

/// A row that was written since, with the account of all beside it.
struct Row {
    count: i64,
    below: String,
    server: DateTime<Utc>,
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
}

impl Row {
    fn partner(self) -> Option<Partner> {
        Some(Partner {
            partner_id: self.partner_id?,
            tenant_id: self.tenant_id?,
            // Nobody without a status is active, whatever the rest of it is.
            tier: self.tier.unwrap_or_default(),
            status: self.status.unwrap_or_default(),
            serves: self.serves,
            industries: self.industries.unwrap_or_default(),
            channels: self.channels.unwrap_or_default(),
            languages: self.languages.unwrap_or_default(),
            regions: self.regions.unwrap_or_default(),
            week_share: self.week_share.unwrap_or_default(),
            opens_utc: self.opens_utc.unwrap_or_default(),
            open_for: self.open_for.unwrap_or_default(),
            load: self.load?,
            cap: self.cap?,
            score: self.score?,
            computed_at: self.computed_at?,
            percentile: self.percentile,
        })
    }
}

/// What was written since then beside what is kept, and how many partners there are; everybody, where nothing is kept.
async fn read(conn: &mut PgConnection, kept: Option<&Seen>) -> Result<(Seen, usize), sqlx::Error> {
    let at = Instant::now();
    let rows = sqlx::query_as!(
        Row,
        r#"-- assignment.roster
        SELECT k.count AS "count!", k.below AS "below!", k.server AS "server!",
               c.partner_id AS "partner_id?", c.tenant_id AS "tenant_id?", c.tier, c.status, c.serves, c.industries, c.channels, c.languages,
               c.regions, c.week_share, c.opens_utc, c.open_for, c.load::float8 AS load, c.cap::float8 AS cap, c.score::float8 AS score,
               c.computed_at AS "computed_at?", c.percentile
        FROM (SELECT count(*) AS count, pg_snapshot_xmin(pg_current_snapshot())::xid::text AS below, pg_postmaster_start_time() AS server
              FROM fleet.partner_capacity) AS k
        LEFT JOIN fleet.partner_capacity AS c ON age(c.xmin) <= (SELECT COALESCE(age($1::text::xid), 2147483647))"#,
        kept.map(|it| it.below.as_str()),
    )
    .fetch_all(conn)
    .await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let count = usize::try_from(first.count).unwrap_or_default();
    let (below, server) = (first.below.clone(), first.server);
    let known = kept.map(|it| Arc::clone(&it.partners)).unwrap_or_default();
    let changed = rows.into_iter().filter_map(Row::partner).map(Arc::new);
    let seen = Seen {
        at,
        whole_at: kept.map_or(at, |it| it.whole_at),
        below,
        server,
        partners: merged(known, changed.collect()),
    };
    Ok((seen, count))
}
