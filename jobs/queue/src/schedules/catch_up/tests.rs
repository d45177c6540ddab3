//! Catch-up by example: a schedule of every ten minutes that slept from noon on.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn definition(fields: &serde_json::Value) -> Definition {
    let mut whole = json!({ "name": "t", "kind": "diagnostics.noop", "cron": "*/10 * * * *" });
    let whole_fields = whole.as_object_mut().expect("an object");
    whole_fields.extend(fields.as_object().expect("an object").clone());
    serde_json::from_value(whole).expect("a definition")
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-05-05T{time}Z").parse().expect("an instant")
}

/// What is fired at a time, after nothing was since noon, and how many ticks are dropped.
fn fired(fields: &serde_json::Value, now: &str) -> (String, usize) {
    let definition = definition(fields);
    let clockwork = Clockwork::of(Uuid::nil(), &definition).expect("times");
    let plan = clockwork.plan(at("12:00:00"), at(now));
    let shown: Vec<_> = plan
        .fire
        .iter()
        .map(|tick| tick.format("%H:%M").to_string())
        .collect();
    assert_eq!(
        plan.next,
        clockwork.table.after(plan.watermark),
        "the next follows the watermark"
    );
    (shown.join(" "), plan.dropped)
}

#[test]
fn a_tick_on_time_is_fired_whatever_the_policy() {
    for missed in [
        json!("none"),
        json!("latest"),
        json!("all"),
        json!({ "window": { "within_s": 60, "cap": 1 } }),
    ] {
        let policy = json!({ "missed": missed });
        assert_eq!(fired(&policy, "12:09:59"), (String::new(), 0), "{missed}");
        assert_eq!(
            fired(&policy, "12:10:00"),
            ("12:10".to_owned(), 0),
            "{missed}"
        );
        assert_eq!(
            fired(&policy, "12:10:59"),
            ("12:10".to_owned(), 0),
            "{missed}"
        );
    }
}

#[test]
fn the_policy_decides_over_missed_ticks() {
    let missed = |policy: serde_json::Value, now| fired(&json!({ "missed": policy }), now);
    assert_eq!(missed(json!("none"), "12:45:00"), (String::new(), 4));
    assert_eq!(missed(json!("none"), "12:50:00"), ("12:50".to_owned(), 4));
    assert_eq!(missed(json!("latest"), "12:45:00"), ("12:40".to_owned(), 3));
    assert_eq!(missed(json!("latest"), "12:50:00"), ("12:50".to_owned(), 4));
    assert_eq!(
        missed(json!("all"), "12:45:00"),
        ("12:10 12:20 12:30 12:40".to_owned(), 0)
    );
    let window = json!({ "window": { "within_s": 1_800, "cap": 2 } });
    assert_eq!(missed(window, "12:45:00"), ("12:30 12:40".to_owned(), 2));
    let short = json!({ "window": { "within_s": 600, "cap": 2 } });
    assert_eq!(missed(short, "12:45:00"), ("12:40".to_owned(), 3));
}

#[test]
fn an_expired_tick_is_dropped_whatever_the_policy() {
    let stale = |policy: &str| {
        fired(
            &json!({ "missed": policy, "expires_after_s": 1_000 }),
            "12:45:00",
        )
    };
    assert_eq!(stale("all"), ("12:30 12:40".to_owned(), 2));
    assert_eq!(stale("latest"), ("12:40".to_owned(), 3));
    assert_eq!(
        fired(
            &json!({ "missed": "latest", "expires_after_s": 60 }),
            "12:45:00"
        ),
        (String::new(), 4)
    );
}

#[test]
fn a_long_sleep_is_caught_up_in_bounded_rounds() {
    let definition = definition(&json!({ "cron": "* * * * * *", "missed": "all" }));
    let clockwork = Clockwork::of(Uuid::nil(), &definition).expect("times");
    let (mut watermark, mut rounds, mut total) = (at("12:00:00"), 0, 0);
    while watermark < at("12:05:00") {
        let plan = clockwork.plan(watermark, at("12:05:00"));
        assert!(plan.fire.len() <= ROUND_MAX && plan.watermark > watermark && plan.dropped == 0);
        (watermark, rounds, total) = (plan.watermark, rounds + 1, total + plan.fire.len());
    }
    assert_eq!((rounds, total), (3, 300));
}

#[test]
fn a_clock_set_back_fires_nothing_and_keeps_the_watermark() {
    let definition = definition(&json!({}));
    let clockwork = Clockwork::of(Uuid::nil(), &definition).expect("times");
    let plan = clockwork.plan(at("12:10:00"), at("11:05:00"));
    assert_eq!((plan.fire.len(), plan.watermark), (0, at("12:10:00")));
    assert_eq!(plan.next, Some(at("12:20:00")));
}

#[test]
fn a_month_of_every_second_is_not_counted_out() {
    let definition = definition(&json!({ "cron": "* * * * * *", "missed": "none" }));
    let clockwork = Clockwork::of(Uuid::nil(), &definition).expect("times");
    let plan = clockwork.plan(at("12:00:00") - TimeDelta::days(30), at("12:00:00"));
    assert_eq!(
        (plan.dropped, plan.watermark),
        (COUNTED_MAX, at("12:00:00"))
    );
    assert_eq!(plan.fire.len(), 61, "the last minute is on time");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the moments at which somebody looks, each tick is fired at most once, in order, and with `all` none is left out.
    #[test]
    fn every_tick_once_whenever_somebody_looks(
        looks in proptest::collection::vec(-600_i64..4_000, 1..40), jitter_s in 0_u32..500, id: u128, policy in 0..3_usize,
    ) {
        let missed = ["none", "latest", "all"][policy];
        let definition = definition(&json!({ "jitter_s": jitter_s, "missed": missed }));
        let clockwork = Clockwork::of(Uuid::from_u128(id), &definition).expect("times");
        let start = at("12:00:00");
        let (mut now, mut furthest, mut watermark, mut fired) = (start, start, start, Vec::new());
        for step in looks {
            now += TimeDelta::seconds(step); // clocks go back, too
            furthest = furthest.max(now);
            loop {
                let plan = clockwork.plan(watermark, now);
                prop_assert!(plan.watermark >= watermark);
                let done = plan.watermark == watermark;
                watermark = plan.watermark;
                fired.extend(plan.fire);
                if done { break }
            }
        }
        prop_assert!(fired.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert!(fired.iter().all(|tick| clockwork.due(*tick) <= furthest));
        if missed == "all" {
            let all: Vec<_> = clockwork.table.ticks_after(start).take_while(|tick| clockwork.due(*tick) <= furthest).collect();
            prop_assert_eq!(fired, all);
        }
    }
}
