//! `fleet triage`: a classifier made of a file, measured on another, asked about a text.

use std::path::Path;

use fleet_tests::database;
use serde_json::Value;

use super::up::folder;
use super::{fleet, fleet_in, json};

/// Texts of three labels and some out of scope, as CSV.
fn write_texts(path: &Path, from: usize, to: usize) {
    let mut csv = "text,label\n".to_owned();
    for n in from..to {
        csv += &format!("\"give my money back, case {n}\",refund\n");
        csv += &format!("I cannot log in with my password {n},login\n");
        csv += &format!("the page crashes when I save {n},bug\n");
        csv += &format!("how warm is it in city {n},__oos__\n");
    }
    std::fs::write(path, csv).unwrap();
}

#[tokio::test]
async fn a_model_is_trained_measured_and_asked_without_a_worker() {
    let db = database().await;
    let folder = tempfile::tempdir().unwrap();
    let (train, test) = (
        folder.path().join("train.csv"),
        folder.path().join("test.csv"),
    );
    write_texts(&train, 0, 20);
    write_texts(&test, 100, 110);
    let (train, test) = (train.to_str().unwrap(), test.to_str().unwrap());

    let made = json(&db, &["triage", "train", train]).await;
    assert_eq!(
        (&made["rows"], &made["name"]),
        (&80.into(), &"train".into())
    );
    let version = made["model_version"].as_str().unwrap();
    let csv = folder.path().join("said.csv");
    let arguments = [
        "triage",
        "evaluate",
        test,
        "--model",
        version,
        "--csv",
        csv.to_str().unwrap(),
    ];
    let found = json(&db, &arguments).await;
    assert_eq!(found["accuracy"], 1.0, "{found}");
    for figure in ["macro_f1", "ece", "oos_auroc"] {
        assert!(found[figure].is_number(), "{figure}: {found}");
    }
    assert!(found["at"]["0.85"]["coverage"].is_number(), "{found}");
    assert_eq!(
        (&found["rows"], &found["in_scope"]),
        (&40.into(), &30.into())
    );
    let said = std::fs::read_to_string(&csv).unwrap();
    assert!(said.starts_with(
        "text,label,predicted,confidence\n\"give my money back, case 100\",refund,refund,"
    ));
    assert_eq!(said.lines().count(), 41);

    // It may be called by its name; it is a candidate, so without a name there is none to use.
    let asked = json(
        &db,
        &["triage", "ask", "I want my money", "--model", "train"],
    )
    .await;
    assert_eq!(asked["label"], "refund");
    assert!(
        asked["because"]
            .as_array()
            .is_some_and(|why| !why.is_empty())
    );
    fleet(&db, &["triage", "ask", "x"])
        .await
        .refused(1, "no model is in use yet");
    let listed = fleet(&db, &["triage", "models"]).await.good().out;
    assert!(
        listed.contains(version) && listed.contains("candidate"),
        "{listed}"
    );
    let approvals = json(&db, &["approvals", "ls"]).await;
    assert!(
        approvals.to_string().contains(version),
        "an admin is asked: {approvals}"
    );
    let audited = "SELECT count(*) FROM fleet.audit WHERE action = 'triage.train'";
    assert_eq!(db.number(audited).await, 1);
}

#[tokio::test]
async fn files_and_models_that_cannot_be_used_are_refused_and_bad_rows_named() {
    let db = database().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("texts.csv");
    let path = file.to_str().unwrap();
    let train = ["triage", "train", path];
    fleet(&db, &train).await.refused(1, "could not open");
    for (content, word) in [
        ("", "the columns text and label"),
        ("text,label\na,x\nb,x\n", "needs two at least"),
        ("text,label\n,x\n", "no row that can be used"),
    ] {
        std::fs::write(&file, content).unwrap();
        fleet(&db, &train).await.refused(1, word);
    }
    assert_eq!(
        db.number("SELECT count(*) FROM fleet.triage_datasets")
            .await,
        0
    );
    std::fs::write(&file, "text,label\npay me,a\nlog in,b\nonly one field\n").unwrap();
    let made = json(&db, &train).await;
    assert_eq!(
        (&made["refused"], &made["bad"][0]["line"]),
        (&1.into(), &4.into())
    );
    fleet(&db, &["triage", "evaluate", path, "--model", "nobody"])
        .await
        .refused(1, "no model is called");
    json(&db, &train).await;
    fleet(&db, &["triage", "evaluate", path, "--model", "texts"])
        .await
        .refused(1, "several models");
    let none: Value = json(&db, &["triage", "models", "--limit", "1"]).await;
    assert_eq!(none["models"].as_array().unwrap().len(), 1);
}

/// Ten tickets of each of two categories, about one of which somebody changed their mind.
const REVIEWED: &str = "
    INSERT INTO fleet.triage_labels (tenant_id, ticket_id, revision, text, label, source, labelled_at)
    SELECT '00000000-0000-0000-0000-000000000000', md5('t' || i)::uuid, 1, CASE WHEN i % 2 = 0 THEN 'give my money back, case ' ELSE 'the page crashes, case ' END || i,
           CASE WHEN i % 2 = 0 THEN 'refund' ELSE 'bug' END, 'approved', now() - i * interval '1 day' FROM generate_series(1, 20) AS i;
    INSERT INTO fleet.triage_labels (tenant_id, ticket_id, revision, text, label, source)
    VALUES ('00000000-0000-0000-0000-000000000000', md5('t2')::uuid, 2, 'no, the page crashes', 'bug', 'corrected')";

#[tokio::test]
async fn a_model_is_made_of_what_people_said() {
    let db = database().await;
    let train = ["triage", "train", "--reviewed"];
    fleet(&db, &train)
        .await
        .refused(1, "nobody has said what a ticket is about;");
    db.execute(REVIEWED).await;
    let made = json(&db, &train).await;
    assert_eq!(
        (&made["rows"], &made["name"]),
        (&20.into(), &"reviewed".into())
    );
    let labels = "SELECT string_agg(label || ' ' || n, ', ' ORDER BY label) FROM (SELECT label, count(*) AS n FROM fleet.triage_examples GROUP BY label) AS l";
    assert_eq!(db.text(labels).await, "bug 11, refund 9");
    let recent = [
        &train[..],
        &["--since", "5d", "--with-shipped", "--name", "more"],
    ]
    .concat();
    let shipped = fleet_jobs::triage::shipped::examples().len();
    assert_eq!(json(&db, &recent).await["rows"], shipped + 4);
    fleet(&db, &["triage", "train"])
        .await
        .refused(2, "required arguments");
    fleet(&db, &["triage", "train", "x.csv", "--since", "5d"])
        .await
        .refused(2, "cannot be used with");
}

#[tokio::test]
async fn an_empty_folder_is_enough() {
    let folder = folder();
    write_texts(&folder.path().join("texts.csv"), 0, 20);
    let run = async |args: &[&str]| fleet_in(folder.path(), args).await;
    // Only what makes a model makes a data folder.
    run(&["triage", "models"])
        .await
        .refused(1, "nothing runs on .fleet");
    let made = run(&["triage", "train", "texts.csv", "--json"]).await;
    let version = made.good().json()["model_version"].clone();
    let version = version.as_str().unwrap();
    let evaluate = ["triage", "evaluate", "texts.csv", "--model", version];
    let found = run(&[&evaluate[..], &["--json"]].concat()).await;
    assert_eq!(found.good().json()["accuracy"], 1.0);
    let running = run(&["pg", "stop", "--json"]).await.good().json();
    assert_eq!(running["stopped"], false, "no server is left behind");
}
