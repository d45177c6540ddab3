//! The numbers a board scores by, with what the platform decided as their defaults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much each figure counts in the score. They need not add up to one: a subject without one of them is scored over the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Weights {
    /// Clicks per impression, shrunk.
    pub ctr: f64,
    /// Conversions per click, shrunk.
    pub cvr: f64,
    /// Revenue per unit spent; absent where nothing was spent.
    pub roas: f64,
    /// Revenue.
    pub revenue: f64,
}

/// Who is ranked; the others are listed with what they lack.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Eligibility {
    /// Impressions in the window.
    pub min_impressions: i64,
    /// Days with impressions in the window.
    pub min_active_days: i64,
    /// But never more than this share of the window's days: a week cannot hold fourteen.
    pub max_active_share: f64,
    /// Days since the subject became active.
    pub min_tenure_days: i64,
}

/// Bounds on what is learnt about a segment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PriorBounds {
    /// Least weight of the segment's mean, in trials.
    pub min_strength: f64,
    /// Most weight; also where the subjects do not differ more than chance explains.
    pub max_strength: f64,
    /// Subjects with fewer impressions (for CTR) do not teach how much subjects differ: one of a single trial would drown the rest.
    pub min_impressions: i64,
    /// The same for clicks (for CVR).
    pub min_clicks: i64,
}

/// When a campaign's day is held for a person to look at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Anomalies {
    /// Days looked back.
    pub trailing_days: i32,
    /// Robust z beyond which a day stands out.
    pub max_z: f64,
    /// Impressions below which a day's rates say nothing.
    pub min_impressions: i64,
    /// Conversions per click nobody reaches honestly.
    pub max_cvr: f64,
    /// Clicks below which that rule says nothing.
    pub min_clicks: i64,
    /// Least share of hours over which conversions spread.
    pub min_hour_share: f64,
    /// Conversions below which that rule says nothing.
    pub min_conversions: i64,
}

/// When a change of tier is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Promotions {
    /// Share of the ranked that is the top.
    pub top_share: f64,
    /// Fewest ranked subjects among which a share means anything.
    pub min_ranked: i32,
    /// Weekly boards in a row in the top.
    pub weeks: usize,
    /// Share of promises kept.
    pub min_sla: f64,
    /// Promises below which that share says nothing.
    pub min_sla_samples: i64,
    /// Days of promises looked back.
    pub sla_days: i32,
    /// A senior partner outside this share…
    pub demotion_share: f64,
    /// …for so many weekly boards in a row…
    pub demotion_weeks: usize,
    /// …or keeping fewer promises than this, is proposed for demotion. Both lie well below the way up, so that nobody goes to and fro.
    pub demotion_sla: f64,
    /// Days a rejected proposal is not made again.
    pub rejection_days: i32,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            ctr: 0.30,
            cvr: 0.35,
            roas: 0.25,
            revenue: 0.10,
        }
    }
}

impl Default for Eligibility {
    fn default() -> Self {
        Self {
            min_impressions: 1_000,
            min_active_days: 14,
            max_active_share: 0.5,
            min_tenure_days: 30,
        }
    }
}

impl Default for PriorBounds {
    fn default() -> Self {
        Self {
            min_strength: 50.0,
            max_strength: 1e6,
            min_impressions: 100,
            min_clicks: 20,
        }
    }
}

impl Default for Anomalies {
    fn default() -> Self {
        Self {
            trailing_days: 60,
            max_z: 6.0,
            min_impressions: 500,
            max_cvr: 0.6,
            min_clicks: 30,
            min_hour_share: 0.01,
            min_conversions: 50,
        }
    }
}

impl Default for Promotions {
    fn default() -> Self {
        Self {
            top_share: 0.10,
            min_ranked: 10,
            weeks: 2,
            min_sla: 0.95,
            min_sla_samples: 20,
            sla_days: 90,
            demotion_share: 0.25,
            demotion_weeks: 4,
            demotion_sla: 0.90,
            rejection_days: 28,
        }
    }
}
