//! The waitlist: who waits is woken by whoever makes room, in that very transaction, and never by the clock.

use fleet_jobs::assignment::{
    AssignError, Auto, AutoError, Batch, Outcome, Overdue, Queue, assign_now, list_waiting,
};
use fleet_jobs::clients::take_clients;
use fleet_jobs::metrics::Format;
use fleet_queue::{NewJob, TenantId};
use fleet_tests::eventually;
use serde_json::json;

use super::house::{House, TENANT, id};

const WOKEN: &str = "SELECT count(*) FROM fleet.job WHERE kind = 'assignment.batch'";

/// A house with one partner that is full, and a client that waits.
async fn full() -> House {
    let house = House::open().await;
    house.partner("ann", 1.0, "languages = '{en}'").await;
    house.score().await;
    house.assign(house.client("first", "").await).await;
    let outcome = house
        .assign(house.client("second", "languages = '{en}'").await)
        .await;
    assert!(matches!(outcome, Outcome::Waitlisted { .. }), "{outcome:?}");
    assert_eq!(house.db.number(WOKEN).await, 0);
    house
}

#[tokio::test]
async fn a_slot_that_is_freed_wakes_in_its_own_transaction() {
    let house = full().await;
    let end = "SELECT fleet.free_slot('616e6e00-0000-0000-0000-000000000000', 1); UPDATE fleet.client_assignments SET ended_at = now()";
    let mut tx = house.db.pool.begin().await.unwrap();
    sqlx::raw_sql(end).execute(&mut *tx).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(
        house.db.number(WOKEN).await,
        0,
        "what did not happen wakes nobody"
    );
    house.db.execute(end).await;
    assert_eq!(house.db.number(WOKEN).await, 1);
    house.work().await;
    assert_eq!(house.partner_of(id("second")).await, Some(id("ann")));
    assert!(list_waiting_names(&house).await.is_empty());
    house.holds().await;
}

async fn list_waiting_names(house: &House) -> Vec<String> {
    let mut conn = house.db.conn().await;
    let waiting = list_waiting(&mut conn, None, 10).await.unwrap();
    waiting.into_iter().map(|it| it.name).collect()
}

#[tokio::test]
async fn each_way_of_making_room_wakes_and_many_at_once_are_one_job() {
    for change in [
        "UPDATE fleet.partner_capacity SET cap = 2",
        "INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since) VALUES ('00000000-0000-0000-0000-000000000000', md5('new')::uuid, 'new', '2024-01-01')",
    ] {
        let house = full().await;
        house.db.execute(change).await;
        house.score().await;
        assert_eq!(house.db.number(WOKEN).await, 1, "{change}");
    }
    let house = full().await;
    house
        .partner("mute", 5.0, "languages = '{fr}', status = 'paused'")
        .await;
    house.score().await;
    house.work().await;
    assert_eq!(list_waiting_names(&house).await, ["second"]);
    house
        .change(
            "partners",
            "partner_id",
            id("mute"),
            "languages = '{fr,en}'",
        )
        .await;
    assert_eq!(
        house.db.number(WOKEN).await,
        0,
        "a paused partner is no room"
    );
    house
        .change("partners", "partner_id", id("mute"), "status = 'active'")
        .await;
    house
        .change(
            "partners",
            "partner_id",
            id("mute"),
            "channels = '{search}'",
        )
        .await;
    assert_eq!(house.db.number(WOKEN).await, 1);
    house.work().await;
    assert_eq!(house.partner_of(id("second")).await, Some(id("mute")));
}

#[tokio::test]
async fn room_too_small_for_anybody_wakes_nobody() {
    let house = full().await;
    house
        .db
        .execute("UPDATE fleet.partner_capacity SET cap = 1.9")
        .await;
    assert_eq!(house.db.number(WOKEN).await, 0);
}

