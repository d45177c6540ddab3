//! `fleet leaderboard`: the boards, one board's current run, its past runs; and computing it anew.

mod draw;

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::Args;
use fleet_jobs::leaderboard::{
    Board, Period, Refresh, SubjectKind, Viewer, board_page, history, list,
};
use serde_json::json;

use super::jobs::run_job;
use crate::database::{Database, Target, now};
use crate::output::Out;

/// Boards and past runs listed at most.
const LIST_MAX: i64 = 200;

/// Show the leaderboards, one of them, or its past runs; compute one anew
#[derive(Args, Debug)]
pub(crate) struct Leaderboard {
    #[command(flatten)]
    target: Target,
    /// The board: its id, its name, or what it ranks [default: partners over the rolling 30 days]
    board: Option<String>,
    /// List every board instead
    #[arg(long, conflicts_with_all = ["board", "period", "runs", "refresh"])]
    all: bool,
    /// Of the boards of that name or kind, the one of this period: day, week, month, rolling_30d, all
    #[arg(long, value_parser = period)]
    period: Option<Period>,
    /// At most so many entries
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: i32,
    /// Show its past runs instead
    #[arg(long, conflicts_with = "refresh")]
    runs: bool,
    /// Have it computed anew first, by a job
    #[arg(long)]
    refresh: bool,
}

fn period(text: &str) -> Result<Period, String> {
    Period::named(text).ok_or_else(|| "is one of day, week, month, rolling_30d, all".to_owned())
}

impl Leaderboard {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let database = self.target.connect().await?;
        let boards = list(&mut *database.begin().await?, None, LIST_MAX).await?;
        if self.all {
            out.answer(&json!({ "boards": boards }), |page| {
                draw::boards(page, &boards);
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        let board = self.choose(&boards)?;
        if self.refresh && !refresh(&database, board, out).await? {
            return Ok(ExitCode::FAILURE);
        }
        if self.runs {
            show_runs(&database, board, out).await?;
        } else {
            show_board(&database, board, self.limit, out).await?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The board that is meant; ambiguity is refused with the candidates.
    fn choose<'b>(&self, boards: &'b [Board]) -> anyhow::Result<&'b Board> {
        let named = self.board.as_deref();
        let period = self
            .period
            .or(named.is_none().then_some(Period::Rolling30d));
        let name = named.unwrap_or(SubjectKind::Partner.name());
        let fits = |board: &&Board| {
            is_called(board, name) && period.is_none_or(|period| board.period == period)
        };
        let found: Vec<_> = boards.iter().filter(fits).collect();
        // Among boards that fit alike, the platform's own over all industries is the one usually meant.
        let main = found.iter().filter(|board| {
            board.industry.is_none() && board.tenant == fleet_queue::TenantId::PLATFORM
        });
        match (found.as_slice(), main.collect::<Vec<_>>().as_slice()) {
            ([], _) => Err(anyhow!(
                "no leaderboard is called \"{name}\"; `fleet leaderboard --all` lists those there are"
            )),
            ([one], _) => Ok(*one),
            (_, [one]) => Ok(**one),
            (several, _) => bail!(
                "{} boards fit \"{name}\"; say which by --period or by id: {}",
                several.len(),
                candidates(several)
            ),
        }
    }
}

fn is_called(board: &Board, name: &str) -> bool {
    let same = |text: &str| text.eq_ignore_ascii_case(name);
    board.id.to_string() == name
        || same(&board.name)
        || same(board.kind.name())
        || same(&format!("{}s", board.kind.name()))
}

fn candidates(boards: &[&Board]) -> String {
    let said: Vec<_> = boards
        .iter()
        .map(|board| format!("{} ({}, {})", board.name, board.period.name(), board.id))
        .collect();
    said.join("; ")
}

/// Enqueues the refresh and follows it; false where it did not complete.
async fn refresh(database: &Database, board: &Board, out: Out) -> anyhow::Result<bool> {
    let tx = database.begin().await?;
    let job = Refresh::of(board.id).new_job(board.tenant);
    run_job(database, tx, &job, out).await
}

async fn show_board(
    database: &Database,
    board: &Board,
    limit: i32,
    out: Out,
) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let shown = board_page(&mut tx, board.id, Viewer::Admin, None, limit).await?;
    let shown = shown.ok_or_else(|| anyhow!("there is no leaderboard {}", board.id))?;
    out.answer(&json!({ "board": board, "page": shown }), |page| {
        draw::board(page, board, &shown, now);
    })?;
    Ok(())
}

async fn show_runs(database: &Database, board: &Board, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let runs = history(&mut tx, board.id, None, LIST_MAX).await?;
    out.answer(&json!({ "board": board, "runs": runs }), |page| {
        draw::runs(page, board, &runs, now);
    })?;
    Ok(())
}
