//! The decision about a ticket, from everything that was found out about it: pure, and explained to its last rule.

use serde_json::{Value, json};
use uuid::Uuid;

use super::priority::{self, Priority, Sender};
use super::route::{self, Routed};
use super::rules;
use super::sentiment::{Sentiment, sentiment};
use super::settings::Settings;
use super::text::{ENGLISH, Text};
use crate::approval::Policy;

/// What was made of a text without a model.
pub(crate) const RULES: &str = "rules";

/// What a person has said, which stands whatever a text says later.
pub(crate) const PERSON: &str = "person";

/// What somebody or something takes a ticket to be about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Opinion {
    /// The model's version, or [`RULES`], or [`PERSON`].
    pub(crate) by: String,
    pub(crate) category: String,
    pub(crate) confidence: f64,
    /// False where the model has never seen the like.
    pub(crate) in_scope: bool,
    /// Features, scores: what a person wants to know.
    pub(crate) because: Value,
}

/// By words alone.
pub(crate) fn by_rules(text: &str) -> Opinion {
    let named = rules::name(text);
    Opinion {
        by: RULES.to_owned(),
        category: named.category.to_owned(),
        confidence: named.confidence,
        in_scope: true,
        because: json!({ "words": named.hits }),
    }
}

/// By a person's word.
pub(crate) fn by_person(category: &str) -> Opinion {
    Opinion {
        by: PERSON.to_owned(),
        category: category.to_owned(),
        confidence: 1.0,
        in_scope: true,
        because: Value::Null,
    }
}

/// What a decision rests on.
#[derive(Clone, Debug)]
pub(crate) struct Grounds<'a> {
    pub(crate) text: &'a Text,
    pub(crate) opinion: Opinion,
    /// What the second opinion said, if it was asked and answered.
    pub(crate) second: Option<String>,
    pub(crate) sender: Sender,
    /// The client's partner, if it has room.
    pub(crate) partner: Option<Uuid>,
    pub(crate) settings: &'a Settings,
    pub(crate) policy: Policy,
}

/// What is to become of a ticket.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) category: String,
    pub(crate) priority: Priority,
    pub(crate) routed: Routed,
    pub(crate) confidence: f64,
    /// Why a person must look at it first; none: it is applied.
    pub(crate) review: Option<&'static str>,
    pub(crate) mood: Sentiment,
    pub(crate) explanation: Value,
}

/// Decides.
pub(crate) fn decide(grounds: &Grounds<'_>) -> Decision {
    let Grounds {
        text,
        opinion,
        second,
        sender,
        settings,
        policy,
        ..
    } = grounds;
    let mood = sentiment(&text.masked);
    let hits = rules::hits(&text.masked);
    let (category, confidence) = if text.is_empty() && opinion.by != PERSON {
        ("other".to_owned(), 0.0)
    } else {
        (opinion.category.clone(), opinion.confidence)
    };
    let judged = priority::judge(&category, &hits, mood, sender, &settings.priority);
    let severe = judged
        .because
        .iter()
        .any(|rule| rules::SEVERE.contains(rule));
    let confirmed = second.as_deref() == Some(category.as_str());
    let review = review(grounds, confidence, confirmed);
    let priority = if text.is_empty() {
        Priority::Low
    } else {
        judged.priority
    };
    let mut routed = route::route(
        &category,
        priority,
        severe,
        grounds.partner.filter(|_| !text.is_empty()),
    );
    // A message without words is a person's to look at, whatever room a partner has.
    routed.wants_partner &= !text.is_empty();
    Decision {
        explanation: json!({
            "model": opinion.by, "because": opinion.because, "in_scope": opinion.in_scope,
            "rules": hits, "raised_by": judged.because, "sentiment": mood.compound, "language": text.language,
            "threshold": policy.threshold, "second_opinion": second, "review": review,
        }),
        category,
        priority,
        routed,
        confidence,
        review,
        mood,
    }
}

