//! Which articles answer a text: Okapi BM25 (k1 = 1.2, b = 0.75) over titles and bodies, a title's words counting three times.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

const K1: f64 = 1.2;
const B: f64 = 0.75;
const TITLE_WEIGHT: u32 = 3;
/// Words of a question that are looked up; a long mail repeats itself.
const QUERY_WORDS: usize = 200;
/// Words that say nothing about a subject.
const STOP: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "for", "from", "has",
    "have", "how", "i", "if", "in", "is", "it", "me", "my", "not", "of", "on", "or", "our", "so",
    "that", "the", "this", "to", "us", "was", "we", "what", "when", "where", "will", "with", "you",
    "your",
];

/// An article as it is indexed.
pub(super) struct Article<'a> {
    pub(super) id: Uuid,
    pub(super) title: &'a str,
    pub(super) body: &'a str,
}

/// An index of articles.
#[derive(Debug, Default)]
pub(crate) struct Index {
    ids: Vec<(Uuid, String)>,
    lengths: Vec<f64>,
    average: f64,
    /// For each word, in which articles and how often.
    postings: HashMap<String, Vec<(usize, f64)>>,
}

/// An article that was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) score: f64,
}

impl Index {
    pub(super) fn of<'a>(articles: impl Iterator<Item = Article<'a>>) -> Self {
        let mut index = Self::default();
        for article in articles {
            index.add(&article);
        }
        let total: f64 = index.lengths.iter().sum();
        index.average = total / index.lengths.len().max(1) as f64;
        index
    }

    fn add(&mut self, article: &Article<'_>) {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for word in words(article.title) {
            *counts.entry(word).or_default() += TITLE_WEIGHT;
        }
        for word in words(article.body) {
            *counts.entry(word).or_default() += 1;
        }
        let place = self.ids.len();
        self.ids.push((article.id, article.title.to_owned()));
        self.lengths.push(f64::from(counts.values().sum::<u32>()));
        for (word, count) in counts {
            self.postings
                .entry(word)
                .or_default()
                .push((place, f64::from(count)));
        }
    }

    /// The best `most` articles for a text, best first; equals in the order of their ids.
    pub(crate) fn search(&self, text: &str, most: usize) -> Vec<Found> {
        let mut asked: Vec<String> = words(text).take(QUERY_WORDS).collect();
        asked.sort_unstable();
        asked.dedup();
        let mut scores: BTreeMap<usize, f64> = BTreeMap::new();
        for postings in asked.iter().filter_map(|word| self.postings.get(word)) {
            for (place, count) in postings {
                *scores.entry(*place).or_default() += self.worth(*place, *count, postings.len());
            }
        }
        let mut found: Vec<Found> = scores
            .into_iter()
            .map(|(place, score)| {
                let (id, title) = self.ids[place].clone();
                Found { id, title, score }
            })
            .collect();
        found.sort_by(|one, other| {
            other
                .score
                .total_cmp(&one.score)
                .then(one.id.cmp(&other.id))
        });
        found.truncate(most);
        found
    }

    fn worth(&self, place: usize, count: f64, articles: usize) -> f64 {
        let (all, with) = (self.ids.len() as f64, articles as f64);
        let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
        let length = 1.0 - B + B * self.lengths[place] / self.average;
        rarity * count * (K1 + 1.0) / (count + K1 * length)
    }
}

/// Words that say something, in lower case, plural endings cut off.
fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|letter: char| !letter.is_alphanumeric())
        .map(str::to_lowercase)
        .filter(|word| !word.is_empty() && !STOP.contains(&word.as_str()))
        .map(|word| match word.strip_suffix('s') {
            Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
            _ => word,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHELF: [(&str, &str); 4] = [
        (
            "Reset your password",
            "Open the sign-in page and choose Forgot password. A link arrives by mail.",
        ),
        (
            "Read an invoice",
            "Each invoice lists your plan, usage and tax. Download invoices under Billing.",
        ),
        (
            "Connect a webhook",
            "Webhooks deliver events to your server. Create one under Integrations.",
        ),
        (
            "Add a user",
            "Owners add users under Team. Each user gets a mail with a link to set a password.",
        ),
    ];

    fn index() -> Index {
        Index::of(SHELF.iter().enumerate().map(|(n, (title, body))| Article {
            id: Uuid::from_u128(n as u128),
            title,
            body,
        }))
    }

    #[test]
    fn the_article_about_it_comes_first() {
        let first = |text| {
            index()
                .search(text, 3)
                .first()
                .map(|found| found.title.clone())
        };
        assert_eq!(
            first("I forgot my PASSWORD").as_deref(),
            Some("Reset your password")
        );
        assert_eq!(
            first("where are my invoices?").as_deref(),
            Some("Read an invoice")
        );
        assert_eq!(first("the and of"), None);
        assert_eq!(first("zebra"), None);
    }

    #[test]
    fn a_score_is_what_the_formula_says() {
        // "webhook": 3 from the title, 1 from the body; one article of four has it.
        let index = index();
        let found = &index.search("webhook", 1)[0];
        let rarity = (1.0 + 3.5 / 1.5f64).ln();
        let length = 0.25 + 0.75 * index.lengths[2] / index.average;
        let expected = rarity * 4.0 * 2.2 / (4.0 + 1.2 * length);
        assert!(
            (found.score - expected).abs() < 1e-9,
            "{} {expected}",
            found.score
        );
    }

    #[test]
    fn an_empty_shelf_has_nothing_and_at_most_what_is_asked_for_comes() {
        assert!(
            Index::of(std::iter::empty())
                .search("password", 3)
                .is_empty()
        );
        assert_eq!(index().search("password invoice webhook user", 2).len(), 2);
    }
}
