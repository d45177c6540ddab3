//! Which texts are held out together: every text once, every label spread over all folds, equal texts never apart.

use std::collections::BTreeMap;

use super::dual::shuffle;

/// Most folds. More cost time, fewer leave less to learn from.
const FOLDS: usize = 5;

/// The fold of each text, and how many there are: none where there is too little to hold anything out.
pub(super) fn assign(texts: &[&str], labels: &[u16]) -> (Vec<usize>, usize) {
    let folds = (texts.len() / 2).min(FOLDS);
    if folds < 2 {
        return (vec![0; texts.len()], 0);
    }
    let mut fold_of = vec![0; texts.len()];
    let mut turn = 0;
    for (_, groups) in by_label(texts, labels) {
        for group in groups {
            // One after another over all labels, so that labels of one or two texts fill the folds evenly too.
            for text in group {
                fold_of[text] = turn % folds;
            }
            turn += 1;
        }
    }
    (fold_of, folds)
}

/// For each label its texts in a fixed random order, those that read the same in one group.
fn by_label(texts: &[&str], labels: &[u16]) -> BTreeMap<u16, Vec<Vec<usize>>> {
    let mut groups: BTreeMap<(u16, String), Vec<usize>> = BTreeMap::new();
    for (at, (text, label)) in texts.iter().zip(labels).enumerate() {
        let read = text.split_whitespace().collect::<Vec<_>>().join(" ");
        groups
            .entry((*label, read.to_lowercase()))
            .or_default()
            .push(at);
    }
    let mut by_label: BTreeMap<u16, Vec<Vec<usize>>> = BTreeMap::new();
    for ((label, _), group) in groups {
        by_label.entry(label).or_default().push(group);
    }
    let mut seed = 0xf01d;
    for groups in by_label.values_mut() {
        shuffle(groups, &mut seed);
    }
    by_label
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_each_label_over_all_folds() {
        let texts: Vec<String> = (0..40).map(|n| format!("text {n}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let labels: Vec<u16> = (0..40).map(|n| n % 4).collect();
        let (fold_of, folds) = assign(&texts, &labels);
        assert_eq!(folds, FOLDS);
        for label in 0..4 {
            for fold in 0..folds {
                let here = labels.iter().zip(&fold_of);
                let here = here.filter(|(l, f)| (**l, **f) == (label, fold)).count();
                assert_eq!(here, 2);
            }
        }
    }

    #[test]
    fn keeps_equal_texts_together() {
        let texts = ["Hello  there", "hello there", "bye", "see you", "so long"];
        let (fold_of, folds) = assign(&texts, &[0; 5]);
        assert_eq!(folds, 2);
        assert_eq!(fold_of[0], fold_of[1]);
    }

    #[test]
    fn holds_nothing_out_where_there_is_next_to_nothing() {
        assert_eq!(assign(&["a", "b", "c"], &[0, 1, 1]).1, 0);
    }
}
