//! A small disk of the server's own, that can be filled: a tmpfs, which only root may mount.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Large enough for an hour's campaign, small enough for a machine's memory.
const SIZE: &str = "size=1500m,mode=0711";
/// Bytes written at once while filling.
const CHUNK: usize = 1 << 20;

/// A mounted disk; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Mounts one on an empty folder; or says why it cannot.
    pub(crate) fn mount(at: &Path) -> Result<Self, String> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", SIZE, "fleet-campaign"])
            .arg(at)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Ok(Self { at: at.to_owned() }),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes until nothing more goes in.
    pub(crate) fn fill(&self) {
        let Ok(mut ballast) = File::create(self.ballast()) else {
            return; // it is as full as it can be
        };
        let chunk = vec![0; CHUNK];
        while ballast.write_all(&chunk).is_ok() {}
    }

    /// Takes what filled it away.
    pub(crate) fn clear(&self) {
        // Not there: it was not filled.
        let _ = fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.at.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, because a server that is being stopped may have files open for a moment.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
