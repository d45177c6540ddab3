//! I7: one job a tick, whoever fired it; and none left out of a schedule that misses nothing.
//!
//! Told from the schedulers' own lines, from the jobs (each says which tick it is for) and from the ticks on record. Gaps are looked
//! for in schedules nobody edited whose missed ticks are all caught up and that lost none to the bound on catching up.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use fleet_queue::JobId;
use fleet_queue::history::Event;
use fleet_queue::schedules::{Definition, Missed, Timetable};

use crate::evidence::Evidence;
use crate::facts::{Facts, ScheduleFact};
use crate::read::Entry;
use crate::verdict::{Ruling, Violation};

pub(super) fn check(evidence: &Evidence) -> Ruling {
    let (mut looked_at, mut broken) = told(evidence);
    if let Some(facts) = &evidence.facts {
        looked_at = looked_at.max(facts.ticks.len());
        broken.extend(twice(facts));
        broken.extend(facts.schedules.iter().filter_map(|s| gap(facts, s)));
    }
    Ruling::of(looked_at, broken)
}

/// What the schedulers said.
fn told(evidence: &Evidence) -> (usize, Vec<Violation>) {
    let mut fired: HashMap<(&str, DateTime<Utc>), (JobId, &Entry)> = HashMap::new();
    let mut broken = Vec::new();
    for entry in &evidence.entries {
        let Event::Ticked {
            schedule,
            tick_at,
            job,
            fired: true,
        } = &entry.event
        else {
            continue;
        };
        if let Some((other, before)) = fired.insert((schedule, *tick_at), (*job, entry))
            && other != *job
        {
            let said = format!(
                "tick {tick_at} of schedule \"{schedule}\" made two jobs, {other} and {job}"
            );
            broken.push(Violation::new(said, &[before, entry]));
        }
        if evidence.facts.is_some() && evidence.fact(*job).is_none() {
            let said = format!(
                "job {job} of tick {tick_at} of schedule \"{schedule}\" is nowhere in the database"
            );
            broken.push(Violation::new(said, &[entry]));
        }
    }
    (fired.len(), broken)
}

/// What the jobs say they are for.
fn twice(facts: &Facts) -> Vec<Violation> {
    let mut of_tick = HashMap::new();
    let mut broken = Vec::new();
    for job in &facts.jobs {
        let Some((schedule, tick_at)) = job.tick else {
            continue;
        };
        if let Some(other) = of_tick.insert((schedule, tick_at), job.id) {
            let said = format!(
                "tick {tick_at} of schedule {schedule} has two jobs, {other} and {}",
                job.id
            );
            broken.push(Violation::new(said, &[]));
        }
    }
    broken
}

/// The first tick between two others that was neither fired nor counted as missed.
fn gap(facts: &Facts, schedule: &ScheduleFact) -> Option<Violation> {
    let definition: Definition = serde_json::from_value(schedule.definition.clone()).ok()?;
    let fires_all = matches!(definition.missed, Missed::All) && schedule.missed == 0;
    if !fires_all || !schedule.steady {
        return None;
    }
    let timetable = Timetable::of(&definition).ok()?;
    let mut ticks: Vec<_> = facts
        .ticks
        .iter()
        .filter(|tick| tick.schedule == schedule.id)
        .collect();
    ticks.sort_by_key(|tick| tick.tick_at);
    let pair = ticks
        .windows(2)
        .find(|pair| timetable.after(pair[0].tick_at) != Some(pair[1].tick_at))?;
    let said = format!(
        "schedule \"{}\" fired {} and then {}; {} lies between",
        schedule.name,
        pair[0].tick_at,
        pair[1].tick_at,
        timetable.after(pair[0].tick_at)?
    );
    Some(Violation::new(said, &[]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::facts::{JobFact, TickFact};
    use crate::story::{Story, ended, id};

    fn tick_at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time")
    }

    #[test]
    fn two_jobs_of_one_tick_are_caught_in_the_histories() {
        let mut story = Story::default();
        story.tick(tick_at(0), 7).tick(tick_at(5), 8);
        assert_eq!(check(&story.evidence()), Ruling::Kept { looked_at: 2 });
        story.tick(tick_at(5), 9);
        assert!(
            check(&story.evidence()).violations()[0]
                .said
                .contains("made two jobs")
        );
    }

    #[test]
    fn two_jobs_of_one_tick_are_caught_in_the_jobs() {
        let mut facts = ended(&[7, 8]);
        for job in &mut facts.jobs {
            job.tick = Some((id(1), tick_at(0)));
        }
        let ruling = check(&Story::default().evidence_with(facts));
        assert!(
            ruling.violations()[0].said.contains("has two jobs"),
            "{ruling:?}"
        );
    }

    #[test]
    fn a_tick_whose_job_is_gone_is_caught() {
        let mut story = Story::default();
        story.tick(tick_at(0), 7);
        assert_eq!(
            check(&story.evidence_with(ended(&[7]))),
            Ruling::Kept { looked_at: 1 }
        );
        assert_eq!(
            check(&story.evidence_with(ended(&[]))).violations().len(),
            1
        );
    }

    #[test]
    fn a_tick_left_out_is_caught_where_all_are_promised() {
        let judged = |missed: &str, seconds: &[i64]| {
            let schedule = ScheduleFact {
                id: id(1),
                name: "beat".to_owned(),
                definition: json!({"name": "beat", "kind": "diagnostics.noop", "cron": "@every 5s", "missed": missed}),
                steady: true,
                missed: 0,
            };
            let tick = |second: &i64| TickFact {
                schedule: id(1),
                tick_at: tick_at(*second),
                job: id(7),
            };
            check(&Story::default().evidence_with(Facts {
                jobs: vec![JobFact::default()],
                ticks: seconds.iter().map(tick).collect(),
                schedules: vec![schedule],
                ..Facts::default()
            }))
        };
        assert_eq!(judged("all", &[0, 5, 10]), Ruling::Kept { looked_at: 3 });
        assert!(
            judged("all", &[0, 10]).violations()[0]
                .said
                .contains("lies between")
        );
        assert_eq!(judged("latest", &[0, 10]), Ruling::Kept { looked_at: 2 });
    }
}
