//! The timetable against plain counting: every minute around every shift of every zone, and random patterns at random times.

use std::collections::BTreeSet;

use chrono::Timelike;
use proptest::prelude::*;
use serde_json::json;

use super::super::wall::Shift;
use super::*;

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn table(fields: &serde_json::Value) -> Timetable {
    let mut whole = json!({ "name": "t", "kind": "diagnostics.noop" });
    let whole_fields = whole.as_object_mut().expect("an object");
    whole_fields.extend(fields.as_object().expect("an object").clone());
    let definition: Definition = serde_json::from_value(whole).expect("a definition");
    Timetable::of(&definition).expect("times that can be read")
}

fn next(fields: &serde_json::Value, from: &str, n: usize) -> Vec<String> {
    let ticks = table(fields);
    let shown = ticks.ticks_after(utc(from)).take(n);
    shown
        .map(|tick| tick.format("%m-%dT%H:%M:%S").to_string())
        .collect()
}

#[test]
fn new_york_in_spring_fires_what_is_jumped_over_at_the_jump_or_not_at_all() {
    let at_half_past_two = |nonexistent: &str| {
        let fields =
            json!({ "cron": "30 2 * * *", "zone": "America/New_York", "nonexistent": nonexistent });
        next(&fields, "2026-03-07T12:00:00Z", 2)
    };
    assert_eq!(
        at_half_past_two("next"),
        ["03-08T07:00:00", "03-09T06:30:00"]
    );
    assert_eq!(
        at_half_past_two("skip"),
        ["03-09T06:30:00", "03-10T06:30:00"]
    );
}

#[test]
fn a_time_past_the_jump_is_as_the_clocks_show_it() {
    let daily = json!({ "cron": "0 4 * * *", "zone": "Europe/Berlin" });
    assert_eq!(
        next(&daily, "2026-03-27T12:00:00Z", 3),
        ["03-28T03:00:00", "03-29T02:00:00", "03-30T02:00:00"]
    );
}

#[test]
fn new_york_in_autumn_fires_what_is_shown_twice_once_or_twice() {
    let at_half_past_one = |ambiguous: &str| {
        let fields =
            json!({ "cron": "30 1 * * *", "zone": "America/New_York", "ambiguous": ambiguous });
        next(&fields, "2026-11-01T00:00:00Z", 3)
    };
    assert_eq!(
        at_half_past_one("first"),
        ["11-01T05:30:00", "11-02T06:30:00", "11-03T06:30:00"]
    );
    assert_eq!(
        at_half_past_one("twice"),
        ["11-01T05:30:00", "11-01T06:30:00", "11-02T06:30:00"]
    );
}

#[test]
fn by_default_an_hourly_schedule_stays_hourly_and_a_daily_one_daily() {
    let hourly = json!({ "cron": "0 * * * *", "zone": "Europe/Berlin" });
    let hours = table(&hourly);
    let ticks: Vec<_> = hours
        .ticks_after(utc("2026-10-24T20:00:00Z"))
        .take(12)
        .collect();
    assert!(
        ticks
            .windows(2)
            .all(|pair| pair[1] - pair[0] == TimeDelta::hours(1))
    );
    let daily = json!({ "cron": "30 2 * * *", "zone": "Europe/Berlin" });
    assert_eq!(
        next(&daily, "2026-10-24T20:00:00Z", 2),
        ["10-25T00:30:00", "10-26T01:30:00"]
    );
}

#[test]
fn reads_last_days_and_nth_weekdays() {
    let last = json!({ "cron": "0 0 L * *" });
    assert_eq!(
        next(&last, "2028-01-31T12:00:00Z", 2),
        ["02-29T00:00:00", "03-31T00:00:00"]
    );
    let second_friday = json!({ "cron": "0 9 * * fri#2" });
    assert_eq!(
        next(&second_friday, "2026-05-01T00:00:00Z", 2),
        ["05-08T09:00:00", "06-12T09:00:00"]
    );
    let weekdays = json!({ "cron": "0 9 * jan mon-fri" });
    assert_eq!(
        next(&weekdays, "2027-01-01T10:00:00Z", 2),
        ["01-04T09:00:00", "01-05T09:00:00"]
    );
}

#[test]
fn every_counts_from_the_start_or_from_1970() {
    assert_eq!(
        next(&json!({ "cron": "@every 90s" }), "2026-01-01T00:00:00Z", 2),
        ["01-01T00:01:30", "01-01T00:03:00"]
    );
    let started = json!({ "cron": "@every 1h", "starts_at": "2026-01-01T00:20:00Z", "ends_at": "2026-01-01T02:20:00Z" });
    assert_eq!(
        next(&started, "2025-01-01T00:00:00Z", 9),
        ["01-01T00:20:00", "01-01T01:20:00"]
    );
}

