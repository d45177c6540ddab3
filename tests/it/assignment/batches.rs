//! Many at once: the best sum, through the same guard, in whatever order; and bad requests.

use fleet_jobs::assignment::{Batch, Queue};
use fleet_queue::NewJob;
use serde_json::json;
use uuid::Uuid;

use super::house::{House, id};

async fn run(house: &House, batch: &Batch) -> (String, serde_json::Value) {
    let job =
        fleet_queue::transitions::enqueue::enqueue(&mut *house.db.conn().await, &NewJob::of(batch))
            .await
            .unwrap()
            .id
            .0;
    house.work().await;
    house.ended(job).await
}

fn of(client_ids: &[Uuid]) -> Batch {
    Batch {
        client_ids: client_ids.to_vec(),
        ..Batch::default()
    }
}

#[tokio::test]
async fn the_sum_is_the_best_where_one_after_the_other_is_not() {
    let house = House::open().await;
    // Both clients prefer ann; only for the second is bob as good as nothing.
    house
        .partner(
            "ann",
            1.0,
            "industries = '{retail,food}', channels = '{search}'",
        )
        .await;
    house
        .partner(
            "bob",
            1.0,
            "industries = '{retail}', channels = '{search,social,video,email}'",
        )
        .await;
    house.score().await;
    house.db.execute("UPDATE fleet.partner_capacity SET score = CASE partner_id WHEN '616e6e00-0000-0000-0000-000000000000' THEN 80 ELSE 60 END;
        UPDATE fleet.assignment_standing SET offsets_at = fleet.clock()").await;
    let (easy, hard) = (
        house.client("easy", "industry = 'retail'").await,
        house.client("hard", "industry = 'food'").await,
    );
    let (state, told) = run(&house, &of(&[easy, hard])).await;
    assert_eq!(state, "completed", "{told}");
    assert_eq!(told["assigned"], json!(2), "{told}");
    assert_eq!(
        (house.partner_of(easy).await, house.partner_of(hard).await),
        (Some(id("bob")), Some(id("ann")))
    );
    let why = house.rationale(easy).await;
    assert!(
        why["margin"].as_f64() < Some(0.0) && why["confidence"].as_f64() < Some(0.5),
        "{why}"
    );
    house.holds().await;
}

#[tokio::test]
async fn who_is_left_out_is_looked_at_alone_and_waits() {
    let house = House::open().await;
    house.partner("ann", 2.0, "").await;
    house.partner("sue", 2.0, "tier = 'senior'").await;
    house.score().await;
    let mut clients = Vec::new();
    for n in 0..4 {
        clients.push(
            house
                .client(
                    &format!("c{n}"),
                    if n == 3 { "plan = 'enterprise'" } else { "" },
                )
                .await,
        );
    }
    let (_, told) = run(&house, &of(&clients)).await;
    assert_eq!(
        (&told["assigned"], &told["alone"]),
        (&json!(3), &json!(1)),
        "{told}"
    );
    assert_eq!(
        house.partner_of(clients[3]).await,
        Some(id("sue")),
        "the heaviest and most valued goes first"
    );
    assert_eq!(
        house
            .db
            .number("SELECT count(*) FROM fleet.assignment_waitlist")
            .await,
        1
    );
    let (_, again) = run(
        &house,
        &Batch {
            queue: Some(Queue::Unassigned),
            ..Batch::default()
        },
    )
    .await;
    assert_eq!(
        (&again["clients"], &again["waiting"]),
        (&json!(1), &json!(1)),
        "{again}"
    );
    let (_, settled) = run(&house, &of(&clients[..2])).await;
    assert_eq!(
        settled["settled"].as_i64().unwrap() + settled["waiting"].as_i64().unwrap(),
        2,
        "{settled}"
    );
    house.holds().await;
}

/// It is looked at alone while the batch may still be at work.
#[tokio::test]
async fn who_is_left_out_takes_no_slot_that_is_meant_for_another() {
    let house = House::open().await;
    house.partner("ann", 40.0, "tier = 'senior'").await;
    house.score().await;
    let mut clients = Vec::new();
    for n in 0..40 {
        let more = if n < 20 { "" } else { "plan = 'enterprise'" };
        clients.push(house.client(&format!("c{n}"), more).await);
    }
    let (_, told) = run(&house, &of(&clients)).await;
    assert_eq!(
        (&told["assigned"], &told["alone"], &told["passed_up"]),
        (&json!(20), &json!(20), &json!(0)),
        "{told}"
    );
    house.holds().await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_discarded_by_name() {
    let house = House::open().await;
    let many: Vec<Uuid> = (0..501).map(Uuid::from_u128).collect();
    for (batch, problem) in [
        (Batch::default(), "name clients, or a queue"),
        (
            Batch {
                queue: Some(Queue::Waitlist),
                ..of(&[id("a")])
            },
            "not both",
        ),
        (of(&many), "has 501 clients"),
        (
            Batch {
                queue: Some(Queue::Waitlist),
                limit: Some(0),
                ..Batch::default()
            },
            "limit: is 0",
        ),
    ] {
        let (state, reason) = run(&house, &batch).await;
        assert!(
            state == "discarded" && reason.as_str().unwrap().contains(problem),
            "{reason}"
        );
    }
    let (state, told) = run(&house, &of(&[id("nobody")])).await;
    assert_eq!(
        (state.as_str(), &told["unknown"]),
        ("completed", &json!([id("nobody")])),
        "{told}"
    );
    let unknown = house
        .run(NewJob::of(&fleet_jobs::assignment::Auto::of(id("nobody"))))
        .await;
    assert!(
        unknown.0 == "discarded" && unknown.1.as_str().unwrap().contains("there is no client"),
        "{}",
        unknown.1
    );
}
