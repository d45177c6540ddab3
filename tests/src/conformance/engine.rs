//! The real engine behind the same calls: one session with a pinned clock, and the claims it was given.

use std::collections::HashMap;
use std::time::Duration;

use fleet_queue::limits::{remove_limit, set_limit, set_queue, set_weight};
use fleet_queue::transitions::{
    cancel, claim, enqueue, pause, progress, promote, prune, renew, reschedule, rescue, resume,
    retry, settle,
};
use fleet_queue::wake::worth_a_claim;
use fleet_queue::workers::{self, Introduction};
use fleet_queue::{
    Claim, ClaimRequest, Connection, Error, JobId, Outcome, Settlement, Turns, WorkerId, upkeep,
};
use serde_json::json;

use super::call::{Answer, Call, Held, Quiet, Refusal, Want};
use crate::TestDb;

/// Length of a lease.
pub(super) const LEASE: Duration = Duration::from_secs(8);
/// How long ended jobs are kept.
pub(super) const KEEP_DAYS: i32 = 30;
/// More than any sequence has jobs.
const ALL: i64 = 10_000;

/// The engine over PostgreSQL.
pub struct Engine {
    pub(super) conn: Connection,
    claims: HashMap<(WorkerId, i64, JobId), Claim>,
    turns: HashMap<(WorkerId, String), Turns>,
}

impl Engine {
    /// The engine of a database, over a session of its own.
    ///
    /// # Panics
    /// Where the database is out of reach.
    pub async fn of(db: &TestDb) -> Self {
        let conn = db.db.connect("tests.conformance").await;
        Self {
            conn: conn.expect("the test's database answers"),
            claims: HashMap::new(),
            turns: HashMap::new(),
        }
    }

