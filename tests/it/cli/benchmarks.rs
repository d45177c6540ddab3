//! Benchmarks, as small as they get: every part is played, every job is counted, and the answer says what was wanted and seen.

use fleet_tests::database;
use serde_json::Value;

use super::fleet;

/// The report of a benchmark that ran to its end, whether its targets were met or not: so small a turn says nothing of speed.
async fn report(args: &[&str]) -> Value {
    let db = database().await;
    let said = fleet(&db, &[&["bench", "--json", "--rounds", "2"], args].concat()).await;
    let code = if said.json()["verdicts"]
        .as_array()
        .unwrap()
        .iter()
        .all(|v| v["met"] == true)
    {
        0
    } else {
        1
    };
    assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
    said.json()
}

#[tokio::test]
async fn a_drain_is_measured_beside_the_bare_statements() {
    let report = report(&["drain", "--jobs", "300"]).await;
    let rows = report["rows"].as_array().unwrap();
    let names: Vec<_> = rows
        .iter()
        .map(|row| row["entrant"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["fleet", "bare loop"]);
    for row in rows {
        assert_eq!(row["rounds"].as_array().unwrap().len(), 2);
        for figure in [
            "jobs_per_second",
            "wal_bytes_per_job",
            "commits_per_thousand",
        ] {
            let median = row["figures"][figure]["median"].as_f64();
            assert!(
                median > Some(0.0),
                "{figure} of {}: {median:?}",
                row["entrant"]
            );
        }
    }
    assert_eq!(report["verdicts"][0]["wanted"], "at least 0.55");
}

#[tokio::test]
async fn enqueues_are_measured_in_bulk_and_over_http() {
    let report = report(&["enqueue", "--jobs", "640"]).await;
    assert_eq!(report["rows"].as_array().unwrap().len(), 7);
    assert_eq!(report["rows"][4]["jobs"], 128, "{report:#}");
}

#[tokio::test]
async fn tight_limits_are_watched_and_hold() {
    let report = report(&["limits", "--jobs", "1000"]).await;
    assert_eq!(report["verdicts"][1]["met"], true, "{report:#}");
}