#[test]
fn a_list_is_sorted_and_read_in_its_zone() {
    let list = json!({ "cron": "@at 2026-07-01T09:00:00, 2026-01-31T09:00:00Z, 2026-07-01T07:00:00Z", "zone": "Europe/Berlin" });
    assert_eq!(
        next(&list, "2026-01-01T00:00:00Z", 9),
        ["01-31T09:00:00", "07-01T07:00:00"]
    );
}

#[test]
fn refuses_a_zone_naming_it() {
    let definition: Definition = serde_json::from_value(
        json!({ "name": "t", "kind": "k", "cron": "@daily", "zone": "Mars/Olympus" }),
    )
    .expect("a definition");
    let error = Timetable::of(&definition).expect_err("no such zone");
    assert!(matches!(error, Error::Invalid { field: "zone", .. }));
    assert!(
        error.to_string().contains("\"Mars/Olympus\" is no zone"),
        "{error}"
    );
    assert!(error.to_string().contains("Europe/Berlin"), "{error}");
}

#[test]
fn past_and_future_are_the_same_ticks() {
    for cron in [
        "*/7 * * * *",
        "0 0 29 2 *",
        "15 3 1 * *",
        "@every 11m",
        "* * * * * *",
    ] {
        let ticks = table(&json!({ "cron": cron, "zone": "America/Sao_Paulo" }));
        let here = utc("2026-11-15T03:30:00Z");
        let past = ticks.before(here, 5);
        assert_eq!(past.len(), 5, "{cron}");
        let again: Vec<_> = ticks.ticks_after(past[0]).take(4).collect();
        assert_eq!(again, past[1..], "{cron}");
        assert!(
            ticks.after(past[4]).is_some_and(|tick| tick >= here),
            "{cron}"
        );
    }
}

/// Ticks that are close ahead and far behind, so that the first guess at a window is too narrow.
fn sparse_past(starts_at: &str) -> Timetable {
    let cron = "@at 2020-01-01T00:00:00Z, 2026-01-02T00:01:00Z, 2026-01-02T00:02:00Z";
    table(&json!({ "cron": cron, "starts_at": starts_at }))
}

#[test]
fn the_past_is_searched_back_to_the_start_however_far_that_is() {
    let here = utc("2026-01-02T00:00:00Z");
    let far = [utc("2020-01-01T00:00:00Z")];
    assert_eq!(sparse_past("2019-01-01T00:00:00Z").before(here, 1), far);
    assert_eq!(sparse_past("2019-01-01T00:00:00Z").before(here, 5), far);
    // The second window begins just at the start, which is a tick.
    let cron = "@at 2026-01-01T23:56:00Z, 2026-01-02T00:01:00Z, 2026-01-02T00:02:00Z";
    let four_minutes = table(&json!({ "cron": cron, "starts_at": "2026-01-01T23:56:00Z" }));
    assert_eq!(four_minutes.before(here, 1), [utc("2026-01-01T23:56:00Z")]);
}

#[test]
fn the_past_of_a_list_without_a_start_ends_where_the_list_begins() {
    let cron = "@at 2020-01-01T00:00:00Z, 2026-01-02T00:00:00Z";
    let list = table(&json!({ "cron": cron }));
    let here = utc("2026-01-02T00:00:00Z");
    assert_eq!(
        list.before(here, 5),
        [utc("2020-01-01T00:00:00Z")],
        "what is now is not past"
    );
}

#[test]
fn every_counts_from_the_first_whole_second_of_its_start() {
    let fields = json!({ "cron": "@every 10s", "starts_at": "2026-01-01T00:00:00.5Z" });
    assert_eq!(
        next(&fields, "2025-01-01T00:00:00Z", 2),
        ["01-01T00:00:01", "01-01T00:00:11"]
    );
}

/// What the words of the policies mean, minute by minute, without any cleverness.
fn counted(
    zone: Tz,
    matches: impl Fn(chrono::NaiveDateTime) -> bool,
    policies: (Nonexistent, Ambiguous),
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    shifts: &[Shift],
) -> BTreeSet<DateTime<Utc>> {
    use chrono::TimeZone;
    let minutes = |n: i64| from + TimeDelta::minutes(n);
    let all = (1..).map(minutes).take_while(|at| *at <= until);
    let mut ticks: BTreeSet<_> = all
        .filter(|at| matches(local(zone, *at)))
        .filter(|at| {
            let earliest = zone.from_local_datetime(&local(zone, *at)).earliest();
            policies.1 == Ambiguous::Twice || earliest.is_some_and(|first| first == *at)
        })
        .collect();
    let jumps = shifts
        .iter()
        .filter(|shift| shift.is_forward() && shift.at <= until);
    for jump in jumps.filter(|_| policies.0 == Nonexistent::Next) {
        let jumped = (0..).map(|n| jump.from + TimeDelta::minutes(n));
        if jumped.take_while(|time| *time < jump.to).any(&matches) {
            ticks.insert(jump.at);
        }
    }
    ticks
}

