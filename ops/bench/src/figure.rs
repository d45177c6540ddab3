//! What can be measured of a turn.

use serde::{Deserialize, Serialize};

/// A figure of a turn, in a fixed unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Jobs a second.
    JobsPerSecond,
    /// Processor time of client and server a job, in microseconds.
    CpuUsPerJob,
    /// Of it the entrant's own.
    ClientCpuUsPerJob,
    /// Of it the server's, its background processes included.
    ServerCpuUsPerJob,
    /// Write-ahead log a job, in bytes.
    WalBytesPerJob,
    /// Commits a thousand jobs.
    CommitsPerThousand,
    /// From before a job is sent to the start of its handler: the middle.
    StartMsP50,
    /// The same: 99 of 100 start sooner.
    StartMsP99,
    /// A claim call: the middle.
    ClaimMsP50,
    /// The same: 99 of 100 are faster.
    ClaimMsP99,
    /// How far a limit was passed at most, in jobs.
    OverLimit,
    /// Statements a second.
    StatementsPerSecond,
    /// Share of one core, in percent.
    CpuPercent,
    /// Resident memory, in MiB.
    MemoryMib,
}

impl Figure {
    /// What a contest of speed shows.
    pub(crate) const SPEED: &'static [Self] = &[
        Self::JobsPerSecond,
        Self::CpuUsPerJob,
        Self::ClientCpuUsPerJob,
        Self::ServerCpuUsPerJob,
        Self::WalBytesPerJob,
        Self::CommitsPerThousand,
    ];

    /// A table column's title; `>` aligns it to the right.
    pub fn title(self) -> &'static str {
        match self {
            Self::JobsPerSecond => ">JOBS/S",
            Self::CpuUsPerJob => ">CPU µs/JOB",
            Self::ClientCpuUsPerJob => ">CLIENT",
            Self::ServerCpuUsPerJob => ">SERVER",
            Self::WalBytesPerJob => ">WAL B/JOB",
            Self::CommitsPerThousand => ">COMMITS/1000",
            Self::StartMsP50 => ">START ms P50",
            Self::StartMsP99 => ">P99",
            Self::ClaimMsP50 => ">CLAIM ms P50",
            Self::ClaimMsP99 => ">CLAIM P99",
            Self::OverLimit => ">OVER LIMIT",
            Self::StatementsPerSecond => ">STATEMENTS/S",
            Self::CpuPercent => ">CPU %",
            Self::MemoryMib => ">MEMORY MiB",
        }
    }
}
