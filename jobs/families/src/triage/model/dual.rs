//! The solver: a linear classifier for each label against all others, squared hinge loss, by dual coordinate descent
//! (Hsieh et al., 2008).
//!
//! The labels' problems are independent but for their texts, so one walk over the texts moves all of them: weights of a feature lie
//! side by side for all labels, and the inner loops run along them. Nothing is random but the order of the walk, which comes from
//! a fixed seed: the same texts give the same weights, bit for bit.

use std::ops::ControlFlow;

use super::lexicon::Feature;

/// Walks over all texts. Later ones move little that the predictions would show.
pub(super) const WALKS: usize = 12;
/// The loss against the length of the weights, as 1 / 2C with C = 2.
const SLACK: f32 = 0.25;
/// Steps this small are not taken.
const STILL: f32 = 1e-3;

/// Texts with the label of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Problem<'a> {
    /// Each text's features.
    pub(super) texts: &'a [&'a [Feature]],
    /// Each text's label, as its number.
    pub(super) labels: &'a [u16],
    /// How many labels there are.
    pub(super) classes: usize,
    /// How many features there are.
    pub(super) features: usize,
}

/// Weights of every feature, and last of the constant, for every label.
#[derive(Debug)]
pub(super) struct Weights {
    classes: usize,
    by_feature: Vec<f32>,
}

impl Weights {
    /// The weights of a feature for all labels; of the constant, at the row after the last feature.
    pub(super) fn row(&self, feature: usize) -> &[f32] {
        &self.by_feature[feature * self.classes..][..self.classes]
    }

    /// How much a text looks like each label.
    pub(super) fn scores(&self, text: &[Feature]) -> Vec<f32> {
        let mut scores = vec![0.0; self.classes];
        self.score_into(text, &mut scores);
        scores
    }

    fn constant(&self) -> usize {
        self.by_feature.len() / self.classes - 1
    }

    fn score_into(&self, text: &[Feature], scores: &mut [f32]) {
        scores.copy_from_slice(self.row(self.constant()));
        for (feature, x) in text {
            let row = self.row(*feature as usize);
            for (score, weight) in scores.iter_mut().zip(row) {
                *score += x * weight;
            }
        }
    }

    fn add(&mut self, text: &[Feature], step: &[f32]) {
        let constant = [(self.constant() as u32, 1.0)];
        for (feature, x) in text.iter().chain(&constant) {
            let row = &mut self.by_feature[*feature as usize * self.classes..][..self.classes];
            for (weight, step) in row.iter_mut().zip(step) {
                *weight += x * step;
            }
        }
    }
}

/// Solves it; `walked` is told of each walk and may end it, which is answered by `None`.
pub(super) fn solve(
    problem: Problem<'_>,
    mut walked: impl FnMut() -> ControlFlow<()>,
) -> Option<Weights> {
    let Problem {
        texts,
        classes,
        features,
        ..
    } = problem;
    let mut weights = Weights {
        classes,
        by_feature: vec![0.0; (features + 1) * classes],
    };
    let mut duals = vec![0.0; texts.len() * classes];
    let mut order: Vec<usize> = (0..texts.len()).collect();
    let mut seed = 0x5eed_u64;
    for _ in 0..WALKS {
        shuffle(&mut order, &mut seed);
        walk(problem, &order, &mut weights, &mut duals);
        if walked().is_break() {
            return None;
        }
    }
    Some(weights)
}

fn walk(problem: Problem<'_>, order: &[usize], weights: &mut Weights, duals: &mut [f32]) {
    let classes = problem.classes;
    let mut scores = vec![0.0; classes];
    let mut step = vec![0.0; classes];
    for text in order {
        let features = problem.texts[*text];
        let duals = &mut duals[text * classes..][..classes];
        weights.score_into(features, &mut scores);
        // The constant is a feature of every text, of weight 1.
        let square: f32 = 1.0 + features.iter().map(|(_, x)| x * x).sum::<f32>();
        let own = usize::from(problem.labels[*text]);
        if descend(&scores, duals, &mut step, own, square) > STILL {
            take(duals, &step, own);
            weights.add(features, &step);
        }
    }
}

