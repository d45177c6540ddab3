//! How well a partner fits a client: what rules it out, and the parts of its score. Pure.
//!
//! The statement that chooses among all partners ([`super::candidates`]) orders them by the same sum; this one is what people read and
//! what the batch optimizes. A test holds the two together.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::client::Client;
use super::settings::{Settings, Weights};

/// Minutes of a day.
const DAY: i32 = 1440;
/// A client's working day: nine to five of its zone, Monday to Friday.
const OPENS: i32 = 9 * 60;
/// Minutes of it.
const OPEN_FOR: i32 = 8 * 60;

/// A partner, as a choice sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desk {
    pub(super) partner_id: Uuid,
    pub(super) tenant_id: Uuid,
    pub(super) tier: String,
    pub(super) status: String,
    pub(super) serves: Option<Vec<Uuid>>,
    pub(super) industries: Vec<String>,
    pub(super) channels: Vec<String>,
    pub(super) languages: Vec<String>,
    pub(super) regions: Vec<String>,
    pub(super) week_share: f32,
    pub(super) opens_utc: i16,
    pub(super) open_for: i16,
    pub(super) load: f64,
    pub(super) cap: f64,
    pub(super) score: f64,
    pub(super) computed_at: DateTime<Utc>,
    pub(super) percentile: Option<f64>,
    pub(super) recent: i64,
    pub(super) away: bool,
}

/// Why a partner is out of the question; the first that applies counts.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// It does not work for the client's tenant.
    Tenant,
    /// It is paused, or has left.
    Inactive,
    /// The caller, or a person before, would not have it.
    Excluded,
    /// It is on leave.
    OnLeave,
    /// The client does not fit under its cap.
    Full,
    /// It does not know the client's industry.
    Industry,
    /// It does not know one of the client's channels.
    Channel,
    /// It does not speak one of the client's languages.
    Language,
    /// It may not keep data where the client's must stay.
    Region,
    /// A competitor is there, and one of the two asked for exclusivity.
    Exclusivity,
    /// The client is of high value, and senior partners have room.
    NotSenior,
    /// The client is of high value, no senior partner has room, and this one does not stand high enough.
    NotAmongTop,
}

impl Filter {
    /// All of them, each at the number by which the statement calls it, from 1.
    pub(super) const ALL: [Self; 12] = [
        Self::Tenant,
        Self::Inactive,
        Self::Excluded,
        Self::OnLeave,
        Self::Full,
        Self::Industry,
        Self::Channel,
        Self::Language,
        Self::Region,
        Self::Exclusivity,
        Self::NotSenior,
        Self::NotAmongTop,
    ];

    /// In words, of several partners.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Tenant => "do not work for this tenant",
            Self::Inactive => "are paused or gone",
            Self::Excluded => "are excluded",
            Self::OnLeave => "are on leave",
            Self::Full => "have no room",
            Self::Industry => "do not know the industry",
            Self::Channel => "do not know a channel",
            Self::Language => "do not speak a language",
            Self::Region => "may not keep its data",
            Self::Exclusivity => "serve a competitor",
            Self::NotSenior => "are not senior",
            Self::NotAmongTop => "do not stand high enough for its value",
        }
    }
}

impl Desk {
    pub(super) fn is_senior(&self) -> bool {
        self.tier == "senior"
    }

    /// Whether it stands among the first `share` of the board.
    pub(super) fn is_among_top(&self, share: f64) -> bool {
        self.percentile
            .is_some_and(|percentile| percentile > 1.0 - share)
    }

    /// What rules it out for the client, apart from exclusivity and the order of tiers, which depend on others.
    pub(super) fn ruled_out(&self, client: &Client, weight: f64) -> Option<Filter> {
        let has = |list: &[String], wanted: &[String]| wanted.iter().all(|it| list.contains(it));
        let tenant = client.tenant_id;
        let rules = [
            (
                Filter::Tenant,
                (self.tenant_id.is_nil() || self.tenant_id == tenant)
                    && self
                        .serves
                        .as_ref()
                        .is_none_or(|serves| serves.contains(&tenant)),
            ),
            (Filter::Inactive, self.status == "active"),
            (Filter::OnLeave, !self.away),
            // Loads are hundredths: what fits must not fail for a rounding.
            (Filter::Full, self.load + weight <= self.cap + 0.001),
            (
                Filter::Industry,
                client
                    .industry
                    .as_ref()
                    .is_none_or(|it| self.industries.contains(it)),
            ),
            (Filter::Channel, has(&self.channels, &client.channels)),
            (Filter::Language, has(&self.languages, &client.languages)),
            (
                Filter::Region,
                self.regions.is_empty()
                    || client
                        .region
                        .as_ref()
                        .is_none_or(|it| self.regions.contains(it)),
            ),
        ];
        rules
            .into_iter()
            .find(|(_, holds)| !holds)
            .map(|(filter, _)| filter)
    }

