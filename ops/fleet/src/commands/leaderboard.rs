//! `fleet leaderboard`: the boards, one board's current run, its past runs; and computing it anew.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use fleet_jobs::leaderboard::{
    Board, BoardPage, Entry, Period, Refresh, RunInfo, SubjectKind, Viewer, board_page, history,
    list,
};
use fleet_queue::transitions::enqueue::enqueue;
use serde_json::json;
use uuid::Uuid;

use super::jobs::{follow, tell_end};
use crate::database::{Database, Target, now};
use crate::output::{Cell, Hue, Out, Page, Table, ago, count};

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
                draw_boards(page, &boards)
            })?;
            return Ok(ExitCode::SUCCESS);
        }
        let board = self.choose(&boards)?;
        if self.refresh && !refresh(&database, board, out).await? {
            return Ok(ExitCode::FAILURE);
        }
        match self.runs {
            true => show_runs(&database, board, out).await?,
            false => show_board(&database, board, self.limit, out).await?,
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
    let mut tx = database.begin().await?;
    let job = Refresh::of(board.id).new_job(board.tenant);
    let answer = enqueue(&mut tx, &job).await?;
    tx.commit().await?;
    database.wake(std::slice::from_ref(&job.queue)).await;
    let ended = follow(database, answer.id, out).await?;
    if ended.state == fleet_queue::JobState::Completed {
        return Ok(true);
    }
    tell_end(&ended, out)?;
    Ok(false)
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
        draw_board(page, board, &shown, now)
    })?;
    Ok(())
}

fn draw_board(page: &mut Page, board: &Board, shown: &BoardPage, now: DateTime<Utc>) {
    page.heading(&title(board));
    let Some(run) = &shown.run else {
        return page.line("nothing was published yet; --refresh computes it");
    };
    page.hued(
        Hue::Dim,
        format_args!(
            "{} to {}, {} of {} ranked, from {} rows, {}",
            run.window_start,
            run.window_end,
            count(run.ranked),
            count(run.subjects),
            count(run.rows_read),
            run.published_at
                .map_or("not published".to_owned(), |at| format!(
                    "published {}",
                    ago(now, at)
                ))
        ),
    );
    let mut table = Table::new(&[
        ">RANK", ">MOVE", "WHO", ">SCORE", ">CTR", ">CVR", ">ROAS", "BADGES",
    ]);
    for entry in &shown.entries {
        table.row([
            entry
                .rank
                .map_or(entry.status.clone(), |rank| rank.to_string())
                .into(),
            movement(entry),
            entry.label.as_str().into(),
            entry
                .score
                .map_or(String::new(), |score| format!("{score:.2}"))
                .into(),
            percent(entry, "ctr").into(),
            percent(entry, "cvr").into(),
            figure(entry, "roas")
                .map_or(String::new(), |roas| format!("{roas:.2}"))
                .into(),
            Cell::new(Hue::Yellow, entry.badges.join(" ")),
        ]);
    }
    page.table(&table, "nobody stands on it");
}

fn title(board: &Board) -> String {
    let industry = board
        .industry
        .as_deref()
        .map_or(String::new(), |industry| format!(", {industry}"));
    format!(
        "{} ({}s, {}{industry})",
        board.name,
        board.kind.name(),
        board.period.name()
    )
}

fn movement(entry: &Entry) -> Cell {
    match entry.rank_delta {
        _ if entry.is_new => Cell::new(Hue::Cyan, "new"),
        Some(up @ 1..) => Cell::new(Hue::Green, format!("+{up}")),
        Some(down @ ..=-1) => Cell::new(Hue::Red, down.to_string()),
        _ => "".into(),
    }
}

fn figure(entry: &Entry, name: &str) -> Option<f64> {
    entry.metrics.get(name)?.as_f64()
}

fn percent(entry: &Entry, name: &str) -> String {
    figure(entry, name).map_or(String::new(), |share| format!("{:.2}%", share * 100.0))
}

async fn show_runs(database: &Database, board: &Board, out: Out) -> anyhow::Result<()> {
    let mut tx = database.begin().await?;
    let now = now(&mut tx).await?;
    let runs = history(&mut tx, board.id, None, LIST_MAX).await?;
    out.answer(&json!({ "board": board, "runs": runs }), |page| {
        draw_runs(page, board, &runs, now)
    })?;
    Ok(())
}

fn draw_runs(page: &mut Page, board: &Board, runs: &[RunInfo], now: DateTime<Utc>) {
    page.heading(&title(board));
    let mut table = Table::new(&[
        "RUN", "STATUS", "FROM", "TO", ">RANKED", ">HELD", ">ROWS", ">REFUSED", "COMPUTED",
        "CHECKSUM",
    ]);
    for run in runs {
        table.row([
            run.run_id.to_string().into(),
            run.status.as_str().into(),
            run.window_start.to_string().into(),
            run.window_end.to_string().into(),
            count(run.ranked).into(),
            count(run.held).into(),
            count(run.rows_read).into(),
            count(run.quarantined).into(),
            ago(now, run.started_at).into(),
            run.checksum
                .as_deref()
                .unwrap_or_default()
                .chars()
                .take(12)
                .collect::<String>()
                .into(),
        ]);
    }
    page.table(&table, "it was never computed; --refresh does");
}

fn draw_boards(page: &mut Page, boards: &[Board]) {
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "RANKS",
        "PERIOD",
        "INDUSTRY",
        "TENANT",
        "CURRENT RUN",
    ]);
    for board in boards {
        let optional = |id: Option<Uuid>| id.map_or(String::new(), |id| id.to_string());
        table.row([
            board.id.to_string().into(),
            board.name.as_str().into(),
            format!("{}s", board.kind.name()).into(),
            board.period.name().into(),
            board.industry.as_deref().unwrap_or("all").into(),
            optional(Some(board.tenant.0).filter(|id| !id.is_nil())).into(),
            optional(board.current_run).into(),
        ]);
    }
    page.table(&table, "no leaderboards; `fleet demo` makes some");
}
