//! Which language a text is in, where that is sure.

/// What the model was trained in.
pub(crate) const ENGLISH: &str = "en";

/// Shortest text whose language can be told, in letters.
const LETTERS_MIN: usize = 20;

/// The language's code, of two letters where it has one; none where it cannot be told: short texts and code have no language.
pub(crate) fn language(text: &str) -> Option<String> {
    if text.chars().filter(|letter| letter.is_alphabetic()).count() < LETTERS_MIN {
        return None;
    }
    let found = whatlang::detect(text).filter(whatlang::Info::is_reliable)?;
    let code = found.lang().code();
    let pairs = [
        ("eng", ENGLISH),
        ("deu", "de"),
        ("fra", "fr"),
        ("spa", "es"),
        ("ita", "it"),
        ("por", "pt"),
        ("nld", "nl"),
        ("pol", "pl"),
        ("rus", "ru"),
        ("ukr", "uk"),
        ("tur", "tr"),
        ("hin", "hi"),
        ("cmn", "zh"),
        ("jpn", "ja"),
        ("kor", "ko"),
        ("ara", "ar"),
    ];
    let short = pairs.iter().find(|(long, _)| *long == code);
    Some(short.map_or(code, |(_, short)| short).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_told_where_it_is_sure() {
        let cases = [
            (
                "I was charged twice for my subscription this month and I would like a refund please",
                Some("en"),
            ),
            (
                "Ich kann mich seit gestern nicht mehr anmelden, das Passwort wird nicht angenommen",
                Some("de"),
            ),
            (
                "Je n'arrive plus à me connecter depuis hier, le mot de passe est refusé par votre site",
                Some("fr"),
            ),
            (
                "私のアカウントにログインできません。パスワードを再設定してください。お願いします。",
                Some("ja"),
            ),
            ("help", None),
            ("404 500 503", None),
        ];
        for (text, expected) in cases {
            assert_eq!(language(text).as_deref(), expected, "{text}");
        }
    }
}
