//! Why a client went where it went, kept with the decision: every figure it rested on, and the same in a sentence.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::candidates::Found;
use super::client::Client;
use super::desk::{Desk, Filter};
use super::fit::{Parts, confidence};
use super::settings::Settings;

/// Raised when the same figures would lead to another choice.
const ALGORITHM: &str = "assignment/1";
/// Candidates that a rationale shows.
pub(super) const SHOWN: usize = 5;

/// A partner that could have been chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The partner.
    pub partner_id: Uuid,
    /// `standard` or `senior`.
    pub tier: String,
    /// The sum of its parts, each weighed.
    pub score: f64,
    /// The parts.
    pub parts: Parts,
    /// What it was busy with.
    pub load: f64,
    /// The most it takes.
    pub cap: f64,
    /// Its percentile on the board; absent where it is not ranked.
    pub percentile: Option<f64>,
    /// As of when its capacity was computed.
    pub capacity_computed_at: DateTime<Utc>,
}

/// What a decision rested on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rationale {
    /// The decision.
    pub decision_id: Uuid,
    /// Which rules.
    pub algorithm: String,
    /// Which weights and thresholds: a version of the assignment settings.
    pub settings_version: i32,
    /// The run whose percentiles were read; absent where no board of partners was published yet.
    pub leaderboard_run_id: Option<Uuid>,
    /// Partners that were looked at.
    pub partners: i64,
    /// Partners that each filter removed; each partner counts at the first that applies.
    pub filters: BTreeMap<Filter, i64>,
    /// The best five.
    pub candidates: Vec<Candidate>,
    /// Who was chosen; absent where nobody could be.
    pub chosen: Option<Uuid>,
    /// The best other that was left; absent where there was none.
    pub runner_up: Option<Uuid>,
    /// By how much its score is above the best other's; absent where there was no other.
    pub margin: Option<f64>,
    /// How sure that makes the choice, 0 to 1.
    pub confidence: Option<f64>,
    /// What the client adds to a load.
    pub weight: f64,
    /// Whether it goes to senior partners first.
    pub high_value: bool,
    /// What is out of the ordinary: `senior_unavailable`, `taken_meanwhile`.
    pub flags: Vec<String>,
    /// All of it in words.
    pub summary: String,
}

/// What every decision of a run shares.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) settings: Settings,
    pub(super) version: i32,
    pub(super) run: Option<Uuid>,
}

impl Candidate {
    pub(super) fn of(client: &Client, desk: &Desk, settings: &Settings) -> Self {
        let parts = Parts::of(client, desk, settings);
        Self {
            partner_id: desk.partner_id,
            tier: desk.tier.clone(),
            score: parts.total(&settings.weights),
            parts,
            load: desk.load,
            cap: desk.cap,
            percentile: desk.percentile,
            capacity_computed_at: desk.computed_at,
        }
    }

    /// All that were found, the best first.
    pub(super) fn all(client: &Client, found: &Found, settings: &Settings) -> Vec<Self> {
        let of = |desk| Self::of(client, desk, settings);
        found.desks.iter().map(of).collect()
    }
}

impl Rationale {
    /// Of what was found, with nobody chosen yet.
    pub(super) fn begin(client: &Client, found: &Found, rules: &Rules) -> Self {
        let settings = &rules.settings;
        let candidates = found.desks.iter().take(SHOWN);
        let high_value = client.is_high_value(settings);
        let mut it = Self {
            decision_id: Uuid::now_v7(),
            algorithm: ALGORITHM.to_owned(),
            settings_version: rules.version,
            leaderboard_run_id: rules.run,
            partners: found.looked_at,
            filters: found.removed.iter().copied().collect(),
            candidates: candidates
                .map(|desk| Candidate::of(client, desk, settings))
                .collect(),
            chosen: None,
            runner_up: None,
            margin: None,
            confidence: None,
            weight: client.weight(settings),
            high_value,
            flags: Vec::new(),
            summary: String::new(),
        };
        let no_senior = found.desks.first().is_some_and(|desk| !desk.is_senior());
        if high_value && no_senior {
            it.flags.push("senior_unavailable".to_owned());
        }
        it
    }

    /// The same with a partner chosen: `chosen` of the candidates it was chosen among.
    pub(super) fn choose(&mut self, chosen: &Candidate, others: &[Candidate], slope: f64) {
        let best = others
            .iter()
            .filter(|other| other.partner_id != chosen.partner_id)
            .max_by(|a, b| a.score.total_cmp(&b.score));
        self.chosen = Some(chosen.partner_id);
        self.runner_up = best.map(|best| best.partner_id);
        self.margin = best.map(|best| chosen.score - best.score);
        self.confidence = Some(confidence(self.margin, slope));
        let shown = self
            .candidates
            .iter()
            .any(|it| it.partner_id == chosen.partner_id);
        if !shown {
            self.candidates.truncate(SHOWN - 1);
            self.candidates.push(chosen.clone());
        }
    }

