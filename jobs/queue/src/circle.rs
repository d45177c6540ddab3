//! Refuses jobs of one batch that would wait for each other, or for themselves, for ever. Upholds I3.
//!
//! Only a batch can hold such a circle: whatever else a job depends on is there already, and so waits for nothing that is to come.

use std::collections::HashMap;

use crate::{Error, JobId, NewJob};

/// Takes off, again and again, what waits for nothing left in the batch; what cannot be taken off stands in a circle or behind one.
pub(crate) fn refuse_circles(jobs: &[NewJob]) -> Result<(), Error> {
    if jobs.iter().all(|job| job.rare.depends_on.is_empty()) {
        return Ok(());
    }
    let mut waits: HashMap<JobId, usize> = jobs.iter().map(|job| (job.id, 0)).collect();
    let mut waiting: HashMap<JobId, Vec<JobId>> = HashMap::new();
    for job in jobs {
        for dependency in &job.rare.depends_on {
            if waits.contains_key(dependency) {
                waiting.entry(*dependency).or_default().push(job.id);
                *waits.get_mut(&job.id).expect("every job is listed") += 1;
            }
        }
    }
    let mut free: Vec<JobId> = waits
        .iter()
        .filter(|(_, left)| **left == 0)
        .map(|(id, _)| *id)
        .collect();
    while let Some(id) = free.pop() {
        waits.remove(&id);
        for dependent in waiting.remove(&id).unwrap_or_default() {
            let left = waits.get_mut(&dependent).expect("it waits");
            *left -= 1;
            if *left == 0 {
                free.push(dependent);
            }
        }
    }
    match waits.keys().min() {
        None => Ok(()),
        Some(id) => Err(Error::Invalid {
            field: "depends_on",
            problem: format!(
                "lets job {id} wait for itself, perhaps through others of its batch; it would never run"
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Policy;

    fn batch(ties: &[&[usize]]) -> Vec<NewJob> {
        let mut jobs: Vec<NewJob> = ties
            .iter()
            .map(|_| NewJob::new("toy", 1, &Policy::DEFAULT, json!({})))
            .collect();
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        for (job, tie) in jobs.iter_mut().zip(ties) {
            job.rare.depends_on = tie.iter().map(|n| ids[*n]).collect();
        }
        jobs
    }

    #[test]
    fn what_can_be_run_in_some_order_passes() {
        for ties in [&[&[][..], &[0], &[0, 1], &[1, 1]][..], &[&[1], &[2], &[]]] {
            assert!(refuse_circles(&batch(ties)).is_ok(), "{ties:?}");
        }
        let mut elsewhere = batch(&[&[]]);
        elsewhere[0].rare.depends_on = vec![JobId::generate()];
        assert!(refuse_circles(&elsewhere).is_ok());
    }

    #[test]
    fn a_circle_is_refused_naming_a_job_in_it() {
        for ties in [&[&[0][..]][..], &[&[], &[2], &[1]], &[&[1], &[2], &[0]]] {
            let jobs = batch(ties);
            let refused = refuse_circles(&jobs).expect_err("nobody could begin");
            let named = jobs
                .iter()
                .any(|job| refused.to_string().contains(&job.id.to_string()));
            assert!(named, "{refused}");
        }
    }
}
