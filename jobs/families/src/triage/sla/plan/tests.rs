//! The clocks of a ticket, told as days.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

const TARGETS: Targets = Targets {
    first_response: 60,
    next_response: 120,
    resolution: 480,
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// Opened on a Monday at nine.
fn monday(hour: i64) -> DateTime<Utc> {
    at("2026-11-23T00:00:00Z") + TimeDelta::hours(hour)
}

fn opened() -> Facts {
    Facts {
        opened: monday(9),
        waiting: false,
        closed: None,
        answered: None,
        unanswered: None,
        last_answer: None,
    }
}

/// The clocks after a look, with what was told.
fn look(
    facts: &Facts,
    clocks: &mut Vec<Clock>,
    targets: Targets,
    now: DateTime<Utc>,
) -> Vec<(Promise, News)> {
    let mut told = Vec::new();
    for change in plan(facts, clocks, targets, &Calendar::default(), now) {
        clocks
            .retain(|it| (it.promise, it.message) != (change.clock.promise, change.clock.message));
        if change.news != News::Nothing {
            told.push((change.clock.promise, change.news));
        }
        clocks.push(change.clock);
    }
    clocks.sort_by_key(|it| (it.promise, it.message));
    assert!(
        plan(facts, clocks, targets, &Calendar::default(), now).is_empty(),
        "a second look changes nothing"
    );
    told
}

fn due(clocks: &[Clock]) -> Vec<DateTime<Utc>> {
    clocks.iter().filter_map(|it| it.due).collect()
}

#[test]
fn a_new_ticket_has_two_clocks_with_their_warnings_ahead() {
    let changes = plan(&opened(), &[], TARGETS, &Calendar::default(), monday(9));
    let told: Vec<_> = changes
        .iter()
        .map(|it| (it.clock.promise, it.clock.due, it.next))
        .collect();
    let soon = |minutes| Some(monday(9) + TimeDelta::minutes(minutes));
    assert_eq!(
        told,
        [
            (Promise::FirstResponse, soon(60), soon(45)),
            (Promise::Resolution, soon(480), soon(360)),
        ]
    );
}

#[test]
fn warnings_come_once_each_and_then_the_breach() {
    let (facts, mut clocks) = (opened(), Vec::new());
    let mut told = |minutes| {
        look(
            &facts,
            &mut clocks,
            TARGETS,
            monday(9) + TimeDelta::minutes(minutes),
        )
    };
    let first = |news| vec![(Promise::FirstResponse, news)];
    assert_eq!(told(0), []);
    assert_eq!(told(45), first(News::Warned(75)));
    assert_eq!(told(50), []);
    assert_eq!(told(54), first(News::Warned(90)));
    assert_eq!(told(60), first(News::Breached));
    assert_eq!(told(61), []);
}

#[test]
fn an_answer_meets_the_first_and_the_next_message_starts_another() {
    let (mut facts, mut clocks) = (opened(), Vec::new());
    look(&facts, &mut clocks, TARGETS, monday(9));
    (facts.answered, facts.last_answer) = (Some(monday(9)), Some(monday(9)));
    assert_eq!(
        look(&facts, &mut clocks, TARGETS, monday(9)),
        [(Promise::FirstResponse, News::Met)]
    );
    let message = Uuid::from_u128(7);
    facts.unanswered = Some((message, monday(16)));
    let told = look(&facts, &mut clocks, TARGETS, monday(16));
    assert_eq!(told, [(Promise::Resolution, News::Warned(75))]);
    assert_eq!(
        due(&clocks)[1],
        monday(24 + 10),
        "an hour today, one tomorrow"
    );
    (facts.unanswered, facts.last_answer) = (None, Some(monday(24 + 9)));
    let told = look(&facts, &mut clocks, TARGETS, monday(24 + 9));
    // The resolution was due on Monday evening.
    let expected = [
        (Promise::Resolution, News::Breached),
        (Promise::NextResponse, News::Met),
    ];
    assert_eq!(told, expected);
}

#[test]
fn waiting_stops_the_clocks_and_what_was_used_stays_used() {
    let (mut facts, mut clocks) = (opened(), Vec::new());
    look(&facts, &mut clocks, TARGETS, monday(9));
    (facts.answered, facts.last_answer, facts.waiting) = (Some(monday(10)), Some(monday(10)), true);
    // Answered at the very moment it was due: the deadline had come first.
    assert_eq!(
        look(&facts, &mut clocks, TARGETS, monday(10)),
        [(Promise::FirstResponse, News::Breached)]
    );
    assert_eq!(clocks[1].state, State::Paused);
    assert_eq!(clocks[1].used.round() as i64, 60);
    assert_eq!(look(&facts, &mut clocks, TARGETS, monday(24 * 3)), []);
    facts.waiting = false;
    look(&facts, &mut clocks, TARGETS, monday(24 + 9));
    assert_eq!(clocks[1].due, Some(monday(24 + 16)), "seven hours are left");
}

#[test]
fn an_end_in_time_is_kept_however_late_it_is_looked_at() {
    for (closed, news) in [(monday(16), News::Met), (monday(24 + 9), News::Breached)] {
        let (mut facts, mut clocks) = (opened(), Vec::new());
        look(&facts, &mut clocks, TARGETS, monday(9));
        (facts.answered, facts.closed) = (Some(monday(9)), Some(closed));
        let told = look(&facts, &mut clocks, TARGETS, monday(24 * 9));
        assert_eq!(
            told,
            [
                (Promise::FirstResponse, News::Met),
                (Promise::Resolution, news)
            ]
        );
    }
}

#[test]
fn a_priority_that_is_raised_late_breaks_a_promise_now_and_not_backwards() {
    let (facts, mut clocks) = (opened(), Vec::new());
    let slow = Targets {
        first_response: 960,
        ..TARGETS
    };
    look(&facts, &mut clocks, slow, monday(9));
    let told = look(&facts, &mut clocks, TARGETS, monday(11));
    assert_eq!(told, [(Promise::FirstResponse, News::Breached)]);
    assert_eq!(clocks[0].decided, Some(monday(11)));
}

#[test]
fn one_that_closes_unanswered_was_answered_by_its_end() {
    let (mut facts, mut clocks) = (opened(), Vec::new());
    facts.closed = Some(monday(9) + TimeDelta::minutes(30));
    let told = look(&facts, &mut clocks, TARGETS, monday(12));
    assert_eq!(
        told,
        [
            (Promise::FirstResponse, News::Met),
            (Promise::Resolution, News::Met)
        ]
    );
}

#[test]
fn a_ticket_that_ended_unanswered_and_is_opened_again_has_a_promise() {
    let (mut facts, mut clocks) = (opened(), Vec::new());
    facts.closed = Some(monday(9));
    look(&facts, &mut clocks, TARGETS, monday(9));
    let message = Uuid::from_u128(7);
    (facts.closed, facts.unanswered) = (None, Some((message, monday(10))));
    look(&facts, &mut clocks, TARGETS, monday(10));
    let next = &clocks[1];
    assert_eq!(
        (next.promise, next.message, next.state, next.due),
        (
            Promise::NextResponse,
            message,
            State::Running,
            Some(monday(12))
        )
    );
}

proptest! {
    /// However often and whenever it is looked at, a clock that nothing stops breaches at the same moment, once.
    #[test]
    fn when_one_looks_changes_nothing(mut looks in proptest::collection::vec(0i64..10_000, 1..12)) {
        looks.sort_unstable();
        looks.push(20_000);
        let (facts, mut clocks) = (opened(), Vec::new());
        let mut breaches = 0;
        for minutes in looks {
            let now = monday(9) + TimeDelta::minutes(minutes);
            let changes = plan(&facts, &clocks, TARGETS, &Calendar::default(), now);
            for change in changes {
                breaches += usize::from(change.news == News::Breached);
                clocks.retain(|it| it.promise != change.clock.promise);
                clocks.push(change.clock);
            }
        }
        prop_assert_eq!(breaches, 2);
        let decided: Vec<_> = clocks.iter().map(|it| it.decided).collect();
        prop_assert!(decided.contains(&Some(monday(10))) && decided.contains(&Some(monday(17))));
    }
}
