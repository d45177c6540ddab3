//! What partners of a tier are like: the mean share of promises kept, and how campaigns of the tier do.
//!
//! Learned from everybody once an hour and stored, so that scoring one partner reads a row instead of everybody's history.
//! Where a tier has no history yet, half is assumed: as likely to do well as not.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::leaderboard::{Prior, PriorBounds, SegmentStats};

/// The mean where nobody has any history.
const UNKNOWN: f64 = 0.5;

/// What a partner is taken for before its own history says more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TierPrior {
    /// Mean share of promises kept.
    pub sla_mean: f64,
    /// Mean share of campaigns that met their goal.
    pub success_mean: f64,
    /// `M`: as many imagined campaigns at that mean are added to a partner's own.
    pub success_strength: f64,
}

/// A tier's sums over all its partners.
struct TierSums {
    tier: String,
    sla_hits: i64,
    sla_total: i64,
    taught: i64,
    trials: f64,
    successes: f64,
    squares: f64,
    inverses: f64,
}

impl TierSums {
    fn prior(&self) -> TierPrior {
        let bounds = PriorBounds::default();
        let stats = SegmentStats {
            trials: self.trials,
            successes: self.successes,
            taught: self.taught,
            taught_trials: self.trials,
            taught_successes: self.successes,
            taught_squares: self.squares,
            taught_inverses: self.inverses,
        };
        let success = Prior::learn(&stats, &bounds).unwrap_or(Prior {
            mean: UNKNOWN,
            strength: bounds.min_strength,
        });
        let sla_mean = if self.sla_total > 0 {
            self.sla_hits as f64 / self.sla_total as f64
        } else {
            UNKNOWN
        };
        TierPrior {
            sla_mean,
            success_mean: success.mean,
            success_strength: success.strength,
        }
    }
}

/// Learns the prior of each tier as of a moment, and keeps it.
pub(super) async fn learn(
    conn: &mut PgConnection,
    as_of: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    for tier in sums(conn, as_of).await? {
        keep(conn, &tier.tier, tier.prior(), as_of).await?;
    }
    Ok(())
}

/// Learns them where that was never done: a partner may be scored before the first hourly pass.
pub(super) async fn learn_once(
    conn: &mut PgConnection,
    as_of: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let learned = sqlx::query_scalar!(
        r#"-- capacity.priors_learned
        SELECT EXISTS (SELECT FROM fleet.capacity_priors) AS "learned!""#
    )
    .fetch_one(&mut *conn)
    .await?;
    if learned {
        Ok(())
    } else {
        learn(conn, as_of).await
    }
}

async fn sums(conn: &mut PgConnection, as_of: DateTime<Utc>) -> Result<Vec<TierSums>, sqlx::Error> {
    sqlx::query_as!(
        TierSums,
        r#"-- capacity.tier_sums
        WITH promises AS (
            SELECT partner_id, count(*) FILTER (WHERE met) AS hits, count(*) AS total
            FROM fleet.sla_outcomes
            WHERE decided_at > $1::timestamptz - interval '90 days' AND decided_at <= $1
            GROUP BY partner_id
        ), outcomes AS (
            SELECT partner_id, count(*) FILTER (WHERE goal_met)::numeric AS c, count(*)::numeric AS n
            FROM fleet.campaign_outcomes
            WHERE decided_at <= $1
            GROUP BY partner_id
        )
        SELECT t.tier AS "tier!",
               COALESCE(sum(s.hits), 0)::bigint AS "sla_hits!", COALESCE(sum(s.total), 0)::bigint AS "sla_total!",
               count(o.n) AS "taught!", COALESCE(sum(o.n), 0)::float8 AS "trials!", COALESCE(sum(o.c), 0)::float8 AS "successes!",
               COALESCE(sum(o.c * o.c / o.n), 0)::float8 AS "squares!", COALESCE(sum(1 / o.n), 0)::float8 AS "inverses!"
        FROM (VALUES ('standard'), ('senior')) AS t (tier)
        LEFT JOIN fleet.partners AS p ON p.tier = t.tier
        LEFT JOIN promises AS s ON s.partner_id = p.partner_id
        LEFT JOIN outcomes AS o ON o.partner_id = p.partner_id
        GROUP BY t.tier
        ORDER BY t.tier"#,
        as_of,
    )
    .fetch_all(conn)
    .await
}

async fn keep(
    conn: &mut PgConnection,
    tier: &str,
    prior: TierPrior,
    as_of: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- capacity.keep_prior
        INSERT INTO fleet.capacity_priors AS p (tier, sla_mean, success_mean, success_strength, learned_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (tenant_id, tier) DO UPDATE
        SET sla_mean = EXCLUDED.sla_mean, success_mean = EXCLUDED.success_mean,
            success_strength = EXCLUDED.success_strength, learned_at = EXCLUDED.learned_at
        WHERE p.learned_at <= EXCLUDED.learned_at"#,
        tier,
        prior.sla_mean,
        prior.success_mean,
        prior.success_strength,
        as_of,
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: TierSums = TierSums {
        tier: String::new(),
        sla_hits: 0,
        sla_total: 0,
        taught: 0,
        trials: 0.0,
        successes: 0.0,
        squares: 0.0,
        inverses: 0.0,
    };

    #[test]
    fn a_tier_without_history_is_taken_for_even() {
        let prior = NOBODY.prior();
        assert_eq!((prior.sla_mean, prior.success_mean), (0.5, 0.5));
    }

    #[test]
    fn means_are_over_everything_the_tier_did() {
        // Two partners with 6 of 10 and 30 of 40 campaigns.
        let tier = TierSums {
            sla_hits: 9,
            sla_total: 12,
            taught: 2,
            trials: 50.0,
            successes: 36.0,
            squares: 36.0 / 10.0 + 900.0 / 40.0,
            inverses: 1.0 / 10.0 + 1.0 / 40.0,
            ..NOBODY
        };
        let prior = tier.prior();
        assert_eq!((prior.sla_mean, prior.success_mean), (0.75, 0.72));
        assert!((50.0..=1e6).contains(&prior.success_strength), "{prior:?}");
    }
}
