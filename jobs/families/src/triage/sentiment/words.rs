//! The words that VADER knows: the lexicon (7,519 entries, MIT, see `data/vader/LICENSE.txt`), what strengthens, what negates.

use std::collections::HashMap;
use std::sync::LazyLock;

const LEXICON: &str = include_str!("../../../data/vader/lexicon.tsv");

static VALENCES: LazyLock<HashMap<&'static str, f64>> = LazyLock::new(|| {
    let entries = LEXICON.lines().filter_map(|line| line.split_once('\t'));
    entries
        .filter_map(|(word, valence)| Some((word.trim(), valence.trim().parse().ok()?)))
        .collect()
});

const STRONGER: &[&str] = &[
    "absolutely",
    "amazingly",
    "awfully",
    "completely",
    "considerable",
    "considerably",
    "decidedly",
    "deeply",
    "effing",
    "enormous",
    "enormously",
    "entirely",
    "especially",
    "exceptional",
    "exceptionally",
    "extreme",
    "extremely",
    "fabulously",
    "flipping",
    "flippin",
    "frackin",
    "fracking",
    "fricking",
    "frickin",
    "frigging",
    "friggin",
    "fully",
    "fuckin",
    "fucking",
    "fuggin",
    "fugging",
    "greatly",
    "hella",
    "highly",
    "hugely",
    "incredible",
    "incredibly",
    "intensely",
    "major",
    "majorly",
    "more",
    "most",
    "particularly",
    "purely",
    "quite",
    "really",
    "remarkably",
    "so",
    "substantially",
    "thoroughly",
    "total",
    "totally",
    "tremendous",
    "tremendously",
    "uber",
    "unbelievably",
    "unusually",
    "utter",
    "utterly",
    "very",
];
const WEAKER: &[&str] = &[
    "almost",
    "barely",
    "hardly",
    "kinda",
    "kindof",
    "kind-of",
    "less",
    "little",
    "marginal",
    "marginally",
    "occasional",
    "occasionally",
    "partly",
    "scarce",
    "scarcely",
    "slight",
    "slightly",
    "somewhat",
    "sorta",
    "sortof",
    "sort-of",
];
const NEGATIONS: &[&str] = &[
    "aint", "arent", "cannot", "cant", "couldnt", "darent", "didnt", "doesnt", "dont", "hadnt",
    "hasnt", "havent", "isnt", "mightnt", "mustnt", "neither", "neednt", "never", "none", "nope",
    "nor", "not", "nothing", "nowhere", "oughtnt", "shant", "shouldnt", "uhuh", "wasnt", "werent",
    "uh-uh", "without", "wont", "wouldnt", "rarely", "seldom", "despite",
];
/// How much a word strengthens or weakens the next.
const STEP: f64 = 0.293;

/// The valence of a word in lower case, -4 to 4.
pub(super) fn valence(word: &str) -> Option<f64> {
    VALENCES.get(word).copied()
}

/// By how much a word strengthens (or, below 0, weakens) what follows.
pub(super) fn boost(word: &str) -> Option<f64> {
    if STRONGER.contains(&word) {
        Some(STEP)
    } else {
        WEAKER.contains(&word).then_some(-STEP)
    }
}

/// Whether a word turns what follows into its opposite.
pub(super) fn negates(word: &str) -> bool {
    NEGATIONS.contains(&word) || word.contains("n't")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lexicon_is_whole() {
        assert!(VALENCES.len() > 7_500, "{}", VALENCES.len());
        assert!(VALENCES.values().all(|valence| valence.abs() <= 4.0));
        assert_eq!(valence("great"), Some(3.1));
        assert_eq!(valence("terrible"), Some(-2.1));
    }
}
