//! Idle: a worker, a scheduler and an API with nothing to do, as the operating system and the server's own log see them.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::contest::{Figures, Round};
use crate::cpu;
use crate::figure::Figure;
use crate::ground::Ground;
use crate::server::Server;
use crate::target::{Bound, Target};

pub(super) const ROLES: [&str; 3] = ["worker", "scheduler", "api"];
/// Until everything has started and come to rest.
const SETTLE_IN: Duration = Duration::from_secs(10);
/// How long each round watches.
const WATCH: Duration = Duration::from_secs(30);

pub(super) fn targets() -> Vec<Target> {
    let bounds = [
        (
            Figure::StatementsPerSecond,
            1.0,
            [
                "an idle worker's statements a second",
                "an idle scheduler's statements a second",
                "an idle API's statements a second",
            ],
        ),
        (
            Figure::CpuPercent,
            1.0,
            [
                "an idle worker's share of a core",
                "an idle scheduler's share of a core",
                "an idle API's share of a core",
            ],
        ),
        (
            Figure::MemoryMib,
            30.0,
            [
                "an idle worker's memory",
                "an idle scheduler's memory",
                "an idle API's memory",
            ],
        ),
    ];
    let targets = bounds.into_iter().flat_map(|(figure, most, roles)| {
        roles.into_iter().enumerate().map(move |(of, what)| Target {
            what,
            figure,
            of,
            against: Vec::new(),
            bound: Bound::AtMost(most),
        })
    });
    targets.collect()
}

pub(super) async fn watch(
    server: &Server,
    rounds: u32,
    tick: impl Fn(usize, usize, &str),
) -> anyhow::Result<Vec<Round>> {
    let mut ground = Ground::fresh(server).await?;
    let watched = watch_on(&mut ground, rounds, tick).await;
    ground.clear().await?;
    watched
}

async fn watch_on(
    ground: &mut Ground,
    rounds: u32,
    tick: impl Fn(usize, usize, &str),
) -> anyhow::Result<Vec<Round>> {
    ground.migrate().await?;
    let logged = ground.log_statements().await?;
    let mut roles = Vec::new();
    for role in ROLES {
        roles.push(start(role, ground.url())?);
    }
    sleep(SETTLE_IN).await;
    let mut seen = Vec::new();
    for round in 0..rounds {
        tick(round as usize, rounds as usize, "all three");
        seen.push(look(ground, &roles, logged).await?);
    }
    for mut role in roles {
        role.kill().await?;
    }
    Ok(seen)
}

fn start(role: &str, url: &str) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(role).env("DATABASE_URL", url);
    if role == "api" {
        command.args(["--bind", "127.0.0.1:0"]);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let started = command.kill_on_drop(true).spawn();
    started.with_context(|| format!("could not start the {role}"))
}

async fn look(ground: &mut Ground, roles: &[Child], logged: bool) -> anyhow::Result<Round> {
    let spent = || -> Vec<Option<Duration>> {
        let pids = roles.iter().map(Child::id);
        pids.map(|pid| cpu::of_process(pid?)).collect()
    };
    let from = ground.log_end().await?;
    let before = spent();
    sleep(WATCH).await;
    let after = spent();
    let log = ground.log_since(from).await?;
    let mut round = Round::new();
    for (n, role) in ROLES.iter().enumerate() {
        let pid = roles[n].id();
        let pid = pid.with_context(|| format!("the {role} has ended by itself"))?;
        let mut figures = Figures::new();
        if logged {
            let statements = statements(&log, role) as f64 / WATCH.as_secs_f64();
            figures.insert(Figure::StatementsPerSecond, statements);
        }
        if let Some((before, after)) = before[n].zip(after[n]) {
            let share = after.saturating_sub(before).as_secs_f64() / WATCH.as_secs_f64();
            figures.insert(Figure::CpuPercent, share * 100.0);
        }
        figures.extend(cpu::memory_mib(pid).map(|memory| (Figure::MemoryMib, memory)));
        round.push(figures);
    }
    ensure!(roles.len() == round.len(), "each role is looked at");
    Ok(round)
}

/// Statements that a role had carried out, by the server's log: parsing and binding are lines of their own, and no statements.
fn statements(log: &str, role: &str) -> usize {
    let name = format!(" fleet {role} LOG: ");
    let carried_out = |line: &&str| line.contains("  execute ") || line.contains("  statement: ");
    log.lines()
        .filter(|line| line.contains(&name))
        .filter(carried_out)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_carried_out_counts() {
        let log = "\
2026-11-21 07:00:00.000 UTC [1] fleet worker LOG:  duration: 0.1 ms  parse sqlx_s_1: -- queue.renew
2026-11-21 07:00:00.000 UTC [1] fleet worker LOG:  duration: 0.1 ms  execute sqlx_s_1: -- queue.renew
\tUPDATE fleet.worker
2026-11-21 07:00:00.000 UTC [2] fleet api LOG:  duration: 0.1 ms  statement: SELECT 1
";
        assert_eq!(ROLES.map(|role| statements(log, role)), [1, 0, 1]);
    }
}
