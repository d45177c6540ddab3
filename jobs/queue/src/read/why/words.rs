//! Reasons in words, for people.

use std::time::Duration;

use super::facts::JobFacts;
use super::{AHEAD_MAX, Dependency, QueueAhead, Reason};
use crate::JobState;
use crate::transitions::pause::PauseScope;

/// The whole answer: a sentence a reason, the first one naming the state.
pub(super) fn summary(job: &JobFacts, reasons: &[Reason]) -> String {
    let mut sentences: Vec<String> = reasons.iter().map(|reason| sentence(job, reason)).collect();
    if job.state == JobState::Available && reasons.iter().all(|r| matches!(r, Reason::Behind(_))) {
        sentences.insert(0, "It is due and nothing holds it back.".to_owned());
    }
    sentences.join(" ")
}

fn sentence(job: &JobFacts, reason: &Reason) -> String {
    match reason {
        Reason::Time {
            run_at,
            in_s,
            after,
        } => time(job, &run_at.to_rfc3339(), *in_s, after.as_deref()),
        Reason::Dependencies { n, jobs } => dependencies(*n, jobs),
        Reason::Paused(pause) => {
            let what = match pause.scope {
                PauseScope::Queue => format!("The queue \"{}\"", pause.name),
                PauseScope::Tenant => "Its tenant".to_owned(),
                PauseScope::Kind => format!("The kind \"{}\"", pause.name),
            };
            let until = pause.until.map_or("until resumed".to_owned(), |at| {
                format!("until {}", at.to_rfc3339())
            });
            format!(
                "{what} is paused by {} since {}, {until}: {}.",
                pause.paused_by,
                pause.since.to_rfc3339(),
                pause.reason
            )
        }
        Reason::Cap {
            rule,
            scope,
            cap,
            running,
        } => format!("The limit \"{rule}\" ({scope}) lets {cap} run, and {running} do."),
        Reason::Rate {
            rule,
            scope,
            rate,
            next_in_s,
        } => {
            format!(
                "The limit \"{rule}\" ({scope}) lets {rate} a second start; the next in {}.",
                span(*next_in_s)
            )
        }
        Reason::ConcurrencyKey {
            key,
            limit,
            running,
        } => {
            format!("At most {limit} with the concurrency key \"{key}\" may run, and {running} do.")
        }
        Reason::NoWorker { problem, .. } => {
            let mut text = problem.clone();
            text[..1].make_ascii_uppercase();
            format!("{text}.")
        }
        Reason::Behind(ahead) => behind(ahead),
        Reason::Running { .. } => running(job),
        Reason::Ended { .. } => ended(job),
    }
}

fn time(job: &JobFacts, run_at: &str, in_s: f64, after: Option<&str>) -> String {
    let wait = span(in_s);
    match after {
        Some("failed" | "timed_out" | "panicked") => {
            let error = job.last_error.as_deref().unwrap_or("no error text");
            format!(
                "Attempt {} of {} did not succeed ({}); it is tried again in {wait}, at {run_at}.",
                job.attempt,
                job.max_attempts,
                first_line(error)
            )
        }
        Some("snoozed") => format!("It put itself off until {run_at}, {wait} from now."),
        _ => format!("It is scheduled for {run_at}, {wait} from now."),
    }
}

fn dependencies(n: i32, jobs: &[Dependency]) -> String {
    let named: Vec<String> = jobs.iter().take(3).map(dependency).collect();
    let more = if n as usize > named.len() {
        ", …"
    } else {
        ""
    };
    let others = if n == 1 {
        "another job".to_owned()
    } else {
        format!("{n} other jobs")
    };
    format!(
        "It waits for {others} to complete: {}{more}.",
        named.join(", ")
    )
}

fn dependency(job: &Dependency) -> String {
    match (&job.kind, job.state) {
        (Some(kind), Some(state)) => format!("{} ({kind}, {state})", job.id),
        _ => job.id.to_string(),
    }
}

fn behind(ahead: &QueueAhead) -> String {
    let count = |n: i64| {
        if n >= AHEAD_MAX && ahead.over {
            "over 10,000".to_owned()
        } else {
            n.to_string()
        }
    };
    if ahead.of_queue == 0 {
        return "It is the next of its queue.".to_owned();
    }
    let when = ahead.estimate_s.map_or(String::new(), |s| {
        format!(
            " At the pace of the last ten minutes it starts in about {}.",
            span(s)
        )
    });
    format!(
        "{} of its tenant and {} of the queue in all are before it; tenants take turns.{when}",
        count(ahead.of_tenant),
        count(ahead.of_queue)
    )
}

fn running(job: &JobFacts) -> String {
    let place = match (&job.host, job.worker) {
        (Some(host), Some(worker)) => format!("on {host} (worker {worker})"),
        (None, Some(worker)) => format!("on worker {worker}"),
        _ => "somewhere".to_owned(),
    };
    let since = job
        .started_at
        .map_or(String::new(), |at| format!(" since {}", at.to_rfc3339()));
    let stopping = job.cancel_requested_at.map_or(
        "",
        |_| " Its cancellation was asked for; it has its grace to stop.",
    );
    format!(
        "It runs {place}{since}, attempt {} of {}.{stopping}",
        job.attempt, job.max_attempts
    )
}

fn ended(job: &JobFacts) -> String {
    let at = job
        .finished_at
        .map_or(String::new(), |at| format!(" at {}", at.to_rfc3339()));
    let reason = job
        .reason
        .as_ref()
        .map_or(String::new(), |reason| format!(": {reason}"));
    let error = match (&job.last_error, job.state) {
        (Some(error), JobState::Discarded) => format!(" Its last error: {}.", first_line(error)),
        _ => String::new(),
    };
    format!("It was {}{at}{reason}.{error}", job.state)
}

fn first_line(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

/// A span of time in its two largest units.
fn span(seconds: f64) -> String {
    let total = Duration::from_secs_f64(seconds.clamp(0.0, 1e9)).as_secs();
    let (days, hours, minutes) = (total / 86_400, total / 3_600 % 24, total / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if total == 0 => "less than a second".to_owned(),
        (0, 0, 0) => format!("{total} s"),
        (0, 0, _) => format!("{minutes} min {} s", total % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units() {
        let told: Vec<String> = [0.2, 59.9, 61.0, 3_700.0, 200_000.0].map(span).into();
        assert_eq!(
            told,
            [
                "less than a second",
                "59 s",
                "1 min 1 s",
                "1 h 1 min",
                "2 d 7 h"
            ]
        );
    }

    #[test]
    fn counting_stops_at_ten_thousand_and_says_so() {
        let ahead = QueueAhead {
            of_tenant: 3,
            of_queue: AHEAD_MAX,
            over: true,
            estimate_s: Some(6.0),
        };
        assert_eq!(
            behind(&ahead),
            "3 of its tenant and over 10,000 of the queue in all are before it; tenants take turns. \
             At the pace of the last ten minutes it starts in about 6 s."
        );
    }
}
