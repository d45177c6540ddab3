//! What came of a contest: medians and spreads, targets, and every round as it was.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::contest::{Figures, Round};
use crate::figure::Figure;
use crate::target::{Target, Verdict};

/// The middle of some values, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    /// # Panics
    /// Where there are no values.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (middle, last) = (values.len() / 2, values.len() - 1);
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Self {
            median,
            least: values[0],
            most: values[last],
        }
    }
}

/// An entrant over all rounds.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub entrant: &'static str,
    /// Jobs of each turn, where there are any.
    pub jobs: u64,
    /// Its figures.
    pub figures: BTreeMap<Figure, Spread>,
    /// What the first entrant's leading figure is of this one's, round by round.
    pub first_against_it: Option<Spread>,
    /// Its figures in each round.
    pub rounds: Vec<Figures>,
}

/// What came of a contest. The first row is the entrant that the others are for; a row's first figure is the one that leads.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub bench: &'static str,
    /// The server and its settings.
    pub server: String,
    pub rows: Vec<Row>,
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// `entrants`: each one's name, and its jobs.
    pub(crate) fn of(
        bench: &'static str,
        server: String,
        entrants: &[(&'static str, u64)],
        targets: &[Target],
        rounds: &[Round],
    ) -> Self {
        let rows = entrants.iter().enumerate();
        let rows = rows.map(|(n, (entrant, jobs))| row(entrant, *jobs, n, rounds));
        let verdicts = targets.iter().map(|target| target.judge(rounds));
        Self {
            bench,
            server,
            rows: rows.collect(),
            verdicts: verdicts.collect(),
        }
    }

    /// Whether every target was reached.
    pub fn is_met(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.met)
    }
}

fn row(entrant: &'static str, jobs: u64, n: usize, rounds: &[Round]) -> Row {
    let own: Vec<Figures> = rounds.iter().map(|round| round[n].clone()).collect();
    let measured = own.first().into_iter().flat_map(BTreeMap::keys);
    let figures = measured.filter_map(|figure| {
        let values: Option<Vec<f64>> = own.iter().map(|turn| turn.get(figure).copied()).collect();
        Some((*figure, Spread::of(values?)))
    });
    let ratios = rounds.iter().map(|round| {
        let (figure, of_first) = round[0].first_key_value()?;
        Some(of_first / round[n].get(figure)?)
    });
    let ratios: Option<Vec<f64>> = ratios.collect();
    Row {
        entrant,
        jobs,
        figures: figures.collect(),
        first_against_it: ratios.filter(|_| n > 0).map(Spread::of),
        rounds: own,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "these numbers are exact in binary")]

    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_middle_ones() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]);
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.0, 3.0));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]).median, 2.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let turn = |speed| Figures::from([(Figure::JobsPerSecond, speed)]);
        let rounds = [
            vec![turn(20.0), turn(10.0)],
            vec![turn(2.0), turn(1.0)],
            vec![turn(9.0), turn(3.0)],
        ];
        let of_the_other = row("other", 9, 1, &rounds).first_against_it.unwrap();
        assert_eq!((of_the_other.median, of_the_other.most), (2.0, 3.0));
        assert_eq!(row("first", 9, 0, &rounds).first_against_it, None);
    }
}
