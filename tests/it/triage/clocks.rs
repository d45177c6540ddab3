//! Promises: business time, waiting, warnings, and the jobs that watch them.

use fleet_jobs::tickets::{Author, Edit};
use fleet_jobs::triage::{Holiday, Hours, Kept, Priority, set_holidays, set_hours, sweep};

use super::desk::{Desk, QUESTION, TENANT};

/// Jobs that wait for a clock's next threshold.
const WATCHED: &str = "SELECT count(*) FROM fleet.job WHERE kind = 'triage.sla_deadline'";

#[tokio::test]
async fn a_sorted_ticket_has_its_promises_and_a_job_for_each() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    let expected = [
        "first_response running Mon 17:00",
        "resolution running Thu 17:00",
    ];
    assert_eq!(desk.clocks(ticket).await, expected);
    let ahead = "SELECT string_agg(payload->>'clock' || ' ' || to_char(run_at AT TIME ZONE 'UTC', 'Dy HH24:MI'), ', ' ORDER BY run_at) FROM fleet.job WHERE kind = 'triage.sla_deadline'";
    // Three quarters of 8 and of 72 business hours.
    assert_eq!(
        desk.db.text(ahead).await,
        "first_response Mon 15:00, resolution Tue 15:00"
    );
}

#[tokio::test]
async fn promises_run_in_the_tenants_hours_over_weekends_holidays_and_summer_time() {
    let mut desk = Desk::open().await;
    let hours = Hours {
        zone: "Europe/Berlin".into(),
        work_days: vec![1, 2, 3, 4, 5],
        opens: "09:00".into(),
        closes: "17:00".into(),
    };
    set_hours(desk.conn(), TENANT, &hours).await.unwrap();
    let easter = Holiday {
        day: "2026-03-30".parse().unwrap(),
        name: "a holiday".into(),
    };
    set_holidays(desk.conn(), TENANT, &[easter]).await.unwrap();
    // Friday at 16:00 in Berlin; the clocks are set forward on Sunday, and Monday is a holiday.
    desk.at("2026-03-27T15:00:00Z").await;
    let ticket = desk.sorted(QUESTION).await;
    let first = desk.clocks(ticket).await.remove(0);
    assert_eq!(
        first, "first_response running Tue 14:00",
        "16:00 on Berlin's clocks"
    );
}

#[tokio::test]
async fn warnings_come_at_three_quarters_and_nine_tenths_once_each() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    let warned = Kept {
        warned: 1,
        ..Kept::default()
    };
    for (time, expected) in [
        ("2026-11-23T14:59:00Z", Kept::default()),
        ("2026-11-23T15:00:00Z", warned),
        ("2026-11-23T15:00:00Z", Kept::default()),
        ("2026-11-23T16:12:00Z", warned),
        ("2026-11-23T16:30:00Z", Kept::default()),
    ] {
        desk.at(time).await;
        assert_eq!(desk.look(ticket).await, expected, "{time}");
    }
    assert_eq!(desk.events("sla.warning").await, 2);
    let next = "SELECT to_char(run_at AT TIME ZONE 'UTC', 'HH24:MI') FROM fleet.job WHERE kind = 'triage.sla_deadline' AND payload->>'clock' = 'first_response'";
    assert_eq!(
        desk.db.text(next).await,
        "17:00",
        "the same job waits for the end"
    );
}

#[tokio::test]
async fn an_answer_meets_the_first_promise_and_counts_for_the_partner() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    desk.at("2026-11-23T11:00:00Z").await;
    desk.say(ticket, Author::Staff, false).await;
    assert_eq!(desk.clocks(ticket).await[0], "first_response met Mon 17:00");
    let outcome = "SELECT count(*) FROM fleet.sla_outcomes WHERE met AND partner_id = '00000000-0000-0000-0000-0000000000a1'";
    assert_eq!(desk.db.number(outcome).await, 1);
    let hours = "SELECT first_response_hours::text FROM fleet.tickets";
    assert_eq!(desk.db.text(hours).await, "2");
    assert_eq!(desk.db.number(WATCHED).await, 1, "its job was called off");
    assert_eq!(desk.show(ticket).await.ticket.status, "in_progress");
}

#[tokio::test]
async fn each_later_message_has_its_own_promise() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    desk.say(ticket, Author::Staff, false).await;
    desk.at("2026-11-23T10:00:00Z").await;
    desk.say(ticket, Author::Customer, false).await;
    desk.at("2026-11-23T11:00:00Z").await;
    desk.say(ticket, Author::Customer, false).await;
    let clocks = desk.clocks(ticket).await;
    assert_eq!(
        clocks[1], "next_response running Wed 10:00",
        "16 hours after the first unanswered one"
    );
    assert_eq!(
        clocks.len(),
        3,
        "a second message before the answer begins no second promise"
    );
    desk.at("2026-11-23T12:00:00Z").await;
    desk.say(ticket, Author::Staff, false).await;
    assert_eq!(desk.clocks(ticket).await[1], "next_response met Wed 10:00");
    desk.at("2026-11-23T13:00:00Z").await;
    desk.say(ticket, Author::Customer, false).await;
    assert_eq!(desk.clocks(ticket).await.len(), 4);
}

