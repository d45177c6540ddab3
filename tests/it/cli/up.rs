//! `fleet up`: from an empty folder to a leaderboard, and all the ways it may end.

use std::process::Stdio;
use std::time::Duration;

use fleet_tests::process::signal;
use fleet_tests::wait::within;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use super::*;

/// PostgreSQL's start and the demo on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder that PostgreSQL's own account may enter.
pub(super) fn folder() -> TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    folder
}

/// A running `fleet up` and what it said when it was ready.
struct Up {
    child: Child,
    ready: Value,
}

impl Up {
    async fn start(data: &Path, more: &[&str]) -> Self {
        let args = [
            "up",
            "--json",
            "--port",
            "0",
            "--data",
            data.to_str().unwrap(),
        ];
        let logs = if std::env::var_os("FLEET_TEST_LOGS").is_some() {
            Stdio::inherit()
        } else {
            Stdio::null()
        };
        let mut child = Command::new(FLEET)
            .args([&args, more].concat())
            .current_dir(data)
            .stdout(Stdio::piped())
            .stderr(logs)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .expect("ready in time")
            .unwrap();
        let ready = serde_json::from_str(&line.expect("it lived to be ready")).unwrap();
        Self { child, ready }
    }

    fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    async fn get(&self, path: &str, key: &str) -> reqwest::Response {
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .unwrap();
        client
            .get(format!("{}{path}", self.text("api")))
            .bearer_auth(key)
            .send()
            .await
            .unwrap()
    }

    /// Asks it to stop, and waits until it has.
    async fn stop(&mut self, name: &str) -> Option<i32> {
        signal(self.child.id().unwrap(), name);
        tokio::time::timeout(PATIENCE, self.child.wait())
            .await
            .expect("it ends")
            .unwrap()
            .code()
    }
}

/// Which process serves the folder's PostgreSQL, if any.
fn postgres(data: &Path) -> Option<u32> {
    let file = std::fs::read_to_string(data.join("pg/data/postmaster.pid")).ok()?;
    file.lines().next()?.trim().parse().ok()
}

#[tokio::test]
async fn from_an_empty_folder_to_a_leaderboard_and_to_a_clean_end() {
    fleet_runtime::crypto::install();
    let folder = folder();
    let data = folder.path();
    let mut up = Up::start(data, &[]).await;
    assert_eq!(up.ready["pid"], up.child.id().unwrap());
    let kept = std::fs::read_to_string(data.join("admin_key")).unwrap();
    assert_eq!(kept.trim(), up.text("admin_key"));

    let here = data.to_str().unwrap();
    let board = fleet_in(data, &["leaderboard", "--json", "--data", here])
        .await
        .good()
        .json();
    assert!(
        board["page"]["run"]["ranked"].as_i64() > Some(20),
        "{board}"
    );
    let answer = up
        .get("/v1/jobs?kind=leaderboard.refresh", up.text("admin_key"))
        .await;
    let jobs: Value = answer.json().await.unwrap();
    assert!(
        jobs["jobs"]
            .as_array()
            .unwrap()
            .iter()
            .all(|job| job["state"] == "completed"),
        "{jobs}"
    );
    assert_eq!(up.get("/v1/jobs", "fleet_00000000_0").await.status(), 401);

    let second = fleet_in(data, &["up", "--port", "0", "--data", here]).await;
    second.refused(1, "already running");
    assert_eq!(up.stop("TERM").await, Some(0));
    assert_eq!(postgres(data), None, "PostgreSQL stopped with it");
    fleet_in(data, &["jobs", "ls", "--data", here])
        .await
        .refused(1, "nothing runs on");
}

#[tokio::test]
async fn after_a_kill_the_next_up_goes_on_with_the_same_server_and_key() {
    let folder = folder();
    let data = folder.path();
    let mut up = Up::start(data, &["--no-demo", "--workers", "0"]).await;
    let (key, server) = (up.text("admin_key").to_owned(), postgres(data));
    let here = data.to_str().unwrap();
    let job = fleet_in(
        data,
        &["enqueue", "diagnostics.noop", "--json", "--data", here],
    )
    .await
    .good()
    .json();
    up.child.kill().await.unwrap();

    let mut up = Up::start(data, &["--no-demo"]).await;
    assert_eq!(
        (up.text("admin_key"), postgres(data)),
        (key.as_str(), server)
    );
    let id = job["id"].as_str().unwrap();
    fleet_in(data, &["jobs", "watch", id, "--data", here])
        .await
        .good();
    assert_eq!(up.stop("INT").await, Some(0));
}

#[tokio::test]
async fn a_server_that_dies_is_started_again_and_the_work_goes_on() {
    let folder = folder();
    let data = folder.path();
    let mut up = Up::start(data, &["--no-demo"]).await;
    let died = postgres(data).unwrap();
    signal(died, "KILL");
    within(PATIENCE, "another server serves", || async {
        (postgres(data)? != died).then_some(())
    })
    .await;
    let here = data.to_str().unwrap();
    within(PATIENCE, "jobs run again", || async {
        let done = fleet_in(
            data,
            &["enqueue", "diagnostics.noop", "--wait", "--data", here],
        )
        .await;
        (done.code == Some(0)).then_some(())
    })
    .await;
    assert_eq!(up.stop("TERM").await, Some(0));
}

#[tokio::test]
async fn a_second_signal_does_not_wait_and_loses_nothing() {
    let folder = folder();
    let data = folder.path();
    let mut up = Up::start(data, &["--no-demo"]).await;
    let here = data.to_str().unwrap();
    let long = [
        "enqueue",
        "diagnostics.sleep",
        r#"{"ms": 600000}"#,
        "--json",
        "--data",
        here,
    ];
    let job = fleet_in(data, &long).await.good().json();
    let show = [
        "jobs",
        "show",
        job["id"].as_str().unwrap(),
        "--json",
        "--data",
        here,
    ];
    within(PATIENCE, "it runs", || async {
        let shown = fleet_in(data, &show).await.good().json();
        (shown["state"] == "running").then_some(())
    })
    .await;
    signal(up.child.id().unwrap(), "TERM");
    assert_eq!(up.stop("TERM").await, Some(0));

    let _up = Up::start(data, &["--no-demo", "--workers", "0"]).await;
    let shown = fleet_in(data, &show).await.good().json();
    assert_eq!(
        (&shown["state"], &shown["attempt"]),
        (&"available".into(), &0.into())
    );
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let data = folder.path();
    let said = fleet_in(
        data,
        &["up", "--data", data.to_str().unwrap(), "--port", &port],
    )
    .await;
    said.refused(1, &format!("port {port} is taken"));
    assert_eq!(postgres(data), None, "nothing is left running");
}
