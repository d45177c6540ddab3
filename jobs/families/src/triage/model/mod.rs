//! The classifier: which label a text should carry, how sure that is, and why. No database, no clock, no chance.
//!
//! ```text
//! text ─► grams ─► lexicon (TF-IDF) ─► weights: a score a label ─► calibration: probabilities, in scope or not
//! ```
//! [`train`] learns the lexicon and the weights from labelled texts ([`dual`] solves it) and fits the calibration on texts held
//! out ([`folds`]). [`Model::predict`] costs some tens of microseconds, [`Model::explain`] names the words that decided, and
//! [`measure`] says how good a model is. [`artefact`] is what is kept: hashes and numbers, no text of anybody.
//!
//! The label [`OUTSIDE`] marks texts about nothing the model should know. It may be trained with; it is never predicted.

mod artefact;
mod calibrate;
mod dual;
mod folds;
mod grams;
mod lexicon;
mod measure;
mod train;

pub use artefact::ModelError;
pub use grams::TEXT_MAX;
pub use measure::{At, Judged, LabelMetrics, Metrics};
pub use train::{Example, LABELS_MAX, Params, TrainError, Trained, train};

use std::collections::BTreeMap;

use self::calibrate::{Calibration, scope_score};
use self::lexicon::{Counted, Feature, Lexicon};

/// The label of texts that are out of scope.
pub const OUTSIDE: &str = "__oos__";
/// Labels that a prediction ranks.
const RANKED: usize = 3;
/// Grams that an explanation names.
const EXPLAINED: usize = 5;

/// A trained classifier.
#[derive(Clone, Debug)]
pub struct Model {
    labels: Vec<String>,
    lexicon: Lexicon,
    /// For each row of the lexicon a weight for each label, as a multiple of the row's scale.
    weights: Vec<i8>,
    scales: Vec<f32>,
    constant: Vec<f32>,
    calibration: Calibration,
}

/// What the model says of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The likeliest label; never [`OUTSIDE`].
    pub label: String,
    /// How likely it is right, 0 to 1.
    pub confidence: f64,
    /// The three likeliest labels with their probabilities.
    pub ranked: Vec<(String, f64)>,
    /// Whether the text is about something the model knows.
    pub in_scope: bool,
    /// How much it looks so; higher is more.
    pub scope_score: f64,
    /// How far the likeliest label's probability lies above the next one's.
    pub margin: f64,
}

impl Model {
    /// Reads an artefact.
    pub fn load(bytes: &[u8]) -> Result<Self, ModelError> {
        artefact::decode(bytes)
    }

    /// Writes it.
    pub fn to_bytes(&self) -> Vec<u8> {
        artefact::encode(self)
    }

    /// The labels it can give, sorted.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        let labels = self.labels.iter().map(String::as_str);
        labels.filter(|label| *label != OUTSIDE)
    }

    /// What a text is about.
    pub fn predict(&self, text: &str) -> Prediction {
        let features = self.lexicon.features(&Counted::of(text));
        self.judge(&self.scores(&features))
    }

    /// The words that speak most for a label in this text, and how much each does: at most five.
    pub fn explain(&self, text: &str, label: &str) -> Vec<(String, f64)> {
        let Some(label) = self.labels.iter().position(|it| it == label) else {
            return Vec::new();
        };
        let features = self.lexicon.features(&Counted::of(text));
        let speaks = |(row, x): &Feature| (*row, f64::from(x * self.weight(*row, label)));
        let mut speaking: Vec<(u32, f64)> = features.iter().map(speaks).collect();
        speaking.retain(|(_, much)| *much > 0.0);
        speaking.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let shown = self.shown(text);
        distinct(speaking.iter().map(|(row, much)| (&*shown[row], *much)))
    }

    fn weight(&self, row: u32, label: usize) -> f32 {
        let weights = &self.weights[row as usize * self.labels.len()..];
        f32::from(weights[label]) * self.scales[row as usize]
    }

    fn scores(&self, features: &[Feature]) -> Vec<f32> {
        let mut scores = self.constant.clone();
        for (row, x) in features {
            let weights = &self.weights[*row as usize * scores.len()..][..scores.len()];
            let x = x * self.scales[*row as usize];
            for (score, weight) in scores.iter_mut().zip(weights) {
                *score += x * f32::from(*weight);
            }
        }
        scores
    }

    fn judge(&self, scores: &[f32]) -> Prediction {
        judge(&self.labels, &self.calibration, scores)
    }

    /// This text's grams as a person reads them, by their rows.
    fn shown(&self, text: &str) -> BTreeMap<u32, String> {
        let mut shown = BTreeMap::new();
        grams::each(text, |gram| {
            if let Some(row) = self.lexicon.row(gram.hash()) {
                shown.entry(row).or_insert_with(|| gram.to_string());
            }
        });
        shown
    }
}

/// Reads scores.
fn judge(labels: &[String], calibration: &Calibration, scores: &[f32]) -> Prediction {
    let outside = labels.iter().position(|label| label == OUTSIDE);
    let probabilities = calibration.probabilities(scores);
    let mut ranked: Vec<(usize, f64)> = probabilities.into_iter().enumerate().collect();
    ranked.retain(|(label, _)| Some(*label) != outside);
    // Equal ones by the labels' order, so that the same text always gets the same label.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked.truncate(RANKED);
    let (first, confidence) = ranked[0];
    let scope_score = scope_score(scores, outside);
    Prediction {
        label: labels[first].clone(),
        confidence,
        in_scope: scope_score >= calibration.scope_floor,
        scope_score: f64::from(scope_score),
        margin: confidence - ranked.get(1).map_or(0.0, |it| it.1),
        ranked: ranked
            .into_iter()
            .map(|(label, p)| (labels[label].clone(), p))
            .collect(),
    }
}

/// The first few, without those that only show a part of one already shown.
fn distinct<'a>(speaking: impl Iterator<Item = (&'a str, f64)>) -> Vec<(String, f64)> {
    let mut named: Vec<(String, f64)> = Vec::new();
    for (gram, much) in speaking {
        let part = gram.trim_matches(['"', '_']);
        if named.len() < EXPLAINED && !named.iter().any(|(it, _)| it.contains(part)) {
            named.push((gram.to_owned(), much));
        }
    }
    named
}

#[cfg(test)]
mod tests;
