//! The schedules that ship with this binary, read from the checked-in file.

use fleet_queue::schedules::Definition;
use serde::Deserialize;

const FILE: &str = include_str!("../default_schedules.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schedule: Vec<Definition>,
}

/// Every schedule of the file.
///
/// # Panics
/// Never in a binary whose tests passed: one of them reads the file.
#[must_use]
pub fn default_schedules() -> Vec<Definition> {
    let file: File = toml::from_str(FILE).expect("the checked-in file was read by a test");
    file.schedule
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fleet_queue::schedules::Timetable;

    use super::*;

    #[test]
    fn the_file_is_whole() {
        let schedules = default_schedules();
        let names: BTreeSet<_> = schedules.iter().map(|schedule| &schedule.name).collect();
        assert_eq!(names.len(), schedules.len(), "names are unique");
        for schedule in &schedules {
            let table = Timetable::of(schedule).expect("its times can be read");
            let sometime = "2027-01-01T00:00:00Z".parse().expect("an instant");
            assert!(table.after(sometime).is_some(), "{} ticks", schedule.name);
        }
    }
}
