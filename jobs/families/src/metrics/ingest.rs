//! Reads metric rows from a stream of any size into the database, in memory bounded by one batch.
//!
//! Each batch commits by itself, unless the caller gives a connection that is in a transaction: a source that breaks off has delivered what came before, and sending it again from the
//! start changes nothing that was right, since a row replaces its earlier self.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::io::AsyncBufRead;

use crate::acting::Acting;

use super::identity;
use super::intake::Intake;
use super::lines::Lines;
use super::reason::Reason;
use super::row::Scope;

/// How rows are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values under a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// What a file's name says: `.csv`, or `.ndjson`, `.jsonl`, `.json`.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// What to read and on whose behalf.
#[derive(Clone, Debug)]
pub struct Options {
    /// How rows are written down.
    pub format: Format,
    /// Whose rows the source may bring.
    pub scope: Scope,
    /// What the source is called in reports and in the quarantine: a file's name, a request's id.
    pub source: String,
}

/// How far an ingest has come; given after each batch.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes taken from the source.
    pub bytes: u64,
    /// Rows read.
    pub rows: u64,
}

/// What became of a source.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct IngestReport {
    /// Rows read; blank lines and the header do not count.
    pub read: u64,
    /// Rows now in the database.
    pub accepted: u64,
    /// Of those, how many took the place of an earlier one.
    pub replaced: u64,
    /// Rows refused.
    pub quarantined: u64,
    /// Refused rows by reason.
    pub by_reason: BTreeMap<Reason, u64>,
    /// The first of them.
    pub examples: Vec<Example>,
    /// Columns of the header that mean nothing here.
    pub ignored_columns: Vec<String>,
}

/// One refused row.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Example {
    /// Line of the source, from 1.
    pub line: u64,
    /// The field, where it is one field's fault.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub reason: Reason,
    /// How the line begins.
    pub text: String,
}

/// Why an ingest stopped. Batches before it are kept.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The first line does not name the columns.
    #[error("line 1 cannot be the header: {problem}")]
    BadHeader {
        /// What is wrong with it.
        problem: String,
    },
    /// The source broke off.
    #[error(
        "reading stopped after line {line}; {rows} rows were read; send the source again from the start"
    )]
    Read {
        /// The last line that was read.
        line: u64,
        /// How many rows it had delivered.
        rows: u64,
        /// What the source said.
        source: io::Error,
    },
    /// There is no room for the jobs of a batch.
    #[error(
        "the queue \"{queue}\" is full; batches before this one are kept, send the source again later"
    )]
    QueueFull {
        /// Which.
        queue: String,
    },
    /// The queue did not take the jobs of a batch.
    #[error("the jobs of a batch were not taken; batches before it are kept")]
    Queue {
        /// What it said.
        #[from]
        source: fleet_queue::Error,
    },
    /// The database did not take a batch.
    #[error(
        "storing rows failed; batches before this one are kept, and sending the source again is safe"
    )]
    Database {
        /// What the database said.
        #[from]
        source: sqlx::Error,
    },
}

/// Reads everything a source has.
pub async fn ingest<'c, R: AsyncBufRead + Unpin>(
    conn: impl Into<Acting<'c>>,
    input: R,
    options: &Options,
    mut progress: impl FnMut(Progress),
) -> Result<IngestReport, IngestError> {
    let mut conn = conn.into();
    let rules = identity::rules(&mut *conn.begin().await?, options.scope).await?;
    let mut intake = Intake::new(options, rules);
    let mut lines = Lines::new(input);
    let mut last = 0;
    loop {
        let rows = intake.rows_read();
        let next = lines.next().await.map_err(|source| IngestError::Read {
            line: last,
            rows,
            source,
        })?;
        let Some(line) = next else { break };
        last = line.number;
        intake.take(line.number, line.bytes)?;
        if intake.is_full() {
            intake.flush(&mut conn).await?;
            progress(Progress {
                bytes: lines.bytes_read(),
                rows: intake.rows_read(),
            });
        }
    }
    intake.flush(&mut conn).await?;
    progress(Progress {
        bytes: lines.bytes_read(),
        rows: intake.rows_read(),
    });
    Ok(intake.finish())
}
