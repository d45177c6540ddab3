//! Demo data at the first start, and the boards and capacities computed from it by real jobs.
//!
//! Safe to interrupt: the boards are made last, so a start that finds none loads again, and one that finds
//! boards without a run asks for their runs again.

use std::time::Duration;

use chrono::Days;
use fleet_jobs::capacity::ScoreAll;
use fleet_jobs::demo::{self, Options};
use fleet_jobs::leaderboard::{self, Board, Period, Refresh};
use fleet_queue::NewJob;
use fleet_queue::read::unfinished;
use fleet_queue::transitions::enqueue::enqueue_many;
use uuid::Uuid;

use crate::database::{Database, now};
use crate::output::{Out, count};

/// Weekly boards get a history, so that climbs, falls and promotions have something to rest on.
const WEEKS: u64 = 5;
const BOARDS_MAX: i64 = 1_000;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is to be made, where.
#[derive(Debug)]
pub(super) struct Demo {
    pub(super) database: Database,
    /// Whether somebody is there to run the jobs.
    pub(super) wait: bool,
    /// The job that makes what the demo's tickets are sorted by, if it is yet to be made.
    pub(super) first_model: Option<Uuid>,
}

impl Demo {
    /// Makes what is missing.
    pub(super) async fn make(&self, out: Out) -> anyhow::Result<()> {
        if self.boards().await?.is_empty() {
            if self.wait {
                let jobs = self.first_model.into_iter().collect();
                self.finish(jobs, "ticket classifier", out).await?;
            }
            self.load(out).await?;
        }
        let mut boards = self.boards().await?;
        boards.retain(|board| board.current_run.is_none());
        if boards.is_empty() {
            return Ok(());
        }
        let jobs = self.enqueue(&boards).await?;
        if self.wait {
            self.follow(jobs, out).await?;
        }
        self.newcomers().await
    }

    /// Clients that come in now, when there are capacities to choose by; where nobody runs jobs yet, they wait for them.
    async fn newcomers(&self) -> anyhow::Result<()> {
        let mut tx = self.database.begin().await?;
        demo::newcomers(&mut tx, &Options::SMALL).await?;
        tx.commit().await?;
        self.database.wake(&["default".to_owned()]).await;
        Ok(())
    }

    async fn boards(&self) -> anyhow::Result<Vec<Board>> {
        let mut tx = self.database.begin().await?;
        Ok(leaderboard::list(&mut tx, None, BOARDS_MAX).await?)
    }

    async fn load(&self, out: Out) -> anyhow::Result<()> {
        let bar = out.progress().bar("demo data", 0);
        let mut conn = self.database.db().acquire("demo.load").await?;
        let report = demo::load(&mut conn, &Options::SMALL, |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await?;
        bar.finish_and_clear();
        out.note(format_args!(
            "made demo data: {} rows of metrics, {} partners, {} bad rows quarantined",
            count(report.rows as i64),
            count(report.partners),
            count(report.refused as i64)
        ));
        Ok(())
    }

    /// A job for each board and window, and one for the capacities. The jobs of a board run one after another, oldest window first: a newer run
    /// looks at the one before it.
    async fn enqueue(&self, boards: &[Board]) -> anyhow::Result<Vec<Uuid>> {
        let mut tx = self.database.begin().await?;
        let today = now(&mut tx).await?.date_naive();
        let jobs: Vec<NewJob> = boards
            .iter()
            .flat_map(|board| refreshes(board, today).map(|refresh| job(board, &refresh)))
            .chain([NewJob::of(&ScoreAll::default())])
            .collect();
        let answers = enqueue_many(&mut tx, &jobs).await?;
        tx.commit().await?;
        let mut queues: Vec<_> = jobs.into_iter().map(|job| job.queue).collect();
        queues.dedup();
        self.database.wake(&queues).await;
        Ok(answers.into_iter().map(|answer| answer.id.0).collect())
    }

    /// Waits until these have ended, whatever became of them.
    async fn finish(
        &self,
        mut jobs: Vec<Uuid>,
        what: &'static str,
        out: Out,
    ) -> anyhow::Result<()> {
        let bar = out.progress().bar(what, jobs.len() as u64);
        let all = jobs.len();
        while !jobs.is_empty() {
            tokio::time::sleep(LOOK_EVERY).await;
            let mut tx = self.database.begin().await?;
            jobs = unfinished(&mut tx, &jobs).await?;
            bar.set_position((all - jobs.len()) as u64);
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn follow(&self, jobs: Vec<Uuid>, out: Out) -> anyhow::Result<()> {
        let all = jobs.len();
        self.finish(jobs, "leaderboards", out).await?;
        let unpublished = self
            .boards()
            .await?
            .iter()
            .filter(|board| board.current_run.is_none())
            .count();
        match unpublished {
            0 => out.note(format_args!(
                "computed the leaderboards and capacities, by {all} jobs"
            )),
            n => out.note(format_args!(
                "{n} leaderboards were not published; `jobs ls --kind leaderboard.refresh` says why"
            )),
        }
        Ok(())
    }
}

/// The windows of a board to compute, oldest first; the last is the latest there is.
fn refreshes(board: &Board, today: chrono::NaiveDate) -> impl Iterator<Item = Refresh> {
    let back = if board.period == Period::Week {
        WEEKS - 1
    } else {
        0
    };
    let latest = board.period.window(None, today).map(|window| window.end);
    let id = board.id;
    (0..=back).rev().map(move |weeks| Refresh {
        window_end: latest
            .filter(|_| weeks > 0)
            .map(|end| end - Days::new(7 * weeks)),
        ..Refresh::of(id)
    })
}

fn job(board: &Board, refresh: &Refresh) -> NewJob {
    refresh
        .new_job(board.tenant)
        .concurrency(format!("leaderboard {}", board.id), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weekly_board_is_computed_week_by_week_and_ends_with_the_latest() {
        let today = "2026-11-21".parse().expect("a date");
        let board = |period| Board {
            tenant: fleet_queue::TenantId::PLATFORM,
            id: Uuid::nil(),
            name: String::new(),
            kind: leaderboard::SubjectKind::Partner,
            period,
            industry: None,
            criteria: serde_json::Value::Null,
            current_run: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
        };
        let ends = |period| -> Vec<_> {
            refreshes(&board(period), today)
                .map(|refresh| refresh.window_end.map(|end| end.to_string()))
                .collect()
        };
        let weeks = ["2026-10-19", "2026-10-26", "2026-11-02", "2026-11-09"];
        let expected: Vec<_> = weeks
            .iter()
            .map(|end| Some((*end).to_owned()))
            .chain([None])
            .collect();
        assert_eq!(ends(Period::Week), expected);
        assert_eq!(ends(Period::Rolling30d), [None]);
    }
}