    /// Makes the database as it was before any call; quicker than a new one.
    ///
    /// # Panics
    /// Where a table is missing.
    pub async fn wipe(&mut self) {
        self.claims.clear();
        self.turns.clear();
        let tables = [
            "job",
            "job_history",
            "attempt",
            "job_dependency",
            "unique_window",
            "queue",
            "tenant_weight",
            "pause",
            "lane",
            "arrival",
            "limit_rule",
            "bucket",
            "bucket_release",
            "worker",
            "cancel_signal",
            "flow",
            "counter",
            "total",
        ];
        let deletes = tables.map(|table| format!("DELETE FROM fleet.{table};"));
        let sql = deletes.concat();
        let wiped = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut self.conn)
            .await;
        wiped.expect("every table is there");
    }

    pub(super) async fn carry_out(&mut self, call: &Call) -> Answer {
        let answer = match call {
            Call::Claim(want) => self.claim(want).await,
            Call::Settle(settlements) => self.settle(settlements).await,
            Call::Progress(held) => self.progress(held).await,
            Call::Enqueue(jobs) => enqueue::enqueue_many(&mut self.conn, jobs)
                .await
                .map(Answer::Enqueued),
            Call::At(_)
            | Call::Register(_)
            | Call::Renew(_)
            | Call::Depart(_)
            | Call::GiveBack { .. }
            | Call::Review(..) => self.live(call).await,
            Call::Cancel(_) | Call::Retry(_) | Call::Reschedule(..) | Call::Reprioritize(..) => {
                self.steer(call).await
            }
            Call::Promote
            | Call::Expire
            | Call::Age
            | Call::Rescue
            | Call::Quiet(_)
            | Call::Clear
            | Call::Prune => self.keep(call).await,
            _ => self.restrain(call).await,
        };
        answer.unwrap_or_else(|error| Answer::Refused(refusal(&error)))
    }

    async fn claim(&mut self, want: &Want) -> Result<Answer, Error> {
        let request = ClaimRequest {
            worker: want.worker,
            token: want.token,
            queue: &want.queue,
            limit: want.limit,
            kinds: &want.kinds,
        };
        let turns = self
            .turns
            .entry((want.worker, want.queue.clone()))
            .or_default();
        let queues = [want.queue.clone()];
        let worth = worth_a_claim(&mut self.conn, want.worker, &queues, &want.kinds).await?;
        let claimed = claim::claim(&mut self.conn, request, turns).await?;
        if worth.is_empty() && !claimed.is_empty() {
            let problem = "a worker that rests would not have asked for what it was given";
            return Ok(Answer::Refused(Refusal::Unexpected(problem.to_owned())));
        }
        let note = |(claim, job): (Claim, fleet_queue::Claimed)| {
            let held = Held {
                job: claim.id(),
                worker: claim.worker(),
                token: claim.token(),
                attempt: job.attempt,
                max_attempts: job.max_attempts,
            };
            self.claims
                .insert((held.worker, held.token, held.job), claim);
            held
        };
        Ok(Answer::Claimed(claimed.into_iter().map(note).collect()))
    }

    async fn settle(&mut self, asked: &[(Held, Outcome)]) -> Result<Answer, Error> {
        let mut settlements = Vec::new();
        for (held, outcome) in asked {
            settlements.push(Settlement {
                claim: self.take(held),
                outcome: outcome.clone(),
                attempt: held.attempt,
                max_attempts: held.max_attempts,
            });
        }
        let settled = settle::settle(&mut self.conn, &settlements).await;
        // Kept, because a stale holder may try again and again.
        for settlement in settlements {
            self.keep_claim(settlement.claim);
        }
        settled.map(Answer::Settled)
    }

    async fn progress(&mut self, held: &Held) -> Result<Answer, Error> {
        let claim = self.take(held);
        let settled = progress::progress(&mut self.conn, &claim, &json!("on its way")).await;
        self.keep_claim(claim);
        settled.map(|settled| Answer::Settled(vec![settled]))
    }

    fn take(&mut self, held: &Held) -> Claim {
        let key = (held.worker, held.token, held.job);
        self.claims.remove(&key).expect("a claim that was given")
    }

    fn keep_claim(&mut self, claim: Claim) {
        self.claims
            .insert((claim.worker(), claim.token(), claim.id()), claim);
    }

    /// Calls of a worker about itself.
    async fn live(&mut self, call: &Call) -> Result<Answer, Error> {
        let conn = &mut self.conn;
        Ok(match call {
            Call::At(now) => {
                let pinned =
                    sqlx::query("SELECT set_config('fleet.now', $1, false)").bind(now.to_rfc3339());
                pinned.execute(conn).await.expect("the session answers");
                Answer::Done
            }
            Call::Register(id) => {
                workers::register(conn, &introduction(*id), LEASE).await?;
                Answer::Done
            }
            Call::Renew(id) => {
                let mut renewed = renew::renew(conn, *id, LEASE, renew::Pulse::default()).await?;
                renewed.cancel.sort();
                Answer::Signals(renewed.cancel)
            }
            Call::Depart(id) => Answer::Count(workers::depart(conn, *id).await?),
            Call::GiveBack {
                worker,
                queue,
                token,
            } => Answer::Count(claim::give_back(conn, *worker, queue, *token).await?),
            Call::Review(id, claims) => {
                let mut standing = renew::review(conn, *id, claims).await?;
                standing.sort();
                Answer::Standing(standing)
            }
            _ => Answer::Done,
        })
    }

    /// Calls of people about one job.
    async fn steer(&mut self, call: &Call) -> Result<Answer, Error> {
        let conn = &mut self.conn;
        Ok(match call {
            Call::Cancel(id) => Answer::Cancelled(cancel::cancel(conn, *id, Some("asked")).await?),
            Call::Retry(id) => Answer::Retried(retry::retry(conn, *id).await?),
            Call::Reschedule(id, at) => {
                Answer::Found(reschedule::reschedule(conn, *id, *at).await?)
            }
            Call::Reprioritize(id, priority) => {
                Answer::Found(reschedule::reprioritize(conn, *id, *priority).await?)
            }
            _ => Answer::Done,
        })
    }

    /// Calls of the upkeep.
    async fn keep(&mut self, call: &Call) -> Result<Answer, Error> {
        let conn = &mut self.conn;
        match call {
            Call::Promote => {
                return Ok(Answer::Count(
                    promote::promote(conn, None, ALL).await?.available,
                ));
            }
            Call::Expire => return Ok(Answer::Count(promote::expire(conn, ALL).await?)),
            Call::Rescue => return Ok(Answer::Rescued(rescue::rescue(conn, LEASE).await?)),
            Call::Age => drop(promote::age(conn).await?),
            Call::Clear => drop(upkeep::clear_leftovers(conn).await?),
            Call::Quiet(Quiet::Sweep) => drop(upkeep::sweep_lanes(conn).await?),
            Call::Quiet(Quiet::Retire) => drop(upkeep::retire_lanes(conn).await?),
            Call::Quiet(Quiet::Fold) => drop(upkeep::fold_counters(conn, ALL).await?),
            Call::Prune => drop(prune::prune(conn, KEEP_DAYS, ALL).await?),
            _ => {}
        }
        Ok(Answer::Done)
    }

    /// Calls that steer the claim.
    async fn restrain(&mut self, call: &Call) -> Result<Answer, Error> {
        let conn = &mut self.conn;
        match call {
            Call::Pause(scope, name, until) => {
                let (reason, by) = ("a test", "a tester");
                pause::pause(
                    conn,
                    pause::Pause {
                        scope: *scope,
                        name,
                        reason,
                        by,
                        until: *until,
                    },
                )
                .await?;
            }
            Call::Resume(scope, name) => {
                // A pause that is over may have been cleared or not: the answer says nothing that counts.
                resume::resume(conn, *scope, name).await?;
            }
            Call::SetLimit(rule) => set_limit(conn, rule).await?,
            Call::RemoveLimit(name) => return Ok(Answer::Found(remove_limit(conn, name).await?)),
            Call::SetWeight(tenant, weight) => set_weight(conn, *tenant, *weight).await?,
            Call::SetDepth(queue, max) => set_queue(conn, queue, *max, 60).await?,
            _ => {}
        }
        Ok(Answer::Done)
    }
}

fn introduction(id: WorkerId) -> Introduction {
    Introduction {
        id,
        host: "test".into(),
        pid: 1,
        version: "test".into(),
        queues: [("q0".to_owned(), 100)].into(),
        kinds: vec!["k0".into(), "k1".into()],
        capacity: 100,
    }
}

fn refusal(error: &Error) -> Refusal {
    match error {
        Error::LeaseLost(_) => Refusal::LeaseLost,
        Error::WrongState { state, .. } => Refusal::WrongState(*state),
        Error::Invalid { field, .. } => Refusal::Invalid(field),
        error if error.sqlstate().as_deref() == Some("FL003") => Refusal::Dependency,
        error => Refusal::Unexpected(format!("{error}: {:?}", std::error::Error::source(error))),
    }
}
