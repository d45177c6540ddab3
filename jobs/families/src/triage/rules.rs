//! Rules over words: what must not wait, who is about to leave, and which category a text names outright.
//!
//! They serve beside the model, which knows nothing of consequences, and in its place where there is none.

use serde::Serialize;

/// Words of leaving.
pub(crate) const CHURN: &str = "churn";
/// What is urgent by itself.
pub(crate) const SEVERE: &[&str] = &[
    "security_breach",
    "data_loss",
    "outage",
    "double_charge",
    "legal",
];

/// Rules and their phrases; a phrase is met as whole words.
const RULES: &[(&str, &[&str])] = &[
    (
        "security_breach",
        &[
            "hacked",
            "security breach",
            "data breach",
            "unauthorized access",
            "unauthorised access",
            "account compromised",
            "compromised account",
            "stolen password",
            "someone else logged in",
            "phishing",
            "ransomware",
            "leaked credentials",
        ],
    ),
    (
        "data_loss",
        &[
            "data is gone",
            "data loss",
            "lost all our data",
            "lost all my data",
            "data was deleted",
            "deleted all our",
            "everything is gone",
            "all our campaigns are gone",
            "all my campaigns are gone",
            "data disappeared",
        ],
    ),
    (
        "outage",
        &[
            "outage",
            "site is down",
            "service is down",
            "website is down",
            "platform is down",
            "system is down",
            "completely down",
            "everything is down",
            "nothing loads for anyone",
            "503 for all users",
        ],
    ),
    (
        "double_charge",
        &[
            "charged twice",
            "double charge",
            "double charged",
            "double charges",
            "billed twice",
            "charged me twice",
            "charged us twice",
            "duplicate charge",
            "paid twice",
        ],
    ),
    (
        "legal",
        &[
            "lawyer",
            "lawsuit",
            "legal action",
            "attorney",
            "sue you",
            "court",
            "gdpr complaint",
            "data protection authority",
        ],
    ),
    (
        CHURN,
        &[
            "cancel our contract",
            "cancel my subscription",
            "cancel our subscription",
            "switch to a competitor",
            "switching to a competitor",
            "looking at alternatives",
            "leave your platform",
            "leaving your platform",
            "close our account",
            "close my account",
            "terminate our contract",
            "not renew",
        ],
    ),
];

/// Categories and the phrases that name them; where two are met equally often, the first in this list stands.
const CATEGORIES: &[(&str, &[&str])] = &[
    (
        "billing",
        &[
            "invoice",
            "billing",
            "charged",
            "payment",
            "credit card",
            "vat",
            "receipt",
            "billed",
            "price",
            "subscription fee",
        ],
    ),
    (
        "refund",
        &[
            "refund",
            "money back",
            "reimburse",
            "reimbursement",
            "chargeback",
        ],
    ),
    (
        "login_security",
        &[
            "password",
            "log in",
            "login",
            "locked out",
            "two factor",
            "2fa",
            "hacked",
            "sign in",
            "phishing",
            "unauthorized access",
            "compromised",
        ],
    ),
    (
        "campaign_performance",
        &[
            "ctr",
            "conversions",
            "conversion rate",
            "impressions",
            "campaign performance",
            "roas",
            "roi",
            "clicks dropped",
            "ad spend",
        ],
    ),
    (
        "integration",
        &[
            "api",
            "webhook",
            "integration",
            "oauth",
            "zapier",
            "mcp",
            "plugin",
            "sync",
            "connector",
            "api key",
        ],
    ),
    (
        "bug",
        &[
            "bug",
            "error",
            "crash",
            "crashes",
            "broken",
            "does not work",
            "doesn t work",
            "not working",
            "exception",
            "fails",
            "wrong number",
        ],
    ),
    (
        "outage",
        &[
            "outage",
            "is down",
            "unavailable",
            "503",
            "nothing loads",
            "completely down",
            "unreachable",
        ],
    ),
    (
        "how_to",
        &[
            "how do i",
            "how can i",
            "how to",
            "where do i",
            "where can i find",
            "is it possible to",
            "can you explain",
            "tutorial",
        ],
    ),
    (
        "feature_request",
        &[
            "feature request",
            "would be great if",
            "would be nice",
            "please add",
            "suggestion",
            "it would help if",
            "missing feature",
            "wish",
        ],
    ),
    (
        "cancellation",
        &[
            "cancel",
            "cancellation",
            "terminate",
            "close my account",
            "close our account",
            "not renew",
            "unsubscribe us",
        ],
    ),
];

