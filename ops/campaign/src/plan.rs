//! What a campaign is told.

use std::path::PathBuf;
use std::time::Duration;

/// A campaign before it begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How long harm is done; setting up, draining and checking come on top.
    pub lasts: Duration,
    /// The harm follows from it.
    pub seed: u64,
    /// An empty folder for the server, histories and logs; it stays.
    pub folder: PathBuf,
    /// The fleet's binary.
    pub binary: PathBuf,
    /// Another build that is deployed beside it; a copy of the first where there is none.
    pub second_binary: Option<PathBuf>,
    /// SQL that is run after the migrations: how a campaign is shown to notice that a guard is missing.
    pub sabotage: Option<String>,
    /// Worker processes.
    pub workers: usize,
    /// Scheduler processes.
    pub schedulers: usize,
    /// API processes.
    pub apis: usize,
    /// Live jobs past which the load waits.
    pub backlog: i64,
    /// How long what waits may take to end once all harm is undone.
    pub drain_within: Duration,
}

impl Plan {
    /// Of so long, from a seed, in a folder, with this binary; the rest as usual.
    #[must_use]
    pub fn new(lasts: Duration, seed: u64, folder: PathBuf, binary: PathBuf) -> Self {
        Self {
            lasts,
            seed,
            folder,
            binary,
            second_binary: None,
            sabotage: None,
            workers: 3,
            schedulers: 2,
            apis: 2,
            backlog: 150,
            drain_within: Duration::from_secs(180),
        }
    }

    pub(crate) fn histories(&self) -> PathBuf {
        self.folder.join("histories")
    }

    /// What the tables said at the end, for `fleet check --facts`.
    pub(crate) fn facts(&self) -> PathBuf {
        self.folder.join("facts.json")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }
}

/// How far a campaign is, for whoever draws it.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Time that harm has been done for.
    pub passed: Duration,
    /// What is going on.
    pub doing: String,
}
