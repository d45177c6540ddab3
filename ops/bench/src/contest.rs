//! A contest: its entrants take turns, round by round, each on a fresh database of the same server.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use sqlx::Connection;

use crate::figure::Figure;
use crate::ground::Ground;
use crate::meter::Meter;
use crate::player::{Player, Program};
use crate::server::Server;
use crate::setting::Setting;
use crate::stage::Summary;
use crate::target::Target;
use crate::watch::watch;

/// One who takes part.
#[derive(Clone, Debug)]
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) program: Program,
    /// Processes of it, side by side.
    pub(crate) processes: usize,
    pub(crate) setting: Setting,
    /// Jobs of its turn.
    pub(crate) jobs: u64,
}

impl Entrant {
    /// One process of this program, on its part.
    pub(crate) fn ours(name: &'static str, part: crate::Part, setting: Setting, jobs: u64) -> Self {
        Self {
            name,
            program: Program::Ours(part),
            processes: 1,
            setting,
            jobs,
        }
    }
}

/// Who takes part, in what, and what is to be reached.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) entrants: Vec<Entrant>,
    /// Figures that say something here.
    pub(crate) shown: &'static [Figure],
    pub(crate) targets: Vec<Target>,
}

/// What an entrant's turn came to.
pub(crate) type Figures = BTreeMap<Figure, f64>;

/// What a round came to, in the order of the entrants.
pub(crate) type Round = Vec<Figures>;

impl Contest {
    /// Holds it; see [`crate::run`] for `tick`.
    pub(crate) async fn hold(
        &self,
        server: &Server,
        rounds: u32,
        tick: impl Fn(usize, usize, &str),
    ) -> anyhow::Result<Vec<Round>> {
        let turns = rounds as usize * self.entrants.len();
        let mut over = 0;
        let mut held = Vec::new();
        for _ in 0..rounds {
            let mut round = Vec::new();
            for entrant in &self.entrants {
                tick(over, turns, entrant.name);
                let figures = turn(server, entrant).await;
                let mut figures =
                    figures.with_context(|| format!("the turn of {}", entrant.name))?;
                figures.retain(|figure, _| self.shown.contains(figure));
                round.push(figures);
                over += 1;
            }
            held.push(round);
        }
        Ok(held)
    }
}

async fn turn(server: &Server, entrant: &Entrant) -> anyhow::Result<Figures> {
    let mut ground = Ground::fresh(server).await?;
    let figures = play(server, entrant, &mut ground).await;
    ground.clear().await?;
    figures
}

async fn play(server: &Server, entrant: &Entrant, ground: &mut Ground) -> anyhow::Result<Figures> {
    let Entrant { setting, jobs, .. } = entrant;
    setting.make(&entrant.program, ground, *jobs).await?;
    ground.come_to_rest().await?;
    let commits = ground.commits().await?;
    let held = if setting.is_held_back() {
        Some(ground.hold_back().await?)
    } else {
        None
    };
    let mut players = Vec::new();
    for _ in 0..entrant.processes {
        players.push(entrant.program.start(ground.url(), *jobs).await?);
    }
    let pids: Result<Vec<u32>, _> = players.iter().map(Player::pid).collect();
    let meter = Meter::begin(&mut ground.beside, pids?, server.pid()).await?;
    let over = work(&mut players, setting, ground).await?;
    let used = meter.end(&mut ground.beside).await?;
    let summary = stop(players).await?;
    if let Some(conn) = held {
        conn.close().await?;
    }
    let commits = ground.commits().await? - commits;
    check(*jobs, &summary)?;
    let mut figures = used.figures(*jobs);
    figures.extend(summary.figures);
    figures.extend(over.map(|over| (Figure::OverLimit, over)));
    let commits = commits as f64 * 1000.0 / *jobs as f64;
    figures.insert(Figure::CommitsPerThousand, commits);
    Ok(figures)
}

/// All of them until the last is done; and how far limits were passed meanwhile, where there are any to watch.
async fn work(
    players: &mut [Player],
    setting: &Setting,
    ground: &Ground,
) -> anyhow::Result<Option<f64>> {
    let done = async {
        for player in players.iter_mut() {
            player.begin().await?;
        }
        for player in players {
            player.done().await?;
        }
        anyhow::Ok(())
    };
    match setting.watched() {
        Some(limits) => watch(ground.url(), limits, done).await.map(Some),
        None => done.await.map(|()| None),
    }
}

async fn stop(players: Vec<Player>) -> anyhow::Result<Summary> {
    let mut all = Summary::default();
    for player in players {
        let summary = player.stop().await?;
        all.ran += summary.ran;
        all.left = all.left.max(summary.left);
        all.doubled = all.doubled.max(summary.doubled);
        all.figures.extend(summary.figures);
    }
    Ok(all)
}

/// A fast entrant that loses or doubles jobs is not measured but refused.
fn check(jobs: u64, summary: &Summary) -> anyhow::Result<()> {
    let Summary {
        ran, left, doubled, ..
    } = summary;
    ensure!(
        (*ran, *left, *doubled) == (jobs, 0, 0),
        "of {jobs} jobs {ran} ran, {left} have not ended and {doubled} ended twice"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_loses_or_doubles_jobs_is_refused() {
        let counted = |ran, left, doubled| {
            let summary = Summary {
                ran,
                left,
                doubled,
                ..Summary::default()
            };
            check(10, &summary).map_err(|error| error.to_string())
        };
        assert_eq!(counted(10, 0, 0), Ok(()));
        for wrong in [(9, 1, 0), (11, 0, 0), (10, 0, 1)] {
            let refused = counted(wrong.0, wrong.1, wrong.2).unwrap_err();
            assert!(refused.starts_with("of 10 jobs"), "{refused}");
        }
    }
}
