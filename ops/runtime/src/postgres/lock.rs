//! One fleet a folder: an advisory lock that the kernel drops when its holder ends, however it ends.
//!
//! So there is no stale lock to clean up after a kill -9. The file holds the owner's process id for
//! the message to whoever comes second; nothing is decided by it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::error::PgError;

/// Holds the folder until dropped.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Not by closing it alone: a process that is being started beside us has a copy of the file until it runs its program, and
        // would keep the lock for so long. If this fails, closing does it.
        let _ = self.file.unlock();
    }
}

impl FolderLock {
    pub(super) fn take(dir: &Path) -> Result<Self, PgError> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false) // the holder's id must stay readable
            .open(&path)
            .map_err(PgError::folder("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(PgError::AlreadyRunning {
                    pid: holder(&mut file),
                    dir: dir.into(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(PgError::folder("lock", &path)(e)),
        }
        sign(&mut file).map_err(PgError::folder("write the lock file", &path))?;
        Ok(Self { file })
    }
}

/// The process id in the file; 0 if its holder has not written it yet.
fn holder(file: &mut File) -> u32 {
    let mut text = String::new();
    file.read_to_string(&mut text)
        .ok()
        .and_then(|_| text.trim().parse().ok())
        .unwrap_or(0)
}

fn sign(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_taker_learns_who_holds_the_folder_and_gets_it_once_free() {
        let dir = tempfile::tempdir().unwrap();
        let first = FolderLock::take(dir.path()).unwrap();
        let refused = FolderLock::take(dir.path()).unwrap_err();
        assert!(
            matches!(&refused, PgError::AlreadyRunning { pid, .. } if *pid == std::process::id()),
            "{refused}"
        );
        drop(first);
        FolderLock::take(dir.path()).unwrap();
    }

    #[test]
    fn a_copy_of_the_file_in_a_process_that_is_being_started_keeps_nobody_off() {
        let dir = tempfile::tempdir().unwrap();
        let first = FolderLock::take(dir.path()).unwrap();
        let _copy = first.file.try_clone().unwrap();
        drop(first);
        FolderLock::take(dir.path()).unwrap();
    }
}