fn shifts_of(zone: Tz, year: i32) -> Vec<Shift> {
    let start = utc(&format!("{year}-01-01T00:00:00Z"));
    let end = utc(&format!("{}-01-01T00:00:00Z", year + 1));
    std::iter::successors(next_shift(zone, start, end), |shift| {
        next_shift(zone, shift.at, end)
    })
    .collect()
}

#[test]
fn agrees_with_counting_around_every_shift_of_every_zone() {
    let mut shifting = 0;
    for (zone, year) in chrono_tz::TZ_VARIANTS
        .iter()
        .flat_map(|zone| [(*zone, 2011), (*zone, 2026)])
    {
        let shifts = shifts_of(zone, year);
        shifting += usize::from(!shifts.is_empty());
        for shift in &shifts {
            check_around(zone, *shift, &shifts);
        }
    }
    assert!(
        shifting > 300,
        "only {shifting} zones shifted: is the zone database there?"
    );
}

fn check_around(zone: Tz, shift: Shift, shifts: &[Shift]) {
    let from = shift.at - TimeDelta::hours(4);
    let until = shift.at + TimeDelta::hours(4);
    // A quarter of an hour that lies inside of what is jumped over or shown again.
    let inside = shift.from.min(shift.to) + TimeDelta::minutes(15);
    let daily = format!("{} {} * * *", inside.minute(), inside.hour());
    let nearby: Vec<_> = shifts.iter().copied().filter(|s| s.at > from).collect();
    for (nonexistent, ambiguous) in [
        ("next", "first"),
        ("next", "twice"),
        ("skip", "first"),
        ("skip", "twice"),
    ] {
        for (cron, every_quarter) in [("*/15 * * * *", true), (daily.as_str(), false)] {
            let fields = json!({ "cron": cron, "zone": zone.name(), "nonexistent": nonexistent, "ambiguous": ambiguous });
            let ticks = table(&fields);
            let policies = (ticks.nonexistent, ticks.ambiguous);
            let matches = |time: chrono::NaiveDateTime| {
                let same_time = (time.hour(), time.minute()) == (inside.hour(), inside.minute());
                time.second() == 0
                    && (same_time || every_quarter && time.minute().is_multiple_of(15))
            };
            let expected = counted(zone, matches, policies, from, until, &nearby);
            let found: BTreeSet<_> = ticks
                .ticks_after(from)
                .take_while(|at| *at <= until)
                .collect();
            assert_eq!(found, expected, "{zone} at {}: {fields}", shift.at);
        }
    }
}

fn some_cron() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        Just("*".to_owned()),
        (1..30_u8).prop_map(|n| format!("*/{n}")),
        (0..60_u8).prop_map(|n| n.to_string())
    ];
    let hour = prop_oneof![
        Just("*".to_owned()),
        (1..12_u8).prop_map(|n| format!("*/{n}")),
        (0..24_u8).prop_map(|n| n.to_string())
    ];
    let day = prop_oneof![3 => Just("*".to_owned()), 1 => (1..29_u8).prop_map(|n| n.to_string()), 1 => Just("L".to_owned())];
    let weekday = prop_oneof![3 => Just("*".to_owned()), 1 => Just("mon-fri".to_owned()), 1 => Just("sun#1".to_owned())];
    (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

proptest! {
    #[test]
    fn ticks_rise_lie_on_the_pattern_and_none_is_left_out(
        cron in some_cron(), zone in 0..chrono_tz::TZ_VARIANTS.len(), second in 1_300_000_000_i64..2_000_000_000,
    ) {
        let zone = chrono_tz::TZ_VARIANTS[zone];
        let from = DateTime::from_timestamp(second, 0).expect("an instant");
        let ticks = table(&json!({ "cron": cron, "zone": zone.name(), "nonexistent": "skip", "ambiguous": "twice" }));
        let Ticking::Pattern(pattern) = &ticks.ticking else { unreachable!("a pattern") };
        let found: Vec<_> = ticks.ticks_after(from).take(20).collect();
        prop_assert_eq!(found.len(), 20);
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]) && found[0] > from);
        // With these two policies a tick is exactly an instant whose local time matches.
        let matches = |at: DateTime<Utc>| pattern.is_time_matching(&local(zone, at).and_utc()).unwrap_or(false);
        prop_assert!(found.iter().all(|tick| matches(*tick)));
        let whole_minute = from - TimeDelta::seconds(from.timestamp() % 60);
        let first = (1..=2_000).map(|n| whole_minute + TimeDelta::minutes(n)).find(|at| matches(*at));
        prop_assert!(first.is_none_or(|first| first == found[0]));
    }

    #[test]
    fn nothing_written_in_the_cron_field_panics(text in "\\PC{0,40}") {
        let fields = json!({ "name": "t", "kind": "k", "cron": text });
        let definition: Definition = serde_json::from_value(fields).expect("a definition");
        if let Ok(ticks) = Timetable::of(&definition) {
            let _ = ticks.preview(utc("2026-06-01T00:00:00Z"), 3);
        }
    }
}
