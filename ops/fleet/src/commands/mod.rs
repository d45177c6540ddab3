//! The subcommands, one file or folder each.

mod approvals;
mod assignments;
mod bench;
mod campaign;
mod check;
mod clients;
mod completions;
mod demo;
mod doctor;
mod enqueue;
mod ingest;
mod jobs;
mod keys;
mod kinds;
mod leaderboard;
mod limits;
mod migrate;
mod partners;
mod pg;
mod processes;
mod queues;
mod schedules;
mod settings;
mod tickets;
mod triage;
mod up;
mod why;
mod workers;

use std::process::ExitCode;

use clap::Subcommand;

use crate::output::Out;

/// What to do; what each does is said at its own arguments.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(up::Up),
    Worker(processes::Worker),
    Scheduler(processes::Scheduler),
    Api(processes::Api),
    Migrate(migrate::Migrate),
    Enqueue(enqueue::Enqueue),
    Jobs(jobs::Jobs),
    Why(why::WhyJob),
    Queues(queues::Queues),
    Kinds(kinds::Kinds),
    Workers(workers::Workers),
    Schedules(schedules::Schedules),
    Limits(limits::Limits),
    Ingest(ingest::Ingest),
    Demo(demo::Demo),
    Leaderboard(leaderboard::Leaderboard),
    Partners(partners::Partners),
    Clients(clients::Clients),
    Assignments(assignments::Assignments),
    Triage(triage::Triage),
    Approvals(approvals::Approvals),
    Tickets(tickets::Tickets),
    Pg(pg::Pg),
    Doctor(doctor::Doctor),
    Bench(bench::Bench),
    Check(check::Check),
    Campaign(campaign::Campaign),
    Keys(keys::Keys),
    Completions(completions::Completions),
}

impl Command {
    /// Carries it out. Boxed one by one: the largest of these futures would otherwise be everybody's size.
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        match self {
            Self::Up(command) => Box::pin(command.run(out)).await,
            Self::Worker(command) => Box::pin(command.run(out)).await,
            Self::Scheduler(command) => Box::pin(command.run(out)).await,
            Self::Api(command) => Box::pin(command.run(out)).await,
            Self::Migrate(command) => Box::pin(command.run(out)).await,
            Self::Enqueue(command) => Box::pin(command.run(out)).await,
            Self::Jobs(command) => Box::pin(command.run(out)).await,
            Self::Why(command) => Box::pin(command.run(out)).await,
            Self::Queues(command) => Box::pin(command.run(out)).await,
            Self::Kinds(command) => Box::pin(command.run(out)).await,
            Self::Workers(command) => Box::pin(command.run(out)).await,
            Self::Schedules(command) => Box::pin(command.run(out)).await,
            Self::Limits(command) => Box::pin(command.run(out)).await,
            Self::Ingest(command) => Box::pin(command.run(out)).await,
            Self::Demo(command) => Box::pin(command.run(out)).await,
            Self::Leaderboard(command) => Box::pin(command.run(out)).await,
            Self::Partners(command) => Box::pin(command.run(out)).await,
            Self::Clients(command) => Box::pin(command.run(out)).await,
            Self::Assignments(command) => Box::pin(command.run(out)).await,
            Self::Triage(command) => Box::pin(command.run(out)).await,
            Self::Approvals(command) => Box::pin(command.run(out)).await,
            Self::Tickets(command) => Box::pin(command.run(out)).await,
            Self::Pg(command) => Box::pin(command.run(out)).await,
            Self::Doctor(command) => Box::pin(command.run(out)).await,
            Self::Bench(command) => Box::pin(command.run(out)).await,
            Self::Check(command) => Box::pin(command.run(out)).await,
            Self::Campaign(command) => Box::pin(command.run(out)).await,
            Self::Keys(command) => Box::pin(command.run(out)).await,
            Self::Completions(command) => command.run(),
        }
    }
}
