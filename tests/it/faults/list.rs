//! The list of probes is the list of probes: all of it in the sources, nothing in the sources beside it, and each is reached.

use std::collections::BTreeSet;

use fleet_queue::Probes;
use fleet_tests::database;
use futures::FutureExt;

use super::crew::Crew;
use super::work::Work;
use crate::tidy::sources;

#[test]
fn every_probe_in_the_sources_is_listed_and_every_listed_one_is_there() {
    let mut found = BTreeSet::new();
    for (path, text) in sources("rs") {
        if path.starts_with("tests") {
            continue;
        }
        let names = text
            .split(".at(\"")
            .skip(1)
            .filter_map(|rest| rest.split_once('"'));
        found.extend(names.map(|(name, _)| name.to_owned()));
    }
    let listed: BTreeSet<String> = Probes::ALL.map(str::to_owned).into();
    assert_eq!(found, listed);
}

#[tokio::test]
async fn the_usual_work_reaches_every_probe() {
    let db = database().await;
    let mut work = Work::begin(&db).await;
    let crew = Crew::start(&db).await;
    let probes = crew.probes();
    work.round(&db).await;
    work.post(crew.poster()).await;
    work.done(&db).await;
    crew.stop().await;
    work.check(&db).await;
    let reached = |point: &&'static str| {
        let reached = probes.reached(point, 1);
        reached.now_or_never().is_some()
    };
    let missed: Vec<_> = Probes::ALL
        .into_iter()
        .filter(|point| !reached(point))
        .collect();
    assert!(missed.is_empty(), "nobody came to {missed:?}");
}