/// Finds where a text's duals are best, all labels at once: `step` is what the weights must follow. Says how far it is at most.
fn descend(scores: &[f32], duals: &[f32], step: &mut [f32], own: usize, square: f32) -> f32 {
    // For every label but its own the text is on the other side.
    for ((dual, score), step) in duals.iter().zip(scores).zip(step.iter_mut()) {
        *step = dual - best(*dual, -score, square);
    }
    step[own] = best(duals[own], scores[own], square) - duals[own];
    step.iter().fold(0.0, |most, step| most.max(step.abs()))
}

fn take(duals: &mut [f32], step: &[f32], own: usize) {
    let before = duals[own];
    for (dual, step) in duals.iter_mut().zip(step) {
        *dual -= step;
    }
    duals[own] = before + step[own];
}

/// A dual's best value, its text being on the right side by `margin`.
fn best(dual: f32, margin: f32, square: f32) -> f32 {
    let gradient = margin - 1.0 + SLACK * dual;
    (dual - gradient / (square + SLACK)).max(0.0)
}

/// Fisher and Yates, by splitmix64.
pub(super) fn shuffle<T>(items: &mut [T], seed: &mut u64) {
    for last in (1..items.len()).rev() {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        items.swap(last, ((z ^ (z >> 31)) % (last as u64 + 1)) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solved(texts: &[&[Feature]], labels: &[u16], classes: usize) -> Weights {
        let problem = Problem {
            texts,
            labels,
            classes,
            features: 4,
        };
        solve(problem, || ControlFlow::Continue(())).expect("nobody ends it")
    }

    #[test]
    fn separates_what_can_be_separated() {
        let texts: [&[Feature]; 3] = [&[(0, 1.0)], &[(1, 1.0)], &[(2, 1.0)]];
        let weights = solved(&texts, &[0, 1, 2], 3);
        for (own, text) in texts.iter().enumerate() {
            let scores = weights.scores(text);
            for (label, score) in scores.iter().enumerate() {
                assert!((label == own) == (*score > 0.0), "{scores:?}");
            }
        }
    }

    #[test]
    fn one_label_does_not_touch_another() {
        let texts: [&[Feature]; 3] = [&[(0, 1.0)], &[(0, 0.6), (1, 0.8)], &[(1, 1.0)]];
        let three = solved(&texts, &[0, 1, 2], 3);
        // The same first label, against the others as one.
        let two = solved(&texts, &[0, 1, 1], 2);
        for feature in 0..5 {
            let (a, b) = (three.row(feature)[0], two.row(feature)[0]);
            assert!((a - b).abs() < 0.01, "{a} {b}");
        }
    }

    #[test]
    fn texts_that_contradict_each_other_end_up_between() {
        let texts: [&[Feature]; 2] = [&[(0, 1.0)], &[(0, 1.0)]];
        let scores = solved(&texts, &[0, 1], 2).scores(texts[0]);
        assert!(scores.iter().all(|score| score.abs() < 0.2), "{scores:?}");
    }

    #[test]
    fn can_be_ended_between_walks() {
        let problem = Problem {
            texts: &[&[(0, 1.0)]],
            labels: &[0],
            classes: 1,
            features: 1,
        };
        assert!(solve(problem, || ControlFlow::Break(())).is_none());
    }

    #[test]
    fn shuffling_keeps_every_item_and_depends_on_the_seed_alone() {
        let shuffled = |mut seed| {
            let mut items: Vec<u32> = (0..100).collect();
            shuffle(&mut items, &mut seed);
            items
        };
        assert_eq!(shuffled(1), shuffled(1));
        assert_ne!(shuffled(1), shuffled(2));
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }
}
