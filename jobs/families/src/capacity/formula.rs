//! The score, as a pure function of what is known of a partner.
//!
//! `score = 100 · √H · (0.40 S + 0.25 R + 0.35 C)`, rounded to hundredths; these figures and those below are the platform's to begin with
//! ([`Settings`]). In it
//! - `H = clamp(1 − load / cap, 0, 1)` is headroom, the load being clients' weights + 0.1 a ticket on the clock + 0.05 a running campaign;
//! - `S = (hits + 20 m) / (n + 20)` is the share of promises kept in ninety days, drawn towards the tier's mean `m`;
//! - `R = exp(−ln 2 · h / 4)` falls by half for every four working hours `h` of the median first response;
//! - `C` is the share of campaigns that met their goal, drawn towards the tier's mean as leaderboards draw rates.
//!
//! Without history `S = m`, `R = ½` and `C = m`; `confidence = min(1, n / 20)` says how much of that is the partner's own.
//! A paused partner, one on leave, and one with no room for a client of weight 1 score 0, whatever else is true of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::priors::TierPrior;
use super::settings::Settings;

/// What is known of a partner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Inputs {
    /// Sum of its clients' weights.
    pub clients_weight: f64,
    /// Open tickets on which a promise is running.
    pub open_tickets: i64,
    /// Running campaigns.
    pub active_campaigns: i64,
    /// The most it takes.
    pub cap: f64,
    /// Whether it takes no work just now: paused, gone, or on leave.
    pub away: bool,
    /// Promises kept in the last ninety days.
    pub sla_hits: i64,
    /// Promises that fell due in them.
    pub sla_total: i64,
    /// Median first response in working hours; `None` where nothing was answered in them.
    pub response_hours: Option<f64>,
    /// Campaigns that met their goal.
    pub successes: i64,
    /// Campaigns whose goal fell due.
    pub outcomes: i64,
}

/// The parts of a score, each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Components {
    /// `H`, the share of the cap that is free.
    pub headroom: f64,
    /// `S`, promises kept.
    pub sla: f64,
    /// `R`, speed of the first response.
    pub response: f64,
    /// `C`, campaigns that met their goal.
    pub success: f64,
}

/// A partner, scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// What it is busy with.
    pub load: f64,
    /// 0 to 100.
    pub score: f64,
    /// How much of the promises' part is its own history, 0 to 1.
    pub confidence: f64,
    /// What the score is made of.
    pub components: Components,
}

impl Inputs {
    /// What it is busy with, to the hundredth: every part is a multiple of 0.05, so the rounding only takes off what binary fractions add.
    pub fn load(&self, settings: &Settings) -> f64 {
        hundredths(
            self.clients_weight
                + settings.loads.ticket * self.open_tickets as f64
                + settings.loads.campaign * self.active_campaigns as f64,
        )
    }

    fn response(&self, settings: &Settings) -> f64 {
        self.response_hours
            .map_or(settings.response_unknown, |hours| {
                (-std::f64::consts::LN_2 * hours / settings.response_half_life).exp()
            })
    }
}

/// Scores a partner against what its tier is like.
pub fn score(inputs: &Inputs, prior: &TierPrior, settings: &Settings) -> Scored {
    let load = inputs.load(settings);
    let components = Components {
        headroom: headroom(load, inputs.cap),
        sla: drawn(
            inputs.sla_hits,
            inputs.sla_total,
            prior.sla_mean,
            settings.sla_strength,
        ),
        response: inputs.response(settings),
        success: drawn(
            inputs.successes,
            inputs.outcomes,
            prior.success_mean,
            prior.success_strength,
        ),
    };
    let weights = &settings.weights;
    let quality = weights.sla * components.sla
        + weights.response * components.response
        + weights.success * components.success;
    let takes_work = !inputs.away && load + settings.slot <= inputs.cap;
    let score = if takes_work {
        hundredths(100.0 * components.headroom.sqrt() * quality)
    } else {
        0.0
    };
    Scored {
        load,
        score,
        confidence: (inputs.sla_total as f64 / settings.sla_strength).min(1.0),
        components,
    }
}

