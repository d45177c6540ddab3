//! What this process uses of its machine, read now and then for the worker's row.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::shared::Shared;

/// Between two readings; processor time needs at least 200 ms to be told.
const EVERY: Duration = Duration::from_secs(2);

/// The newest reading.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    cpu_thousandths: AtomicU32,
    memory_bytes: AtomicI64,
}

impl Usage {
    /// Share of one core.
    pub(crate) fn cpu(&self) -> f32 {
        self.cpu_thousandths.load(Ordering::Relaxed) as f32 / 1_000.0
    }

    /// Resident memory.
    pub(crate) fn memory_bytes(&self) -> i64 {
        self.memory_bytes.load(Ordering::Relaxed)
    }

    fn read(&self, system: &mut System, pid: Pid) {
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        if let Some(process) = system.process(pid) {
            let thousandths = (process.cpu_usage() * 10.0).round() as u32;
            self.cpu_thousandths.store(thousandths, Ordering::Relaxed);
            let bytes = i64::try_from(process.memory()).unwrap_or(i64::MAX);
            self.memory_bytes.store(bytes, Ordering::Relaxed);
        }
    }
}

/// The loop; on a machine that tells nothing it ends at once, and the row says nothing.
pub(crate) async fn run(shared: Arc<Shared>) {
    let (Ok(mut system), Ok(pid)) = (System::new(), sysinfo::get_current_pid()) else {
        tracing::info!("this machine does not tell what a process uses");
        return;
    };
    loop {
        shared.usage.read(&mut system, pid);
        tokio::time::sleep(EVERY).await;
    }
}
