//! The batch's solver on large cases: no exchange betters what it finds, and scipy, where `FLEET_SCIPY` names a python that has it, finds
//! nothing better either.

use std::io::Write;
use std::process::{Command, Stdio};

use fleet_jobs::assignment::{Costs, solve};

/// Reads clients, partners, slots and costs; columns are as many as there are slots.
const ORACLE: &str = "
import sys, numpy
from scipy.optimize import linear_sum_assignment
rows, columns = map(int, sys.stdin.readline().split())
slots = numpy.array(sys.stdin.readline().split(), dtype=int)
costs = numpy.array(sys.stdin.read().split(), dtype=float).reshape(rows, columns)
wide = numpy.repeat(costs, numpy.minimum(slots, rows), axis=1)
at, to = linear_sum_assignment(wide)
print(len(at), repr(float(wide[at, to].sum())))
";

/// A sequence that is the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn scipy(python: &str, costs: &Costs, rows: usize, slots: &[usize]) -> (usize, f64) {
    let mut child = Command::new(python)
        .args(["-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = format!("{rows} {}\n", slots.len());
    text += &slots
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ");
    text.push('\n');
    for row in 0..rows {
        text += &costs
            .row(row)
            .iter()
            .map(|cost| format!("{cost:e}"))
            .collect::<Vec<_>>()
            .join(" ");
        text.push('\n');
    }
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let out = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    let (count, sum) = out.trim().split_once(' ').unwrap();
    (count.parse().unwrap(), sum.parse().unwrap())
}

/// A client moved to a free slot, or two that change places, costs no less.
fn cannot_be_bettered(costs: &Costs, found: &[Option<usize>], slots: &[usize]) {
    let mut left = slots.to_vec();
    for column in found.iter().flatten() {
        left[*column] = left[*column].checked_sub(1).expect("a slot of its own");
    }
    let pairs: Vec<(&[f64], usize)> = found
        .iter()
        .enumerate()
        .filter_map(|(row, column)| Some((costs.row(row), (*column)?)))
        .collect();
    for (at, (row, column)) in pairs.iter().enumerate() {
        let free = (0..left.len()).filter(|&to| left[to] > 0);
        for to in free {
            assert!(row[*column] <= row[to] + 1e-9, "{column} to {to}");
        }
        for (other, to) in &pairs[..at] {
            let now = row[*column] + other[*to];
            assert!(now <= row[*to] + other[*column] + 1e-9, "{column} and {to}");
        }
    }
}

fn sum(costs: &Costs, found: &[Option<usize>]) -> (usize, f64) {
    let pairs = found.iter().enumerate();
    let costs = pairs.filter_map(|(row, column)| Some(costs.row(row)[(*column)?]));
    costs.fold((0, 0.0), |(count, sum), cost| (count + 1, sum + cost))
}

#[test]
fn nothing_betters_what_the_solver_finds() {
    let python = std::env::var("FLEET_SCIPY").ok();
    for (rows, columns, most) in [(40, 60, 3), (120, 30, 6), (200, 400, 2), (500, 2000, 8)] {
        let mut dice = Dice(rows as u64);
        // Popular partners are popular with all, as real ones are.
        let liked: Vec<f64> = (0..columns).map(|_| dice.roll()).collect();
        let costs = Costs::of(rows, columns, |_, column| {
            -(0.7 * liked[column] + 0.3 * dice.roll())
        });
        let mut dice = Dice(7);
        let slots: Vec<usize> = (0..columns)
            .map(|_| (dice.roll() * most as f64) as usize)
            .collect();
        let begun = std::time::Instant::now();
        let found = solve(&costs, &slots);
        let took = begun.elapsed();
        let (count, total) = sum(&costs, &found);
        assert_eq!(count, rows.min(slots.iter().sum()));
        cannot_be_bettered(&costs, &found, &slots);
        if let Some(python) = &python {
            let (most, least) = scipy(python, &costs, rows, &slots);
            println!("{rows} x {columns}: {count} assigned, {total} against {least}, in {took:?}");
            assert_eq!(count, most);
            assert!((total - least).abs() < 1e-6);
        }
    }
}
