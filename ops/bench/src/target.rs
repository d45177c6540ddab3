//! What is to be reached: a ratio within a round, because machines differ and so do the hours of one machine; or a plain bound.

use serde::Serialize;

use crate::contest::Round;
use crate::figure::Figure;
use crate::report::Spread;

/// A bound on a figure of one entrant, against the others.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What is promised, for people.
    pub(crate) what: &'static str,
    pub(crate) figure: Figure,
    /// The entrant that has to reach it.
    pub(crate) of: usize,
    /// Those it is held against: of several the fastest of the round; of none the figure itself is bounded.
    pub(crate) against: Vec<usize>,
    pub(crate) bound: Bound,
}

/// How a ratio is bounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// Whether a target was reached.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// What is promised.
    pub target: &'static str,
    /// The bound, in words.
    pub wanted: String,
    /// The ratio, or the figure, over the rounds; none where the figure could not be measured here.
    pub seen: Option<Spread>,
    /// Whether its median keeps the bound.
    pub met: bool,
}

impl Target {
    /// Judged by the median of the rounds' ratios.
    pub(crate) fn judge(&self, rounds: &[Round]) -> Verdict {
        let ratios: Option<Vec<f64>> = rounds.iter().map(|round| self.ratio(round)).collect();
        let seen = ratios.map(Spread::of);
        let (wanted, met) = match self.bound {
            Bound::AtLeast(least) => (format!("at least {least}"), holds(seen, |x| x >= least)),
            Bound::AtMost(most) => (format!("at most {most}"), holds(seen, |x| x <= most)),
        };
        Verdict {
            target: self.what,
            wanted,
            seen,
            met,
        }
    }

    fn ratio(&self, round: &Round) -> Option<f64> {
        let own = round[self.of].get(&self.figure)?;
        if self.against.is_empty() {
            return Some(*own);
        }
        let speed = |entrant: usize| round[entrant].get(&Figure::JobsPerSecond).copied();
        let fastest = self.against.iter().copied().max_by(|a, b| {
            let (a, b) = (speed(*a).unwrap_or(0.0), speed(*b).unwrap_or(0.0));
            a.total_cmp(&b)
        })?;
        Some(own / round[fastest].get(&self.figure)?)
    }
}

fn holds(seen: Option<Spread>, keeps: impl Fn(f64) -> bool) -> bool {
    seen.is_some_and(|seen| keeps(seen.median))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "these numbers are exact in binary")]

    use super::*;
    use crate::contest::Figures;

    fn turn(speed: f64, cpu: f64) -> Figures {
        Figures::from([(Figure::JobsPerSecond, speed), (Figure::CpuUsPerJob, cpu)])
    }

    fn target(figure: Figure, bound: Bound) -> Target {
        Target {
            what: "a promise",
            figure,
            of: 0,
            against: vec![1, 2],
            bound,
        }
    }

    #[test]
    fn the_best_of_each_round_is_the_measure() {
        let rounds = [
            vec![turn(30.0, 6.0), turn(20.0, 9.0), turn(10.0, 1.0)],
            vec![turn(30.0, 6.0), turn(10.0, 1.0), turn(15.0, 8.0)],
            vec![turn(40.0, 6.0), turn(10.0, 1.0), turn(20.0, 8.0)],
        ];
        let speed = target(Figure::JobsPerSecond, Bound::AtLeast(2.0)).judge(&rounds);
        assert_eq!(speed.seen.as_ref().unwrap().median, 2.0);
        assert_eq!((speed.met, speed.wanted.as_str()), (true, "at least 2"));
        // The processor time is held against the same, and not against whoever used least.
        let cpu = target(Figure::CpuUsPerJob, Bound::AtMost(0.7)).judge(&rounds);
        assert_eq!(cpu.seen.as_ref().unwrap().median, 0.75);
        assert!(!cpu.met);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let rounds = [vec![turn(1.0, 1.0), turn(1.0, 1.0), turn(1.0, 1.0)]];
        let verdict = target(Figure::WalBytesPerJob, Bound::AtMost(9.0)).judge(&rounds);
        assert!(verdict.seen.is_none() && !verdict.met);
    }
}
