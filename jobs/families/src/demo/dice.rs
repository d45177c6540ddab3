//! Chance with a memory: every figure is drawn from the seed and its own place, never from what was drawn before it.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

/// Draws for one thing: a partner, a campaign, a row.
pub(super) struct Dice(StdRng);

impl Dice {
    /// The dice of the `index`th thing of a kind.
    pub(super) fn of(seed: u64, kind: &str, index: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&index.to_le_bytes());
        for (slot, byte) in bytes[16..].iter_mut().zip(kind.bytes()) {
            *slot = byte;
        }
        Self(StdRng::from_seed(bytes))
    }

    /// Between 0 and 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the choices.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A whole number below `limit`, which must not be 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0.random_range(0..limit)
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Log-normal around 1 with this spread.
    pub(super) fn spread(&mut self, deviation: f64) -> f64 {
        (deviation * self.normal()).exp()
    }

    /// How many of `trials` succeed: exactly for small numbers, by the normal law for large ones.
    pub(super) fn successes(&mut self, trials: i64, rate: f64) -> i64 {
        let expected = trials as f64 * rate;
        if expected < 15.0 {
            return self.rare(trials, expected);
        }
        if trials as f64 - expected < 15.0 {
            return trials - self.rare(trials, trials as f64 - expected);
        }
        let deviation = (expected * (1.0 - rate)).sqrt();
        ((expected + deviation * self.normal()).round() as i64).clamp(0, trials)
    }

    /// Poisson by multiplying chances, cut off at `most`.
    fn rare(&mut self, most: i64, expected: f64) -> i64 {
        let limit = (-expected.min(700.0)).exp();
        let (mut count, mut product) = (0, self.unit());
        while product > limit && count < most {
            count += 1;
            product *= self.unit();
        }
        count
    }

    /// A random UUID.
    pub(super) fn id(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.0.random()).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_place_draws_the_same() {
        let draw = |seed, kind, index| Dice::of(seed, kind, index).id();
        assert_eq!(draw(1, "partner", 7), draw(1, "partner", 7));
        assert_ne!(draw(1, "partner", 7), draw(1, "partner", 8));
        assert_ne!(draw(1, "partner", 7), draw(1, "client", 7));
        assert_ne!(draw(1, "partner", 7), draw(2, "partner", 7));
    }

    #[test]
    fn successes_have_the_right_mean_and_stay_within_the_trials() {
        for (trials, rate) in [
            (50, 0.02),
            (5_000, 0.03),
            (1_000, 0.5),
            (20, 0.99),
            (0, 0.5),
        ] {
            let mut dice = Dice::of(1, "test", trials as u64);
            let draws: Vec<_> = (0..4_000).map(|_| dice.successes(trials, rate)).collect();
            assert!(draws.iter().all(|draw| (0..=trials).contains(draw)));
            let mean = draws.iter().sum::<i64>() as f64 / 4_000.0;
            let expected = trials as f64 * rate;
            assert!(
                (mean - expected).abs() <= 0.1 * expected.sqrt() + 1.0,
                "{trials} {rate}: {mean}"
            );
        }
    }
}
