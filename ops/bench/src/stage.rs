//! The part that an entrant's process plays: it says `ready`, works from `go` on, says `done` when its work is over, stops at `stop`, and
//! says in one line of JSON what it counted. It is measured from outside, between `go` and `done`.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use crate::figure::Figure;

/// An entrant's last line.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// Jobs whose handlers ran, or that were done by whatever it does.
    pub(crate) ran: u64,
    /// Jobs that have not ended.
    pub(crate) left: u64,
    /// Jobs that ended more than once, as far as it keeps what ended.
    #[serde(default)]
    pub(crate) doubled: u64,
    /// What it measured itself.
    #[serde(default)]
    pub(crate) figures: BTreeMap<Figure, f64>,
}

/// The talk with the benchmark, over standard input and output.
#[derive(Debug)]
pub(crate) struct Stage {
    words: Lines<BufReader<Stdin>>,
}

impl Stage {
    /// Says that everything is connected, and waits for the word to begin.
    pub(crate) async fn enter() -> anyhow::Result<Self> {
        let words = BufReader::new(tokio::io::stdin()).lines();
        let mut stage = Self { words };
        say("ready")?;
        stage.hear("go").await?;
        Ok(stage)
    }

    /// Says that the work is over, and waits for the word to stop.
    pub(crate) async fn done(&mut self) -> anyhow::Result<()> {
        say("done")?;
        self.hear("stop").await
    }

    /// The last line; nothing more is heard.
    pub(crate) fn leave(self, summary: &Summary) -> anyhow::Result<()> {
        drop(self.words);
        say(&serde_json::to_string(summary)?)
    }

    async fn hear(&mut self, word: &str) -> anyhow::Result<()> {
        let heard = self.words.next_line().await?;
        ensure!(
            heard.as_deref() == Some(word),
            "expected \"{word}\" from the benchmark, heard {heard:?}"
        );
        Ok(())
    }
}

fn say(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
