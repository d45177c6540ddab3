//! How well a partner fits a client: the parts of its score. Pure.
//!
//! One client's choice among all partners, a batch's optimum and what people read rest on the same sum.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::desk::Desk;
use super::settings::{Settings, Weights};

/// Minutes of a day.
const DAY: i32 = 1440;
/// A client's working day: nine to five of its zone, Monday to Friday.
const OPENS: i32 = 9 * 60;
/// Minutes of it.
const OPEN_FOR: i32 = 8 * 60;

/// The parts of a score, each 0 to 1 before it is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parts {
    /// Capacity score over 100.
    pub capacity: f64,
    /// Percentile on the platform's partner board.
    pub leaderboard: f64,
    /// What the client needs over all that either of the two has (Jaccard).
    pub skills: f64,
    /// The share of the client's working week that the partner works, too.
    pub hours: f64,
    /// What it was given in the last day, up to 1; taken off.
    pub recent: f64,
}

impl Parts {
    /// Of a partner that nothing rules out.
    pub(super) fn of(client: &Client, desk: &Desk, settings: &Settings) -> Self {
        // It knows all that the client needs, so what both have is that, and what either has is the partner's.
        let skills = match desk.skills() {
            0 => 1.0,
            all => client.needs() as f64 / all as f64,
        };
        Self {
            capacity: desk.capacity(),
            leaderboard: desk.leaderboard(settings),
            skills,
            hours: hours(client.ahead, desk),
            recent: (desk.recent as f64 / f64::from(settings.recent_full)).min(1.0),
        }
    }

    /// The score.
    pub(super) fn total(&self, weights: &Weights) -> f64 {
        weights.capacity * self.capacity
            + weights.leaderboard * self.leaderboard
            + weights.skills * self.skills
            + weights.hours * self.hours
            - weights.recent * self.recent
    }
}

/// The share of the client's working week that falls into the partner's.
fn hours(ahead: i32, desk: &Desk) -> f64 {
    // From the client's opening to the partner's next, and from there to the one a day before.
    let next = (i32::from(desk.opens_utc) - (OPENS - ahead)).rem_euclid(DAY);
    let common: i32 = [next, next - DAY]
        .into_iter()
        .map(|opens| ((opens + i32::from(desk.open_for)).min(OPEN_FOR) - opens.max(0)).max(0))
        .sum();
    f64::from(desk.week_share) * f64::from(common) / f64::from(OPEN_FOR)
}

/// How sure a choice is, from its margin over the next best: one without a rival is certain.
pub(super) fn confidence(margin: Option<f64>, slope: f64) -> f64 {
    margin.map_or(1.0, |margin| 1.0 / (1.0 + (-slope * margin).exp()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::client::tests::plain;
    use super::super::desk::tests::open;
    use super::*;

    #[test]
    fn the_parts_are_what_they_are_called() {
        let client = Client {
            industry: Some("retail".to_owned()),
            channels: vec!["search".to_owned()],
            ..plain()
        };
        let settings = Settings::default();
        let parts = Parts::of(&client, &open(), &settings);
        let expected = Parts {
            capacity: 0.6,
            leaderboard: 0.8,
            skills: 0.5,
            hours: 1.0,
            recent: 0.4,
        };
        assert_eq!(parts, expected);
        let total = 0.45 * 0.6 + 0.35 * 0.8 + 0.15 * 0.5 + 0.05 - 0.10 * 0.4;
        assert!((parts.total(&settings.weights) - total).abs() < 1e-12);
        let unranked = open().with(|it| it.percentile = None);
        assert_eq!(
            Parts::of(&client, &unranked, &settings),
            Parts {
                leaderboard: 0.5,
                ..expected
            }
        );
    }

    #[test]
    fn working_hours_overlap_across_zones_and_midnight() {
        for (ahead, opens, days, share) in [
            (0, 540, 1.0, 1.0),
            (0, 540, 0.6, 0.6),
            (330, 540, 1.0, (480.0 - 330.0) / 480.0), // Kolkata and London
            (-300, 540, 1.0, (480.0 - 300.0) / 480.0), // New York and London
            (-480, 540 - 600, 1.0, 120.0 * 1.0 / 480.0), // Los Angeles opens at 17:00, Sydney at 23:00 the day before
            (0, 540 - 720, 1.0, 0.0),
        ] {
            let desk = open().with(|it| (it.opens_utc, it.week_share) = (opens, days));
            assert!(
                (hours(ahead, &desk) - share).abs() < 1e-6,
                "{ahead} {opens}: {}",
                hours(ahead, &desk)
            );
        }
    }

    #[test]
    fn confidence_grows_with_the_margin() {
        let near = |margin, sure: f64| (confidence(margin, 12.0) - sure).abs() < 1e-3;
        assert!(near(None, 1.0));
        assert!(near(Some(0.0), 0.5));
        assert!(near(Some(0.1446), 0.85));
    }

    proptest! {
        #[test]
        fn a_score_rises_with_what_is_good_and_falls_with_what_is_not(
            score in 0.0..100.0f64, percentile in 0.0..1.0f64, recent in 0i64..10, more in 0.0..20.0f64
        ) {
            let settings = Settings::default();
            let total = |desk: Desk| Parts::of(&plain(), &desk, &settings).total(&settings.weights);
            let base = Desk { recent, ..open() }.with(|it| (it.score, it.percentile) = (score, Some(percentile)));
            let now = total(base.clone());
            prop_assert!(now.is_finite() && (-0.1..=1.0).contains(&now));
            let freer = base.clone().with(|it| it.score = (score + more).min(100.0));
            prop_assert!(total(freer) >= now);
            let busier = Desk { recent: recent + 1, ..base };
            prop_assert!(total(busier) <= now);
        }
    }
}