#[tokio::test]
async fn who_waits_for_too_long_is_told_of_once() {
    let house = full().await;
    let waiting = list_waiting(&mut *house.db.conn().await, None, 10)
        .await
        .unwrap();
    let scheduled = "SELECT count(*) FROM fleet.job AS j JOIN fleet.assignment_waitlist AS w ON j.run_at = w.since + interval '24 hours' WHERE j.kind = 'assignment.overdue'";
    assert_eq!(house.db.number(scheduled).await, 1);
    let overdue = || {
        NewJob::of(&Overdue {
            client_id: waiting[0].client_id,
            since: waiting[0].since,
        })
    };
    assert_eq!(house.run(overdue()).await.1, json!({ "told": true }));
    assert_eq!(house.run(overdue()).await.1, json!({ "told": false }));
    assert_eq!(house.events("assignment.overdue").await, 1);
    assert!(
        waiting[0].summary.contains("1 have no room"),
        "{}",
        waiting[0].summary
    );
}

/// A slot that is freed and committed between the look and the list would be seen by neither side.
#[tokio::test]
async fn room_that_comes_up_while_a_client_is_put_on_the_list_is_not_missed() {
    let house = House::open().await;
    house.partner("ann", 1.0, "").await;
    house.score().await;
    let first = house.client("first", "").await;
    house.assign(first).await;
    let second = house.client("second", "").await;
    let free = "UPDATE fleet.client_assignments SET ended_at = now();
        SELECT fleet.free_slot('616e6e00-0000-0000-0000-000000000000', 1)";
    let mut freeing = house.db.pool.begin().await.unwrap();
    sqlx::raw_sql(free).execute(&mut *freeing).await.unwrap();
    let deciding = assign_now(&house.db.pool, &house.roster, second);
    let committing = async {
        let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("the decision waits for whoever makes room", || async {
            (house.db.number(waits).await == 1).then_some(())
        })
        .await;
        freeing.commit().await.unwrap();
    };
    let (decided, ()) = tokio::join!(deciding, committing);
    let refused = decided.expect_err("it saw the room");
    assert!(
        matches!(refused, AutoError::Assign(AssignError::RoomCameUp(client)) if client == second),
        "{refused:?}"
    );
    assert_eq!(
        house
            .db
            .number("SELECT count(*) FROM fleet.assignment_waitlist")
            .await,
        0
    );
    assert!(matches!(
        house.assign(second).await,
        Outcome::Assigned { .. }
    ));
    house.holds().await;
}

/// More clients than one batch takes, none of whom anybody can take, and behind them one whom somebody can.
#[tokio::test]
async fn those_whom_nobody_can_take_do_not_keep_the_others_waiting() {
    let house = House::open().await;
    house.partner("ann", 1.0, "").await;
    house.score().await;
    house.assign(house.client("first", "").await).await;
    house
        .db
        .execute(
            "INSERT INTO fleet.clients (tenant_id, client_id, name, active_since, languages)
             SELECT '00000000-0000-0000-0000-000000007e7a', md5(i::text)::uuid, 'client ' || i, '2024-01-01', CASE WHEN i < 505 THEN ARRAY['fr'] ELSE '{}' END
             FROM generate_series(1, 505) AS i;
         INSERT INTO fleet.assignment_waitlist (tenant_id, client_id, weight, decision_id, why, since)
             SELECT '00000000-0000-0000-0000-000000007e7a', md5(i::text)::uuid, 1, md5('d' || i)::uuid, 'language', now() - interval '1 day' + i * interval '1 second'
             FROM generate_series(1, 505) AS i",
        )
        .await;
    let limited = Batch {
        queue: Some(Queue::Waitlist),
        limit: Some(3),
        ..Batch::default()
    };
    let (_, told) = house.run(NewJob::of(&limited)).await;
    assert_eq!(
        (&told["clients"], &told["partners"]),
        (&json!(3), &json!(0)),
        "{told}"
    );
    house
        .change("partners", "partner_id", id("ann"), "max_load = 2")
        .await;
    house.score().await;
    house.work().await;
    let last = sqlx::query_scalar("SELECT md5('505')::uuid")
        .fetch_one(&house.db.pool)
        .await
        .unwrap();
    assert_eq!(house.partner_of(last).await, Some(id("ann")));
    assert_eq!(list_waiting_names(&house).await.len(), 10);
    house.holds().await;
}