/// Why a person must look first.
fn review(grounds: &Grounds<'_>, confidence: f64, confirmed: bool) -> Option<&'static str> {
    if grounds.opinion.by == PERSON {
        return None;
    }
    let foreign = grounds
        .text
        .language
        .as_deref()
        .is_some_and(|language| language != ENGLISH);
    if grounds.text.is_empty() {
        Some("empty")
    } else if foreign {
        Some("language")
    } else if !grounds.opinion.in_scope {
        Some("out_of_scope")
    } else if grounds.policy.waits(confidence) && (!confirmed || grounds.policy.waits(1.0)) {
        Some("unsure")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::Review;

    fn decision(text: &str, confidence: f64, change: impl FnOnce(&mut Grounds<'_>)) -> Decision {
        let text = Text::of("", text);
        let settings = Settings::default();
        let opinion = Opinion {
            by: "m1".into(),
            category: "how_to".into(),
            confidence,
            in_scope: true,
            because: Value::Null,
        };
        let mut grounds = Grounds {
            text: &text,
            opinion,
            second: None,
            sender: Sender::default(),
            partner: Some(Uuid::from_u128(1)),
            settings: &settings,
            policy: Policy {
                threshold: 0.75,
                review: Review::BelowThreshold,
            },
        };
        change(&mut grounds);
        decide(&grounds)
    }

    #[test]
    fn what_is_sure_is_applied_and_what_is_not_waits_for_a_person() {
        let asked = "How do I add a second user to our account, please?";
        assert_eq!(decision(asked, 0.9, |_| ()).review, None);
        assert_eq!(decision(asked, 0.7, |_| ()).review, Some("unsure"));
        assert_eq!(
            decision(asked, 0.9, |it| it.opinion.in_scope = false).review,
            Some("out_of_scope")
        );
        assert_eq!(
            decision(asked, 0.9, |it| it.policy.review = Review::Always).review,
            Some("unsure")
        );
        assert_eq!(
            decision(asked, 0.1, |it| it.policy.review = Review::Never).review,
            None
        );
        let german = "Wie kann ich bitte einen zweiten Benutzer zu unserem Konto hinzufügen?";
        assert_eq!(decision(german, 0.99, |_| ()).review, Some("language"));
    }

    #[test]
    fn what_a_person_has_said_waits_for_nobody() {
        let said = decision(
            "Wie bitte? Das verstehe ich leider überhaupt nicht.",
            0.1,
            |it| {
                it.opinion = by_person("refund");
                it.policy.review = Review::Always;
            },
        );
        assert_eq!((said.category.as_str(), said.review), ("refund", None));
    }

    #[test]
    fn a_second_opinion_confirms_or_changes_nothing() {
        let asked = "How do I add a second user to our account, please?";
        let with = |said: &str| decision(asked, 0.5, |it| it.second = Some(said.to_owned()));
        assert_eq!(with("how_to").review, None);
        assert_eq!(with("billing").review, Some("unsure"));
        assert_eq!(with("billing").category, "how_to");
        let always = decision(asked, 0.5, |it| {
            it.second = Some("how_to".to_owned());
            it.policy.review = Review::Always;
        });
        assert_eq!(
            always.review,
            Some("unsure"),
            "whoever wants to see all sees all"
        );
    }

    #[test]
    fn nothing_said_is_other_low_and_looked_at() {
        let nothing = decision(" \u{200b} ", 0.99, |_| ());
        assert_eq!(
            (nothing.category.as_str(), nothing.priority),
            ("other", Priority::Low)
        );
        assert_eq!((nothing.review, nothing.confidence), (Some("empty"), 0.0));
        assert_eq!(nothing.routed.route, route::Route::Tier1);
        assert!(!nothing.routed.wants_partner);
    }

    #[test]
    fn what_must_not_wait_goes_to_an_admin_with_its_reason() {
        let hacked = decision("We were hacked, someone else logged in", 0.9, |_| ());
        assert_eq!(hacked.routed.route, route::Route::Admin);
        assert_eq!(hacked.explanation["raised_by"][0], "security_breach");
    }

    #[test]
    fn without_a_model_words_decide() {
        let opinion = by_rules("I forgot my password and am locked out");
        assert_eq!(
            (opinion.by.as_str(), opinion.category.as_str()),
            (RULES, "login_security")
        );
    }
}