#[tokio::test]
async fn nothing_runs_while_it_waits_for_the_customer() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    desk.at("2026-11-23T11:00:00Z").await;
    desk.say(ticket, Author::Staff, true).await;
    assert!(desk.clocks(ticket).await[1].starts_with("resolution paused"));
    assert_eq!(desk.db.number(WATCHED).await, 0);
    let busy = "SELECT count(*) FROM fleet.tickets WHERE on_clock";
    assert_eq!(
        desk.db.number(busy).await,
        0,
        "nor does it busy its partner"
    );
    desk.at("2026-12-07T09:00:00Z").await;
    assert_eq!(
        desk.look(ticket).await,
        Kept::default(),
        "two weeks later nothing is broken"
    );
    desk.say(ticket, Author::Customer, false).await;
    // 72 hours, of which two were used: eight days and six hours of work.
    assert_eq!(
        desk.clocks(ticket).await.last().unwrap(),
        "resolution running Thu 15:00"
    );
    assert_eq!(desk.db.number(WATCHED).await, 2);
}

#[tokio::test]
async fn an_end_calls_every_job_off_and_a_message_after_it_opens_again() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    assert_eq!(desk.db.number(WATCHED).await, 2);
    desk.at("2026-11-23T10:00:00Z").await;
    desk.resolve(ticket).await;
    assert_eq!(desk.db.number(WATCHED).await, 0);
    let ended = "SELECT count(*) FROM fleet.job_history WHERE kind = 'triage.sla_deadline' AND state = 'cancelled'";
    assert_eq!(desk.db.number(ended).await, 2);
    assert_eq!(desk.line(ticket).await, "resolved low how_to partner");
    assert_eq!(desk.events("sla.met").await, 2);
    desk.say(ticket, Author::Customer, false).await;
    assert_eq!(desk.show(ticket).await.ticket.status, "open");
}

#[tokio::test]
async fn a_ticket_that_was_resolved_without_an_answer_has_a_promise_when_it_is_opened_again() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    // The second time the first promise is long decided.
    for (resolved, said, clocks) in [("10:00", "11:00", 3), ("12:00", "13:00", 4)] {
        desk.at(&format!("2026-11-23T{resolved}:00Z")).await;
        desk.resolve(ticket).await;
        desk.at(&format!("2026-11-23T{said}:00Z")).await;
        desk.say(ticket, Author::Customer, false).await;
        let all = desk.clocks(ticket).await;
        let due = format!("next_response running Wed {said}");
        assert!(all.contains(&due) && all.len() == clocks, "{all:?}");
    }
}

#[tokio::test]
async fn a_raised_priority_moves_what_is_due() {
    let mut desk = Desk::open().await;
    let ticket = desk.sorted(QUESTION).await;
    let urgent = Edit {
        priority: Some(Priority::High),
        ..Edit::default()
    };
    desk.edit(ticket, urgent).await.unwrap();
    let expected = [
        "first_response running Mon 10:00",
        "resolution running Mon 17:00",
    ];
    assert_eq!(desk.clocks(ticket).await, expected);
    assert_eq!(
        desk.db.number(WATCHED).await,
        2,
        "the jobs were moved, not added to"
    );
    let first = "SELECT to_char(min(run_at) AT TIME ZONE 'UTC', 'HH24:MI') FROM fleet.job WHERE kind = 'triage.sla_deadline'";
    assert_eq!(desk.db.text(first).await, "09:45");
}

/// The jobs were lost, as by a hand in the queue: the net finds what is overdue, and what was never sorted.
#[tokio::test]
async fn the_sweep_finds_what_the_jobs_have_missed() {
    let mut desk = Desk::open().await;
    desk.at("2024-01-08T09:00:00Z").await;
    let ticket = desk.sorted(QUESTION).await;
    let unsorted = desk.ticket(QUESTION).await;
    desk.db.execute("DELETE FROM fleet.job").await;
    let swept = sweep(&desk.db.pool).await.unwrap();
    assert_eq!((swept.overdue, swept.breached, swept.unsorted), (1, 2, 1));
    assert_eq!(sweep(&desk.db.pool).await.unwrap().breached, 0);
    assert_eq!(desk.show(ticket).await.ticket.status, "escalated");
    let asked = "SELECT payload->>'ticket_id' FROM fleet.job WHERE kind = 'triage.ticket'";
    assert_eq!(desk.db.text(asked).await, unsorted.to_string());
    // One that was sorted before the customer said more is as unsorted.
    desk.say(ticket, Author::Customer, false).await;
    desk.db.execute("DELETE FROM fleet.job").await;
    assert_eq!(sweep(&desk.db.pool).await.unwrap().unsorted, 2);
}
