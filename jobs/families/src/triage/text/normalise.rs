//! Cleans a message: what the customer wrote this time, without what was quoted, without the signature, in one form of Unicode.

use unicode_normalization::UnicodeNormalization;

use super::TEXT_MAX;

/// Lines after a farewell that are still taken for a signature.
const SIGNATURE_LINES: usize = 6;
const FAREWELLS: [&str; 10] = [
    "best regards",
    "kind regards",
    "warm regards",
    "best wishes",
    "many thanks",
    "regards",
    "sincerely",
    "yours sincerely",
    "cheers",
    "sent from my",
];

/// The text, at most [`TEXT_MAX`] bytes of it. One that is nothing but a quote is kept as a whole: somebody forwarded it.
pub(crate) fn normalise(raw: &str) -> String {
    let lines: Vec<&str> = raw.lines().map(str::trim).collect();
    let own = without_signature(without_quotes(&lines));
    let cleaned = clean(own.iter().copied());
    if cleaned.is_empty() {
        clean(lines.iter().map(|line| line.trim_start_matches('>').trim()))
    } else {
        cleaned
    }
}

/// The lines above whatever was answered to, and between its quoted lines.
fn without_quotes<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let end = lines.iter().position(|line| begins_quote(line));
    lines[..end.unwrap_or(lines.len())]
        .iter()
        .copied()
        .filter(|line| !line.starts_with('>'))
        .collect()
}

/// "On … wrote:", in the ways of mail programs.
fn begins_quote(line: &str) -> bool {
    let lower = line.to_lowercase();
    let introduced = [
        ("on ", "wrote:"),
        ("am ", "schrieb:"),
        ("le ", "écrit :"),
        ("le ", "écrit:"),
    ]
    .iter()
    .any(|(start, end)| lower.starts_with(start) && lower.ends_with(end));
    introduced
        || lower.contains("original message---")
        || lower.contains("forwarded message---")
        || (lower.len() >= 20 && lower.chars().all(|letter| letter == '_'))
}

/// Cut at the usual mark, or at a farewell with little after it.
fn without_signature(lines: Vec<&str>) -> Vec<&str> {
    let farewell = |at: usize, line: &str| {
        let lower = line.trim_end_matches([',', '!', '.']).to_lowercase();
        let said = FAREWELLS
            .iter()
            .any(|word| lower == *word || *word == "sent from my" && lower.starts_with(word));
        said && at > 0 && lines.len() - at <= SIGNATURE_LINES
    };
    let mut all = lines.iter().enumerate();
    let end = all.find(|(at, line)| **line == "--" && *at > 0 || farewell(*at, line));
    match end.map(|(at, _)| at) {
        Some(at) => lines[..at].to_vec(),
        None => lines,
    }
}

/// One form of each letter (NFKC), single spaces, no letters that nobody sees, no line that is empty.
fn clean<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        let seen = line.nfkc().filter(|letter| !is_hidden(*letter));
        let mut gap = !text.is_empty();
        let mut first = true;
        for letter in seen {
            if letter.is_whitespace() || letter.is_control() {
                gap = true;
                continue;
            }
            if text.len() + letter.len_utf8() >= TEXT_MAX {
                return text;
            }
            if gap && !text.is_empty() {
                text.push(if first { '\n' } else { ' ' });
            }
            (gap, first) = (false, false);
            text.push(letter);
        }
    }
    text
}

/// Zero-width letters, marks of direction, and the like.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_quoted_and_signed_is_left_out() {
        let cases = [
            (
                "It fails.\n\nOn Mon, 3 Nov 2026, Support wrote:\n> What fails?",
                "It fails.",
            ),
            (
                "> What fails?\nThe export.\n> Since when?\nMonday.",
                "The export.\nMonday.",
            ),
            ("Hello\n-----Original Message-----\nFrom: x", "Hello"),
            (
                "Es geht nicht.\nAm 3.11.2026 um 10:00 schrieb:\nalt",
                "Es geht nicht.",
            ),
            ("Please help\n\nBest regards,\nJo\nAcme Ltd", "Please help"),
            ("Please help\n-- \nJo", "Please help"),
            ("Broken\nSent from my iPhone", "Broken"),
        ];
        for (raw, expected) in cases {
            assert_eq!(normalise(raw), expected, "{raw}");
        }
    }

    #[test]
    fn a_farewell_that_begins_a_long_text_is_no_signature() {
        let long = format!("Hi\nRegards\n{}", "more\n".repeat(10));
        assert!(normalise(&long).ends_with("more"));
    }

    #[test]
    fn a_forwarded_quote_is_kept_where_there_is_nothing_else() {
        assert_eq!(
            normalise("> my site is down\n> help"),
            "my site is down\nhelp"
        );
    }

    #[test]
    fn letters_have_one_form_and_none_is_hidden() {
        assert_eq!(
            normalise("ﬁne\u{200b}  Ｆｏｏ\u{202e}\u{0}\tbar"),
            "fine Foo bar"
        );
    }

    #[test]
    fn it_is_bounded_in_bytes_and_ends_at_a_letter() {
        for text in [
            "é".repeat(50_000),
            "\u{fdfa}".repeat(20_000),
            "a \n".repeat(50_000),
        ] {
            assert!(normalise(&text).len() <= TEXT_MAX);
        }
        assert_eq!(normalise("\u{301}".repeat(90_000).as_str()).len() % 2, 0);
    }
}