#[tokio::test]
async fn whom_a_person_would_not_have_is_remembered_once() {
    let house = House::open().await;
    house.partner("ann", 9.0, "").await;
    house.score().await;
    let client = house.client("picky", "").await;
    let picky = || {
        Auto {
            exclude: vec![id("ann"), id("bob"), id("ann")],
            ..Auto::of(client)
        }
        .new_job(TenantId(TENANT))
    };
    house.run(picky()).await;
    house.run(picky()).await;
    let waiting = list_waiting(&mut *house.db.conn().await, None, 10).await;
    let waiting = waiting.unwrap();
    assert_eq!(waiting[0].exclude, [id("ann"), id("bob")]);
    assert_eq!(waiting[0].why, "excluded");
}

#[tokio::test]
async fn who_is_closed_by_a_file_gives_back_its_slot_or_its_place_on_the_list() {
    let house = full().await;
    house.assign(house.client("third", "").await).await;
    assert_eq!(list_waiting_names(&house).await, ["second", "third"]);
    let file = format!(
        "client_id,name,status\n{},first,closed\n{},third,closed\n",
        id("first"),
        id("third")
    );
    let mut conn = house.db.conn().await;
    let tenant = TenantId(TENANT);
    let report = take_clients(&mut *conn, file.as_bytes(), Format::Csv, tenant, |_| {});
    assert_eq!(report.await.unwrap().updated, 2);
    house.work().await;
    assert_eq!(house.partner_of(id("first")).await, None);
    assert_eq!(house.partner_of(id("second")).await, Some(id("ann")));
    assert!(list_waiting_names(&house).await.is_empty());
    house.holds().await;
}

/// Room that is made while a batch waits to run is that batch's to find, even if it starts before the room is committed.
#[tokio::test]
async fn a_batch_does_not_read_before_those_who_count_on_it_have_committed() {
    let house = full().await;
    house.db.execute("SELECT fleet.wake_waitlist(1)").await;
    let free = "UPDATE fleet.client_assignments SET ended_at = now();
        SELECT fleet.free_slot('616e6e00-0000-0000-0000-000000000000', 1)";
    let mut freeing = house.db.pool.begin().await.unwrap();
    sqlx::raw_sql(free).execute(&mut *freeing).await.unwrap();
    let committing = async {
        let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("the batch waits for whoever makes room", || async {
            (house.db.number(waits).await == 1).then_some(())
        })
        .await;
        freeing.commit().await.unwrap();
    };
    tokio::join!(house.work(), committing);
    assert_eq!(house.partner_of(id("second")).await, Some(id("ann")));
    house.holds().await;
}

#[tokio::test]
async fn what_ends_a_wait_without_making_room_is_seen_by_the_hourly_pass() {
    let house = House::open().await;
    house.partner("ann", 5.0, "industries = '{retail}'").await;
    house.score().await;
    let jealous = house
        .client("jealous", "industry = 'retail', exclusive = true")
        .await;
    house.assign(jealous).await;
    assert_eq!(house.partner_of(jealous).await, Some(id("ann")));
    let second = house.client("second", "industry = 'retail'").await;
    let waits = house.assign(second).await;
    assert!(matches!(waits, Outcome::Waitlisted { .. }), "{waits:?}");
    house
        .change("clients", "client_id", jealous, "exclusive = false")
        .await;
    house.work().await;
    assert_eq!(house.partner_of(second).await, None);
    house.score().await;
    house.work().await;
    assert_eq!(house.partner_of(second).await, Some(id("ann")));
    house.holds().await;
}

#[tokio::test]
async fn one_slot_for_many_alike_is_one_look_and_not_one_for_each() {
    let house = full().await;
    for name in ["third", "fourth"] {
        house.assign(house.client(name, "").await).await;
    }
    let decided = "SELECT count(*) FROM fleet.assignment_decisions WHERE outcome = 'waitlisted'";
    assert_eq!(house.db.number(decided).await, 3);
    house
        .change("partners", "partner_id", id("ann"), "max_load = 2")
        .await;
    house.score().await;
    house.work().await;
    assert_eq!(house.load_of(id("ann")).await, 2.0);
    assert_eq!(list_waiting_names(&house).await.len(), 2);
    assert_eq!(
        house.db.number(decided).await,
        3,
        "who waits on is told nothing new"
    );
    house.holds().await;
}
