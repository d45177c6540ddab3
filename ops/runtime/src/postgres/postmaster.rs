//! The running server as the operating system sees it: its pid file, its process, its signals.
//!
//! A pid alone proves nothing (the number may have been given to another process since), so every
//! question and every signal first checks that the process was started on *our* data folder.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// What `postmaster.pid` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PidFile {
    pub(super) pid: u32,
    pub(super) port: u16,
}

impl PidFile {
    /// Reads the file in `data`; `None` if there is none or it is still being written.
    pub(super) fn read(data: &Path) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(data.join("postmaster.pid")).ok()?)
    }

    /// The file's lines: pid, data folder, start time, port, socket folder, address, key, status.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim);
        let pid = lines.next()?.parse().ok()?;
        let port = lines.nth(2)?.parse().ok()?;
        Some(Self { pid, port })
    }
}

/// Whether process `pid` lives and is the server that was started on `data`.
///
/// PostgreSQL makes the data folder its working folder; a zombie has none, and so counts as gone.
#[cfg(target_os = "linux")]
pub(super) fn serves(pid: u32, data: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let works_there = process
        .join("cwd")
        .read_link()
        .is_ok_and(|folder| folder == data);
    let arguments = std::fs::read_to_string(process.join("cmdline")).unwrap_or_default();
    // Its children work in the same folder, but call themselves "postgres: what they do".
    let program = arguments
        .split('\0')
        .next()
        .map(Path::new)
        .and_then(Path::file_name);
    works_there && program.is_some_and(|name| name == "postgres")
}

/// Without /proc, `ps` tells how the process was started: `…/postgres -D FOLDER`.
#[cfg(not(target_os = "linux"))]
pub(super) fn serves(pid: u32, data: &Path) -> bool {
    let asked = std::process::Command::new("ps")
        .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
        .output();
    let Ok(answer) = asked else { return false };
    let line = String::from_utf8_lossy(&answer.stdout);
    line.trim()
        .split_once("postgres -D ")
        .is_some_and(|(_, folder)| Path::new(folder) == data)
}

/// Sends `signal` to the server on `data`, if `pid` is still it.
pub(super) fn signal(pid: u32, data: &Path, signal: Signal) {
    let target = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(target) = target.filter(|_| serves(pid, data)) {
        // It may end between the check and the signal, which is what the signal was for.
        let _ = kill_process(target, signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_pid_file_and_waits_for_a_whole_one() {
        let whole = "4711\n/srv/pg\n1790000000\n5433\n\n127.0.0.1\n  1 2\nready   \n";
        assert_eq!(
            PidFile::parse(whole),
            Some(PidFile {
                pid: 4711,
                port: 5433
            })
        );
        assert_eq!(PidFile::parse("4711\n/srv/pg\n"), None);
        assert_eq!(PidFile::parse(""), None);
    }

    #[test]
    fn a_living_process_that_is_no_server_of_ours_does_not_count() {
        assert!(!serves(std::process::id(), Path::new("/no/such/data")));
        assert!(!serves(u32::MAX, Path::new("/no/such/data")));
    }
}
