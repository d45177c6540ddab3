//! The machine and this process, measured over a real interval: one sample says nothing of a rate.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use sysinfo::{Disks, Networks, Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::sync::watch;
use tokio::time::Instant;

/// From one sample to the next; rates are over this time.
const INTERVAL: Duration = Duration::from_secs(2);

/// Figures of the machine and of this process.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct SystemView {
    /// When they were taken.
    at: DateTime<Utc>,
    /// Over how long rates were measured.
    interval_ms: u64,
    /// The machine's processors.
    cpu: CpuView,
    /// The machine's memory, or the container's where that is less.
    memory: MemoryView,
    /// Runnable processes over 1, 5 and 15 minutes.
    load: [f64; 3],
    /// Seconds since the machine started.
    uptime_s: u64,
    /// File systems.
    disks: Vec<DiskView>,
    /// All interfaces together.
    network: NetworkView,
    /// This process.
    process: ProcessView,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct CpuView {
    /// Cores.
    cores: usize,
    /// Share of all cores in use, 0 to 100.
    used_percent: f32,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to the name")]
struct MemoryView {
    /// What there is.
    total_bytes: u64,
    /// What is in use.
    used_bytes: u64,
    /// The control group's limit, where there is one.
    cgroup_limit_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct DiskView {
    /// Where it is mounted.
    mount: String,
    /// Its size.
    total_bytes: u64,
    /// What is left.
    available_bytes: u64,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct NetworkView {
    /// Received.
    received_bytes_per_s: f64,
    /// Sent.
    sent_bytes_per_s: f64,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct ProcessView {
    /// Its id.
    pid: u32,
    /// Share of one core, so that over 100 means more than one.
    cpu_percent: f32,
    /// Resident memory.
    memory_bytes: u64,
    /// Seconds since it started.
    uptime_s: u64,
}

/// Holds the newest figures.
#[derive(Clone, Debug)]
pub(crate) struct Sampler(Arc<watch::Sender<Option<SystemView>>>);

impl Sampler {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// The newest figures; in the first seconds of the process it waits for them.
    pub(crate) async fn newest(&self) -> Option<SystemView> {
        let mut figures = self.0.subscribe();
        let newest = figures.wait_for(Option::is_some);
        let newest = tokio::time::timeout(2 * INTERVAL, newest)
            .await
            .ok()?
            .ok()?;
        newest.clone()
    }

    /// Samples for as long as it is polled.
    pub(crate) async fn run(self) {
        let machine = tokio::task::spawn_blocking(Machine::look).await;
        let Ok(Some(mut machine)) = machine else {
            tracing::warn!("the system's figures cannot be read here");
            return;
        };
        loop {
            tokio::time::sleep(INTERVAL).await;
            // Reading /proc blocks, for a millisecond or a few.
            let sampled = tokio::task::spawn_blocking(move || {
                let view = machine.sample();
                (machine, view)
            });
            let Ok((back, view)) = sampled.await else {
                return;
            };
            machine = back;
            self.0.send_replace(view);
        }
    }
}

/// What is kept from sample to sample, so that there is something to compare with.
struct Machine {
    system: System,
    disks: Disks,
    networks: Networks,
    pid: Pid,
    looked_at: Instant,
}

impl Machine {
    fn look() -> Option<Self> {
        let mut machine = Self {
            system: System::new().ok()?,
            disks: Disks::new_with_refreshed_list().ok()?,
            networks: Networks::new_with_refreshed_list().ok()?,
            pid: sysinfo::get_current_pid().ok()?,
            looked_at: Instant::now(),
        };
        machine.refresh();
        Some(machine)
    }

    fn refresh(&mut self) {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[self.pid]),
            false,
            ProcessRefreshKind::nothing().with_cpu().with_memory(),
        );
        self.disks.refresh(false);
        self.networks.refresh(false);
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "figures of this machine carry this machine's time"
    )]
    fn sample(&mut self) -> Option<SystemView> {
        self.refresh();
        let interval = self.looked_at.elapsed();
        self.looked_at = Instant::now();
        let process = self.system.process(self.pid)?;
        let load = System::load_average().ok()?;
        Some(SystemView {
            at: Utc::now(),
            interval_ms: interval.as_millis() as u64,
            cpu: CpuView {
                cores: self.system.cpus().len(),
                used_percent: self.system.global_cpu_usage(),
            },
            memory: self.memory(),
            load: [load.one, load.five, load.fifteen],
            uptime_s: System::uptime().unwrap_or(0),
            disks: self.disks.iter().map(disk).collect(),
            network: self.network(interval.as_secs_f64()),
            process: ProcessView {
                pid: self.pid.as_u32(),
                cpu_percent: process.cpu_usage(),
                memory_bytes: process.memory(),
                uptime_s: process.run_time(),
            },
        })
    }

    fn memory(&self) -> MemoryView {
        let (total, used) = (self.system.total_memory(), self.system.used_memory());
        let group = self.system.cgroup_limits();
        let limit = group
            .as_ref()
            .map(|group| group.total_memory)
            .filter(|limit| *limit < total);
        MemoryView {
            total_bytes: limit.unwrap_or(total),
            used_bytes: group
                .filter(|_| limit.is_some())
                .map_or(used, |group| group.rss),
            cgroup_limit_bytes: limit,
        }
    }

    fn network(&self, seconds: f64) -> NetworkView {
        let sum = |count: fn(&sysinfo::NetworkData) -> u64| {
            self.networks.values().map(count).sum::<u64>() as f64 / seconds.max(0.001)
        };
        NetworkView {
            received_bytes_per_s: sum(sysinfo::NetworkData::received),
            sent_bytes_per_s: sum(sysinfo::NetworkData::transmitted),
        }
    }
}

fn disk(disk: &sysinfo::Disk) -> DiskView {
    DiskView {
        mount: disk.mount_point().display().to_string(),
        total_bytes: disk.total_space(),
        available_bytes: disk.available_space(),
    }
}
