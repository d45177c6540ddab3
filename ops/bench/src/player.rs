//! An entrant's process, from the benchmark's side of the talk that `stage` describes.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::parts::Part;
use crate::stage::Summary;

/// Longest that an entrant may take to connect, to work and to stop.
const PATIENCE: Duration = Duration::from_mins(45);

/// Who plays.
#[derive(Clone, Debug)]
pub(crate) enum Program {
    /// This very program, in one of its parts.
    Ours(Part),
    /// Another queue, by its name in the peers' program.
    Peer(&'static str),
}

impl Program {
    /// A process of it; the database's URL may hold a password, so it goes by the environment and not by the arguments.
    fn command(&self, verb: &str, url: &str, jobs: u64) -> anyhow::Result<Command> {
        let mut command = match self {
            Self::Ours(part) => {
                let mut command = Command::new(std::env::current_exe()?);
                let part = serde_json::to_string(part)?;
                command.args(["bench", "contestant", &part, &jobs.to_string()]);
                command
            }
            Self::Peer(name) => {
                let mut command = Command::new(peers_program()?);
                command.args([name, verb, &jobs.to_string()]);
                command
            }
        };
        command.env("DATABASE_URL", url).kill_on_drop(true);
        Ok(command)
    }

    /// Has a peer make its tables and enqueue its jobs.
    pub(crate) async fn fill(&self, url: &str, jobs: u64) -> anyhow::Result<()> {
        let status = self.command("fill", url, jobs)?.status().await?;
        ensure!(status.success(), "{self:?} could not fill its tables");
        Ok(())
    }

    /// Starts it; it is connected and waits for the word.
    pub(crate) async fn start(&self, url: &str, jobs: u64) -> anyhow::Result<Player> {
        let mut command = self.command("work", url, jobs)?;
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {self:?}"))?;
        let words = process.stdin.take().expect("standard input is piped");
        let answers = process.stdout.take().expect("standard output is piped");
        let answers = BufReader::new(answers).lines();
        let mut player = Player {
            process,
            words,
            answers,
        };
        player.hear("ready").await?;
        Ok(player)
    }
}

/// The peers' program, which stands beside this one.
fn peers_program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("fleet-bench-peers");
    if !program.is_file() {
        bail!(
            "the peers are not built, there is no {}; build them with: SQLX_OFFLINE=true cargo build --release --manifest-path ops/bench/peers/Cargo.toml --target-dir target",
            program.display()
        );
    }
    Ok(program)
}

/// A running entrant.
#[derive(Debug)]
pub(crate) struct Player {
    process: Child,
    words: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Player {
    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the entrant's process has ended")
    }

    /// Lets it work.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<()> {
        Ok(self.words.write_all(b"go\n").await?)
    }

    /// Waits until it says that its work is over.
    pub(crate) async fn done(&mut self) -> anyhow::Result<()> {
        self.hear("done").await
    }

    /// Stops it, and says what it counted.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Summary> {
        self.words.write_all(b"stop\n").await?;
        let line = self.next().await?;
        let summary = serde_json::from_str(&line)
            .with_context(|| format!("an entrant's last line cannot be read: {line}"))?;
        let status = timeout(PATIENCE, self.process.wait()).await??;
        ensure!(status.success(), "an entrant ended with {status}");
        Ok(summary)
    }

    async fn hear(&mut self, word: &str) -> anyhow::Result<()> {
        let heard = self.next().await?;
        ensure!(
            heard == word,
            "expected \"{word}\" of an entrant, heard \"{heard}\""
        );
        Ok(())
    }

    async fn next(&mut self) -> anyhow::Result<String> {
        let line = timeout(PATIENCE, self.answers.next_line())
            .await
            .context("an entrant took too long")??;
        line.context("an entrant ended in the middle of its turn; what it said is above")
    }
}
