//! How much to believe a rate that rests on few trials: beta-binomial shrinkage, its prior found by the method of moments.
//!
//! Three clicks of twenty impressions are no better than 2,600 of 100,000. Each segment (industry x channel) has a mean `m` and
//! a strength `M`, and a subject's rate becomes `(c + M m) / (n + M)`: as if it had `M` more trials at the segment's mean.
//! `M` is small where subjects truly differ and large where chance explains the differences. The database sums, [`Prior::learn`]
//! decides `m` and `M`, and `fleet.shrunk_rate` applies them where the ranks are made.

use sqlx::PgConnection;

use super::build::RunKey;
use super::thresholds::PriorBounds;

/// A segment's sums for one rate. The `taught` ones leave out subjects too small to teach how much subjects differ.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentStats {
    /// Sum of trials, `n`.
    pub trials: f64,
    /// Sum of successes, `c`.
    pub successes: f64,
    /// How many subjects teach, `K`.
    pub taught: i64,
    /// Their sum of `n`.
    pub taught_trials: f64,
    /// Their sum of `c`.
    pub taught_successes: f64,
    /// Their sum of `c² / n`.
    pub taught_squares: f64,
    /// Their sum of `1 / n`.
    pub taught_inverses: f64,
}

/// What a segment's rates are shrunk towards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// `m`.
    pub mean: f64,
    /// `M`, in trials.
    pub strength: f64,
}

impl Prior {
    /// The prior by the method of moments; `None` for a segment without a trial.
    ///
    /// `m = Σc/Σn`, `s² = Σ n(c/n − m)² / Σn`, `M = (m(1−m) − s²) / (s² − m(1−m)/K · Σ1/n)`, the strongest where that
    /// denominator shows no difference beyond chance.
    pub fn learn(stats: &SegmentStats, bounds: &PriorBounds) -> Option<Self> {
        if stats.trials <= 0.0 {
            return None;
        }
        let mean = stats.successes / stats.trials;
        let chance = mean * (1.0 - mean);
        let deviations = stats.taught_squares - 2.0 * mean * stats.taught_successes
            + mean * mean * stats.taught_trials;
        let variance = deviations / stats.taught_trials.max(1.0);
        let beyond_chance = variance - chance / stats.taught.max(1) as f64 * stats.taught_inverses;
        let strength = if beyond_chance > 0.0 {
            ((chance - variance) / beyond_chance).clamp(bounds.min_strength, bounds.max_strength)
        } else {
            bounds.max_strength
        };
        Some(Self { mean, strength })
    }
}

/// Learns the priors of every segment of a run and keeps them with it.
pub(super) async fn learn_priors(
    conn: &mut PgConnection,
    run: RunKey,
    bounds: &PriorBounds,
) -> Result<(), sqlx::Error> {
    let mut kept = Kept::default();
    for segment in segments(conn, run, bounds).await? {
        if let Some(prior) = Prior::learn(&segment.stats(), bounds) {
            kept.push(segment, prior);
        }
    }
    keep(conn, run, &kept).await
}

struct Segment {
    industry: String,
    channel: String,
    rate: String,
    trials: f64,
    successes: f64,
    taught: i64,
    taught_trials: f64,
    taught_successes: f64,
    taught_squares: f64,
    taught_inverses: f64,
}

impl Segment {
    fn stats(&self) -> SegmentStats {
        SegmentStats {
            trials: self.trials,
            successes: self.successes,
            taught: self.taught,
            taught_trials: self.taught_trials,
            taught_successes: self.taught_successes,
            taught_squares: self.taught_squares,
            taught_inverses: self.taught_inverses,
        }
    }
}

/// Sums are exact numerics until they leave the database, so that no order of rows changes a prior.
async fn segments(
    conn: &mut PgConnection,
    run: RunKey,
    bounds: &PriorBounds,
) -> Result<Vec<Segment>, sqlx::Error> {
    sqlx::query_as!(
        Segment,
        r#"-- leaderboard.segments
        WITH rates AS (
            SELECT industry, channel, 'ctr' AS rate, clicks AS c, impressions AS n, impressions >= $3 AS teaches
            FROM fleet.leaderboard_sums WHERE tenant_id = $1 AND run_id = $2
            UNION ALL
            SELECT industry, channel, 'cvr', conversions, clicks, clicks >= $4
            FROM fleet.leaderboard_sums WHERE tenant_id = $1 AND run_id = $2
        )
        SELECT industry AS "industry!", channel AS "channel!", rate AS "rate!",
               sum(n)::float8 AS "trials!",
               sum(c)::float8 AS "successes!",
               count(*) FILTER (WHERE teaches) AS "taught!",
               COALESCE(sum(n) FILTER (WHERE teaches), 0)::float8 AS "taught_trials!",
               COALESCE(sum(c) FILTER (WHERE teaches), 0)::float8 AS "taught_successes!",
               COALESCE(sum(c * c / n) FILTER (WHERE teaches), 0)::float8 AS "taught_squares!",
               COALESCE(sum(1 / n) FILTER (WHERE teaches), 0)::float8 AS "taught_inverses!"
        FROM rates
        WHERE n > 0
        GROUP BY industry, channel, rate"#,
        run.tenant,
        run.run,
        bounds.min_impressions as _,
        bounds.min_clicks as _,
    )
    .fetch_all(conn)
    .await
}

