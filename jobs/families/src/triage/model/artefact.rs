//! A model as bytes: what is stored, and read back by whatever worker comes to need it.
//!
//! ```text
//! "FLTRIAGE" | version: u32 | sha256 of what follows | length of header: u32 | header (JSON)
//!   | hashes: u32 × features | rarity: f32 × features | scales: f32 × features | constant: f32 × labels | weights: i8 × features × labels
//! ```
//! Numbers are little-endian. Reading trusts nothing: a byte that differs is found by the digest, and what an older or a wrong
//! writer would have made by the checks after it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::calibrate::Calibration;
use super::lexicon::Lexicon;
use super::{Model, OUTSIDE};

const MAGIC: &[u8; 8] = b"FLTRIAGE";
const VERSION: u32 = 1;
const DIGEST: usize = 32;
/// Magic, version, digest.
const PREFIX: usize = 8 + 4 + DIGEST;

/// Why bytes are no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// They do not begin like one.
    #[error("these {0} bytes are no triage model: they do not begin with FLTRIAGE")]
    NoModel(usize),
    /// Another version wrote them.
    #[error("the model is of format {0}, this program reads format {VERSION}; train it anew")]
    Format(u32),
    /// They are not what was written.
    #[error("the model is damaged: {0}; train it anew or activate another version")]
    Damaged(&'static str),
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    labels: Vec<String>,
    features: u32,
    calibration: Calibration,
}

/// Writes a model.
pub(super) fn encode(model: &Model) -> Vec<u8> {
    let header = Header {
        labels: model.labels.clone(),
        features: model.lexicon.len() as u32,
        calibration: model.calibration,
    };
    let header = serde_json::to_vec(&header).expect("text and finite numbers are JSON");
    let mut body = Vec::with_capacity(model.weights.len() + 12 * model.lexicon.len() + 4096);
    body.extend((header.len() as u32).to_le_bytes());
    body.extend(header);
    let hashes = model.lexicon.hashes().iter();
    body.extend(hashes.flat_map(|hash| hash.to_le_bytes()));
    for numbers in [model.lexicon.rarity(), &model.scales, &model.constant] {
        body.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    }
    body.extend(model.weights.iter().flat_map(|weight| weight.to_le_bytes()));
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(Sha256::digest(&body));
    bytes.extend(body);
    bytes
}

/// Reads a model.
pub(super) fn decode(bytes: &[u8]) -> Result<Model, ModelError> {
    if bytes.len() < PREFIX || !bytes.starts_with(MAGIC) {
        return Err(ModelError::NoModel(bytes.len()));
    }
    let mut reader = Reader(&bytes[MAGIC.len()..]);
    let version = reader.number()?;
    if version != VERSION {
        return Err(ModelError::Format(version));
    }
    let digest = reader.take(DIGEST)?;
    if *Sha256::digest(reader.0) != *digest {
        return Err(ModelError::Damaged("its digest does not match"));
    }
    let length = reader.number()? as usize;
    let header: Header = serde_json::from_slice(reader.take(length)?)
        .map_err(|_| ModelError::Damaged("its header cannot be read"))?;
    reader.model(header)
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], ModelError> {
        let (taken, rest) = self
            .0
            .split_at_checked(bytes)
            .ok_or(ModelError::Damaged("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, ModelError> {
        Ok(self.numbers(1)?[0])
    }

    fn numbers(&mut self, count: usize) -> Result<Vec<u32>, ModelError> {
        let bytes = self.take(count.saturating_mul(4))?;
        let (numbers, _) = bytes.as_chunks::<4>();
        Ok(numbers.iter().map(|it| u32::from_le_bytes(*it)).collect())
    }

    fn floats(&mut self, count: usize) -> Result<Vec<f32>, ModelError> {
        let numbers = self.numbers(count)?;
        let floats: Vec<f32> = numbers.into_iter().map(f32::from_bits).collect();
        if floats.iter().all(|float| float.is_finite()) {
            Ok(floats)
        } else {
            Err(ModelError::Damaged("a number in it is not finite"))
        }
    }

    fn model(mut self, header: Header) -> Result<Model, ModelError> {
        let features = header.features as usize;
        let labels = header.labels.len();
        if !header.labels.iter().any(|label| label != OUTSIDE) {
            return Err(ModelError::Damaged("it has no labels"));
        }
        let hashes = self.numbers(features)?;
        if !hashes.is_sorted_by(|a, b| a < b) {
            return Err(ModelError::Damaged("its features are out of order"));
        }
        let rarity = self.floats(features)?;
        let scales = self.floats(features)?;
        let constant = self.floats(labels)?;
        let weights = self.take(features.saturating_mul(labels))?;
        if !self.0.is_empty() {
            return Err(ModelError::Damaged("it goes on after its end"));
        }
        Ok(Model {
            labels: header.labels,
            lexicon: Lexicon::new(hashes, rarity),
            weights: weights.iter().map(|byte| byte.cast_signed()).collect(),
            scales,
            constant,
            calibration: header.calibration,
        })
    }
}
