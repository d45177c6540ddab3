//! What a start finds when the last fleet on the folder was killed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::*;

/// Set for a child process of `what_was_committed_survives_…`: the folder it shall run.
const ROLE: &str = "FLEET_TEST_RUN_FOLDER";

/// Plays both parts: the parent's, and with `ROLE` set the child's, which is killed.
#[tokio::test]
async fn what_was_committed_survives_a_kill_of_its_fleet_and_the_server_is_adopted() {
    if let Some(dir) = std::env::var_os(ROLE) {
        return hold(&PathBuf::from(dir)).await;
    }
    let dir = folder();
    let (mut child, pid) = child_that_runs(dir.path());
    let refused = start(dir.path()).await.unwrap_err();
    assert!(
        matches!(&refused, PgError::AlreadyRunning { pid, .. } if *pid == child.id()),
        "{refused}"
    );
    child.kill().unwrap();
    child.wait().unwrap();

    let ours = start(dir.path()).await.unwrap();
    assert_eq!(
        ours.pid(),
        pid,
        "the server that is still running should be adopted"
    );
    assert_eq!(one(&ours.url(), "SELECT word FROM kept").await, "kept");
    ours.stop().await.unwrap();
    gone(dir.path(), pid).await;
}

/// The child's part: run the folder until killed.
#[allow(clippy::print_stdout, reason = "the parent process reads it")]
async fn hold(dir: &Path) {
    let server = start(dir).await.unwrap();
    run(&server.url(), "CREATE TABLE kept AS SELECT 'kept' AS word").await;
    println!("\nready {}", server.pid());
    std::future::pending::<()>().await;
}

fn child_that_runs(dir: &Path) -> (Child, u32) {
    let this = std::thread::current()
        .name()
        .expect("tests run in named threads")
        .to_owned();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &this, "--nocapture"])
        .env(ROLE, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let pid = lines.find_map(|line| line.unwrap().strip_prefix("ready ")?.parse().ok());
    (child, pid.expect("the child should come up"))
}

#[tokio::test]
async fn an_adopted_server_with_other_settings_is_restarted_with_ours() {
    let dir = folder();
    let fast = Embedded::start(dir.path(), Options::for_tests())
        .await
        .unwrap();
    let pid = fast.pid();
    fast.leave_running();

    let durable = start(dir.path()).await.unwrap();
    assert_ne!(durable.pid(), pid);
    assert_eq!(one(&durable.url(), "SHOW fsync").await, "on");
    durable.stop().await.unwrap();
}

#[tokio::test]
async fn a_pid_file_that_names_a_stranger_is_cleared() {
    let dir = folder();
    let first = start(dir.path()).await.unwrap();
    let port = first.port();
    first.stop().await.unwrap();
    // As after a crash of the machine: the file is there, and its pid is another program's by now.
    let data = dir.path().join("pg/data");
    let stale = format!(
        "{}\n{}\n1\n{port}\n\n127.0.0.1\n",
        std::process::id(),
        data.display()
    );
    std::fs::write(data.join("postmaster.pid"), stale).unwrap();

    let second = start(dir.path()).await.unwrap();
    assert_ne!(second.pid(), std::process::id());
    second.stop().await.unwrap();
}
