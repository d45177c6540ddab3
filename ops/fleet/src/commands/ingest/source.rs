//! The file that data comes from: how it is written, and a bar that shows how far it has been read.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use fleet_jobs::metrics::{Format, Progress};
use indicatif::ProgressBar;
use tokio::fs::File;
use tokio::io::BufReader;

use crate::output::{Out, count};

#[derive(Args, Debug)]
pub(super) struct Source {
    /// The file
    pub(super) file: PathBuf,
    /// How its rows are written [default: by the file's extension]
    #[arg(long)]
    format: Option<Written>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Written {
    /// Comma-separated values under a header line
    Csv,
    /// One JSON object a line
    Ndjson,
}

impl From<Written> for Format {
    fn from(written: Written) -> Self {
        match written {
            Written::Csv => Self::Csv,
            Written::Ndjson => Self::Ndjson,
        }
    }
}

impl Source {
    pub(super) fn format(&self) -> anyhow::Result<Format> {
        let format = self.format.map(Format::from);
        format.or_else(|| Format::of(&self.file)).ok_or_else(|| {
            anyhow!(
                "{} ends neither in .csv nor in .ndjson; say which it is with --format",
                self.file.display()
            )
        })
    }

    pub(super) async fn open(&self, out: Out) -> anyhow::Result<(BufReader<File>, ProgressBar)> {
        let file = File::open(&self.file).await;
        let file = file.with_context(|| format!("could not open {}", self.name()))?;
        let length = file.metadata().await.map_or(0, |metadata| metadata.len());
        Ok((
            BufReader::new(file),
            out.progress().bytes("reading", length),
        ))
    }

    pub(super) fn name(&self) -> String {
        self.file.display().to_string()
    }
}

pub(super) fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_position(progress.bytes);
    bar.set_message(format!("{} rows", count(progress.rows as i64)));
}
