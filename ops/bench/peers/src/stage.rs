//! The part that a contestant plays: it says `ready`, works from `go` on, says `done` when its jobs have ended, stops at `stop`, and
//! says in one line of JSON what it counted. The benchmark measures the process from outside, between `go` and `done`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::sync::Notify;

/// Between two looks whether the last results are recorded, once every handler has run.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Counts handlers that ran.
#[derive(Clone, Debug)]
pub struct Tally(Arc<Count>);

#[derive(Debug)]
struct Count {
    ran: AtomicU64,
    expected: u64,
    all: Notify,
}

impl Tally {
    pub fn of(expected: u64) -> Self {
        Self(Arc::new(Count {
            ran: AtomicU64::new(0),
            expected,
            all: Notify::new(),
        }))
    }

    /// Called by each handler.
    pub fn count(&self) {
        if self.0.ran.fetch_add(1, Ordering::Relaxed) + 1 == self.0.expected {
            self.0.all.notify_one();
        }
    }
}

/// The talk with the benchmark, over standard input and output.
pub struct Stage {
    words: Lines<BufReader<Stdin>>,
}

impl Stage {
    /// Says that everything is connected, and waits for the word to begin.
    pub async fn enter() -> anyhow::Result<Self> {
        let mut stage = Self {
            words: BufReader::new(tokio::io::stdin()).lines(),
        };
        say("ready")?;
        stage.hear("go").await?;
        Ok(stage)
    }

    /// Waits for all handlers and for their results, says so, and waits for the word to stop.
    pub async fn play<F: Future<Output = anyhow::Result<i64>>>(
        &mut self,
        tally: &Tally,
        left: impl Fn() -> F,
    ) -> anyhow::Result<()> {
        tally.0.all.notified().await;
        while left().await? > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        say("done")?;
        self.hear("stop").await
    }

    /// The last line.
    pub fn leave(self, tally: &Tally, left: i64) -> anyhow::Result<()> {
        let ran = tally.0.ran.load(Ordering::Relaxed);
        say(&serde_json::json!({ "ran": ran, "left": left }).to_string())
    }

    async fn hear(&mut self, word: &str) -> anyhow::Result<()> {
        let heard = self.words.next_line().await?;
        ensure!(
            heard.as_deref() == Some(word),
            "expected \"{word}\", heard {heard:?}"
        );
        Ok(())
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
