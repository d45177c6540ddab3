//! Scores some partners anew: gathers, computes, stores, and goes over those again that somebody else stored in between.

use std::collections::HashSet;
use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::gather::{Gathered, gather};
use super::level::Level;
use super::record::{Computed, record};
use super::settings::Settings;
use crate::settings::{SettingsError, Version};

/// Partners in a statement.
pub const CHUNK: usize = 500;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rescored {
    /// Partners whose capacity was stored.
    pub scored: u64,
    /// Of those, how many are near full, or full.
    pub near_full: u64,
    /// Partners that had a later computation already.
    pub overtaken: u64,
}

impl AddAssign for Rescored {
    fn add_assign(&mut self, other: Self) {
        self.scored += other.scored;
        self.near_full += other.near_full;
        self.overtaken += other.overtaken;
    }
}

/// Scores the partners in the caller's transaction, which must read what others commit meanwhile (`READ COMMITTED`).
pub async fn rescore(
    conn: &mut PgConnection,
    partners: &[Uuid],
    as_of: DateTime<Utc>,
) -> Result<Rescored, SettingsError> {
    let mut left: Vec<Uuid> = partners.to_vec();
    let mut done = Rescored::default();
    // Ends: each round that leaves somebody was somebody else's success, and one of a later moment is not gone over again.
    while !left.is_empty() {
        let (gathered, version) = gather(conn, &left, as_of).await?;
        let (late, due): (Vec<_>, Vec<_>) = gathered
            .into_iter()
            .partition(|partner| has_later(partner, as_of));
        done.overtaken += late.len() as u64;
        left = turn(conn, due, &version, as_of, &mut done).await?;
    }
    Ok(done)
}

/// Whether a computation of a later moment is stored. It read after that moment, so it has seen all that this one would.
fn has_later(partner: &Gathered, as_of: DateTime<Utc>) -> bool {
    let before = partner.before.as_ref();
    before.is_some_and(|before| before.computed_at > as_of)
}

/// Computes and stores once; gives the partners that must be gone over again.
async fn turn(
    conn: &mut PgConnection,
    due: Vec<Gathered>,
    version: &Version<Settings>,
    as_of: DateTime<Utc>,
    done: &mut Rescored,
) -> Result<Vec<Uuid>, sqlx::Error> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<Uuid> = due.iter().map(|partner| partner.partner).collect();
    let computed: Vec<Computed> = due
        .into_iter()
        .map(|partner| Computed::of(partner, &version.settings))
        .collect();
    let stored: HashSet<Uuid> = record(conn, &computed, version, as_of)
        .await?
        .into_iter()
        .collect();
    done.scored += stored.len() as u64;
    let full = all
        .iter()
        .zip(&computed)
        .filter(|(partner, computed)| stored.contains(partner) && computed.level > Level::Open);
    done.near_full += full.count() as u64;
    Ok(all
        .into_iter()
        .filter(|partner| !stored.contains(partner))
        .collect())
}
