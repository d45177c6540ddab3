//! Writes a process's history to a file: append-only, a line of JSON an event.
//!
//! Every line is one write to the kernel, without a buffer of ours: a kill -9 loses nothing that was written, a power cut may.
//! Times are the machine's monotonic clock, which all its processes share and nobody can step; they are taken under the file's lock,
//! so lines stand in the order of their times. A history that can no longer be written is worth nothing, so the process ends then.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use fleet_queue::history::{Event, History, Record};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// Why no history is kept.
#[derive(Debug, thiserror::Error)]
#[error("could not write a history to {}; name a file or a folder that can be written", path.display())]
pub struct RecordError {
    path: PathBuf,
    source: io::Error,
}

/// A line of a history.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Microseconds of the machine's monotonic clock.
    pub(crate) at: u64,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// Begins a history in `path`; in a folder, in a file that is named for the role and the process.
pub fn record(path: &Path, role: &str) -> Result<History, RecordError> {
    let pid = std::process::id();
    let file = if path.is_dir() {
        path.join(format!("{role}-{pid}-{}.ndjson", monotonic_us()))
    } else {
        path.to_owned()
    };
    let recorder = Recorder::open(&file).map_err(|source| RecordError { path: file, source })?;
    recorder.record(Event::Began {
        role: role.to_owned(),
        pid,
        boot: boot(),
    });
    Ok(History::kept_by(recorder))
}

/// The machine's monotonic clock.
#[must_use]
pub fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000 + now.tv_nsec.unsigned_abs() / 1_000
}

/// What tells this boot of this machine from every other; without /proc, times are only compared within a file.
fn boot() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.map_or_else(
        |_| format!("unknown, process {}", std::process::id()),
        |id| id.trim().to_owned(),
    )
}

#[derive(Debug)]
struct Recorder(Mutex<File>);

impl Recorder {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self(Mutex::new(file)))
    }

    fn write(&self, event: Event) -> io::Result<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = monotonic_us();
        let mut line = serde_json::to_vec(&Line { at, event })?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

impl Record for Recorder {
    fn record(&self, event: Event) {
        if let Err(error) = self.write(event) {
            tracing::error!(%error, "the history cannot be written any more; ending, because what follows could not be checked");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use fleet_queue::WorkerId;

    use super::*;
    use crate::read::read;

    #[test]
    fn what_is_recorded_is_read_again_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let history = record(folder.path(), "worker").expect("a history");
        let worker = WorkerId::generate();
        history.note(|| Event::LeaseEnded { worker });
        let entries = read(&[folder.path().to_owned()]).expect("it is read");
        assert!(
            matches!(&entries[0].event, Event::Began { role, pid, .. } if role == "worker" && *pid == std::process::id())
        );
        assert_eq!(entries[1].event, Event::LeaseEnded { worker });
        assert!(entries[0].at <= entries[1].at);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let refused = record(Path::new("/no/such/folder/history"), "worker");
        let said = refused.expect_err("there is no such folder").to_string();
        assert!(said.contains("/no/such/folder/history"), "{said}");
    }
}
