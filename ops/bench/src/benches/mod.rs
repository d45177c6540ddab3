//! The benchmarks by name, one file each, and how large they are.

mod backlog;
mod drain;
mod enqueue;
mod fairness;
mod idle;
mod latency;
mod limits;
mod scale;
mod xmin;

use crate::contest::Contest;
use crate::figure::Figure;
use crate::report::Report;
use crate::server::Server;
use crate::target::{Bound, Target};

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bench {
    /// Jobs that do nothing wait already; one worker process runs them all.
    Drain,
    /// Jobs are enqueued: in bulk, and one by one over HTTP.
    Enqueue,
    /// How soon a job starts on a worker that idles, and on one that is busy.
    Latency,
    /// Draining with large tables beside empty ones.
    Backlog,
    /// Claims while a transaction elsewhere keeps vacuum from removing anything.
    Xmin,
    /// Draining under caps and rates, and whether they hold.
    Limits,
    /// How soon one tenant's job starts while another has a backlog.
    Fairness,
    /// More and more worker processes.
    Scale,
    /// What worker, scheduler and API cost with nothing to do.
    Idle,
}

/// How large.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Jobs in each turn; none: as many as the benchmark is usually held with.
    pub jobs: Option<u64>,
    /// Rounds.
    pub rounds: u32,
    /// Handlers at once, in a worker of ours.
    pub concurrency: usize,
    /// Jobs that wait in large tables; as many are scheduled, and ten times as many have ended.
    pub stock: u64,
    /// Whether other queues take part.
    pub peers: bool,
}

impl Size {
    fn jobs_or(self, usual: u64) -> u64 {
        self.jobs.unwrap_or(usual)
    }
}

impl Bench {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Enqueue => "enqueue",
            Self::Latency => "latency",
            Self::Backlog => "backlog",
            Self::Xmin => "xmin",
            Self::Limits => "limits",
            Self::Fairness => "fairness",
            Self::Scale => "scale",
            Self::Idle => "idle",
        }
    }

    /// All but `idle` are contests.
    fn contest(self, size: Size) -> Option<Contest> {
        Some(match self {
            Self::Drain => drain::contest(size),
            Self::Enqueue => enqueue::contest(size),
            Self::Latency => latency::contest(size),
            Self::Backlog => backlog::contest(size),
            Self::Xmin => xmin::contest(size),
            Self::Limits => limits::contest(size),
            Self::Fairness => fairness::contest(size),
            Self::Scale => scale::contest(size),
            Self::Idle => return None,
        })
    }
}

/// Runs a benchmark on the server of `url`, or on one started for it. `tick` hears, before each entrant's turn, how many turns are over,
/// how many there are, and whose is next.
pub async fn run(
    bench: Bench,
    size: Size,
    url: Option<&str>,
    tick: impl Fn(usize, usize, &str),
) -> anyhow::Result<Report> {
    let server = Server::start(url).await?;
    let report = report(bench, size, &server, tick).await;
    server.stop().await?;
    report
}

async fn report(
    bench: Bench,
    size: Size,
    server: &Server,
    tick: impl Fn(usize, usize, &str),
) -> anyhow::Result<Report> {
    let about = server.about().to_owned();
    let Some(contest) = bench.contest(size) else {
        let rounds = idle::watch(server, size.rounds, tick).await?;
        let roles = idle::ROLES.map(|role| (role, 0));
        return Ok(Report::of(
            bench.name(),
            about,
            &roles,
            &idle::targets(),
            &rounds,
        ));
    };
    let rounds = contest.hold(server, size.rounds, tick).await?;
    let entrants = contest.entrants.iter();
    let entrants: Vec<_> = entrants
        .map(|entrant| (entrant.name, entrant.jobs))
        .collect();
    Ok(Report::of(
        bench.name(),
        about,
        &entrants,
        &contest.targets,
        &rounds,
    ))
}

/// A bound on the ratio of two entrants.
fn target(what: &'static str, figure: Figure, of: usize, against: usize, bound: Bound) -> Target {
    Target {
        what,
        figure,
        of,
        against: vec![against],
        bound,
    }
}
