//! What a ticket says, made fit to be judged: cleaned, masked, its language known, its likeness in 64 bits.

mod language;
mod mask;
mod normalise;
mod simhash;

pub(crate) use language::{ENGLISH, language};
pub(crate) use mask::mask;
pub(crate) use normalise::normalise;
pub(crate) use simhash::simhash;

/// Longest text that is judged, in bytes.
pub(crate) const TEXT_MAX: usize = 20_000;

/// A ticket's text, as everything after sees it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    /// Cleaned, with personal data masked.
    pub(crate) masked: String,
    /// Its language, where that is sure.
    pub(crate) language: Option<String>,
    /// Its likeness; none of a text without words.
    pub(crate) simhash: Option<u64>,
}

impl Text {
    /// Of a subject and a body.
    pub(crate) fn of(subject: &str, body: &str) -> Self {
        let (subject, body) = (normalise(subject), normalise(body));
        let whole = if body.is_empty() || subject.is_empty() {
            format!("{subject}{body}")
        } else {
            format!("{subject}\n{body}")
        };
        let masked = mask(&whole);
        Self {
            language: language(&masked),
            simhash: simhash(&masked),
            masked,
        }
    }

    /// Whether there is nothing to judge.
    pub(crate) fn is_empty(&self) -> bool {
        self.masked.trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_subject_and_a_body_are_one_text() {
        let text = Text::of("Refund", "Card 4111 1111 1111 1111, mail a@b.co\n\n-- \nJo");
        assert_eq!(text.masked, "Refund\nCard <card>, mail <email>");
        assert!(Text::of(" ", "\u{200b}\n").is_empty());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_judged_and_bounded(subject in "\\PC{0,200}", body in "(?s).{0,3000}") {
            let text = Text::of(&subject, &body);
            prop_assert!(text.masked.len() <= 2 * TEXT_MAX + 1);
            prop_assert!(!text.masked.contains('\0'));
        }
    }
}
