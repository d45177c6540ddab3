//! Boards, entries and runs as people read them.

use chrono::{DateTime, Utc};
use fleet_jobs::leaderboard::{Board, BoardPage, Entry, RunInfo};

use crate::output::{Cell, Hue, Page, Table, ago, blank_or, count};

/// As much of a checksum as tells two runs apart at a glance.
const CHECKSUM_SHOWN: usize = 12;

pub(super) fn board(page: &mut Page, board: &Board, shown: &BoardPage, now: DateTime<Utc>) {
    page.heading(&title(board));
    let Some(run) = &shown.run else {
        return page.line("nothing was published yet; --refresh computes it");
    };
    page.hued(Hue::Dim, summary(run, now));
    let mut table = Table::new(&[
        ">RANK", ">MOVE", "WHO", ">SCORE", ">CTR", ">CVR", ">ROAS", "BADGES",
    ]);
    for entry in &shown.entries {
        let percent =
            |name| blank_or(figure(entry, name).map(|share| format!("{:.2}%", share * 100.0)));
        let plain = |value: Option<f64>| blank_or(value.map(|value| format!("{value:.2}")));
        table.row([
            entry
                .rank
                .map_or(entry.status.clone(), |rank| rank.to_string())
                .into(),
            movement(entry),
            entry.label.as_str().into(),
            plain(entry.score).into(),
            percent("ctr").into(),
            percent("cvr").into(),
            plain(figure(entry, "roas")).into(),
            Cell::new(Hue::Yellow, entry.badges.join(" ")),
        ]);
    }
    page.table(&table, "nobody stands on it");
}

fn title(board: &Board) -> String {
    let industry = blank_or(
        board
            .industry
            .as_ref()
            .map(|industry| format!(", {industry}")),
    );
    format!(
        "{} ({}s, {}{industry})",
        board.name,
        board.kind.name(),
        board.period.name()
    )
}

fn summary(run: &RunInfo, now: DateTime<Utc>) -> String {
    let published = run
        .published_at
        .map(|at| format!(", published {}", ago(now, at)));
    format!(
        "{} to {}, {} of {} ranked, from {} rows{}",
        run.window_start,
        run.window_end,
        count(run.ranked),
        count(run.subjects),
        count(run.rows_read),
        blank_or(published),
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

pub(super) fn runs(page: &mut Page, board: &Board, runs: &[RunInfo], now: DateTime<Utc>) {
    page.heading(&title(board));
    let mut table = Table::new(&[
        "RUN", "STATUS", "FROM", "TO", ">RANKED", ">HELD", ">ROWS", ">REFUSED", "COMPUTED",
        "CHECKSUM",
    ]);
    for run in runs {
        let checksum = run.checksum.iter().flat_map(|text| text.chars());
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
            checksum.take(CHECKSUM_SHOWN).collect::<String>().into(),
        ]);
    }
    page.table(&table, "it was never computed; --refresh does");
}

pub(super) fn boards(page: &mut Page, boards: &[Board]) {
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
        table.row([
            board.id.to_string().into(),
            board.name.as_str().into(),
            format!("{}s", board.kind.name()).into(),
            board.period.name().into(),
            board.industry.as_deref().unwrap_or("all").into(),
            blank_or(Some(board.tenant.0).filter(|id| !id.is_nil())).into(),
            blank_or(board.current_run).into(),
        ]);
    }
    page.table(&table, "no leaderboards; `fleet demo` makes some");
}
