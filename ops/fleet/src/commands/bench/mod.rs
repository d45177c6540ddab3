//! `fleet bench`: how fast the fleet is, on databases that are made for it and dropped afterwards.

mod draw;

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use fleet_bench::{Part, Size};

use crate::database::Target;
use crate::output::Out;

/// Measure the fleet, on databases that are made for it and dropped afterwards
///
/// Without --database-url a server is started for the purpose, as durable as a real one.
/// The exit code is 1 where a target is missed.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    extent: Extent,
    #[command(subcommand)]
    what: What,
}

#[derive(Args, Clone, Copy, Debug)]
struct Extent {
    /// Jobs in each turn [default: what the benchmark is usually held with]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    jobs: Option<u64>,
    /// Rounds; in each, everybody has a turn
    #[arg(long, global = true, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Handlers at once, in a worker
    #[arg(long, global = true, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// Jobs that wait in large tables; as many are scheduled, and ten times as many have ended
    #[arg(long, global = true, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    stock: u64,
    /// Let other queues take part (built apart, see ops/bench/README.md)
    #[arg(long, global = true)]
    peers: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Jobs that do nothing wait already; one worker process runs them all
    Drain,
    /// Jobs are enqueued: in bulk, and one by one over HTTP
    Enqueue,
    /// How soon a job starts on a worker that idles, and on one that is busy
    Latency,
    /// Draining with large tables beside empty ones
    Backlog,
    /// Claims while a transaction elsewhere keeps vacuum from removing anything
    Xmin,
    /// Draining under caps and rates, and whether they hold
    Limits,
    /// How soon one tenant's job starts while another has a backlog
    Fairness,
    /// More and more worker processes
    Scale,
    /// What worker, scheduler and API cost with nothing to do
    Idle,
    /// Play an entrant's part, for a benchmark that runs already
    #[command(hide = true)]
    Contestant {
        /// The part, as JSON
        part: String,
        /// Jobs in its turn
        turn: u64,
    },
}

impl Bench {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        use fleet_bench::Bench;
        let bench = match &self.what {
            What::Drain => Bench::Drain,
            What::Enqueue => Bench::Enqueue,
            What::Latency => Bench::Latency,
            What::Backlog => Bench::Backlog,
            What::Xmin => Bench::Xmin,
            What::Limits => Bench::Limits,
            What::Fairness => Bench::Fairness,
            What::Scale => Bench::Scale,
            What::Idle => Bench::Idle,
            What::Contestant { part, turn } => return self.play(part, *turn).await,
        };
        let bar = out.progress().bar(bench.name(), 0);
        let tick = |over, turns, entrant: &str| {
            bar.set_length(turns as u64);
            bar.set_position(over as u64);
            bar.set_message(entrant.to_owned());
        };
        let url = self.target.given();
        let report = fleet_bench::run(bench, self.extent.into(), url.as_deref(), tick).await;
        bar.finish_and_clear();
        let report = report?;
        out.answer(&report, |page| draw::report(&report, page))?;
        Ok(ExitCode::from(u8::from(!report.is_met())))
    }

    async fn play(&self, part: &str, turn: u64) -> anyhow::Result<ExitCode> {
        let part: Part = serde_json::from_str(part).context("the part cannot be read")?;
        let url = self.target.given();
        let url = url.context("DATABASE_URL names no database")?;
        fleet_bench::play(part, &url, turn).await?;
        Ok(ExitCode::SUCCESS)
    }
}

impl From<Extent> for Size {
    fn from(given: Extent) -> Self {
        Self {
            jobs: given.jobs,
            rounds: given.rounds,
            concurrency: given.concurrency as usize,
            stock: given.stock,
            peers: given.peers,
        }
    }
}
