//! The name somebody probably meant.

/// The nearest of `names`, unless even that is far off.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 100 {
        return None;
    }
    let nearest = names.map(|name| (distance(word, name), name)).min()?;
    let far = (word.chars().count() / 2).max(2);
    (nearest.0 <= far).then_some(nearest.1)
}

/// Letters to insert, delete or replace (Levenshtein), by one row of the usual table.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_letters_that_differ() {
        let cases = [
            ("", "", 0),
            ("kitten", "sitting", 3),
            ("noop", "noop", 0),
            ("ab", "ba", 2),
        ];
        for (left, right, apart) in cases {
            assert_eq!(distance(left, right), apart, "{left} {right}");
        }
    }

    #[test]
    fn suggests_only_what_is_near() {
        let names = ["diagnostics.noop", "triage.ticket"];
        assert_eq!(
            nearest("diagnostic.nop", names.into_iter()),
            Some("diagnostics.noop")
        );
        assert_eq!(nearest("leaderboard.refresh", names.into_iter()), None);
    }
}
