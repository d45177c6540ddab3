//! A campaign from its beginning to its report.
//!
//! Set up, load and harm, undo the harm, drain, stop, check. Whatever ends it early, the processes end with it.

use std::path::PathBuf;
use std::time::Duration;

use fleet_check::{Evidence, check, load, read};
use sqlx::Connection;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::crew::{Crew, Role};
use crate::error::CampaignError;
use crate::faults::{Harm, Stage};
use crate::load::{Load, live_jobs};
use crate::plan::{Plan, Progress};
use crate::portal::Portal;
use crate::report::{Report, Times};
use crate::server::Server;
use crate::setup;

/// How often everything is looked after.
const ROUND: Duration = Duration::from_millis(100);
/// Processes get this long to stop at the end.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// Carries a campaign out; `tell` hears how far it is.
pub async fn run(
    plan: Plan,
    stop: CancellationToken,
    mut tell: impl FnMut(Progress),
) -> Result<Report, CampaignError> {
    for folder in [plan.histories(), plan.logs()] {
        std::fs::create_dir_all(&folder).map_err(CampaignError::file("make", &folder))?;
    }
    tell(Progress::of("starting PostgreSQL"));
    let logs = plan.logs();
    let server = Server::start(&plan.folder).await?;
    let campaign = Campaign::set_up(plan, &server, &mut tell).await;
    let report = match campaign {
        Ok(campaign) => campaign.carry_out(&server, &stop, &mut tell).await,
        Err(error) => Err(error),
    };
    server.keep_logs(&logs);
    server.stop().await;
    report
}

struct Campaign {
    plan: Plan,
    crew: Crew,
    portal: Portal,
    harm: Harm,
    restarts: u64,
}

impl Campaign {
    async fn set_up(
        plan: Plan,
        server: &Server,
        tell: &mut impl FnMut(Progress),
    ) -> Result<Self, CampaignError> {
        tell(Progress::of("migrating, and starting the processes"));
        let key = setup::migrate(&plan, server).await?;
        if let Some(sql) = &plan.sabotage {
            server.run(sql).await?;
        }
        let mut crew = Crew::gather(&plan, server).await?;
        crew.look_after()?;
        let apis = crew
            .members
            .iter()
            .filter(|member| member.role == Role::Api);
        let ports = apis.map(|api| api.port).collect();
        let portal = Portal::new(key, ports, &plan.histories())?;
        setup::at_work(&mut crew, server).await?;
        setup::rules(&portal).await?;
        Ok(Self {
            harm: Harm::new(plan.seed),
            plan,
            crew,
            portal,
            restarts: 0,
        })
    }

    async fn carry_out(
        mut self,
        server: &Server,
        stop: &CancellationToken,
        tell: &mut impl FnMut(Progress),
    ) -> Result<Report, CampaignError> {
        let begun = Instant::now();
        let load = Load::begin(
            &self.portal,
            server.pool(),
            self.plan.seed,
            self.plan.backlog,
        );
        let harmed = self.do_harm(server, &load, stop, tell).await;
        let lasted_s = begun.elapsed().as_secs_f64();
        let acknowledged = load.end().await;
        harmed?;
        tell(Progress::of(
            "undoing the harm, and waiting until everything has ended",
        ));
        let begun = Instant::now();
        let stuck = self.drain(server, stop).await?;
        let drained_s = begun.elapsed().as_secs_f64();
        tell(Progress::of("stopping"));
        let would_not_stop = self.crew.dismiss(STOP_WITHIN).await;
        tell(Progress::of("checking"));
        let evidence = self.evidence(server).await?;
        let (rescues, rescues_disturbed) = Times::of_rescues(&evidence);
        let left_out = server.disk.as_ref().err().map(|why| {
            format!("filling the disk: a small disk of its own could not be mounted ({why})")
        });
        Ok(Report {
            seed: self.plan.seed,
            lasted_s,
            faults: self.harm.done,
            left_out: left_out.into_iter().collect(),
            restarts: self.restarts,
            acknowledged,
            stuck,
            drained_s,
            would_not_stop,
            rescues,
            rescues_disturbed,
            seen: evidence.seen(),
            verdict: check(&evidence),
        })
    }

    /// Harm after harm until the time is over.
    async fn do_harm(
        &mut self,
        server: &Server,
        load: &Load,
        stop: &CancellationToken,
        tell: &mut impl FnMut(Progress),
    ) -> Result<(), CampaignError> {
        let begun = Instant::now();
        let mut next = begun + self.harm.pause();
        while begun.elapsed() < self.plan.lasts {
            self.round(server, false).await?;
            if Instant::now() >= next {
                let mut stage = Stage {
                    crew: &mut self.crew,
                    server,
                    portal: &self.portal,
                };
                self.harm.inflict(&mut stage).await?;
                next = Instant::now() + self.harm.pause();
            }
            let harms: u64 = self.harm.done.values().sum();
            let jobs = load.acknowledged();
            tell(Progress {
                passed: begun.elapsed(),
                doing: format!("{harms} faults, {jobs} jobs; {}", self.harm.words()),
            });
            rest(stop).await?;
        }
        Ok(())
    }

    /// Undoes what is over, or all of it; and starts who is gone.
    async fn round(&mut self, server: &Server, all: bool) -> Result<(), CampaignError> {
        let mut stage = Stage {
            crew: &mut self.crew,
            server,
            portal: &self.portal,
        };
        self.harm.undo(&mut stage, all).await;
        self.restarts += self.crew.look_after()?.len() as u64;
        Ok(())
    }

    /// Waits until nothing is live any more; says how many jobs are when the time is over.
    async fn drain(
        &mut self,
        server: &Server,
        stop: &CancellationToken,
    ) -> Result<i64, CampaignError> {
        while !self.harm.is_over() {
            self.round(server, true).await?;
            rest(stop).await?;
        }
        server.clock.step_past_all();
        server.set_clock().await?;
        setup::quiet(&self.portal).await?;
        let deadline = Instant::now() + self.plan.drain_within;
        loop {
            self.round(server, true).await?;
            match live_jobs(server.pool()).await {
                Ok(0) => return Ok(0),
                Ok(live) if Instant::now() > deadline => return Ok(live),
                _ => rest(stop).await?,
            }
        }
    }

    async fn evidence(&self, server: &Server) -> Result<Evidence, CampaignError> {
        let histories: Vec<PathBuf> = vec![self.plan.histories()];
        let entries = read(&histories).map_err(|error| CampaignError::History(Box::new(error)))?;
        let url = server.url_through(server.port());
        let conn = sqlx::PgConnection::connect(&url).await;
        let mut conn = conn.map_err(CampaignError::database("answer the checker"))?;
        let facts = load(&mut conn).await;
        let facts = facts.map_err(|error| CampaignError::History(Box::new(error)))?;
        let path = self.plan.facts();
        facts
            .keep(&path)
            .map_err(CampaignError::file("write", &path))?;
        Ok(Evidence::of(entries, Some(facts), true))
    }
}

impl Progress {
    fn of(doing: &str) -> Self {
        Self {
            passed: Duration::ZERO,
            doing: doing.to_owned(),
        }
    }
}

async fn rest(stop: &CancellationToken) -> Result<(), CampaignError> {
    match stop.run_until_cancelled(sleep(ROUND)).await {
        Some(()) => Ok(()),
        None => Err(CampaignError::CalledOff),
    }
}
