//! A short campaign in every run of the suite: promises are kept under harm, and a missing guard is noticed. The long one is
//! `fleet campaign`; what it showed is in ops/campaign/RESULTS.md.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use fleet_campaign::{Plan, Report, run};
use fleet_check::{Evidence, Facts, Verdict, check, read};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const FLEET: &str = env!("CARGO_BIN_EXE_fleet-under-test");

/// Harm for so long, in a folder that is gone afterwards unless a promise is broken.
async fn campaign(seconds: u64, seed: u64, sabotage: Option<&str>) -> (Report, TempDir) {
    fleet_runtime::crypto::install();
    let folder = tempfile::Builder::new()
        .prefix("fleet-campaign-")
        .tempdir()
        .unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let lasts = Duration::from_secs(seconds);
    let mut plan = Plan::new(
        lasts,
        seed,
        folder.path().to_owned(),
        Path::new(FLEET).to_owned(),
    );
    plan.sabotage = sabotage.map(str::to_owned);
    plan.workers = 2;
    let report = run(plan, CancellationToken::new(), |_| {}).await.unwrap();
    (report, folder)
}

#[tokio::test]
async fn promises_are_kept_under_harm() {
    let (report, mut folder) = campaign(20, 7, None).await;
    if !report.verdict.is_clean() {
        folder.disable_cleanup(true);
    }
    assert!(
        report.verdict.is_clean(),
        "{:#?}\nkept in {}",
        report.verdict,
        folder.path().display()
    );
    assert!(report.survived() >= 5, "harm was done: {:?}", report.faults);
    assert!(
        report.acknowledged > 50 && report.seen.settled > 50,
        "work was done: {:?}",
        report.seen
    );
    assert_eq!(
        verdict_of_what_was_kept(folder.path()),
        report.verdict,
        "a check can be repeated when the server is gone"
    );
}

fn verdict_of_what_was_kept(folder: &Path) -> Verdict {
    let log = folder.join("logs").read_dir().unwrap();
    let named = log.map(|entry| entry.unwrap().file_name());
    let server = named.filter(|name| name.to_string_lossy().starts_with("postgresql"));
    assert_ne!(server.count(), 0, "the server's log is kept");
    let entries = read(&[folder.join("histories")]).unwrap();
    let facts = Facts::kept(&folder.join("facts.json")).unwrap();
    check(&Evidence::of(entries, Some(facts), true))
}

#[tokio::test]
async fn a_claim_that_knows_no_cap_is_noticed() {
    let sabotage = include_str!("../../../ops/campaign/sabotage/claim_without_cap.sql");
    let (report, _folder) = campaign(10, 7, Some(sabotage)).await;
    let broken: Vec<_> = report
        .verdict
        .findings
        .iter()
        .filter(|finding| !finding.ruling.violations().is_empty())
        .map(|finding| finding.invariant)
        .collect();
    assert!(broken.contains(&"I10"), "{:#?}", report.verdict);
}