/// Priors as columns.
#[derive(Default)]
struct Kept {
    industries: Vec<String>,
    channels: Vec<String>,
    rates: Vec<String>,
    means: Vec<f64>,
    strengths: Vec<f64>,
    subjects: Vec<i64>,
}

impl Kept {
    fn push(&mut self, segment: Segment, prior: Prior) {
        self.industries.push(segment.industry);
        self.channels.push(segment.channel);
        self.rates.push(segment.rate);
        self.means.push(prior.mean);
        self.strengths.push(prior.strength);
        self.subjects.push(segment.taught);
    }
}

async fn keep(conn: &mut PgConnection, run: RunKey, kept: &Kept) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"-- leaderboard.keep_priors
        INSERT INTO fleet.leaderboard_priors (tenant_id, run_id, industry, channel, rate, mean, strength, subjects)
        SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::text[], $6::float8[], $7::float8[], $8::bigint[])"#,
        run.tenant,
        run.run,
        &kept.industries,
        &kept.channels,
        &kept.rates,
        &kept.means,
        &kept.strengths,
        &kept.subjects,
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stats(subjects: &[(f64, f64)]) -> SegmentStats {
        let sum = |of: fn(f64, f64) -> f64| subjects.iter().map(|(c, n)| of(*c, *n)).sum::<f64>();
        SegmentStats {
            trials: sum(|_, n| n),
            successes: sum(|c, _| c),
            taught: subjects.len() as i64,
            taught_trials: sum(|_, n| n),
            taught_successes: sum(|c, _| c),
            taught_squares: sum(|c, n| c * c / n),
            taught_inverses: sum(|_, n| 1.0 / n),
        }
    }

    /// The text's formula, word for word, over the subjects themselves.
    fn by_the_text(subjects: &[(f64, f64)]) -> Prior {
        let trials: f64 = subjects.iter().map(|(_, n)| n).sum();
        let mean = subjects.iter().map(|(c, _)| c).sum::<f64>() / trials;
        let variance = subjects
            .iter()
            .map(|(c, n): &(f64, f64)| n * (c / n - mean).powi(2))
            .sum::<f64>()
            / trials;
        let inverses: f64 = subjects.iter().map(|(_, n)| 1.0 / n).sum();
        let chance = mean * (1.0 - mean);
        let denominator = variance - chance / subjects.len() as f64 * inverses;
        let strength = if denominator <= 0.0 {
            1e6
        } else {
            (chance - variance) / denominator
        };
        Prior {
            mean,
            strength: strength.clamp(50.0, 1e6),
        }
    }

    #[test]
    fn subjects_that_differ_make_a_weak_prior_and_equal_ones_the_strongest() {
        let bounds = PriorBounds::default();
        let differ = Prior::learn(&stats(&[(10.0, 1e4), (400.0, 1e4), (900.0, 1e4)]), &bounds);
        assert_eq!(differ.map(|prior| prior.strength), Some(50.0));
        let alike = Prior::learn(&stats(&[(200.0, 1e4), (201.0, 1e4), (199.0, 1e4)]), &bounds);
        assert_eq!(
            alike.expect("trials"),
            Prior {
                mean: 0.02,
                strength: 1e6
            }
        );
    }

    #[test]
    fn extremes_have_a_prior_too() {
        let bounds = PriorBounds::default();
        for (subjects, mean) in [
            (&[(0.0, 10.0)][..], 0.0),
            (&[(10.0, 10.0)], 1.0),
            (&[(5.0, 10.0)], 0.5),
        ] {
            let prior = Prior::learn(&stats(subjects), &bounds).expect("trials");
            assert_eq!(
                prior,
                Prior {
                    mean,
                    strength: 1e6
                }
            );
        }
        assert_eq!(Prior::learn(&stats(&[]), &bounds), None);
    }

    #[test]
    fn without_teachers_the_mean_stands_alone() {
        let untaught = SegmentStats {
            taught: 0,
            taught_trials: 0.0,
            taught_successes: 0.0,
            taught_squares: 0.0,
            taught_inverses: 0.0,
            ..stats(&[(1.0, 4.0)])
        };
        let prior = Prior::learn(&untaught, &PriorBounds::default());
        assert_eq!(
            prior,
            Some(Prior {
                mean: 0.25,
                strength: 1e6
            })
        );
    }

    proptest! {
        #[test]
        fn agrees_with_the_text(subjects in prop::collection::vec((0.0..0.2_f64, 100.0..1e6_f64), 2..40)) {
            let subjects: Vec<(f64, f64)> = subjects.into_iter().map(|(p, n): (f64, f64)| ((p * n).round(), n.round())).collect();
            let learnt = Prior::learn(&stats(&subjects), &PriorBounds::default()).expect("trials");
            let expected = by_the_text(&subjects);
            prop_assert!((learnt.mean - expected.mean).abs() < 1e-12);
            prop_assert!((learnt.strength / expected.strength - 1.0).abs() < 1e-6, "{learnt:?} {expected:?}");
        }
    }
}
