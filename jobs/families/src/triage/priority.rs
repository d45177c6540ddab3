//! How urgent a ticket is: what its category is worth, raised by what it says and by who says it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::{self, Hit};
use super::sentiment::Sentiment;

/// How urgent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// A partner, in its own time.
    Low,
    /// A partner, and an admin keeps an eye on it.
    #[default]
    Medium,
    /// An admin.
    High,
}

impl Priority {
    /// Its word in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Low, Self::Medium, Self::High]
            .into_iter()
            .find(|it| it.name() == word)
    }

    fn raised(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            _ => Self::High,
        }
    }
}

/// Who writes, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sender {
    /// starter, standard or enterprise.
    pub(crate) plan: String,
    /// What it spends a month, in millionths.
    pub(crate) monthly_budget_micros: i64,
    /// Its tickets in the window, this one included; counted only until they are as many as make a difference.
    pub(crate) recent: i64,
}

/// What raises a priority, where a tenant would turn it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Raising {
    /// What a category is worth to begin with; what is not named is worth `medium`.
    pub priors: BTreeMap<String, Priority>,
    /// A sentiment below this, shouted, raises by one.
    pub angry_below: f64,
    /// So many tickets of a client …
    pub repeated: u32,
    /// … within so many days raise by one.
    pub repeated_days: u32,
    /// Words of leaving raise by one from a client that spends this much a month, in millionths.
    pub valued_micros: i64,
}

impl Default for Raising {
    fn default() -> Self {
        use Priority::{High, Low, Medium};
        let priors = [
            ("billing", Medium),
            ("refund", Medium),
            ("login_security", Medium),
            ("campaign_performance", Medium),
            ("integration", Medium),
            ("bug", Medium),
            ("outage", High),
            ("how_to", Low),
            ("feature_request", Low),
            ("cancellation", Medium),
            ("other", Low),
        ];
        Self {
            priors: priors
                .map(|(category, prior)| (category.to_owned(), prior))
                .into(),
            angry_below: -0.6,
            repeated: 3,
            repeated_days: 7,
            valued_micros: 5_000_000_000,
        }
    }
}

/// The priority and the names of the rules that made it so.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Judged {
    pub(crate) priority: Priority,
    pub(crate) because: Vec<&'static str>,
}

/// Judges. Each rule raises by one; what must not wait is high whatever it began as.
pub(crate) fn judge(
    category: &str,
    hits: &[Hit],
    mood: Sentiment,
    sender: &Sender,
    by: &Raising,
) -> Judged {
    let enterprise = sender.plan == "enterprise";
    let leaves = hits.iter().any(|hit| hit.rule == rules::CHURN);
    let raising = [
        (enterprise, "enterprise_plan"),
        (mood.compound < by.angry_below && mood.shouts, "angry"),
        (
            leaves && (enterprise || sender.monthly_budget_micros >= by.valued_micros),
            "valued_and_leaving",
        ),
        (sender.recent >= i64::from(by.repeated), "repeated_contact"),
    ];
    let mut priority = by.priors.get(category).copied().unwrap_or_default();
    let mut because = Vec::new();
    for (_, rule) in raising.iter().filter(|(holds, _)| *holds) {
        priority = priority.raised();
        because.push(*rule);
    }
    for hit in hits.iter().filter(|hit| rules::SEVERE.contains(&hit.rule)) {
        priority = Priority::High;
        because.push(hit.rule);
    }
    Judged { priority, because }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(category: &str, text: &str, sender: &Sender) -> Judged {
        let mood = super::super::sentiment::sentiment(text);
        judge(
            category,
            &rules::hits(text),
            mood,
            sender,
            &Raising::default(),
        )
    }

    fn check(text: &str, category: &str, sender: &Sender, priority: Priority, because: &[&str]) {
        let found = judged(category, text, sender);
        assert_eq!(
            (found.priority, found.because.as_slice()),
            (priority, because),
            "{text}"
        );
    }

    #[test]
    fn it_begins_with_the_category_and_rises_by_who_asks() {
        let question = "How do I add a user?";
        let small = Sender::default();
        let large = Sender {
            plan: "enterprise".into(),
            ..Sender::default()
        };
        let again = Sender {
            recent: 3,
            ..Sender::default()
        };
        check(question, "how_to", &small, Priority::Low, &[]);
        check(
            question,
            "how_to",
            &large,
            Priority::Medium,
            &["enterprise_plan"],
        );
        check(
            question,
            "how_to",
            &again,
            Priority::Medium,
            &["repeated_contact"],
        );
        check(question, "unheard_of", &small, Priority::Medium, &[]);
        let leaving = "We will switch to a competitor.";
        let rich = Sender {
            monthly_budget_micros: 9_000_000_000,
            ..Sender::default()
        };
        check(leaving, "billing", &small, Priority::Medium, &[]);
        check(
            leaving,
            "billing",
            &rich,
            Priority::High,
            &["valued_and_leaving"],
        );
    }

    #[test]
    fn anger_raises_where_it_is_shouted_and_the_severe_does_not_wait() {
        let anyone = Sender::default();
        let angry = "This is the worst, terrible, awful HORRIBLE service!!";
        check(angry, "other", &anyone, Priority::Medium, &["angry"]);
        let quiet = "This is the worst terrible awful horrible service.";
        check(quiet, "other", &anyone, Priority::Low, &[]);
        for (text, rule) in [
            ("All our data is gone", "data_loss"),
            ("You will hear from my lawyer", "legal"),
            ("I was charged twice", "double_charge"),
        ] {
            check(text, "how_to", &anyone, Priority::High, &[rule]);
        }
    }

    #[test]
    fn words_and_priorities_are_the_same() {
        for word in ["low", "medium", "high"] {
            assert_eq!(Priority::named(word).map(Priority::name), Some(word));
        }
        assert_eq!(Priority::named("critical"), None);
    }
}