fn headroom(load: f64, cap: f64) -> f64 {
    if cap > 0.0 {
        (1.0 - load / cap).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// The mean of the beta posterior: an observed share with `strength` imagined trials at `mean` beside it.
fn drawn(hits: i64, trials: i64, mean: f64, strength: f64) -> f64 {
    (hits as f64 + strength * mean) / (trials as f64 + strength)
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::settings::{Loads, Weights};
    use super::*;

    const PRIOR: TierPrior = TierPrior {
        sla_mean: 0.9,
        success_mean: 0.6,
        success_strength: 50.0,
    };

    /// By what the platform begins with.
    fn now(inputs: &Inputs, prior: &TierPrior) -> Scored {
        score(inputs, prior, &Settings::default())
    }

    fn known() -> Inputs {
        Inputs {
            clients_weight: 6.0,
            open_tickets: 10,
            active_campaigns: 10,
            cap: 15.0,
            away: false,
            sla_hits: 38,
            sla_total: 40,
            response_hours: Some(4.0),
            successes: 20,
            outcomes: 25,
        }
    }

    #[test]
    fn a_partner_worked_out_by_hand() {
        // Load 6 + 1 + 0.5; H = 1/2; S = (38 + 18) / 60; R = 1/2; C = (20 + 30) / 75.
        let scored = now(&known(), &PRIOR);
        assert_eq!((scored.load, scored.confidence), (7.5, 1.0));
        let parts = scored.components;
        assert!((parts.headroom - 0.5).abs() < 1e-12 && (parts.response - 0.5).abs() < 1e-12);
        assert!((parts.sla - 56.0 / 60.0).abs() < 1e-12, "{parts:?}");
        assert!((parts.success - 50.0 / 75.0).abs() < 1e-12, "{parts:?}");
        // 100 · 0.70711 · (0.37333 + 0.125 + 0.23333) = 51.74
        assert!((scored.score - 51.74).abs() < 1e-9, "{scored:?}");
    }

    #[test]
    fn every_setting_counts() {
        // Load 6 + 2 + 1; H = 1/4 of a cap of 12; S = (38 + 36) / 80; R = 1/4; C as above.
        let settings = Settings {
            weights: Weights {
                sla: 0.5,
                response: 0.5,
                success: 0.0,
            },
            loads: Loads {
                ticket: 0.2,
                campaign: 0.1,
            },
            sla_strength: 40.0,
            response_half_life: 2.0,
            slot: 3.0,
            ..Settings::default()
        };
        let busy = Inputs {
            cap: 12.0,
            ..known()
        };
        let scored = score(&busy, &PRIOR, &settings);
        assert_eq!((scored.load, scored.confidence), (9.0, 1.0));
        // 100 · 1/2 · (0.4625 + 0.125)
        assert!((scored.score - 29.38).abs() < 1e-9, "{scored:?}");
        let wider = Settings {
            slot: 3.1,
            ..settings
        };
        assert!(score(&busy, &PRIOR, &wider).score <= 0.0);
        let silent = Inputs {
            response_hours: None,
            ..busy
        };
        let unknown = Settings {
            response_unknown: 0.9,
            ..settings
        };
        let parts = score(&silent, &PRIOR, &unknown).components;
        assert!((parts.response - 0.9).abs() < 1e-12);
    }

    #[test]
    fn a_newcomer_is_taken_for_what_its_tier_is_like() {
        let newcomer = Inputs {
            cap: 15.0,
            ..Inputs::default()
        };
        let scored = now(&newcomer, &PRIOR);
        let parts = scored.components;
        assert_eq!(
            (parts.headroom, parts.sla, parts.response, parts.success),
            (1.0, 0.9, 0.5, 0.6)
        );
        assert_eq!((scored.score, scored.confidence), (69.5, 0.0));
    }

    #[test]
    fn who_takes_no_work_scores_nothing() {
        let scores = |change: fn(&mut Inputs)| {
            let mut inputs = known();
            change(&mut inputs);
            now(&inputs, &PRIOR).score > 0.0
        };
        assert!(scores(|_| ()));
        assert!(!scores(|it| it.away = true), "paused or on leave");
        assert!(!scores(|it| it.cap = 0.0), "takes nothing at all");
        assert!(!scores(|it| it.cap = 7.5), "full");
        assert!(!scores(|it| it.cap = 8.0), "no room for a whole client");
        assert!(scores(|it| it.cap = 8.5), "one slot is free");
        assert!(!scores(|it| it.cap = 3.0), "overloaded by hand");
    }

    fn inputs() -> impl Strategy<Value = Inputs> {
        let load = (
            0.0..80.0_f64,
            0..500_i64,
            0..500_i64,
            0.0..100.0_f64,
            any::<bool>(),
        );
        let share = || (0..5_000_i64).prop_flat_map(|n| (0..=n, Just(n)));
        let response = prop::option::of(0.0..10_000.0_f64);
        (load, share(), response, share()).prop_map(|(load, sla, response_hours, success)| Inputs {
            clients_weight: load.0,
            open_tickets: load.1,
            active_campaigns: load.2,
            cap: load.3,
            away: load.4,
            sla_hits: sla.0,
            sla_total: sla.1,
            response_hours,
            successes: success.0,
            outcomes: success.1,
        })
    }

    fn priors() -> impl Strategy<Value = TierPrior> {
        (0.0..=1.0_f64, 0.0..=1.0_f64, 50.0..1e6_f64).prop_map(|(sla, success, strength)| {
            TierPrior {
                sla_mean: sla,
                success_mean: success,
                success_strength: strength,
            }
        })
    }

    proptest! {
        #[test]
        fn a_score_is_a_number_from_0_to_100(inputs in inputs(), prior in priors()) {
            let scored = now(&inputs, &prior);
            prop_assert!((0.0..=100.0).contains(&scored.score), "{scored:?}");
            prop_assert!((0.0..=1.0).contains(&scored.confidence));
            let parts = scored.components;
            for part in [parts.headroom, parts.sla, parts.response, parts.success] {
                prop_assert!((0.0..=1.0).contains(&part), "{parts:?}");
            }
            prop_assert!(parts.headroom > 0.0 || scored.score == 0.0);
        }

        #[test]
        fn more_work_never_raises_it(inputs in inputs(), prior in priors(), weight in 0.0..20.0_f64, tickets in 0..50_i64, campaigns in 0..50_i64) {
            let busier = Inputs {
                clients_weight: inputs.clients_weight + weight,
                open_tickets: inputs.open_tickets + tickets,
                active_campaigns: inputs.active_campaigns + campaigns,
                ..inputs
            };
            prop_assert!(now(&busier, &prior).score <= now(&inputs, &prior).score);
        }

        #[test]
        fn doing_better_never_lowers_it(inputs in inputs(), prior in priors(), sooner in 0.0..1.0_f64) {
            let before = now(&inputs, &prior).score;
            let kept = Inputs { sla_hits: inputs.sla_total, ..inputs };
            let met = Inputs { successes: inputs.outcomes, ..inputs };
            let faster = Inputs { response_hours: inputs.response_hours.map(|hours| hours * sooner), ..inputs };
            for better in [kept, met, faster] {
                prop_assert!(now(&better, &prior).score >= before, "{better:?}");
            }
        }
    }
}
