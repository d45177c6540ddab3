//! Wrong input: the exit code tells usage from refusal, and the message what to do.

use fleet_queue::JobId;
use fleet_tests::database;

use super::*;

#[tokio::test]
async fn wrong_usage_is_2_and_names_the_argument() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |args: &'static [&'static str], word: &'static str| {
        let folder = folder.path().to_owned();
        async move { fleet_in(&folder, args).await.refused(2, word) }
    };
    wrong(&["enqueu"], "enqueue").await;
    wrong(&["jobs", "show", "4711"], "<ID>").await;
    wrong(&["jobs", "ls", "--state", "busy"], "the states are").await;
    wrong(
        &["enqueue", "diagnostics.noop", "--in", "soon"],
        "write it like 90s",
    )
    .await;
    wrong(&["worker", "--queue", "mail"], "NAME=N").await;
    wrong(&["queues", "pause", "default"], "--reason").await;
    wrong(
        &["keys", "create", "x", "--scope", "everything"],
        "there are jobs:enqueue",
    )
    .await;
}

#[tokio::test]
async fn without_a_database_every_command_says_how_to_name_one() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["jobs", "ls"][..],
        &["doctor"],
        &["enqueue", "diagnostics.noop"],
        &["worker"],
        &["migrate"],
    ] {
        fleet_in(folder.path(), args).await.refused(1, "fleet up");
    }
    let nowhere = [
        "jobs",
        "ls",
        "--database-url",
        "postgres://me:s3cret@127.0.0.1:1/books",
    ];
    let said = fleet_in(folder.path(), &nowhere).await;
    assert!(
        said.err.contains("127.0.0.1:1") && !said.err.contains("s3cret"),
        "{}",
        said.err
    );
}

#[tokio::test]
async fn refusals_name_what_was_wrong_and_change_nothing() {
    let db = database().await;
    let unknown = JobId::generate().to_string();
    fleet(&db, &["enqueue", "no.such"])
        .await
        .refused(1, "no kind \"no.such\"");
    fleet(&db, &["jobs", "show", &unknown])
        .await
        .refused(1, &unknown);
    fleet(&db, &["why", &unknown]).await.refused(1, &unknown);
    fleet(&db, &["queues", "resume", "default"])
        .await
        .refused(1, "not paused");
    fleet(&db, &["limits", "rm", "none"])
        .await
        .refused(1, "no limit named");
    fleet(&db, &["schedules", "show", "none"])
        .await
        .refused(1, "no schedule");
    fleet(&db, &["leaderboard"]).await.refused(1, "--all");
    fleet(&db, &["partners", "capacity", "nobody"])
        .await
        .refused(1, "no partner is called");
    fleet(&db, &["ingest", "metrics", "/no/such.csv"])
        .await
        .refused(1, "/no/such.csv");
    fleet(&db, &["worker", "--concurrency", "0"])
        .await
        .refused(1, "worker.concurrency is 0");
    assert_eq!(db.number("SELECT count(*) FROM fleet.audit").await, 0);
}

#[tokio::test]
async fn a_payload_that_does_not_fit_its_kind_is_refused_by_its_field() {
    let db = database().await;
    register(&db).await;
    fleet(&db, &["enqueue", "diagnostics.sleep", r#"{"ms": "long"}"#])
        .await
        .refused(1, "payload/ms");
    fleet(&db, &["enqueue", "diagnostics.sleep", "{ms}"])
        .await
        .refused(1, "not JSON");
    fleet(&db, &["enqueue", "diagnostics.noop", "--priority", "9"])
        .await
        .refused(1, "priority");
    assert_eq!(db.number("SELECT count(*) FROM fleet.job").await, 0);
}

#[tokio::test]
async fn errors_are_json_where_json_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let said = fleet_in(folder.path(), &["jobs", "ls", "--json"]).await;
    let error: Value = serde_json::from_str(&said.err).unwrap();
    assert!(
        error["error"].as_str().unwrap().contains("no database"),
        "{error}"
    );
    assert_eq!(said.out, "");
}
