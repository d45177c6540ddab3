//! The end of a throw-away server: it must not outlive us, however we end.
//!
//! A test process may end without running destructors (statics, abort, kill -9), so a small shell
//! waits on a pipe that only we hold open: when we are gone, for whatever reason, the kernel closes
//! it, and the shell stops the server and removes its folder. Dropping does the same and waits.
//!
//! A machine that stops, or a runner that ends whatever its job has left, takes the shell along. The
//! next throw-away server has such folders removed: each may hold gigabytes.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{io, thread};

use super::lock::FolderLock;

/// What the names of these folders begin with.
pub(super) const PREFIX: &str = "fleet-pg-";

/// Younger folders may be those of a start that has not taken its lock yet.
const LEFT_FOR: Duration = Duration::from_hours(1);

/// `$1` is the folder. The pid is read at the end, for the server may have been restarted since. It
/// removes its pid file as its last act; a killed one doesn't, and one that nobody reaps answers
/// `kill -0` for ever: hence both conditions, and a bound.
const SCRIPT: &str = r#"
cat >/dev/null
file="$1/pg/data/postmaster.pid"
pid=$(head -n 1 "$file") && kill -QUIT "$pid" && {
    tries=0
    while [ -e "$file" ] && kill -0 "$pid" && [ $tries -lt 250 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
}
rm -rf -- "$1"
"#;

/// Removes the server of a folder, and the folder, when dropped or when our process ends.
#[derive(Debug)]
pub(super) struct Undertaker {
    shell: Child,
}

impl Undertaker {
    pub(super) fn hire(dir: &Path) -> io::Result<Self> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg("undertaker").arg(dir);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // A Ctrl-C is for us; the shell has work to do after it.
        command.process_group(0).current_dir("/");
        Ok(Self {
            shell: command.spawn()?,
        })
    }

    /// Removes what throw-away servers of the past have left in `parent`, in a thread that nobody has to wait for.
    pub(super) fn clear_up(parent: PathBuf) -> thread::JoinHandle<()> {
        thread::spawn(move || {
            for dir in left_in(&parent) {
                // One that cannot be removed now stays for the next.
                drop(Self::hire(&dir));
            }
        })
    }
}

/// Folders of servers whose owners are gone, and have been for a while.
fn left_in(parent: &Path) -> Vec<PathBuf> {
    let entries = parent.read_dir().into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().is_some_and(is_ours) && is_left(path))
        .collect()
}

fn is_ours(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PREFIX))
}

/// Only folders that we made: what others put into a shared `/tmp` is not to be followed, still less removed.
fn is_left(dir: &Path) -> bool {
    let is_old_and_ours = dir.symlink_metadata().is_ok_and(|found| {
        found.is_dir()
            && found.uid() == rustix::process::geteuid().as_raw()
            && found
                .modified()
                .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > LEFT_FOR))
    });
    is_old_and_ours && FolderLock::take(dir).is_ok()
}

impl Drop for Undertaker {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Nothing to do about a failure here: the folder is a temporary one.
        let _ = self.shell.wait();
    }
}
