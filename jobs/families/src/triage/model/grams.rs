//! What of a text the classifier looks at: its words, neighbouring words, and the pieces of each word.
//!
//! A gram is known by a hash of 32 bits and nothing else, so a model holds no text and no vocabulary. Pieces never reach from one
//! word into the next: they are there for endings, typing errors and words nobody has seen, not for phrases.

use std::fmt;
use std::ops::RangeInclusive;

/// Of a longer text only the beginning is read, in bytes.
pub const TEXT_MAX: usize = 20_000;
/// Characters of a piece, the blanks around the word among them.
const PIECE: RangeInclusive<usize> = 1..=5;

/// Something that a text consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gram<'a> {
    /// A word.
    Word(&'a str),
    /// Two neighbours; a text's beginning and its end are the neighbours of its first and last word.
    Pair(&'a str, &'a str),
    /// Two words around a third.
    Around(&'a str, &'a str),
    /// Characters of one word, with a blank where the word begins or ends.
    Piece(&'a str),
}

impl Gram<'_> {
    /// True for pieces, which are weighed apart from words.
    pub(super) fn is_piece(&self) -> bool {
        matches!(self, Self::Piece(_))
    }

    /// FNV-1a over the kind and the parts, folded to the half.
    pub(super) fn hash(&self) -> u32 {
        let (kind, first, second) = match *self {
            Self::Word(word) => (1, word, ""),
            Self::Pair(first, second) => (2, first, second),
            Self::Around(first, second) => (3, first, second),
            Self::Piece(piece) => (4, piece, ""),
        };
        let bytes = std::iter::once(kind)
            .chain(first.bytes())
            // No byte of UTF-8, so that "ab" + "c" is not "a" + "bc".
            .chain(std::iter::once(0xff))
            .chain(second.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        (hash ^ (hash >> 32)) as u32
    }
}

/// As a person may read it in an explanation.
impl fmt::Display for Gram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Word(word) => f.write_str(word),
            Self::Pair("", word) => write!(f, "{word} (first word)"),
            Self::Pair(word, "") => write!(f, "{word} (last word)"),
            Self::Pair(first, second) => write!(f, "{first} {second}"),
            Self::Around(first, second) => write!(f, "{first} … {second}"),
            Self::Piece(piece) => write!(f, "\"{}\"", piece.replace(' ', "_")),
        }
    }
}

/// Shows every gram of a text, repeated ones as often as they occur.
pub(super) fn each(text: &str, mut seen: impl FnMut(Gram<'_>)) {
    let text = beginning(text, TEXT_MAX).to_lowercase();
    let words: Vec<&str> = words(&text).collect();
    if let (Some(first), Some(last)) = (words.first(), words.last()) {
        seen(Gram::Pair("", first));
        seen(Gram::Pair(last, ""));
    }
    for (at, word) in words.iter().enumerate() {
        seen(Gram::Word(word));
        if let Some(next) = words.get(at + 1) {
            seen(Gram::Pair(word, next));
        }
        if let Some(after) = words.get(at + 2) {
            seen(Gram::Around(word, after));
        }
    }
    let mut padded = String::new();
    for word in words {
        padded.clear();
        padded.extend([" ", word, " "]);
        pieces(&padded, &mut seen);
    }
}

/// At most so many bytes of a text, whole characters only.
fn beginning(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Runs of letters and digits; an apostrophe within one belongs to it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\'' || c == '’'))
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
}

fn pieces(padded: &str, seen: &mut impl FnMut(Gram<'_>)) {
    let ends: Vec<usize> = padded
        .char_indices()
        .map(|(at, _)| at)
        .chain([padded.len()])
        .collect();
    for length in PIECE {
        for edges in ends.windows(length + 1) {
            seen(Gram::Piece(&padded[edges[0]..edges[length]]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let mut shown = Vec::new();
        each(text, |gram| shown.push(gram.to_string()));
        shown
    }

    #[test]
    fn sees_words_neighbours_and_pieces() {
        let grams = shown("Don't pay, I!");
        for expected in [
            "don't",
            "don't pay",
            "don't … i",
            "don't (first word)",
            "i (last word)",
            "\"_pay_\"",
            "\"pa\"",
            "\"_i_\"",
        ] {
            assert!(grams.iter().any(|gram| gram == expected), "{expected}");
        }
        assert!(!grams.iter().any(|gram| gram.contains("y_i")));
    }

    #[test]
    fn nothing_is_seen_where_there_is_no_word() {
        assert!(shown(" \n\t… '' !!").is_empty());
    }

    #[test]
    fn kinds_and_borders_make_different_grams() {
        let hashes = [
            Gram::Word("ab"),
            Gram::Pair("ab", ""),
            Gram::Pair("", "ab"),
            Gram::Pair("a", "b"),
            Gram::Around("a", "b"),
            Gram::Piece("ab"),
        ]
        .map(|gram| gram.hash());
        let distinct: std::collections::BTreeSet<_> = hashes.iter().collect();
        assert_eq!(distinct.len(), hashes.len());
    }

    #[test]
    fn reads_only_the_beginning_and_never_half_a_character() {
        let long = "ä".repeat(TEXT_MAX);
        let mut longest = 0;
        each(&long, |gram| {
            if let Gram::Word(word) = gram {
                longest = longest.max(word.len());
            }
        });
        assert_eq!(longest, TEXT_MAX);
    }
}
