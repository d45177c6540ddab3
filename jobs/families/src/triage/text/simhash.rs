//! Likeness in 64 bits (Charikar's simhash): texts that share most of their words and pairs of words differ in few bits.

/// The likeness of a text; none where it has no words.
pub(crate) fn simhash(text: &str) -> Option<u64> {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut votes = [0i32; 64];
    for word in &words {
        vote(&mut votes, hash(&[word]));
    }
    for pair in words.windows(2) {
        vote(&mut votes, hash(pair));
    }
    let bits = votes.iter().enumerate().filter(|(_, votes)| **votes > 0);
    (!words.is_empty()).then(|| bits.fold(0, |all, (bit, _)| all | 1 << bit))
}

fn vote(votes: &mut [i32; 64], hash: u64) {
    for (bit, votes) in votes.iter_mut().enumerate() {
        *votes += if hash >> bit & 1 == 1 { 1 } else { -1 };
    }
}

/// FNV-1a over the words, mixed at the end (splitmix64); it stands in databases, so it never changes.
fn hash(words: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in words.join(" ").bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "Hello, since this morning the export of our monthly campaign report ends with an error after about two minutes. \
        We have tried three browsers and two computers, always with the same result. Our customers wait for the figures, please look at it soon.";

    fn distance(one: &str, other: &str) -> u32 {
        (simhash(one).expect("words") ^ simhash(other).expect("words")).count_ones()
    }

    #[test]
    fn the_same_words_are_the_same_whatever_surrounds_them() {
        assert_eq!(distance(MAIL, &MAIL.to_uppercase()), 0);
        assert_eq!(distance(MAIL, &MAIL.replace(", ", "  -- ")), 0);
        assert_eq!(simhash(" ... "), None);
    }

    #[test]
    fn other_texts_are_far() {
        for other in [
            "I want a refund for the last invoice, it was charged twice on my card.",
            "How do I add a second user to my account? I found nothing in the help pages about that.",
        ] {
            assert!(distance(MAIL, other) > 10, "{other}");
        }
    }

    #[test]
    fn it_never_changes_because_databases_hold_it() {
        assert_eq!(hash(&["refund"]), hash(&["refund"]));
        assert_eq!(
            simhash("refund"),
            Some(hash(&["refund"])),
            "one word votes alone"
        );
    }
}
