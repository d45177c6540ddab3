//! Training: a model from labelled texts, and how good it is on texts it did not see.
//!
//! The texts are held out a fifth at a time; what the others' model says of them fits the calibration and is measured. The model
//! that is kept has learned from all. The lexicon is made once from all texts: it knows of grams how rare they are, not what they
//! mean. Everything is deterministic, whatever the number of threads.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::calibrate::{Calibration, Held};
use super::dual::{Problem, Weights, solve};
use super::lexicon::{Counted, Feature, Lexicon};
use super::measure::{Judged, Metrics};
use super::{Model, OUTSIDE, folds, judge};

/// Most labels.
pub const LABELS_MAX: usize = 1_000;
/// Texts times labels: what is kept for each pair while a model is made takes four bytes.
const PAIRS_MAX: usize = 8_000_000;
/// Features times labels, likewise.
const WEIGHTS_MAX: usize = 8_000_000;
/// From so many texts on, grams that only one of them has are left out.
const MANY: usize = 3_000;
/// Models that are made at a time; each takes up to some sixty megabytes.
const THREADS: usize = 2;

/// A text and the label that it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The text.
    pub text: String,
    /// Its label; [`OUTSIDE`] where it has none of them.
    pub label: String,
}

/// How models are made; what they depend on besides their texts.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Params {
    /// Rises when features or the solver change.
    pub version: u32,
    /// From so many texts on, grams of a single text are left out.
    pub many: usize,
    /// Features times labels, at most.
    pub weights_max: usize,
}

impl Params {
    /// Those in use.
    pub const CURRENT: Self = Self {
        version: 1,
        many: MANY,
        weights_max: WEIGHTS_MAX,
    };

    /// Their digest, to tell models apart that were made otherwise.
    pub fn digest(&self) -> String {
        let json = serde_json::to_vec(self).expect("numbers are JSON");
        format!("{:x}", Sha256::digest(json))
    }
}

/// A model, and how good it was on what it had not seen.
#[derive(Clone, Debug)]
pub struct Trained {
    /// It.
    pub model: Model,
    /// Each text judged by a model that had not seen it.
    pub holdout: Metrics,
}

/// Why there is no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// There is nothing to tell apart.
    #[error("the texts carry {0} label(s) besides {OUTSIDE}; a classifier needs two at least")]
    TooFewLabels(usize),
    /// There are too many labels.
    #[error("the texts carry {0} different labels; {LABELS_MAX} are the most")]
    TooManyLabels(usize),
    /// It would not fit into memory.
    #[error("{texts} texts of {labels} labels are too much; texts times labels may be {PAIRS_MAX}")]
    TooLarge {
        /// Texts.
        texts: usize,
        /// Labels.
        labels: usize,
    },
    /// `progress` said so.
    #[error("training was stopped before its end")]
    Stopped,
}

/// Makes a model. `progress` is told how many of how many steps are done, from several threads, and may end it.
pub fn train(
    examples: &[Example],
    progress: &(dyn Fn(usize, usize) -> ControlFlow<()> + Sync),
) -> Result<Trained, TrainError> {
    let labels = labels(examples)?;
    let set = Set::new(examples, labels);
    let texts: Vec<&str> = examples.iter().map(|it| it.text.as_str()).collect();
    let (fold_of, folds) = folds::assign(&texts, &set.labels);
    let steps = Steps::new(folds + 1, progress);
    let mut made = parallel(folds + 1, |part| match part.checked_sub(1) {
        // The one that holds nothing out takes longest, so it goes first.
        None => set.solve(|_| true, &steps).map(Made::Kept),
        Some(fold) => set.hold_out(|text| fold_of[text] == fold, &steps),
    });
    let Some(Made::Kept(kept)) = made.remove(0) else {
        return Err(TrainError::Stopped);
    };
    let mut held = Vec::with_capacity(examples.len());
    for part in made {
        match part {
            Some(Made::Held(scores)) => held.extend(scores),
            _ => return Err(TrainError::Stopped),
        }
    }
    Ok(set.finish(&kept, &held))
}

/// What becomes of a part of the work. A model that only held texts out is dropped at once: it takes many times the space.
enum Made {
    Kept(Weights),
    Held(Vec<Held>),
}

/// The labels in order.
fn labels(examples: &[Example]) -> Result<Vec<String>, TrainError> {
    let labels: BTreeSet<&str> = examples.iter().map(|it| it.label.as_str()).collect();
    let known = labels.iter().filter(|label| **label != OUTSIDE).count();
    let (texts, all) = (examples.len(), labels.len());
    match known {
        0 | 1 => Err(TrainError::TooFewLabels(known)),
        n if n > LABELS_MAX => Err(TrainError::TooManyLabels(n)),
        _ if texts.saturating_mul(all) > PAIRS_MAX => {
            let labels = all;
            Err(TrainError::TooLarge { texts, labels })
        }
        _ => Ok(labels.into_iter().map(str::to_owned).collect()),
    }
}

