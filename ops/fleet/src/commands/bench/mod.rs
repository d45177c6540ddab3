//! `fleet bench`: how fast the engine is, on a database of its own that is gone afterwards.
//!
//! Machines are noisy: each round is measured by itself, and the median is quoted with its spread.

mod drain;
mod enqueue;
mod meter;
mod stage;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use self::meter::Used;
use self::stage::Stage;
use crate::database::Target;
use crate::output::{Out, Table, count, span};

/// Measure the engine, on a database that is made for it and dropped afterwards
#[derive(Args, Debug)]
pub(crate) struct Bench {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    size: Size,
    #[command(subcommand)]
    what: What,
}

#[derive(Args, Clone, Copy, Debug)]
struct Size {
    /// Jobs in a round
    #[arg(long, global = true, value_name = "N", default_value_t = 20_000)]
    jobs: usize,
    /// Rounds
    #[arg(long, global = true, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Jobs that run at the same time
    #[arg(long, global = true, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// Jobs in one enqueue
    #[arg(long, global = true, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum What {
    /// Jobs that do nothing wait already; a worker runs them all
    Drain,
    /// Jobs are enqueued, batch by batch, over one connection
    Enqueue,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Report {
    bench: &'static str,
    jobs: usize,
    /// Median, least and most over the rounds.
    jobs_per_s: Spread,
    client_cpu_us_per_job: Spread,
    /// None where the server runs elsewhere.
    server_cpu_us_per_job: Option<Spread>,
    rounds: Vec<Used>,
}

#[derive(Debug, Serialize)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (middle, last) = (values.len() / 2, values.len() - 1);
        Self {
            median: values[middle],
            least: values[0],
            most: values[last],
        }
    }
}

impl Bench {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        // Without any database named, a server is started for the purpose: durable, as a real one is.
        let given = self.target.given();
        let stage = Stage::set(given.as_deref()).await?;
        let rounds = self.measure(&stage, out).await;
        stage.clear().await?;
        let report = self.report(rounds?);
        out.answer(&report, |page| {
            let mut table = Table::new(&["", ">MEDIAN", ">LEAST", ">MOST"]);
            let mut row = |name: &str, spread: &Spread| {
                table.row(
                    [
                        name,
                        &figure(spread.median),
                        &figure(spread.least),
                        &figure(spread.most),
                    ]
                    .map(Into::into),
                );
            };
            row("jobs/s", &report.jobs_per_s);
            row("client CPU µs/job", &report.client_cpu_us_per_job);
            if let Some(server) = &report.server_cpu_us_per_job {
                row("server CPU µs/job", server);
            }
            page.heading(&format!(
                "{}: {} rounds of {} jobs",
                report.bench,
                report.rounds.len(),
                count(report.jobs as i64)
            ));
            page.table(&table, "");
        })?;
        Ok(ExitCode::SUCCESS)
    }

    async fn measure(&self, stage: &Stage, out: Out) -> anyhow::Result<Vec<Used>> {
        let bar = out.progress().bar(self.name(), u64::from(self.size.rounds));
        let mut rounds = Vec::new();
        for _ in 0..self.size.rounds {
            let used = match self.what {
                What::Drain => drain::round(stage, self.size).await?,
                What::Enqueue => enqueue::round(stage, self.size).await?,
            };
            bar.inc(1);
            bar.set_message(span(used.wall));
            rounds.push(used);
        }
        bar.finish_and_clear();
        Ok(rounds)
    }

    fn name(&self) -> &'static str {
        match self.what {
            What::Drain => "drain",
            What::Enqueue => "enqueue",
        }
    }

    fn report(&self, rounds: Vec<Used>) -> Report {
        let jobs = self.size.jobs as f64;
        let spread = |of: &dyn Fn(&Used) -> f64| Spread::of(rounds.iter().map(of).collect());
        let server: Option<Vec<f64>> = rounds
            .iter()
            .map(|used| Some(used.server_cpu?.as_micros() as f64 / jobs))
            .collect();
        Report {
            bench: self.name(),
            jobs: self.size.jobs,
            jobs_per_s: spread(&|used| jobs / used.wall.as_secs_f64()),
            client_cpu_us_per_job: spread(&|used| used.client_cpu.as_micros() as f64 / jobs),
            server_cpu_us_per_job: server.map(Spread::of),
            rounds,
        }
    }
}

fn figure(value: f64) -> String {
    if value >= 100.0 {
        count(value.round() as i64)
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        let spread = Spread::of(vec![3.0, 1.0, 2.0]);
        assert_eq!((spread.least, spread.median, spread.most), (1.0, 2.0, 3.0));
    }
}