    /// Puts it into words; `names` has the partners' names by id.
    pub(super) fn put_into_words(&mut self, client: &str, names: &BTreeMap<Uuid, String>) {
        let name = |id: Uuid| names.get(&id).cloned().unwrap_or_else(|| id.to_string());
        let mut words = vec![match self.chosen {
            None => format!("Nobody can take {client} now."),
            Some(chosen) => {
                let of = self.candidates.iter().find(|it| it.partner_id == chosen);
                let figures = of.map(figures).unwrap_or_default();
                format!("{client} goes to {}{figures}.", name(chosen))
            }
        }];
        if let (Some(margin), Some(confidence)) = (self.margin, self.confidence) {
            words.push(format!(
                "It is {:.3} {} {}, which makes the choice {:.0}% sure.",
                margin.abs(),
                if margin < 0.0 { "behind" } else { "ahead of" },
                self.runner_up.map(name).unwrap_or_default(),
                confidence * 100.0
            ));
        }
        if self.flags.iter().any(|flag| flag == "senior_unavailable") {
            words.push("No senior partner has room for a client of its value.".to_owned());
        }
        words.push(self.filters_in_words());
        self.summary = words.join(" ");
    }

    fn filters_in_words(&self) -> String {
        if self.filters.is_empty() {
            return format!("Of {} partners nothing ruled any out.", self.partners);
        }
        let removed = self.filters.iter();
        let removed: Vec<_> = removed
            .map(|(filter, count)| format!("{count} {}", filter.words()))
            .collect();
        format!("Of {} partners, {}.", self.partners, removed.join(", "))
    }

    /// The partners it speaks of.
    pub(super) fn speaks_of(&self) -> Vec<Uuid> {
        let shown = self.candidates.iter().map(|it| it.partner_id);
        shown.chain(self.chosen).chain(self.runner_up).collect()
    }
}

fn figures(it: &Candidate) -> String {
    format!(
        " with a score of {:.3} (capacity {:.2}, leaderboard {:.2}, skills {:.2}, working hours {:.2}, given lately {:.2}; load {} of {})",
        it.score,
        it.parts.capacity,
        it.parts.leaderboard,
        it.parts.skills,
        it.parts.hours,
        it.parts.recent,
        it.load,
        it.cap
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: u128, score: f64) -> Candidate {
        Candidate {
            partner_id: Uuid::from_u128(id),
            tier: "standard".to_owned(),
            score,
            parts: Parts {
                capacity: 0.6,
                leaderboard: 0.9,
                skills: 0.5,
                hours: 1.0,
                recent: 0.0,
            },
            load: 3.0,
            cap: 15.0,
            percentile: Some(0.9),
            capacity_computed_at: DateTime::UNIX_EPOCH,
        }
    }

    fn begun(scores: &[f64]) -> Rationale {
        let candidates = scores
            .iter()
            .zip(1..)
            .map(|(score, id)| candidate(id, *score))
            .collect();
        Rationale {
            decision_id: Uuid::nil(),
            algorithm: ALGORITHM.to_owned(),
            settings_version: 1,
            leaderboard_run_id: None,
            partners: 7,
            filters: BTreeMap::from([(Filter::Full, 3), (Filter::Language, 2)]),
            candidates,
            chosen: None,
            runner_up: None,
            margin: None,
            confidence: None,
            weight: 1.0,
            high_value: false,
            flags: Vec::new(),
            summary: String::new(),
        }
    }

    #[test]
    fn a_person_can_read_it() {
        let mut it = begun(&[0.7, 0.5]);
        let all = it.candidates.clone();
        it.choose(&all[0], &all, 12.0);
        let names = BTreeMap::from([
            (Uuid::from_u128(1), "Ann".to_owned()),
            (Uuid::from_u128(2), "Bob".to_owned()),
        ]);
        it.put_into_words("Acme", &names);
        assert_eq!(
            it.summary,
            "Acme goes to Ann with a score of 0.700 (capacity 0.60, leaderboard 0.90, skills 0.50, working hours 1.00, given lately 0.00; \
             load 3 of 15). It is 0.200 ahead of Bob, which makes the choice 92% sure. Of 7 partners, 3 have no room, 2 do not speak a language."
        );
    }

    #[test]
    fn a_choice_behind_another_is_less_than_even_and_one_without_a_rival_is_certain() {
        let mut it = begun(&[0.7, 0.5]);
        let all = it.candidates.clone();
        it.choose(&all[1], &all, 12.0);
        assert!(
            it.margin.is_some_and(|margin| margin < 0.0)
                && it.confidence.is_some_and(|it| it < 0.5)
        );
        let mut it = begun(&[0.7]);
        let all = it.candidates.clone();
        it.choose(&all[0], &all, 12.0);
        assert_eq!((it.margin, it.confidence), (None, Some(1.0)));
    }

    #[test]
    fn what_was_chosen_is_always_shown() {
        let mut it = begun(&[0.9, 0.8, 0.7, 0.6, 0.5]);
        let all = it.candidates.clone();
        it.choose(&candidate(9, 0.1), &all, 12.0);
        assert_eq!(it.candidates.len(), SHOWN);
        assert_eq!(it.candidates.last().map(|it| it.partner_id), it.chosen);
    }
}
