//! The whole computation once more, in plain Rust over the raw rows: SQL and this must agree entry by entry.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use fleet_jobs::demo::{self, Options};
use fleet_jobs::leaderboard::{Board, Period, Prior, PriorBounds, SegmentStats, Weights};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use super::market::{Daily, Market, end};

#[derive(sqlx::FromRow)]
struct Row {
    partner_id: Uuid,
    industry: String,
    channel: String,
    day: NaiveDate,
    impressions: f64,
    clicks: f64,
    conversions: f64,
    spend: f64,
    revenue: f64,
}

const ROWS: &str = "
    SELECT m.partner_id, c.industry, c.channel, m.day, m.impressions::float8, m.clicks::float8, m.conversions::float8,
           round(m.spend_micros * fleet.rate_on(m.currency, m.day))::float8 AS spend,
           round(m.revenue_micros * fleet.rate_on(m.currency, m.day))::float8 AS revenue
    FROM fleet.campaign_metrics m JOIN fleet.campaigns c USING (tenant_id, campaign_id)
    WHERE m.partner_id IS NOT NULL AND m.day >= $1::date - 30 AND m.day < $1";

#[derive(Default)]
struct Subject {
    /// By segment: impressions, clicks, conversions.
    segments: BTreeMap<(String, String), [f64; 3]>,
    spend: f64,
    revenue: f64,
    days: BTreeSet<NaiveDate>,
}

fn gather(rows: Vec<Row>) -> BTreeMap<Uuid, Subject> {
    let mut subjects = BTreeMap::<Uuid, Subject>::new();
    for row in rows {
        let subject = subjects.entry(row.partner_id).or_default();
        let sums = subject
            .segments
            .entry((row.industry, row.channel))
            .or_default();
        for (sum, value) in sums
            .iter_mut()
            .zip([row.impressions, row.clicks, row.conversions])
        {
            *sum += value;
        }
        subject.spend += row.spend;
        subject.revenue += row.revenue;
        if row.impressions > 0.0 {
            subject.days.insert(row.day);
        }
    }
    subjects
}

/// Priors by segment and rate (0: CTR, 1: CVR).
fn priors(subjects: &BTreeMap<Uuid, Subject>) -> HashMap<(&(String, String), usize), Prior> {
    let bounds = PriorBounds::default();
    let floors = [bounds.min_impressions as f64, bounds.min_clicks as f64];
    let mut trials = HashMap::<_, Vec<(f64, f64)>>::new();
    for (segment, sums) in subjects.values().flat_map(|subject| &subject.segments) {
        for rate in 0..2 {
            trials
                .entry((segment, rate))
                .or_default()
                .push((sums[rate + 1], sums[rate]));
        }
    }
    let learn = |(key, counts): ((_, usize), Vec<(f64, f64)>)| {
        let taught: Vec<_> = counts.iter().filter(|(_, n)| *n >= floors[key.1]).collect();
        let stats = SegmentStats {
            trials: counts.iter().map(|(_, n)| n).sum(),
            successes: counts.iter().map(|(c, _)| c).sum(),
            taught: taught.len() as i64,
            taught_trials: taught.iter().map(|(_, n)| n).sum(),
            taught_successes: taught.iter().map(|(c, _)| c).sum(),
            taught_squares: taught.iter().map(|(c, n)| c * c / n).sum(),
            taught_inverses: taught.iter().map(|(_, n)| 1.0 / n).sum(),
        };
        Prior::learn(&stats, &bounds).map(|prior| (key, prior))
    };
    trials.into_iter().filter_map(learn).collect()
}

/// CTR and CVR, shrunk and weighted; ROAS; revenue.
fn figures(
    subject: &Subject,
    priors: &HashMap<(&(String, String), usize), Prior>,
) -> [Option<f64>; 4] {
    let rate = |rate: usize| {
        let shrunk: Vec<_> = subject
            .segments
            .iter()
            .filter_map(|(segment, sums)| {
                let prior = priors.get(&(segment, rate))?;
                let (n, c) = (sums[rate], sums[rate + 1]);
                Some((n, (c + prior.strength * prior.mean) / (n + prior.strength)))
            })
            .collect();
        let trials: f64 = shrunk.iter().map(|(n, _)| n).sum();
        if trials > 0.0 {
            return Some(shrunk.iter().map(|(n, p)| n * p).sum::<f64>() / trials);
        }
        // Who never had a trial is taken for typical.
        let typical = shrunk.iter().map(|(_, p)| p).sum::<f64>() / shrunk.len() as f64;
        (!shrunk.is_empty()).then_some(typical)
    };
    let roas = (subject.spend > 0.0).then(|| subject.revenue / subject.spend);
    [rate(0), rate(1), roas, Some(subject.revenue)]
}

/// To twelve places, as the database compares.
fn exact(figure: f64) -> i128 {
    (figure * 1e12).round() as i128
}

