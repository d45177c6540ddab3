//! `fleet campaign`: real processes under load, harmed at random; then checked. Exit code 1 where a promise was broken.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use fleet_campaign::{CampaignError, Plan, Progress, Report, Times, run};
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use super::check;
use crate::output::{Out, Page, Table, count};

/// Harm a fleet of its own at random, and check that it keeps its promises
#[derive(Args, Debug)]
pub(crate) struct Campaign {
    /// How long
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    minutes: f64,
    /// What the harm follows from
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// An empty folder for the server, the histories and the logs; kept [default: a temporary one, kept where a promise is broken]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Another build, to be deployed beside this one [default: a copy of this one]
    #[arg(long, value_name = "FILE")]
    second_binary: Option<PathBuf>,
    /// Run this SQL after migrating: shows that the checker notices a guard that is missing
    #[arg(long, value_name = "FILE")]
    sabotage: Option<PathBuf>,
    /// Worker processes
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    workers: u8,
}

impl Campaign {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let minutes = self.minutes;
        ensure!(
            (0.05..=10_000.0).contains(&minutes),
            "--minutes is {minutes}, 0.05 to 10000 are allowed"
        );
        let folder = Folder::open(self.data.as_deref())?;
        let plan = self.plan(folder.path.clone())?;
        let total = plan.lasts.as_secs();
        let bar = out.progress().bar("campaign", total);
        let stop = CancellationToken::new();
        let _on_signal =
            tokio_util::task::AbortOnDropHandle::new(tokio::spawn(cancel_on_ctrl_c(stop.clone())));
        let ran = Box::pin(run(plan, stop, |progress| show(&bar, &progress))).await;
        bar.finish_and_clear();
        let report =
            ran.inspect_err(|error| folder.keep(out, !matches!(error, CampaignError::CalledOff)))?;
        folder.keep(out, !report.verdict.is_clean());
        out.answer(&report, |page| draw(page, &report))
            .context("nobody reads what is said")?;
        Ok(check::exit_code(&report.verdict))
    }

    fn plan(&self, folder: PathBuf) -> anyhow::Result<Plan> {
        let binary = std::env::current_exe().context("could not find our own binary")?;
        let lasts = Duration::from_secs_f64(self.minutes * 60.0);
        let mut plan = Plan::new(lasts, self.seed, folder, binary);
        plan.second_binary.clone_from(&self.second_binary);
        plan.workers = self.workers.into();
        if let Some(file) = &self.sabotage {
            let sql = std::fs::read_to_string(file);
            plan.sabotage =
                Some(sql.with_context(|| format!("could not read {}", file.display()))?);
        }
        Ok(plan)
    }
}

async fn cancel_on_ctrl_c(stop: CancellationToken) {
    if tokio::signal::ctrl_c().await.is_ok() {
        stop.cancel();
    }
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_position(progress.passed.as_secs());
    bar.set_message(progress.doing.clone());
}

/// Where a campaign lives: named and kept, or temporary.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn open(named: Option<&std::path::Path>) -> anyhow::Result<Self> {
        let Some(path) = named else {
            let made = tempfile::Builder::new().prefix("fleet-campaign-").tempdir();
            let path = made
                .context("could not make a temporary folder; name one with --data")?
                .keep();
            open_to_the_server(&path)?;
            return Ok(Self {
                path,
                temporary: true,
            });
        };
        std::fs::create_dir_all(path)
            .with_context(|| format!("could not make {}", path.display()))?;
        let path = path.canonicalize()?;
        let empty = path.read_dir()?.next().is_none();
        ensure!(
            empty,
            "{} is not empty; a campaign begins in a folder of its own",
            path.display()
        );
        open_to_the_server(&path)?;
        Ok(Self {
            path,
            temporary: false,
        })
    }

    /// Keeps what explains a broken promise; a temporary folder without one goes.
    fn keep(&self, out: Out, worth: bool) {
        if self.temporary && !worth {
            // Left behind, it harms nobody.
            let _ = std::fs::remove_dir_all(&self.path);
        } else {
            out.note(format_args!(
                "histories and logs are kept in {}",
                self.path.display()
            ));
        }
    }
}

/// As root the server runs under an account of its own, which must get through.
fn open_to_the_server(path: &std::path::Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o711);
    std::fs::set_permissions(path, open)
        .with_context(|| format!("could not open {} to its server", path.display()))
}

fn draw(page: &mut Page, report: &Report) {
    page.heading(&format!(
        "{} faults in {:.0} s, seed {}",
        report.survived(),
        report.lasted_s,
        report.seed
    ));
    let mut faults = Table::new(&["FAULT", ">TIMES"]);
    for (name, times) in &report.faults {
        faults.row([name.as_str().into(), count(*times as i64).into()]);
    }
    page.table(&faults, "none");
    for left_out in &report.left_out {
        page.line(format_args!("left out: {left_out}"));
    }
    page.line(format_args!(
        "\n{} jobs acknowledged; {} processes started again; drained in {:.1} s, {} jobs stuck",
        report.acknowledged, report.restarts, report.drained_s, report.stuck
    ));
    page.line(format_args!(
        "rescued after a kill: {}",
        words(report.rescues)
    ));
    page.line(format_args!(
        "the same, with other harm beside it: {}\n",
        words(report.rescues_disturbed)
    ));
    if !report.would_not_stop.is_empty() {
        page.line(format_args!(
            "would not stop: {}",
            report.would_not_stop.join(", ")
        ));
    }
    check::draw(page, &report.seen, &report.verdict);
}

fn words(times: Times) -> String {
    format!(
        "{} jobs, p50 {:.1} s, p99 {:.1} s, at most {:.1} s",
        times.n, times.p50_s, times.p99_s, times.most_s
    )
}
