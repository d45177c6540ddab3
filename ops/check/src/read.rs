//! Reads histories: files, or folders of `*.ndjson`.
//!
//! A last line without its end was being written when its process died, and is left out; any other line that cannot be read is an error.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fleet_queue::history::Event;

use crate::recorder::Line;

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file or folder.
    #[error("could not read {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line in the middle.
    #[error("line {line} of {} is no event of a history", path.display())]
    Line {
        /// Of which file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// Nothing in it.
    #[error("there is no history in {}; a process writes one with --history", path.display())]
    Empty {
        /// In what was named.
        path: PathBuf,
    },
}

/// Whose history an entry is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The file's name.
    pub file: String,
    /// The process's role.
    pub role: String,
    /// Its id.
    pub pid: u32,
    /// Its machine's boot.
    pub boot: String,
}

/// A line of a history, with where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Whose.
    pub source: Arc<Source>,
    /// From 1.
    pub line: usize,
    /// Microseconds of the machine's monotonic clock.
    pub at: u64,
    /// What it says.
    pub event: Event,
}

/// Longest event shown in an explanation, in characters.
const SHOWN_MAX: usize = 400;

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = serde_json::to_string(&self.event).map_err(|_| fmt::Error)?;
        let seconds = self.at as f64 / 1e6;
        write!(f, "{}:{} at {seconds:.6} s: ", self.source.file, self.line)?;
        match event.char_indices().nth(SHOWN_MAX) {
            Some((end, _)) => write!(f, "{}…", &event[..end]),
            None => f.write_str(&event),
        }
    }
}

/// Every entry of these files and folders, by time.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Entry>, ReadError> {
    let mut entries = Vec::new();
    for path in paths {
        let files = files(path).map_err(|source| ReadError::File {
            path: path.clone(),
            source,
        })?;
        let before = entries.len();
        for file in files {
            read_file(&file, &mut entries)?;
        }
        if entries.len() == before {
            return Err(ReadError::Empty { path: path.clone() });
        }
    }
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in path.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "ndjson") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_file(path: &Path, entries: &mut Vec<Entry>) -> Result<(), ReadError> {
    let text = std::fs::read_to_string(path).map_err(|source| ReadError::File {
        path: path.to_owned(),
        source,
    })?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut source = Arc::new(Source {
        file: name.into_owned(),
        ..Source::default()
    });
    for (n, line) in text.split_inclusive('\n').enumerate() {
        if !line.ends_with('\n') {
            break;
        }
        let Line { at, event } = serde_json::from_str(line).map_err(|why| ReadError::Line {
            path: path.to_owned(),
            line: n + 1,
            source: why,
        })?;
        if let Event::Began { role, pid, boot } = &event {
            let file = source.file.clone();
            let (role, pid, boot) = (role.clone(), *pid, boot.clone());
            source = Arc::new(Source {
                file,
                role,
                pid,
                boot,
            });
        }
        entries.push(Entry {
            source: Arc::clone(&source),
            line: n + 1,
            at,
            event,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"at":5,"event":"began","role":"worker","pid":7,"boot":"b"}"#;

    fn read_text(text: &str) -> Result<Vec<Entry>, ReadError> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.ndjson"), text).expect("a file");
        read(&[folder.path().to_owned()])
    }

    #[test]
    fn a_torn_last_line_is_left_out() {
        let entries = read_text(&format!("{WHOLE}\n{{\"at\":6,\"eve")).expect("readable");
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].at, entries[0].source.pid), (5, 7));
    }

    #[test]
    fn a_bad_line_in_the_middle_is_named() {
        let refused = read_text(&format!("{WHOLE}\nnonsense\n{WHOLE}\n")).expect_err("a bad line");
        assert!(refused.to_string().starts_with("line 2 of "), "{refused}");
    }

    #[test]
    fn a_folder_without_histories_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let refused = read(&[folder.path().to_owned()]).expect_err("nothing in it");
        assert!(refused.to_string().contains("--history"), "{refused}");
    }
}
