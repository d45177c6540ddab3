//! The end of a throw-away server: it must not outlive us, however we end.
//!
//! A test process may end without running destructors (statics, abort, kill -9), so a small shell
//! waits on a pipe that only we hold open: when we are gone, for whatever reason, the kernel closes
//! it, and the shell stops the server and removes its folder. Dropping does the same and waits.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

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
}

impl Drop for Undertaker {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // Nothing to do about a failure here: the folder is a temporary one.
        let _ = self.shell.wait();
    }
}
