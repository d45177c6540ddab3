//! How a board scores: weights, thresholds, and the checks they must pass. Defaults are what the platform decided; a board's row overrides any of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The contents of `leaderboards.scoring_criteria`. What is left out has its default; what is unknown is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Criteria {
    /// How much each figure counts.
    pub weights: Weights,
    /// Who is ranked at all.
    pub eligibility: Eligibility,
    /// How strongly small samples are drawn towards their segment.
    pub prior: PriorBounds,
    /// What is too good to be true.
    pub anomalies: Anomalies,
    /// Who moves between tiers.
    pub promotions: Promotions,
    /// What share of refused metric rows keeps a run from being published.
    pub max_bad_share: f64,
}

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

impl Default for Criteria {
    fn default() -> Self {
        Self {
            weights: Weights::default(),
            eligibility: Eligibility::default(),
            prior: PriorBounds::default(),
            anomalies: Anomalies::default(),
            promotions: Promotions::default(),
            max_bad_share: 0.05,
        }
    }
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

/// What is wrong with one field of the criteria.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// Its path, as in `weights.ctr`.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl std::fmt::Display for FieldError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl Criteria {
    /// Reads and checks a board's criteria; every fault is named, not only the first.
    pub fn parse(value: &Value) -> Result<Self, Vec<FieldError>> {
        let criteria: Self = serde_json::from_value(value.clone()).map_err(|error| {
            vec![FieldError {
                field: "scoring_criteria".to_owned(),
                problem: error.to_string(),
            }]
        })?;
        let errors = criteria.faults();
        if errors.is_empty() {
            Ok(criteria)
        } else {
            Err(errors)
        }
    }

    fn faults(&self) -> Vec<FieldError> {
        let Self {
            weights,
            eligibility,
            prior,
            anomalies,
            promotions,
            max_bad_share,
        } = self;
        let mut faults = Faults(Vec::new());
        let each = [
            ("weights.ctr", weights.ctr),
            ("weights.cvr", weights.cvr),
            ("weights.roas", weights.roas),
            ("weights.revenue", weights.revenue),
            ("eligibility.max_active_share", eligibility.max_active_share),
            ("anomalies.max_cvr", anomalies.max_cvr),
            ("anomalies.min_hour_share", anomalies.min_hour_share),
            ("promotions.top_share", promotions.top_share),
            ("promotions.min_sla", promotions.min_sla),
            ("promotions.demotion_share", promotions.demotion_share),
            ("promotions.demotion_sla", promotions.demotion_sla),
            ("max_bad_share", *max_bad_share),
        ];
        for (field, share) in each {
            faults.unless(
                (0.0..=1.0).contains(&share),
                field,
                "must lie between 0 and 1",
            );
        }
        let sum = weights.ctr + weights.cvr + weights.roas + weights.revenue;
        faults.unless(sum > 0.0, "weights", "one of them must be above 0");
        let ordered = prior.min_strength > 0.0
            && prior.min_strength <= prior.max_strength
            && prior.max_strength.is_finite();
        faults.unless(
            ordered,
            "prior.min_strength",
            "must be above 0 and not above prior.max_strength",
        );
        faults.unless(anomalies.max_z > 0.0, "anomalies.max_z", "must be above 0");
        faults.unless(
            (1..=366).contains(&anomalies.trailing_days),
            "anomalies.trailing_days",
            "must be 1 to 366",
        );
        faults.unless(
            (1..=52).contains(&promotions.weeks),
            "promotions.weeks",
            "must be 1 to 52",
        );
        faults.unless(
            (1..=52).contains(&promotions.demotion_weeks),
            "promotions.demotion_weeks",
            "must be 1 to 52",
        );
        faults.unless(
            promotions.demotion_share >= promotions.top_share && promotions.demotion_sla <= promotions.min_sla,
            "promotions",
            "the way down must lie below the way up: demotion_share at least top_share, demotion_sla at most min_sla",
        );
        faults.0
    }

    /// SHA-256 of the criteria: runs with the same one scored alike.
    pub fn version(&self) -> String {
        format!("{:x}", Sha256::digest(self.to_json().to_string()))
    }

    /// Every value, the defaults included, as a run keeps them.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("plain numbers serialize")
    }

    /// Days with impressions that a window of so many days asks for.
    pub fn active_days_needed(&self, window_days: i64) -> i64 {
        let share = (window_days as f64 * self.eligibility.max_active_share).ceil() as i64;
        self.eligibility.min_active_days.min(share.max(1))
    }
}

struct Faults(Vec<FieldError>);

impl Faults {
    fn unless(&mut self, right: bool, field: &str, problem: &str) {
        if !right {
            self.0.push(FieldError {
                field: field.to_owned(),
                problem: problem.to_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_object_is_the_default_and_the_default_is_right() {
        assert_eq!(Criteria::parse(&json!({})), Ok(Criteria::default()));
        assert_eq!(Criteria::default().faults(), []);
    }

    #[test]
    fn names_every_fault() {
        let faults = Criteria::parse(&json!({
            "weights": {"ctr": -1, "cvr": 0, "roas": 0, "revenue": 0},
            "promotions": {"demotion_share": 0.05},
            "anomalies": {"trailing_days": 0},
        }));
        let fields: Vec<_> = faults
            .expect_err("wrong")
            .into_iter()
            .map(|fault| fault.field)
            .collect();
        assert_eq!(
            fields,
            [
                "weights.ctr",
                "weights",
                "anomalies.trailing_days",
                "promotions"
            ]
        );
    }

    #[test]
    fn an_unknown_or_ill_typed_field_is_named() {
        for (criteria, word) in [
            (json!({"wieghts": {}}), "wieghts"),
            (json!({"weights": {"ctr": "x"}}), "f64"),
        ] {
            let faults = Criteria::parse(&criteria).expect_err("wrong");
            assert!(faults[0].problem.contains(word), "{faults:?}");
        }
    }

    #[test]
    fn the_version_changes_with_any_value_and_only_then() {
        let mut other = Criteria::default();
        assert_eq!(other.version(), Criteria::default().version());
        other.anomalies.max_z = 7.0;
        assert_ne!(other.version(), Criteria::default().version());
    }

    #[test]
    fn short_windows_ask_for_fewer_days() {
        let needed = [1, 7, 28, 30, 365].map(|days| Criteria::default().active_days_needed(days));
        assert_eq!(needed, [1, 4, 14, 14, 14]);
    }
}
