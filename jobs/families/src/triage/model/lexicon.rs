//! Which grams count, how rare each is, and a text as a list of their weights.
//!
//! Weights are the usual TF-IDF (1 + ln of the count, times ln of the inverse share of texts, plus 1). Words and pieces are each
//! brought to the same length: a text has many more pieces than words, and they would drown them. Grams that nobody has seen
//! count towards the length, as the rarest do: a text that is mostly unknown resembles nothing much, and scores so.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::grams;

/// The length of a text's words, and of its pieces, which makes both together 1 long.
const LENGTH: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// A feature of a text: its row in the lexicon, and its weight.
pub(super) type Feature = (u32, f32);

/// A text's grams with their counts.
#[derive(Debug, Default)]
pub(super) struct Counted {
    words: Vec<(u32, f32)>,
    pieces: Vec<(u32, f32)>,
}

impl Counted {
    /// Counts a text's grams.
    pub(super) fn of(text: &str) -> Self {
        let (mut words, mut pieces) = (Vec::new(), Vec::new());
        grams::each(text, |gram| {
            let view = if gram.is_piece() {
                &mut pieces
            } else {
                &mut words
            };
            view.push(gram.hash());
        });
        Self {
            words: count(words),
            pieces: count(pieces),
        }
    }

    fn hashes(&self) -> impl Iterator<Item = u32> {
        self.words.iter().chain(&self.pieces).map(|(hash, _)| *hash)
    }
}

fn count(mut hashes: Vec<u32>) -> Vec<(u32, f32)> {
    hashes.sort_unstable();
    hashes
        .chunk_by(|a, b| a == b)
        .map(|same| (same[0], same.len() as f32))
        .collect()
}

/// The grams that count.
#[derive(Clone, Debug)]
pub(super) struct Lexicon {
    /// In ascending order; the place of a hash is its row.
    hashes: Vec<u32>,
    rarity: Vec<f32>,
    /// The rarity of a gram that is not among them.
    unknown: f32,
    rows: HashMap<u32, u32, BuildHasherDefault<AsIs>>,
}

impl Lexicon {
    /// Of what texts contain, the grams that at least `shared` of them have, and at most `rows` of them, the more common first.
    pub(super) fn learn(texts: &[Counted], shared: u32, rows: usize) -> Self {
        let mut all: Vec<u32> = texts.iter().flat_map(Counted::hashes).collect();
        all.sort_unstable();
        let mut grams: Vec<(u32, u32)> = all
            .chunk_by(|a, b| a == b)
            .map(|same| (same[0], same.len() as u32))
            .filter(|(_, texts)| *texts >= shared)
            .collect();
        drop(all);
        grams.sort_unstable_by_key(|(hash, texts)| (std::cmp::Reverse(*texts), *hash));
        grams.truncate(rows);
        grams.sort_unstable();
        let total = texts.len() as f32;
        let rarity = |texts: u32| ((1.0 + total) / (1.0 + texts as f32)).ln() + 1.0;
        let (hashes, rarity) = grams
            .into_iter()
            .map(|(hash, texts)| (hash, rarity(texts)))
            .unzip();
        Self::new(hashes, rarity)
    }

    /// Of hashes in ascending order and as many rarities.
    pub(super) fn new(hashes: Vec<u32>, rarity: Vec<f32>) -> Self {
        debug_assert_eq!(hashes.len(), rarity.len());
        Self {
            rows: hashes.iter().copied().zip(0..).collect(),
            unknown: rarity.iter().copied().fold(1.0, f32::max),
            hashes,
            rarity,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(super) fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    pub(super) fn rarity(&self) -> &[f32] {
        &self.rarity
    }

    /// The row of a gram that counts.
    pub(super) fn row(&self, hash: u32) -> Option<u32> {
        self.rows.get(&hash).copied()
    }

    /// A text's features. With those of its unknown grams they would be of length 1.
    pub(super) fn features(&self, text: &Counted) -> Vec<Feature> {
        let mut features = self.weighed(&text.words);
        features.extend(self.weighed(&text.pieces));
        features
    }

    fn weighed(&self, view: &[(u32, f32)]) -> Vec<Feature> {
        let mut square = 0.0;
        let mut features = Vec::with_capacity(view.len());
        for (hash, count) in view {
            let row = self.row(*hash);
            let rarity = row.map_or(self.unknown, |row| self.rarity[row as usize]);
            let weight = (1.0 + count.ln()) * rarity;
            square += weight * weight;
            features.extend(row.map(|row| (row, weight)));
        }
        for (_, weight) in &mut features {
            *weight *= LENGTH / square.sqrt();
        }
        features
    }
}

/// The keys are hashes already.
#[derive(Clone, Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, key: u32) {
        // The map takes its bucket from the low bits and its tag from the high ones: both must vary.
        self.0 = (self.0 ^ u64::from(key)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(texts: &[&str]) -> Vec<Counted> {
        texts.iter().map(|text| Counted::of(text)).collect()
    }

    #[test]
    fn what_is_unknown_shortens_the_rest_and_rare_grams_weigh_more() {
        let texts = counted(&["the invoice", "the refund", "the login"]);
        let lexicon = Lexicon::learn(&texts, 1, usize::MAX);
        let length = |text: &str| -> f32 {
            let features = lexicon.features(&Counted::of(text));
            features.iter().map(|(_, x)| x * x).sum()
        };
        assert!((length("the refund") - 1.0).abs() < 1e-5);
        assert!(length("the refund of shipping costs") < 0.7);
        let features = lexicon.features(&Counted::of("the refund"));
        let weight = |word| {
            let row = lexicon.row(grams::Gram::Word(word).hash());
            features.iter().find(|it| Some(it.0) == row).map(|it| it.1)
        };
        assert!(weight("refund") > weight("the"));
    }

    #[test]
    fn grams_of_one_text_only_can_be_left_out_and_the_common_ones_stay() {
        let texts = counted(&["pay now", "pay later"]);
        let shared = Lexicon::learn(&texts, 2, usize::MAX);
        assert!(shared.row(grams::Gram::Word("pay").hash()).is_some());
        assert!(shared.row(grams::Gram::Word("now").hash()).is_none());
        assert_eq!(Lexicon::learn(&texts, 1, 3).len(), 3);
    }

    #[test]
    fn a_text_of_nothing_known_has_no_features() {
        let lexicon = Lexicon::learn(&counted(&["pay now"]), 1, usize::MAX);
        assert!(lexicon.features(&Counted::of("…")).is_empty());
        // Any two words have the blank at their ends in common.
        assert!(lexicon.features(&Counted::of("xuv")).len() <= 1);
    }
}
