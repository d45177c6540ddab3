//! Processor time and memory from the operating system's own accounting, as Linux keeps it in /proc; elsewhere there is none.

use std::fs;
use std::time::Duration;

/// A process as /proc tells it, times in clock ticks.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    own: u64,
    /// Of children that have ended and were waited for.
    children: u64,
}

/// Processor time of one process so far.
pub(crate) fn of_process(pid: u32) -> Option<Duration> {
    Some(ticks(Stat::of(pid)?.own))
}

/// Processor time so far of a server and of every process it started, ended ones included.
pub(crate) fn of_family(server: u32) -> Option<Duration> {
    let Stat { own, children, .. } = Stat::of(server)?;
    let pids = fs::read_dir("/proc").ok()?.flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let living = pids
        .filter_map(Stat::of)
        .filter(|stat| stat.parent == server);
    let living: u64 = living.map(|stat| stat.own).sum();
    Some(ticks(own + children + living))
}

/// The process that started this one, if this one is PostgreSQL's: so that the number of a process elsewhere is not taken for one here.
pub(crate) fn postmaster_of(backend: u32) -> Option<u32> {
    Stat::of(backend)
        .filter(|stat| stat.name.contains("postgres"))
        .map(|stat| stat.parent)
}

/// Memory that a process has resident.
pub(crate) fn memory_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (name) state parent …`; the name may hold blanks and brackets of its own.
    fn parse(text: &str) -> Option<Self> {
        let (head, rest) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |field: usize| fields.get(field)?.parse::<u64>().ok();
        Some(Self {
            name,
            parent: u32::try_from(number(1)?).ok()?,
            own: number(11)? + number(12)?,
            children: number(13)? + number(14)?,
        })
    }
}

fn ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_is_no_trouble() {
        let line = "7 (a (b) c) S 3 7 7 0 -1 4194560 10 0 0 0 120 30 5 2 20 0 4 0 99";
        let stat = Stat {
            name: "a (b) c".to_owned(),
            parent: 3,
            own: 150,
            children: 7,
        };
        assert_eq!(Stat::parse(line), Some(stat));
        assert_eq!(Stat::parse("7 (a) S 3"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn work_is_accounted() {
        let own = std::process::id();
        let before = of_process(own).unwrap();
        let mut n = 0_u64;
        while of_process(own).unwrap() < before + Duration::from_millis(30) {
            n = std::hint::black_box(n.wrapping_add(1));
        }
        assert!(
            of_family(own).unwrap() >= before,
            "its own family holds itself"
        );
        assert_eq!(postmaster_of(own), None, "this is no PostgreSQL");
    }
}
