//! Other job queues on PostgreSQL, as `fleet bench --peers` runs them beside ours.
//!
//! `fleet-bench-peers PEER fill JOBS` makes the peer's tables and enqueues jobs that do nothing;
//! `fleet-bench-peers PEER work JOBS` runs them, as `stage` tells. The database is that of `DATABASE_URL`.
//! Each peer is set up the way its own benchmarks and documents advise for throughput.

mod apalis_postgres;
mod graphile_worker;
mod stage;

use anyhow::{Context, bail};

/// What to do with which peer.
struct Order {
    peer: String,
    verb: String,
    url: String,
    jobs: u64,
}

impl Order {
    fn of_process() -> anyhow::Result<Self> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let Ok([peer, verb, jobs]) = <[String; 3]>::try_from(arguments) else {
            bail!("usage: DATABASE_URL=… fleet-bench-peers PEER fill|work JOBS");
        };
        let jobs = jobs.parse().context("JOBS is a number")?;
        let url = std::env::var("DATABASE_URL").context("DATABASE_URL names no database")?;
        Ok(Self {
            peer,
            verb,
            url,
            jobs,
        })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Order {
        peer,
        verb,
        url,
        jobs,
    } = Order::of_process()?;
    match (peer.as_str(), verb.as_str()) {
        ("graphile_worker", "fill") => graphile_worker::fill(&url, jobs).await,
        ("graphile_worker", "work") => graphile_worker::work(&url, jobs).await,
        ("apalis-postgres", "fill") => apalis_postgres::fill(&url, jobs).await,
        ("apalis-postgres", "work") => apalis_postgres::work(&url, jobs).await,
        _ => bail!(
            "no peer \"{peer}\" that can \"{verb}\"; there are graphile_worker and apalis-postgres, to fill and to work"
        ),
    }
}
