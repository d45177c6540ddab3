//! The best partners for many clients: the solver is asked once for each weight. Pure.
//!
//! The heaviest come first, because a slot is as wide as a client: within one weight nothing better exists.

use super::choose::OpenTo;
use super::client::{Client, WEIGHTS};
use super::desk::Desk;
use super::fit::Parts;
use super::rationale::Rules;
use super::solve::{Costs, solve};

/// The best partner for each, weight by weight: what the heavier take the lighter find gone.
pub(super) fn optimum(
    clients: &[Client],
    desks: &[Desk],
    open_to: &[OpenTo],
    rules: &Rules,
) -> Vec<Option<usize>> {
    let settings = &rules.settings;
    let mut chosen = vec![None; clients.len()];
    let mut room: Vec<f64> = desks.iter().map(|desk| desk.cap - desk.load).collect();
    for weight in WEIGHTS {
        let of_weight =
            |row: &usize| (clients[*row].weight(settings) - weight).abs() < f64::EPSILON;
        let rows: Vec<usize> = (0..clients.len()).filter(of_weight).collect();
        if rows.is_empty() {
            continue;
        }
        let slots: Vec<usize> = room
            .iter()
            .map(|room| ((room + 0.001) / weight).max(0.0) as usize)
            .collect();
        let costs = costs(clients, desks, open_to, rules, &rows);
        for (row, column) in rows.iter().zip(solve(&costs, &slots)) {
            chosen[*row] = column;
            if let Some(column) = column {
                room[column] -= weight;
            }
        }
    }
    chosen
}

/// Minus the scores, for the rows that are asked for.
fn costs(
    clients: &[Client],
    desks: &[Desk],
    open_to: &[OpenTo],
    rules: &Rules,
    rows: &[usize],
) -> Costs {
    let mut cells = vec![f64::INFINITY; rows.len() * desks.len()];
    for (at, row) in rows.iter().enumerate() {
        for &column in &open_to[*row].partners {
            let parts = Parts::of(&clients[*row], &desks[column], &rules.settings);
            cells[at * desks.len() + column] = -parts.total(&rules.settings.weights);
        }
    }
    Costs::of(rows.len(), desks.len(), |row, column| {
        cells[row * desks.len() + column]
    })
}
