//! From scores to probabilities that can be believed, and to whether a text is about anything the model knows.
//!
//! Probabilities are the scores' softmax at a temperature. Beside the labels stands a constant score for "none of them", as low as
//! the lowest texts held out, so that a text that resembles no label is not given to the least unlikely one with confidence.
//! Both are fitted on texts that were held out when their scores were made: a model is always sure of what it has seen.

/// The share of held-out texts whose best score lies below that of "none of them".
const NONE_BELOW: f64 = 0.025;
/// The share of held-out texts that are sent to a person as outside of what the model knows.
const OUTSIDE: f64 = 0.10;
/// Above this score a label says yes, and a text that one says yes to is in scope however high the other texts score: of easy
/// texts all score high, and the lowest of them are no measure.
const YES: f32 = 0.0;
/// The score at which a label says no without doubt.
const NO: f32 = -1.0;
/// Between a temperature of no opinion and one of no doubt, as factors on scores that mostly lie between -1 and 1.
const SHARPEST: f64 = 20.0;
const BLUNTEST: f64 = 0.5;

/// How scores are read.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Calibration {
    /// What scores are multiplied by; the temperature's inverse.
    pub(super) sharpness: f32,
    /// The score of "none of them".
    pub(super) none: f32,
    /// Below this scope score a text is outside of what the model knows.
    pub(super) scope_floor: f32,
}

/// Where nothing could be held out. Blunt enough to send nearly everything to a person.
pub(super) const UNPROVEN: Calibration = Calibration {
    sharpness: 2.0,
    none: 0.0,
    scope_floor: 0.0,
};

/// Scores of a text that was held out.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The number of its label.
    pub(super) label: u16,
    /// Its scores for all labels.
    pub(super) scores: Vec<f32>,
}

impl Calibration {
    /// What fits these texts; `outside` is the number of the label for texts about nothing the model should know.
    pub(super) fn fit(held: &[Held], outside: Option<usize>) -> Self {
        if held.is_empty() {
            return UNPROVEN;
        }
        let inside = || {
            held.iter()
                .filter(|it| Some(usize::from(it.label)) != outside)
        };
        let best = inside().map(|it| max(&it.scores)).collect();
        let scope = inside()
            .map(|it| scope_score(&it.scores, outside))
            .collect();
        let certain = if outside.is_some() { YES - NO } else { YES };
        let blunt = Self {
            none: quantile(best, NONE_BELOW).min(YES),
            scope_floor: quantile(scope, OUTSIDE).min(certain),
            ..UNPROVEN
        };
        let sharpness = lowest(BLUNTEST.ln(), SHARPEST.ln(), |sharpness| {
            blunt.at(sharpness.exp() as f32).surprise(held)
        });
        blunt.at(sharpness.exp() as f32)
    }

    fn at(self, sharpness: f32) -> Self {
        Self { sharpness, ..self }
    }

    /// The probability of each label; together with that of "none of them" they are 1.
    pub(super) fn probabilities(&self, scores: &[f32]) -> Vec<f64> {
        let top = max(scores).max(self.none);
        let weight = |score: f32| f64::from((score - top) * self.sharpness).exp();
        let weights: Vec<f64> = scores.iter().map(|score| weight(*score)).collect();
        let all = weights.iter().sum::<f64>() + weight(self.none);
        weights.into_iter().map(|weight| weight / all).collect()
    }

    /// How surprising the labels are, as the mean of their negative log-probability.
    fn surprise(&self, held: &[Held]) -> f64 {
        let of = |it: &Held| {
            let own = self.probabilities(&it.scores)[usize::from(it.label)];
            -own.max(1e-12).ln()
        };
        held.iter().map(of).sum::<f64>() / held.len() as f64
    }
}

/// How much a text looks like something the model knows: its best score, less that of the label for what it should not know.
pub(super) fn scope_score(scores: &[f32], outside: Option<usize>) -> f32 {
    let known = scores.iter().enumerate();
    let known = known.filter(|(label, _)| Some(*label) != outside);
    let best = known.map(|(_, score)| *score).fold(f32::MIN, f32::max);
    best - outside.map_or(0.0, |outside| scores[outside])
}

fn max(scores: &[f32]) -> f32 {
    scores.iter().copied().fold(f32::MIN, f32::max)
}

/// The value that `share` of them lie below.
fn quantile(mut values: Vec<f32>, share: f64) -> f32 {
    values.sort_unstable_by(f32::total_cmp);
    let at = (values.len() as f64 * share) as usize;
    values.get(at).copied().unwrap_or_default()
}

/// Where a function of one valley is lowest, by golden section.
fn lowest(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    const INVERSE_GOLDEN: f64 = 0.618_033_988_749_894_8;
    const STEPS: usize = 18;
    let inner = |low: f64, high: f64| (high - low) * INVERSE_GOLDEN;
    let (mut left, mut right) = (high - inner(low, high), low + inner(low, high));
    let (mut at_left, mut at_right) = (f(left), f(right));
    for _ in 0..STEPS {
        if at_left < at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - inner(low, high);
            at_left = f(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + inner(low, high);
            at_right = f(right);
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two labels; the better score is right so many times of a hundred.
    fn held(right: usize) -> Vec<Held> {
        let one = |n| Held {
            label: u16::from(n >= right),
            scores: vec![9.0, 8.0],
        };
        (0..100).map(one).collect()
    }

    #[test]
    fn confidence_follows_how_often_it_was_right() {
        for right in [60, 80, 95] {
            let calibration = Calibration::fit(&held(right), None);
            let said = calibration.probabilities(&[9.0, 8.0])[0];
            assert!(
                (said - right as f64 / 100.0).abs() < 0.05,
                "{right}: {said}"
            );
        }
    }

    #[test]
    fn a_text_that_looks_like_nothing_gets_no_confidence() {
        let calibration = Calibration::fit(&held(95), None);
        let low = calibration.probabilities(&[-0.9, -1.4]);
        assert!(low[0] < 0.1, "{low:?}");
    }

    #[test]
    fn the_scope_score_weighs_known_against_unknown() {
        assert!((scope_score(&[0.5, -1.0, 0.2], Some(2)) - 0.3).abs() < 1e-6);
        assert!((scope_score(&[0.5, -1.0, 0.9], None) - 0.9).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn probabilities_and_none_are_one_together(
            scores in proptest::collection::vec(-50.0_f32..50.0, 1..40),
            sharpness in 0.5_f32..40.0,
            none in -5.0_f32..5.0,
        ) {
            let calibration = Calibration { sharpness, none, scope_floor: 0.0 };
            let p = calibration.probabilities(&scores);
            let sum: f64 = p.iter().sum();
            prop_assert!(p.iter().all(|p| (0.0..=1.0).contains(p)), "{p:?}");
            prop_assert!(sum <= 1.0 + 1e-9, "{sum}");
            let best = scores.iter().copied().fold(f32::MIN, f32::max);
            if best > none + 10.0 {
                prop_assert!(sum > 0.99, "{sum}");
            }
        }
    }
}
