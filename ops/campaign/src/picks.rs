//! Choices that follow from the seed alone.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A stream of choices.
#[derive(Debug)]
pub(crate) struct Picks(StdRng);

impl Picks {
    /// The stream of a seed; `of` tells streams of one campaign apart.
    pub(crate) fn of(seed: u64, of: u64) -> Self {
        Self(StdRng::seed_from_u64(seed ^ of.rotate_left(32)))
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0.random_range(0..n)
    }

    /// True so often in a hundred.
    pub(crate) fn percent(&mut self, n: u32) -> bool {
        self.0.random_range(0..100) < n
    }

    /// A time between two.
    pub(crate) fn between(&mut self, least_ms: u64, most_ms: u64) -> Duration {
        Duration::from_millis(self.0.random_range(least_ms..=most_ms))
    }

    /// One of several, each as likely as its weight.
    pub(crate) fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let all: u32 = choices.iter().map(|(weight, _)| weight).sum();
        let mut left = self.0.random_range(0..all);
        for (weight, choice) in choices {
            if left < *weight {
                return *choice;
            }
            left -= weight;
        }
        unreachable!("the weights add up to what was drawn from")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_choices_and_streams_differ() {
        let drawn = |seed, of| {
            let mut picks = Picks::of(seed, of);
            (0..20).map(|_| picks.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7, 1), drawn(7, 1));
        assert_ne!(drawn(7, 1), drawn(7, 2));
        assert_ne!(drawn(7, 1), drawn(8, 1));
    }

    #[test]
    fn a_weight_of_nothing_is_never_drawn() {
        let mut picks = Picks::of(1, 1);
        assert!((0..100).all(|_| picks.weighted(&[(0, 'a'), (3, 'b')]) == 'b'));
    }
}
