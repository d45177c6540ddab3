//! A partner as a choice sees it, and what rules it out for a client. Pure.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::choose::Barred;
use super::client::{Client, DORMANT};
use super::settings::Settings;

/// A partner, as it stands in its capacity's row.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "columns, as they are called")]
pub(super) struct Partner {
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
}

/// A partner, as a choice sees it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Desk {
    pub(super) partner: Arc<Partner>,
    /// Clients that it was given in the last day.
    pub(super) recent: i64,
    /// Whether it is on leave.
    pub(super) away: bool,
}

impl Deref for Desk {
    type Target = Partner;

    fn deref(&self) -> &Partner {
        &self.partner
    }
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
    /// A partner at this moment.
    pub(super) fn at(
        partner: &Arc<Partner>,
        recent: &HashMap<Uuid, i64>,
        away: &HashSet<Uuid>,
    ) -> Self {
        Self {
            partner: Arc::clone(partner),
            recent: recent.get(&partner.partner_id).copied().unwrap_or(0),
            away: away.contains(&partner.partner_id),
        }
    }

    pub(super) fn is_senior(&self) -> bool {
        self.tier == "senior"
    }

    /// Whether it stands among the first `share` of the board.
    pub(super) fn is_among_top(&self, share: f64) -> bool {
        self.percentile
            .is_some_and(|percentile| percentile > 1.0 - share)
    }

    /// Whether anybody at all could be given to it, the lightest client at least.
    pub(super) fn is_open(&self) -> bool {
        self.status == "active" && !self.away && self.fits(DORMANT)
    }

    /// What of its score does not depend on the client, but for how recently it was given others.
    pub(super) fn promise(&self, settings: &Settings) -> f64 {
        settings.weights.capacity * self.capacity()
            + settings.weights.leaderboard * self.leaderboard(settings)
    }

    /// What rules it out for the client, apart from the order of tiers, which depends on others.
    pub(super) fn ruled_out(
        &self,
        client: &Client,
        weight: f64,
        barred: &Barred<'_>,
    ) -> Option<Filter> {
        let has = |list: &[String], wanted: &[String]| wanted.iter().all(|it| list.contains(it));
        let knows =
            |list: &[String], wanted: Option<&String>| wanted.is_none_or(|it| list.contains(it));
        let keeps = |region| self.regions.is_empty() || knows(&self.regions, region);
        // Each is asked only where those before it hold: most partners fail one of the first.
        if !self.works_for(client.tenant_id) {
            Some(Filter::Tenant)
        } else if self.status != "active" {
            Some(Filter::Inactive)
        } else if barred.excluded.contains(&self.partner_id) {
            Some(Filter::Excluded)
        } else if self.away {
            Some(Filter::OnLeave)
        } else if !self.fits(weight) {
            Some(Filter::Full)
        } else if !knows(&self.industries, client.industry.as_ref()) {
            Some(Filter::Industry)
        } else if !has(&self.channels, &client.channels) {
            Some(Filter::Channel)
        } else if !has(&self.languages, &client.languages) {
            Some(Filter::Language)
        } else if !keeps(client.region.as_ref()) {
            Some(Filter::Region)
        } else if barred.rivals.contains(&self.partner_id) {
            Some(Filter::Exclusivity)
        } else {
            None
        }
    }

    fn works_for(&self, tenant: Uuid) -> bool {
        let serves = |all: &Vec<Uuid>| all.contains(&tenant);
        (self.tenant_id.is_nil() || self.tenant_id == tenant)
            && self.serves.as_ref().is_none_or(serves)
    }

    /// Loads are hundredths: what fits must not fail for a rounding.
    fn fits(&self, weight: f64) -> bool {
        self.load + weight <= self.cap + 0.001
    }

    /// Capacity score over 100.
    pub(super) fn capacity(&self) -> f64 {
        self.score / 100.0
    }

    /// Percentile on the board, or what stands for it.
    pub(super) fn leaderboard(&self, settings: &Settings) -> f64 {
        self.percentile.unwrap_or(settings.unranked_percentile)
    }

    /// Industries, channels and languages that it knows, counted together.
    pub(super) fn skills(&self) -> usize {
        self.industries.len() + self.channels.len() + self.languages.len()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::client::tests::plain;
    use super::*;

    type Change = fn(&mut Partner);

    impl Desk {
        /// The same with something about the partner changed.
        pub(in super::super) fn with(mut self, change: impl FnOnce(&mut Partner)) -> Self {
            change(Arc::make_mut(&mut self.partner));
            self
        }
    }

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|&word| word.to_owned()).collect()
    }

    /// A partner that takes anybody.
    pub(in super::super) fn open() -> Desk {
        let partner = Partner {
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
        };
        Desk {
            partner: Arc::new(partner),
            recent: 2,
            away: false,
        }
    }

    fn demanding() -> Client {
        Client {
            industry: Some("retail".to_owned()),
            channels: words(&["search"]),
            languages: words(&["en"]),
            region: Some("eu".to_owned()),
            ..plain()
        }
    }

    #[test]
    fn each_rule_rules_out_by_its_name() {
        let nobody = HashSet::new();
        let ruled_out = |desk: &Desk| {
            let barred = Barred {
                excluded: HashSet::new(),
                rivals: &nobody,
            };
            desk.ruled_out(&demanding(), 1.0, &barred)
        };
        assert_eq!(ruled_out(&open()), None);
        let cases: [(Filter, Change); 9] = [
            (Filter::Tenant, |it| it.tenant_id = Uuid::from_u128(9)),
            (Filter::Tenant, |it| {
                it.serves = Some(vec![Uuid::from_u128(9)]);
            }),
            (Filter::Inactive, |it| it.status = "paused".to_owned()),
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
            assert_eq!(ruled_out(&open().with(change)), Some(filter));
        }
        let last = open().with(|it| it.load = 14.0);
        assert_eq!(ruled_out(&last), None, "the last slot is one");
    }

    #[test]
    fn what_bars_a_partner_counts_in_its_place() {
        let (listed, nobody) = (HashSet::from([open().partner_id]), HashSet::new());
        let ruled_out = |desk: &Desk, excluded: &HashSet<Uuid>, rivals| {
            let excluded = excluded.clone();
            desk.ruled_out(&demanding(), 1.0, &Barred { excluded, rivals })
        };
        let away = Desk {
            away: true,
            ..open()
        };
        let full = away.clone().with(|it| it.load = 15.0);
        for (desk, excluded, rivals, filter) in [
            (&open(), &listed, &nobody, Filter::Excluded),
            (&open(), &nobody, &listed, Filter::Exclusivity),
            (&away, &listed, &nobody, Filter::Excluded),
            (&away, &nobody, &listed, Filter::OnLeave),
            (&full, &nobody, &nobody, Filter::OnLeave),
        ] {
            assert_eq!(ruled_out(desk, excluded, rivals), Some(filter));
        }
    }

    #[test]
    fn open_is_who_could_take_the_lightest() {
        assert!(open().is_open());
        assert!(open().with(|it| it.load = 14.5).is_open());
        assert!(!open().with(|it| it.load = 14.51).is_open());
        assert!(!open().with(|it| it.status = "paused".to_owned()).is_open());
        let away = Desk {
            away: true,
            ..open()
        };
        assert!(!away.is_open());
    }
}
