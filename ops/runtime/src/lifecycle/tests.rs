//! Time is paused: an hour's grace passes at once, and a wait that should not be would show.

use std::convert::Infallible;
use std::future::pending;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal as Kill, kill_process};
use tokio::time::Instant;

use super::*;

const GRACE: Duration = Duration::from_hours(1);
/// Set for the child process that is sent signals.
const ROLE: &str = "FLEET_TEST_AWAIT_SIGNALS";

type Ended = Result<(), Infallible>;

fn asked() -> Exit {
    Exit::Asked {
        unfinished: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_soft_stop_waits_for_what_runs() {
    let life = Lifecycle::new(GRACE);
    let (stop, started) = (life.shutdown(), Instant::now());
    let task = life.shutdown();
    life.spawn("worker", async move {
        task.soft.cancelled().await;
        tokio::time::sleep(GRACE / 2).await;
        assert!(!task.hard.is_cancelled());
        Ended::Ok(())
    });
    stop.soft.cancel();
    assert_eq!(life.run_until_done().await, asked());
    assert_eq!(started.elapsed(), GRACE / 2);
}

#[tokio::test(start_paused = true)]
async fn after_the_grace_what_still_runs_is_told_to_drop_it() {
    let life = Lifecycle::new(GRACE);
    let (stop, started) = (life.shutdown(), Instant::now());
    let task = life.shutdown();
    life.spawn("worker", async move {
        task.hard.cancelled().await;
        Ended::Ok(())
    });
    stop.soft.cancel();
    assert_eq!(life.run_until_done().await, asked());
    assert_eq!(started.elapsed(), GRACE);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_never_ends_is_named_and_left() {
    let life = Lifecycle::new(GRACE);
    life.spawn("stuck", pending::<Ended>());
    life.spawn_passing("done", async { Ended::Ok(()) });
    life.shutdown().soft.cancel();
    let started = Instant::now();
    let exit = life.run_until_done().await;
    assert_eq!(
        exit,
        Exit::Asked {
            unfinished: vec!["stuck".into()]
        }
    );
    assert_eq!(started.elapsed(), GRACE + HARD_STOP_PATIENCE);
}

/// Runs one task beside a well-behaved one and returns how the process ended.
async fn exit_with(start: impl FnOnce(&Lifecycle)) -> Exit {
    let life = Lifecycle::new(GRACE);
    let other = life.shutdown();
    life.spawn("other", async move {
        other.soft.cancelled().await;
        Ended::Ok(())
    });
    start(&life);
    life.run_until_done().await
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_ends_or_panics_stops_the_others_and_is_reported() {
    let died = |why: &str| Exit::Died {
        task: "api".into(),
        why: why.into(),
    };

    let failed = exit_with(|life| life.spawn("api", async { Err("the port is taken") })).await;
    assert_eq!(failed, died("the port is taken"));
    assert_eq!(failed.code(), 1);

    let ended = exit_with(|life| life.spawn("api", async { Ended::Ok(()) })).await;
    assert_eq!(ended, died("it ended though nobody asked it to"));

    let panicked = exit_with(|life| {
        life.spawn("api", async {
            assert_eq!(1 + 1, 3, "sums are off");
            Ended::Ok(())
        });
    });
    let Exit::Died { why, .. } = panicked.await else {
        panic!("a panic should be a death")
    };
    assert!(
        why.starts_with("it panicked: ") && why.contains("sums are off"),
        "{why}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_failure_while_draining_is_reported_too() {
    let life = Lifecycle::new(GRACE);
    let task = life.shutdown();
    life.spawn("worker", async move {
        task.soft.cancelled().await;
        Err("could not settle")
    });
    life.shutdown().soft.cancel();
    let exit = life.run_until_done().await;
    assert_eq!(
        exit,
        Exit::Died {
            task: "worker".into(),
            why: "could not settle".into()
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_passing_task_may_end_but_not_fail() {
    let life = Lifecycle::new(GRACE);
    let stop = life.shutdown();
    life.spawn_passing("demo", async { Ended::Ok(()) });
    life.spawn_passing("ask", async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.soft.cancel();
        Ended::Ok(())
    });
    assert_eq!(life.run_until_done().await, asked());

    let failed = exit_with(|life| life.spawn_passing("demo", async { Err("no data") })).await;
    assert_eq!(
        failed,
        Exit::Died {
            task: "demo".into(),
            why: "no data".into()
        }
    );
}

/// Plays both parts: the parent sends real signals, the child (with `ROLE` set) awaits them.
#[tokio::test]
async fn the_first_signal_drains_and_the_second_stops_hard() {
    if std::env::var_os(ROLE).is_some() {
        return await_signals().await;
    }
    let this = std::thread::current()
        .name()
        .expect("tests run in named threads")
        .to_owned();
    let mut child = tokio::process::Command::from(Command::new(std::env::current_exe().unwrap()))
        .args(["--exact", &this, "--nocapture"])
        .env(ROLE, "1")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(id.cast_signed()))
        .unwrap();
    let mut said = Lines::of(child.stdout.take().unwrap());
    said.until("up").await;
    kill_process(pid, Kill::TERM).unwrap();
    said.until("soft").await;
    kill_process(pid, Kill::INT).unwrap();
    said.until("hard").await;
    said.until("exit 0").await;
    assert!(child.wait().await.unwrap().success());
}

#[allow(clippy::print_stdout, reason = "the parent process reads it")]
async fn await_signals() {
    let life = Lifecycle::new(GRACE);
    let task = life.shutdown();
    life.spawn("task", async move {
        println!("\nup");
        task.soft.cancelled().await;
        println!("soft");
        task.hard.cancelled().await;
        println!("hard");
        Ended::Ok(())
    });
    println!("exit {}", life.run_until_done().await.code());
}

struct Lines(tokio::io::Lines<tokio::io::BufReader<tokio::process::ChildStdout>>);

impl Lines {
    fn of(output: tokio::process::ChildStdout) -> Self {
        use tokio::io::AsyncBufReadExt;
        Self(tokio::io::BufReader::new(output).lines())
    }

    async fn until(&mut self, wanted: &str) {
        let found = async {
            while let Some(line) = self.0.next_line().await.unwrap() {
                if line == wanted {
                    return;
                }
            }
            panic!("the child ended before it said {wanted:?}");
        };
        tokio::time::timeout(Duration::from_secs(20), found)
            .await
            .expect("the child should go on");
    }
}