fn score(own: [Option<f64>; 4], all: &[[Option<f64>; 4]]) -> f64 {
    let Weights {
        ctr,
        cvr,
        roas,
        revenue,
    } = Weights::default();
    let (mut sum, mut weights) = (0.0, 0.0);
    for (part, weight) in [ctr, cvr, roas, revenue].into_iter().enumerate() {
        let Some(value) = own[part] else { continue };
        let others: Vec<_> = all.iter().filter_map(|figures| figures[part]).collect();
        let below = others
            .iter()
            .filter(|other| exact(**other) < exact(value))
            .count();
        let share = if others.len() > 1 {
            below as f64 / (others.len() - 1) as f64
        } else {
            0.0
        };
        sum += weight * share;
        weights += weight;
    }
    100.0 * sum / weights
}

/// Compares a board's current run with the reckoning, entry by entry; gives how many are ranked.
async fn compare(market: &Market, board: &Board) -> usize {
    let rows: Vec<Row> = sqlx::query_as(ROWS)
        .bind(end())
        .fetch_all(&market.db.pool)
        .await
        .unwrap();
    let subjects = gather(rows);
    let priors = priors(&subjects);
    let page = market.page(board).await;
    let ranked: Vec<_> = page
        .entries
        .iter()
        .filter(|e| e.status == "ranked")
        .collect();
    let all: Vec<_> = ranked
        .iter()
        .map(|e| figures(&subjects[&e.subject_id.unwrap()], &priors))
        .collect();
    for (entry, own) in ranked.iter().zip(&all) {
        let expected = score(*own, &all);
        let close = (entry.score.unwrap() - expected).abs() < 1e-3;
        assert!(
            close,
            "{}: {:?}, reckoned {expected}",
            entry.label, entry.score
        );
        let better = ranked.iter().filter(|other| other.score > entry.score);
        assert_eq!(entry.rank, Some(better.clone().count() as i32 + 1));
        let steps: BTreeSet<_> = better.map(|other| other.rank).collect();
        assert_eq!(entry.dense_rank, Some(steps.len() as i32 + 1));
    }
    for entry in page.entries.iter().filter(|e| e.status == "unranked") {
        let subject = &subjects[&entry.subject_id.unwrap()];
        let impressions: f64 = subject.segments.values().map(|sums| sums[0]).sum();
        let young = entry.missing.to_string().contains("tenure_days");
        assert!(
            impressions < 1_000.0 || subject.days.len() < 14 || young,
            "{entry:?}"
        );
    }
    assert_eq!(
        page.entries.len(),
        subjects.len(),
        "everybody with a metric is listed"
    );
    ranked.len()
}

#[tokio::test]
async fn the_database_and_a_plain_reckoning_agree_on_the_demo() {
    let market = Market::open().await;
    let options = Options {
        last_day: end().pred_opt(),
        fraud_share: 0.0,
        days: 40,
        ..Options::SMALL
    };
    demo::load(&mut *market.db.conn().await, &options, |_, _| ())
        .await
        .unwrap();
    let board = market.board_of_demo(Period::Rolling30d).await;
    market.refresh(&board).await;
    assert!(compare(&market, &board).await > 30, "enough to compare");
}

/// Few values, so that ties, zeros and missing figures are common.
fn anybody() -> impl Strategy<Value = (u64, Daily)> {
    let days = prop_oneof![3 => Just(30), 1 => Just(5)];
    let counts = (
        prop::sample::select(vec![10, 100, 1_000]),
        0..=4_i64,
        0..=2_i64,
    );
    (days, counts, 0..=2_i64, 0..=2_i64).prop_map(
        |(days, (impressions, tenths, sales), spend, revenue)| {
            let clicks = impressions * tenths / 10;
            let daily = Daily {
                impressions,
                clicks,
                conversions: sales.min(clicks),
                spend: spend * 10,
                revenue: revenue * 15,
            };
            (days, daily)
        },
    )
}

#[tokio::test]
async fn they_agree_on_random_boards_full_of_ties_and_gaps() {
    let market = Market::open().await;
    let board = market.board(Period::Rolling30d).await;
    let mut runner = TestRunner::deterministic();
    let mut ranked = 0;
    for _ in 0..10 {
        let crowd = prop::collection::vec(anybody(), 1..14)
            .new_tree(&mut runner)
            .unwrap()
            .current();
        market.db.execute("TRUNCATE fleet.campaign_metrics, fleet.partners, fleet.partner_capacity, fleet.campaigns, fleet.metric_scans, fleet.metric_holds").await;
        for (n, (days, daily)) in crowd.iter().enumerate() {
            market.works(&format!("p{n}"), *days, *daily).await;
        }
        market.refresh(&board).await;
        ranked += compare(&market, &board).await;
    }
    assert!(ranked > 20, "{ranked} ranked in all");
}
