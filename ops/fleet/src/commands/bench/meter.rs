//! What a round took: time, and the processor time of this process and of the server's.

use std::time::Duration;

use serde::{Serialize, Serializer};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::time::Instant;

/// What a round took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Used {
    #[serde(rename = "wall_ms", serialize_with = "milliseconds")]
    pub(super) wall: Duration,
    #[serde(rename = "client_cpu_ms", serialize_with = "milliseconds")]
    pub(super) client_cpu: Duration,
    #[serde(rename = "server_cpu_ms", serialize_with = "optional_milliseconds")]
    pub(super) server_cpu: Option<Duration>,
}

fn milliseconds<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(length.as_secs_f64() * 1000.0)
}

#[expect(
    clippy::ref_option,
    reason = "serde's serialize_with passes a reference to the field"
)]
fn optional_milliseconds<S: Serializer>(
    length: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match length {
        Some(length) => milliseconds(length, serializer),
        None => serializer.serialize_none(),
    }
}

/// Processor time so far.
#[derive(Clone, Copy, Debug)]
struct Spent {
    client: Duration,
    server: Option<Duration>,
}

/// Begun before the work, read after it.
#[derive(Debug)]
pub(super) struct Meter {
    server: Option<Pid>,
    begun: Instant,
    before: Spent,
}

impl Meter {
    /// `server` is the process that the server's others are children of, where it runs on this machine.
    pub(super) fn begin(server: Option<u32>) -> Self {
        let server = server.map(Pid::from_u32);
        let before = Spent::now(server);
        Self {
            server,
            begun: Instant::now(),
            before,
        }
    }

    pub(super) fn end(self) -> Used {
        let wall = self.begun.elapsed();
        let after = Spent::now(self.server);
        Used {
            wall,
            client_cpu: after.client.saturating_sub(self.before.client),
            server_cpu: after
                .server
                .zip(self.before.server)
                .map(|(after, before)| after.saturating_sub(before)),
        }
    }
}

impl Spent {
    fn now(server: Option<Pid>) -> Self {
        let unknown = Self {
            client: Duration::ZERO,
            server: None,
        };
        let (Ok(mut system), Ok(own)) = (System::new(), sysinfo::get_current_pid()) else {
            return unknown;
        };
        let what = ProcessRefreshKind::nothing().with_cpu().without_tasks();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
        let spent =
            |process: &sysinfo::Process| Duration::from_millis(process.accumulated_cpu_time());
        let server = server
            .filter(|root| system.process(*root).is_some())
            .map(|root| {
                let family = |process: &&sysinfo::Process| {
                    process.pid() == root || process.parent() == Some(root)
                };
                system.processes().values().filter(family).map(spent).sum()
            });
        Self {
            client: system.process(own).map(spent).unwrap_or_default(),
            server,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_measured() {
        let meter = Meter::begin(Some(std::process::id()));
        let mut n = 0_u64;
        while meter.begun.elapsed() < Duration::from_millis(100) {
            n = std::hint::black_box(n.wrapping_add(1));
        }
        let used = meter.end();
        assert!(used.wall >= Duration::from_millis(100));
        assert!(used.client_cpu > Duration::ZERO, "{used:?}");
        assert!(
            used.server_cpu >= Some(used.client_cpu),
            "its own family holds itself: {used:?}"
        );
    }
}
