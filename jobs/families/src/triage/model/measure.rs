//! How good predictions are, against texts whose labels are known.
//!
//! Accuracy, F1, calibration error and coverage are over the texts in scope; those labelled [`OUTSIDE`] are there for one question:
//! does the scope score tell them from the others.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OUTSIDE, Prediction};

/// Confidences at which coverage and accuracy are told.
const AT: [&str; 7] = ["0.50", "0.60", "0.70", "0.75", "0.80", "0.85", "0.90"];
/// Equal parts of 0 to 1 over which the calibration error is summed.
const BINS: usize = 15;

/// How good a model was on some texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metrics {
    /// Texts.
    pub rows: u64,
    /// Of them, texts that carry a label the model should know.
    pub in_scope: u64,
    /// The share whose label was found.
    pub accuracy: f64,
    /// The mean of the labels' F1.
    pub macro_f1: f64,
    /// How far confidence and accuracy lie apart, over fifteen bins of confidence.
    pub ece: f64,
    /// How well the scope score tells texts in scope from those outside; null where there are none outside.
    pub oos_auroc: Option<f64>,
    /// Of the texts outside, the share recognised as such.
    pub oos_recall: Option<f64>,
    /// Of the wrong predictions, the share that a person would see: below the usual threshold of 0.75, or out of scope.
    pub mistakes_to_review: Option<f64>,
    /// At a confidence and above: what share of the texts, and what share of those was right.
    pub at: BTreeMap<String, At>,
    /// Label by label, the worst first.
    pub labels: Vec<LabelMetrics>,
}

/// What a threshold would do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct At {
    /// The share of texts that reach it.
    pub coverage: f64,
    /// The share of those that are right; null where there are none.
    pub accuracy: Option<f64>,
}

/// How good a model was on one label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelMetrics {
    /// The label.
    pub label: String,
    /// Texts that carry it.
    pub rows: u64,
    /// Of those given this label, the share that carries it.
    pub precision: f64,
    /// Of those that carry it, the share that was given it.
    pub recall: f64,
    /// Their harmonic mean.
    pub f1: f64,
}

/// A text's label and what the model said.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The label it carries.
    pub label: String,
    /// What the model said.
    pub said: Prediction,
}

impl Judged {
    fn is_right(&self) -> bool {
        self.label == self.said.label
    }

    fn is_inside(&self) -> bool {
        self.label != OUTSIDE
    }
}

impl Metrics {
    /// Of these texts.
    pub fn of(judged: &[Judged]) -> Self {
        let inside: Vec<&Judged> = judged.iter().filter(|it| it.is_inside()).collect();
        let outside: Vec<&Judged> = judged.iter().filter(|it| !it.is_inside()).collect();
        let wrong: Vec<_> = inside.iter().filter(|it| !it.is_right()).collect();
        let labels = by_label(&inside);
        Self {
            rows: judged.len() as u64,
            in_scope: inside.len() as u64,
            accuracy: share(&inside, |it| it.is_right()).unwrap_or_default(),
            macro_f1: mean(labels.iter().map(|it| it.f1)),
            ece: calibration_error(&inside),
            oos_auroc: auroc(&inside, &outside),
            oos_recall: share(&outside, |it| !it.said.in_scope),
            mistakes_to_review: share(&wrong, |it| it.said.confidence < 0.75 || !it.said.in_scope),
            at: AT.map(|at| (at.to_owned(), at_least(&inside, at))).into(),
            labels,
        }
    }
}

fn share<T>(all: &[T], is: impl Fn(&T) -> bool) -> Option<f64> {
    let is = all.iter().filter(|it| is(it)).count();
    (!all.is_empty()).then(|| is as f64 / all.len() as f64)
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    // Of nothing at all it is 0, and not the -0 that sums of none begin with.
    values.fold(0.0, |sum, it| sum + it) / count
}

fn at_least(inside: &[&Judged], at: &str) -> At {
    let at: f64 = at.parse().expect("AT holds numbers");
    let sure: Vec<_> = inside
        .iter()
        .filter(|it| it.said.confidence >= at)
        .collect();
    At {
        coverage: sure.len() as f64 / inside.len().max(1) as f64,
        accuracy: share(&sure, |it| it.is_right()),
    }
}

fn calibration_error(inside: &[&Judged]) -> f64 {
    let mut bins = [(0.0, 0.0); BINS];
    for it in inside {
        let bin = ((it.said.confidence * BINS as f64) as usize).min(BINS - 1);
        bins[bin].0 += it.said.confidence;
        bins[bin].1 += f64::from(u8::from(it.is_right()));
    }
    let apart: f64 = bins.iter().map(|(said, right)| (said - right).abs()).sum();
    apart / inside.len().max(1) as f64
}

