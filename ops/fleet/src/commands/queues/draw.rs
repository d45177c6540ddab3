//! Queues and pauses as people read them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use fleet_queue::read::{PauseInfo, QueueInfo};

use crate::output::{Cell, Hue, Page, Table, ago, blank_or, count, span};

pub(super) fn queues(
    page: &mut Page,
    queues: &[QueueInfo],
    pauses: &[PauseInfo],
    now: DateTime<Utc>,
) {
    let mut table = Table::new(&[
        "QUEUE",
        ">LIVE",
        ">RUNNING",
        ">WORKERS",
        "OLDEST DUE",
        ">IN/MIN",
        ">DONE/MIN",
        ">FAILED/MIN",
        ">MEAN RUN",
        "",
    ]);
    for queue in queues {
        table.row(row(queue, now));
    }
    page.table(&table, "no queue has seen a job yet");
    for pause in pauses {
        page.hued(Hue::Yellow, told(pause, now));
    }
}

fn row(queue: &QueueInfo, now: DateTime<Utc>) -> [Cell; 10] {
    let rates = &queue.rates;
    let stuck = queue.depth > 0 && queue.workers == 0;
    let workers = if stuck { Hue::Red } else { Hue::Plain };
    let failing = if rates.failed_per_min > 0.0 {
        Hue::Yellow
    } else {
        Hue::Plain
    };
    let depth_max = blank_or(queue.max_depth.map(|max| format!("/{max}")));
    let state = if queue.pause.is_some() { "paused" } else { "" };
    [
        queue.name.as_str().into(),
        format!("{}{depth_max}", count(queue.depth)).into(),
        count(queue.running).into(),
        Cell::new(workers, count(queue.workers)),
        blank_or(queue.oldest_due_at.map(|at| ago(now, at))).into(),
        format!("{:.1}", rates.enqueued_per_min).into(),
        format!("{:.1}", rates.completed_per_min).into(),
        Cell::new(failing, format!("{:.1}", rates.failed_per_min)),
        blank_or(rates.mean_run_ms.map(milliseconds)).into(),
        Cell::new(Hue::Yellow, state),
    ]
}

fn milliseconds(ms: f64) -> String {
    span(Duration::from_secs_f64((ms / 1000.0).max(0.0)))
}

fn told(pause: &PauseInfo, now: DateTime<Utc>) -> String {
    let until = pause.until.map_or("until resumed".to_owned(), |at| {
        format!("lifted {}", ago(now, at))
    });
    let (scope, since) = (pause.scope.as_str(), ago(now, pause.since));
    format!(
        "paused: {scope} {} since {since} by {} ({until}): {}",
        pause.name, pause.paused_by, pause.reason
    )
}
