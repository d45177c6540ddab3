//! How long it took until what a killed worker held ran elsewhere.
//!
//! From the line that notes the kill to the line that another claim of the job was answered. Only jobs that nothing else holds up are
//! looked at: no limit, no concurrency key.

use fleet_queue::JobId;
use fleet_queue::history::Event;

use crate::evidence::{ClaimStory, Evidence};

/// What else delays a rescue, by the beginnings of faults' names.
const DISTURBANCES: [&str; 4] = ["postgres", "every line cut", "clock step", "queue paused"];

/// A job that was taken from a killed worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescue {
    /// Which.
    pub job: JobId,
    /// Microseconds until it ran elsewhere.
    pub took_us: u64,
    /// The server, every line or the clock was harmed meanwhile, or a queue paused.
    pub disturbed: bool,
}

/// Every rescue after a fault of this name, whose target is a process id; of jobs of this queue.
#[must_use]
pub fn rescues(evidence: &Evidence, fault: &str, queue: &str) -> Vec<Rescue> {
    let disturbances: Vec<(u64, u64)> = DISTURBANCES
        .iter()
        .flat_map(|name| evidence.faults(name))
        .collect();
    let mut found = Vec::new();
    for entry in &evidence.entries {
        let Event::Fault {
            fault: name,
            target,
            over: false,
        } = &entry.event
        else {
            continue;
        };
        let Ok(pid) = target.parse::<u32>() else {
            continue;
        };
        if name != fault {
            continue;
        }
        let held = evidence
            .claims
            .iter()
            .filter(|claim| is_held(evidence, claim, pid, entry.at, queue));
        for again in held.filter_map(|claim| next_claim(evidence, claim, entry.at)) {
            let disturbed = disturbances
                .iter()
                .any(|(from, to)| *from < again.1 && *to > entry.at);
            found.push(Rescue {
                job: again.0,
                took_us: again.1 - entry.at,
                disturbed,
            });
        }
    }
    found
}

/// True where the process held the claim when it was killed.
fn is_held(evidence: &Evidence, claim: &ClaimStory, pid: u32, killed_at: u64, queue: &str) -> bool {
    let answered = &evidence.entries[claim.answered];
    let made = evidence.enqueued.get(&claim.held.job);
    answered.source.pid == pid
        && answered.at < killed_at
        && claim.accepted.is_empty()
        && claim.job.queue == queue
        && made.is_some_and(|(_, made)| made.concurrency.is_none())
}

/// The next claim of the job, and when.
fn next_claim(evidence: &Evidence, lost: &ClaimStory, killed_at: u64) -> Option<(JobId, u64)> {
    let others = evidence.by_job[&lost.held.job].iter();
    let later = others.map(|&n| evidence.at(evidence.claims[n].answered));
    let again = later.filter(|at| *at > killed_at).min()?;
    Some((lost.held.job, again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::story::{Story, job};

    #[test]
    fn the_time_runs_from_the_kill_to_the_next_claim() {
        let mut story = Story::default();
        story
            .enqueue(7)
            .claim(1, 1, 7)
            .kill(0)
            .wait(500)
            .claim(2, 2, 7);
        let found = rescues(&story.evidence(), "worker killed", "default");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].job, found[0].disturbed), (job(7), false));
        assert!((500_000..510_000).contains(&found[0].took_us), "{found:?}");
    }

    #[test]
    fn what_had_ended_before_the_kill_is_no_rescue() {
        let mut story = Story::default();
        story.enqueue(7).claim(1, 1, 7).settle(1, 7, true).kill(0);
        assert!(rescues(&story.evidence(), "worker killed", "default").is_empty());
    }

    #[test]
    fn a_restart_of_the_server_meanwhile_is_said() {
        let mut story = Story::default();
        story
            .enqueue(7)
            .claim(1, 1, 7)
            .kill(0)
            .fault("postgres killed")
            .claim(2, 2, 7);
        assert!(rescues(&story.evidence(), "worker killed", "default")[0].disturbed);
    }
}
