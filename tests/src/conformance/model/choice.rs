//! Whether what a claim took is a lawful choice.
//!
//! Lawful is: everything taken may be; a line of alike jobs is taken from its front; nothing is left that the limits let through while
//! there is room in the batch; nothing is left for something less urgent, nor for something younger of the same tenant.
//! Which tenant comes first is the engine's business.

use std::collections::{BTreeMap, BTreeSet};

use fleet_queue::JobId;

use super::limits::Scope;
use super::{Job, Model};
use crate::conformance::call::Want;

/// Seconds a job waits for every priority it gains.
const AGE_STEP_S: i64 = 60;
/// Lines that a claim looks at together: inside so many, the oldest of a tenant goes first whatever line it stands in.
const WINDOW: usize = 16;

impl Model {
    /// Whether an engine may choose these.
    pub(super) fn judge(&self, want: &Want, ids: &[JobId]) -> Result<(), String> {
        if !self.may_claim(want.worker) {
            return Err(format!(
                "{} has no living lease and claims {ids:?}",
                want.worker
            ));
        }
        let ready = self.ready(want);
        let taken: Vec<&Job> = ids
            .iter()
            .filter_map(|id| ready.iter().find(|job| job.new.id == *id).copied())
            .collect();
        let distinct: BTreeSet<JobId> = taken.iter().map(|job| job.new.id).collect();
        if distinct.len() != ids.len() || ids.len() > want.limit {
            let may: Vec<JobId> = ready.iter().map(|job| job.new.id).collect();
            return Err(format!(
                "claimed {ids:?}\n  where at most {} of {may:?} may be",
                want.limit
            ));
        }
        let left: Vec<&Job> = ready
            .iter()
            .filter(|job| !distinct.contains(&job.new.id))
            .copied()
            .collect();
        let choice = Choice {
            model: self,
            want,
            rooms: self.rooms(&ready, want.worker),
            taken,
            left,
        };
        choice.judge()
    }
}

/// A claim's choice: what it took of what it might have taken.
struct Choice<'a> {
    model: &'a Model,
    want: &'a Want,
    rooms: BTreeMap<Scope, i64>,
    taken: Vec<&'a Job>,
    left: Vec<&'a Job>,
}

impl Choice<'_> {
    fn judge(&self) -> Result<(), String> {
        self.keeps_limits()?;
        for left in &self.left {
            let id = left.new.id;
            if self.taken.len() < self.want.limit && self.fits_beside(left, |_| true) {
                return Err(format!(
                    "job {id} is left, with room for it in the batch and under every limit"
                ));
            }
            let front = self
                .taken
                .iter()
                .find(|taken| alike(left, taken) && older(left, taken));
            if let Some(taken) = front {
                return Err(format!(
                    "job {id} is left behind {}, which stood behind it in the same line",
                    taken.new.id
                ));
            }
            let lesser = self
                .taken
                .iter()
                .find(|taken| self.best_level(taken) > left.priority);
            if let Some(taken) = lesser
                .filter(|_| self.fits_beside(left, |taken| self.best_level(taken) <= left.priority))
            {
                return Err(format!(
                    "job {id} is left for {}, which is less urgent",
                    taken.new.id
                ));
            }
            self.goes_before_younger_ones(left)?;
        }
        Ok(())
    }

    fn keeps_limits(&self) -> Result<(), String> {
        for (scope, room) in &self.rooms {
            let used = self.used(scope, |_| true);
            if used > *room {
                return Err(format!(
                    "{used} were claimed where {scope:?} had room for {room}"
                ));
            }
        }
        Ok(())
    }

    /// In one tenant and priority the oldest goes first.
    fn goes_before_younger_ones(&self, left: &Job) -> Result<(), String> {
        let level = |job: &&&Job| job.priority == left.priority;
        let lines: BTreeSet<_> = self
            .taken
            .iter()
            .chain(&self.left)
            .filter(level)
            .map(|job| line(job))
            .collect();
        if self.model.aged || lines.len() > WINDOW {
            return Ok(());
        }
        let tenant = left.new.tenant;
        let younger = self
            .taken
            .iter()
            .filter(level)
            .find(|taken| taken.new.tenant == tenant && older(left, taken));
        match younger {
            Some(younger) if self.fits_beside(left, |taken| taken.new.id != younger.new.id) => {
                Err(format!(
                    "job {} is left for {}, which is younger and of the same tenant",
                    left.new.id, younger.new.id
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether every limit would let this job through beside those of the taken that count.
    fn fits_beside(&self, job: &Job, counts: impl Fn(&Job) -> bool) -> bool {
        let scopes = self.model.scopes(job, self.want.worker);
        scopes
            .iter()
            .all(|scope| self.rooms[scope] > self.used(scope, &counts))
    }

    fn used(&self, scope: &Scope, counts: impl Fn(&Job) -> bool) -> i64 {
        let under =
            |job: &&&Job| counts(job) && self.model.scopes(job, self.want.worker).contains(scope);
        i64::try_from(self.taken.iter().filter(under).count()).unwrap_or(i64::MAX)
    }

    /// The most urgent that a job may count as, having waited as long as it has.
    fn best_level(&self, job: &Job) -> i16 {
        let steps = (self.model.now - job.run_at).num_seconds().max(0) / AGE_STEP_S;
        let gained = if self.model.aged { steps.min(3) } else { 0 };
        (job.priority - i16::try_from(gained).unwrap_or(3)).max(0)
    }
}

/// What jobs of one line have in common.
fn line(job: &Job) -> impl Ord {
    let key = job
        .new
        .rare
        .concurrency
        .as_ref()
        .map(|concurrency| concurrency.key.clone());
    (
        job.new.tenant,
        job.new.kind.clone(),
        job.new.version,
        key,
        job.is_suspect(),
        job.priority,
    )
}

fn alike(a: &Job, b: &Job) -> bool {
    line(a) == line(b)
}

fn older(a: &Job, b: &Job) -> bool {
    (a.run_at, a.new.id) < (b.run_at, b.new.id)
}
