//! Real processes, with real signals.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::wait::within;

/// A process of the fleet; killed when dropped, so that no test leaves one behind.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts `binary args…` on a database. Its logs go to the test's own stderr when `FLEET_TEST_LOGS` is set.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(binary: &str, database_url: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let loud = std::env::var_os("FLEET_TEST_LOGS").is_some();
        let out = || {
            if loud {
                Stdio::inherit()
            } else {
                Stdio::null()
            }
        };
        let child = Command::new(binary)
            .args(args)
            .env("DATABASE_URL", database_url)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(out())
            .stderr(out())
            .spawn()
            .expect("the fleet's binary starts");
        Self { child }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name: KILL, STOP, CONT, TERM, INT.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Kills it as nothing can be caught, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.child.wait().expect("our own child can be waited for");
    }

    /// True once it has ended by itself.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be asked")
    }

    /// Waits for its end.
    pub async fn ended(&mut self, deadline: Duration) -> ExitStatus {
        let child = std::sync::Mutex::new(&mut self.child);
        within(deadline, "the process ends", || async {
            child
                .lock()
                .expect("nobody panics here")
                .try_wait()
                .expect("our own child can be asked")
        })
        .await
    }
}

/// Sends a signal to a process by its id.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "kill -{name} {pid}"
    );
}

impl Drop for Process {
    fn drop(&mut self) {
        // A stopped process takes the KILL too; one that has ended is only waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