/// A phrase that was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Hit {
    /// The rule.
    pub(crate) rule: &'static str,
    /// What was met.
    pub(crate) phrase: &'static str,
}

/// A category that the words name, how surely, and by which of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Named {
    pub(crate) category: &'static str,
    /// A guess from experience, not calibrated: sure enough to act only where the words agree.
    pub(crate) confidence: f64,
    pub(crate) hits: Vec<Hit>,
}

/// Every rule that the text meets, once each.
pub(crate) fn hits(text: &str) -> Vec<Hit> {
    let words = padded(text);
    let first = |(rule, phrases): &(&'static str, &[&'static str])| {
        let phrase = phrases.iter().find(|phrase| has(&words, phrase))?;
        Some(Hit { rule, phrase })
    };
    RULES.iter().filter_map(first).collect()
}

/// The category by words alone: with two phrases of one category and none of another it is nearly sure.
pub(crate) fn name(text: &str) -> Named {
    let words = padded(text);
    let mut found: Vec<Vec<Hit>> = CATEGORIES
        .iter()
        .map(|(rule, phrases)| {
            let met = phrases.iter().filter(|phrase| has(&words, phrase));
            met.map(|phrase| Hit { rule, phrase }).collect()
        })
        .collect();
    // Stable, so that equals stay in the order of the list.
    found.sort_by_key(|hits: &Vec<Hit>| std::cmp::Reverse(hits.len()));
    let (best, second) = (found[0].len(), found[1].len());
    let confidence = match (best, second) {
        (0, _) => 0.2,
        (1, 0) => 0.6,
        (_, 0) => 0.9,
        (best, second) if best > second => 0.5,
        _ => 0.35,
    };
    let hits = found.swap_remove(0);
    Named {
        category: hits.first().map_or("other", |hit| hit.rule),
        confidence,
        hits,
    }
}

/// In lower case, every word between single spaces.
fn padded(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + 2);
    words.push(' ');
    for letter in text.chars().flat_map(char::to_lowercase) {
        if letter.is_alphanumeric() {
            words.push(letter);
        } else if !words.ends_with(' ') {
            words.push(' ');
        }
    }
    words.push(' ');
    words
}

fn has(words: &str, phrase: &str) -> bool {
    words
        .match_indices(phrase)
        .any(|(at, _)| words[..at].ends_with(' ') && words[at + phrase.len()..].starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_whole_words_in_any_case() {
        let rules = |text| hits(text).iter().map(|hit| hit.rule).collect::<Vec<_>>();
        assert_eq!(
            rules("We were HACKED, the site is down!"),
            ["security_breach", "outage"]
        );
        assert_eq!(rules("I was charged -- twice"), ["double_charge"]);
        assert_eq!(rules("courtesy call about insurance"), [""; 0]);
        assert_eq!(rules(""), [""; 0]);
    }

    #[test]
    fn words_name_a_category_and_agreement_makes_it_sure() {
        let named = |text| {
            let named = name(text);
            (named.category, named.confidence)
        };
        assert_eq!(
            named("My password is wrong, I am locked out"),
            ("login_security", 0.9)
        );
        assert_eq!(named("Please send the invoice"), ("billing", 0.6));
        assert_eq!(named("refund the invoice"), ("billing", 0.35));
        assert_eq!(named("hello there"), ("other", 0.2));
        assert_eq!(name("how do i reset").hits[0].phrase, "how do i");
    }

    #[test]
    fn every_severe_rule_has_phrases() {
        for rule in SEVERE.iter().chain([&CHURN]) {
            assert!(
                RULES
                    .iter()
                    .any(|(name, phrases)| name == rule && !phrases.is_empty()),
                "{rule}"
            );
        }
    }
}