/// The probability that a text in scope has the higher scope score of two; ties count half.
fn auroc(inside: &[&Judged], outside: &[&Judged]) -> Option<f64> {
    if inside.is_empty() || outside.is_empty() {
        return None;
    }
    let score = |it: &&Judged, is_inside: bool| (it.said.scope_score, is_inside);
    let mut all: Vec<(f64, bool)> = inside.iter().map(|it| score(it, true)).collect();
    all.extend(outside.iter().map(|it| score(it, false)));
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won) = (0.0, 0.0);
    for tied in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let inside = tied.iter().filter(|it| it.1).count() as f64;
        let outside = tied.len() as f64 - inside;
        won += inside * (below + outside / 2.0);
        below += outside;
    }
    Some(won / (inside.len() as f64 * outside.len() as f64))
}

/// Labels that texts carry or were given.
fn by_label(inside: &[&Judged]) -> Vec<LabelMetrics> {
    let mut counts: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for it in inside {
        counts.entry(&it.label).or_default().0 += 1;
        counts.entry(&it.said.label).or_default().1 += 1;
        counts.entry(&it.label).or_default().2 += u64::from(it.is_right());
    }
    let of = |part: u64, all: u64| part as f64 / all.max(1) as f64;
    let mut labels: Vec<_> = counts
        .into_iter()
        .map(|(label, (carried, given, right))| LabelMetrics {
            label: label.to_owned(),
            rows: carried,
            precision: of(right, given),
            recall: of(right, carried),
            f1: of(2 * right, carried + given),
        })
        .collect();
    labels.sort_by(|a, b| a.f1.total_cmp(&b.f1).then_with(|| a.label.cmp(&b.label)));
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(label: &str, predicted: &str, confidence: f64, scope_score: f64) -> Judged {
        Judged {
            label: label.to_owned(),
            said: Prediction {
                label: predicted.to_owned(),
                confidence,
                ranked: vec![(predicted.to_owned(), confidence)],
                in_scope: scope_score > 0.0,
                scope_score,
                margin: 0.0,
            },
        }
    }

    #[test]
    fn counts_what_is_right_where_it_is_sure() {
        let metrics = Metrics::of(&[
            judged("a", "a", 0.9, 1.0),
            judged("a", "b", 0.6, 0.5),
            judged("b", "b", 0.9, 1.0),
            judged("b", "b", 0.4, -0.5),
            judged(OUTSIDE, "a", 0.1, -1.0),
            judged(OUTSIDE, "a", 0.1, 0.7),
        ]);
        assert_eq!((metrics.rows, metrics.in_scope), (6, 4));
        assert!((metrics.accuracy - 0.75).abs() < 1e-9);
        assert_eq!(metrics.at["0.85"].accuracy, Some(1.0));
        assert!((metrics.at["0.85"].coverage - 0.5).abs() < 1e-9);
        assert_eq!(metrics.mistakes_to_review, Some(1.0));
        assert_eq!(metrics.oos_recall, Some(0.5));
        // Of the eight pairs, -0.5 and 0.5 lose to 0.7.
        assert_eq!(metrics.oos_auroc, Some(0.75));
        // a: precision 1, recall 1/2; b: precision 2/3, recall 1.
        assert!((metrics.macro_f1 - f64::midpoint(2.0 / 3.0, 0.8)).abs() < 1e-9);
        assert_eq!(metrics.labels[0].label, "a");
    }

    #[test]
    fn the_calibration_error_is_the_distance_of_confidence_from_truth() {
        let sure_and_wrong: Vec<_> = (0..10).map(|_| judged("a", "b", 0.9, 1.0)).collect();
        assert!((Metrics::of(&sure_and_wrong).ece - 0.9).abs() < 1e-9);
        let mut fair: Vec<_> = (0..9).map(|_| judged("a", "a", 0.9, 1.0)).collect();
        fair.push(judged("a", "b", 0.9, 1.0));
        assert!(Metrics::of(&fair).ece < 1e-9);
    }

    #[test]
    fn equal_scores_tell_nothing_and_no_texts_have_no_figures() {
        let metrics = Metrics::of(&[judged("a", "a", 0.9, 0.3), judged(OUTSIDE, "a", 0.9, 0.3)]);
        assert_eq!(metrics.oos_auroc, Some(0.5));
        let none = Metrics::of(&[]);
        assert_eq!(none.oos_auroc, None);
        assert!(none.macro_f1.is_sign_positive());
        assert_eq!(none.at["0.85"].accuracy, None);
        assert!(none.ece.abs() < 1e-9);
    }
}
