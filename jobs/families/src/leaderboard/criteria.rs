//! How a board scores: weights, thresholds, and the checks they must pass. Defaults are what the platform decided; a board's row overrides any of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::thresholds::{Anomalies, Eligibility, PriorBounds, Promotions, Weights};

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