/// Texts as numbers.
struct Set {
    names: Vec<String>,
    lexicon: Lexicon,
    texts: Vec<Vec<Feature>>,
    labels: Vec<u16>,
}

impl Set {
    fn new(examples: &[Example], names: Vec<String>) -> Self {
        let counted: Vec<Counted> = examples.iter().map(|it| Counted::of(&it.text)).collect();
        let shared = if examples.len() >= MANY { 2 } else { 1 };
        let lexicon = Lexicon::learn(&counted, shared, WEIGHTS_MAX / names.len());
        let texts = counted.iter().map(|text| lexicon.features(text)).collect();
        let number = |label: &String| names.binary_search(label).expect("names hold every label");
        let labels = examples.iter().map(|it| number(&it.label) as u16).collect();
        Self {
            names,
            lexicon,
            texts,
            labels,
        }
    }

    /// Learns from some of the texts.
    fn solve(&self, learns: impl Fn(usize) -> bool, steps: &Steps<'_>) -> Option<Weights> {
        let rows = (0..self.texts.len()).filter(|text| learns(*text));
        let (texts, labels): (Vec<&[Feature]>, Vec<u16>) = rows
            .map(|text| (self.texts[text].as_slice(), self.labels[text]))
            .unzip();
        let problem = Problem {
            texts: &texts,
            labels: &labels,
            classes: self.names.len(),
            features: self.lexicon.len(),
        };
        solve(problem, || steps.one())
    }

    /// Learns from the texts that are not held out, and scores those that are.
    fn hold_out(&self, held: impl Fn(usize) -> bool, steps: &Steps<'_>) -> Option<Made> {
        let weights = self.solve(|text| !held(text), steps)?;
        let held = (0..self.texts.len()).filter(|text| held(*text));
        let scores = held.map(|text| Held {
            label: self.labels[text],
            scores: weights.scores(&self.texts[text]),
        });
        Some(Made::Held(scores.collect()))
    }

    fn finish(self, kept: &Weights, held: &[Held]) -> Trained {
        let outside = self.names.iter().position(|name| name == OUTSIDE);
        let calibration = Calibration::fit(held, outside);
        let judged = |it: &Held| Judged {
            label: self.names[usize::from(it.label)].clone(),
            said: judge(&self.names, &calibration, &it.scores),
        };
        let holdout = Metrics::of(&held.iter().map(judged).collect::<Vec<_>>());
        let (weights, scales) = quantise(kept, self.lexicon.len());
        let model = Model {
            constant: kept.row(self.lexicon.len()).to_vec(),
            labels: self.names,
            lexicon: self.lexicon,
            weights,
            scales,
            calibration,
        };
        Trained { model, holdout }
    }
}

/// Weights as multiples of a scale a feature: a quarter of the space, and less than a hundredth of a row's largest weight away.
fn quantise(weights: &Weights, features: usize) -> (Vec<i8>, Vec<f32>) {
    let mut small = Vec::new();
    let mut scales = Vec::with_capacity(features);
    for feature in 0..features {
        let row = weights.row(feature);
        let most = row
            .iter()
            .fold(f32::MIN_POSITIVE, |most, it| most.max(it.abs()));
        let scale = most / f32::from(i8::MAX);
        small.extend(row.iter().map(|weight| (weight / scale).round() as i8));
        scales.push(scale);
    }
    (small, scales)
}

/// Counts steps over all threads.
struct Steps<'a> {
    done: AtomicUsize,
    all: usize,
    progress: &'a (dyn Fn(usize, usize) -> ControlFlow<()> + Sync),
}

impl<'a> Steps<'a> {
    fn new(models: usize, progress: &'a (dyn Fn(usize, usize) -> ControlFlow<()> + Sync)) -> Self {
        Self {
            done: AtomicUsize::new(0),
            all: models * super::dual::WALKS,
            progress,
        }
    }

    fn one(&self) -> ControlFlow<()> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        (self.progress)(done, self.all)
    }
}

/// Does parts on a few threads, each as one comes free; the answers are in the parts' order.
fn parallel<T: Send>(parts: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(BTreeMap::new());
    let take = || loop {
        let part = next.fetch_add(1, Ordering::Relaxed);
        if part >= parts {
            return;
        }
        let answer = work(part);
        done.lock()
            .expect("nobody panics while holding it")
            .insert(part, answer);
    };
    std::thread::scope(|scope| {
        for _ in 1..THREADS.min(parts) {
            scope.spawn(take);
        }
        take();
    });
    let done = done.into_inner().expect("nobody panicked");
    done.into_values().collect()
}
