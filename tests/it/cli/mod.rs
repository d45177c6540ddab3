//! The command line as a person or a script meets it: the real binary, its answers, its exit codes.

mod benchmarks;
mod commands;
mod refusals;
mod running;
mod triage;
mod up;

use std::path::Path;
use std::process::{Output, Stdio};

use fleet_tests::TestDb;
use serde_json::Value;
use tokio::process::Command;

const FLEET: &str = env!("CARGO_BIN_EXE_fleet-under-test");

/// What a command said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }

    /// Its standard output as the one JSON document it has to be.
    fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "one line: {}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }

    fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    fn refused(self, code: i32, word: &str) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(
            self.err.contains(word),
            "\"{word}\" is not in: {}",
            self.err
        );
    }
}

/// Runs a command in an empty folder, on no database but what its arguments name.
async fn fleet_in(folder: &Path, args: &[&str]) -> Said {
    let mut command = Command::new(FLEET);
    command
        .args(args)
        .current_dir(folder)
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null());
    Said::of(command.output().await.unwrap())
}

/// Runs a command on a test's database.
async fn fleet(db: &TestDb, args: &[&str]) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let target = [args, &["--database-url", &db.url]].concat();
    fleet_in(folder.path(), &target).await
}

/// The same with `--json`, and it has to go well.
async fn json(db: &TestDb, args: &[&str]) -> Value {
    fleet(db, &[args, &["--json"]].concat()).await.good().json()
}

/// What a worker that starts does first.
async fn register(db: &TestDb) {
    let registry = fleet_jobs::diagnostics::registry();
    let kinds: Vec<_> = registry.infos().cloned().collect();
    fleet_queue::kinds::register_kinds(&mut *db.conn().await, &kinds)
        .await
        .unwrap();
}