    fn skills(&self) -> usize {
        self.industries.len() + self.channels.len() + self.languages.len()
    }
}

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
            capacity: desk.score / 100.0,
            leaderboard: desk.percentile.unwrap_or(settings.unranked_percentile),
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

/// The minute of the UTC day at which a client opens whose zone is so far ahead.
pub(super) fn opens_at(ahead: i32) -> i32 {
    OPENS - ahead
}

/// The share of the client's working week that falls into the partner's.
fn hours(ahead: i32, desk: &Desk) -> f64 {
    // From the client's opening to the partner's next, and from there to the one a day before.
    let next = (i32::from(desk.opens_utc) - opens_at(ahead)).rem_euclid(DAY);
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
    use super::*;

    type Change = fn(&mut Desk);

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|&word| word.to_owned()).collect()
    }

    /// A partner that takes anybody.
    fn open() -> Desk {
        Desk {
            partner_id: Uuid::from_u128(3),
            tenant_id: Uuid::nil(),
            tier: "standard".to_owned(),
            status: "active".to_owned(),
            serves: None,
            industries: words(&["retail"]),
            channels: words(&["search", "social"]),
            languages: words(&["en"]),
            regions: Vec::new(),
            week_share: 1.0,
            opens_utc: 540,
            open_for: 480,
            load: 3.0,
            cap: 15.0,
            score: 60.0,
            computed_at: DateTime::UNIX_EPOCH,
            percentile: Some(0.8),
            recent: 2,
            away: false,
        }
    }

    #[test]
    fn each_rule_rules_out_by_its_name() {
        let client = Client {
            industry: Some("retail".to_owned()),
            channels: words(&["search"]),
            languages: words(&["en"]),
            region: Some("eu".to_owned()),
            ..plain()
        };
        assert_eq!(open().ruled_out(&client, 1.0), None);
        let cases: [(Filter, Change); 10] = [
            (Filter::Tenant, |it| it.tenant_id = Uuid::from_u128(9)),
            (Filter::Tenant, |it| {
                it.serves = Some(vec![Uuid::from_u128(9)]);
            }),
            (Filter::Inactive, |it| it.status = "paused".to_owned()),
            (Filter::OnLeave, |it| it.away = true),
            (Filter::Full, |it| it.load = 14.1),
            (Filter::Industry, |it| it.industries.clear()),
            (Filter::Channel, |it| it.channels.clear()),
            (Filter::Language, |it| it.languages = words(&["de"])),
            (Filter::Region, |it| it.regions = words(&["us"])),
            (Filter::Tenant, |it| {
                it.serves = Some(vec![Uuid::from_u128(9)]);
                it.status = "paused".to_owned();
            }),
        ];
        for (filter, change) in cases {
            let mut desk = open();
            change(&mut desk);
            assert_eq!(desk.ruled_out(&client, 1.0), Some(filter));
        }
        let exact = Desk {
            load: 14.0,
            ..open()
        };
        assert_eq!(exact.ruled_out(&client, 1.0), None, "the last slot is one");
    }

    #[test]
    fn the_parts_are_what_they_are_called() {
        let client = Client {
            industry: Some("retail".to_owned()),
            channels: words(&["search"]),
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
        let unranked = Desk {
            percentile: None,
            ..open()
        };
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
            let desk = Desk {
                opens_utc: opens,
                week_share: days,
                ..open()
            };
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
            let base = Desk { score, percentile: Some(percentile), recent, ..open() };
            let now = total(base.clone());
            prop_assert!(now.is_finite() && (-0.1..=1.0).contains(&now));
            let freer = Desk { score: (score + more).min(100.0), ..base.clone() };
            prop_assert!(total(freer) >= now);
            let busier = Desk { recent: recent + 1, ..base };
            prop_assert!(total(busier) <= now);
        }
    }
}
