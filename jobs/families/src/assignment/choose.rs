//! Among whom a client's partner is chosen: who is ruled out and why, and the best of the rest. Pure.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::client::Client;
use super::desk::{Desk, Filter};
use super::fit::Parts;
use super::settings::Settings;

/// Partners that are out of the question for one client, whatever they are.
#[derive(Clone, Debug)]
pub(super) struct Barred<'a> {
    /// The caller, or a person before, would not have them.
    pub(super) excluded: HashSet<Uuid>,
    /// A competitor is there, and one of the two asked for exclusivity.
    pub(super) rivals: &'a HashSet<Uuid>,
}

/// Where a client could go.
pub(super) struct OpenTo {
    /// Places in the list of partners.
    pub(super) partners: Vec<usize>,
    /// How many each filter removed.
    pub(super) removed: Vec<(Filter, i64)>,
}

/// The partners that a client could go to: for one of high value the senior ones, or else those that stand high.
pub(super) fn open_to(
    client: &Client,
    desks: &[Desk],
    settings: &Settings,
    barred: &Barred<'_>,
) -> OpenTo {
    let weight = client.weight(settings);
    let (mut partners, mut removed) = (Vec::new(), BTreeMap::new());
    for (at, desk) in desks.iter().enumerate() {
        match desk.ruled_out(client, weight, barred) {
            Some(filter) => *removed.entry(filter).or_default() += 1,
            None => partners.push(at),
        }
    }
    if client.is_high_value(settings) {
        let any_senior = partners.iter().any(|&at| desks[at].is_senior());
        let fitting = partners.len();
        let filter = if any_senior {
            partners.retain(|&at| desks[at].is_senior());
            Filter::NotSenior
        } else {
            partners.retain(|&at| desks[at].is_among_top(settings.top_share));
            Filter::NotAmongTop
        };
        if partners.len() < fitting {
            removed.insert(filter, (fitting - partners.len()) as i64);
        }
    }
    OpenTo {
        partners,
        removed: removed.into_iter().collect(),
    }
}

/// Of the partners that a client could go to those with the highest scores, at most `most`, the best first; of two alike that with the
/// lower id.
pub(super) fn best(
    client: &Client,
    desks: &[Desk],
    open: &OpenTo,
    settings: &Settings,
    most: usize,
) -> Vec<usize> {
    let score = |at: usize| Parts::of(client, &desks[at], settings).total(&settings.weights);
    let mut open: Vec<(f64, usize)> = open.partners.iter().map(|&at| (score(at), at)).collect();
    let higher = |a: &(f64, usize), b: &(f64, usize)| {
        let ids = || desks[a.1].partner_id.cmp(&desks[b.1].partner_id);
        b.0.total_cmp(&a.0).then_with(ids)
    };
    if open.len() > most {
        open.select_nth_unstable_by(most, higher);
        open.truncate(most);
    }
    open.sort_by(higher);
    open.into_iter().map(|(_, at)| at).collect()
}
