//! Ten thousand partners: one client at once; two thousand partners and five hundred clients in a batch.

use std::time::Duration;

use fleet_jobs::assignment::{Batch, Outcome, Queue};
use fleet_queue::NewJob;
use fleet_queue::transitions::enqueue::enqueue;
use tokio::time::Instant;
use uuid::Uuid;

use super::house::{House, TENANT};

/// Targets say 30 ms and 3 s, on two quiet cores with a release build; tests run beside each other on whatever there is.
const PATIENCE_FOR_ONE: Duration = Duration::from_secs(1);
const PATIENCE_FOR_BATCH: Duration = Duration::from_secs(90);

const PARTNERS: &str = "
    INSERT INTO fleet.partners (tenant_id, partner_id, name, active_since, tier, industries, channels, languages, zone)
    SELECT '00000000-0000-0000-0000-000000000000', md5('p' || i)::uuid, 'partner ' || i, '2024-01-01', CASE WHEN i % 10 = 0 THEN 'senior' ELSE 'standard' END,
           ARRAY['retail', 'travel', 'i' || i % 5], ARRAY['search', 'social', 'c' || i % 3], ARRAY['en', 'l' || i % 4],
           (ARRAY['UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/New_York'])[1 + i % 4]
    FROM generate_series(1, $1) AS i";
const BUSY: &str = "
    INSERT INTO fleet.clients (tenant_id, client_id, name, active_since, industry, exclusive)
    SELECT md5('t' || i % 100)::uuid, md5('old' || i)::uuid, 'old ' || i, '2024-01-01', (ARRAY['retail', 'travel', 'food', 'home'])[1 + i % 4], i % 1000 = 0
    FROM generate_series(1, 5 * $1) AS i";
const GIVEN: &str = "
    INSERT INTO fleet.client_assignments (tenant_id, client_id, partner_id, started_at)
    SELECT md5('t' || i % 100)::uuid, md5('old' || i)::uuid, md5('p' || 1 + i % $1)::uuid, now() - i * interval '1 minute' FROM generate_series(1, 5 * $1) AS i";
const NEW: &str = "
    INSERT INTO fleet.clients (tenant_id, client_id, name, active_since, industry, channels, languages)
    SELECT $2, md5('new' || i)::uuid, 'new ' || i, '2024-01-01', 'retail', CASE WHEN i % 2 = 0 THEN ARRAY['search'] ELSE ARRAY['search', 'social'] END, '{en}'
    FROM generate_series(1, $1) AS i
    RETURNING client_id";
const STANDINGS: &str = "
    UPDATE fleet.partner_capacity SET percentile = abs(hashtext(partner_id::text)) % 1000 / 1000.0;
    UPDATE fleet.assignment_standing SET offsets_at = fleet.clock();
    ANALYZE";

async fn crowded(partners: i64) -> House {
    let house = House::open().await;
    for sql in [PARTNERS, BUSY, GIVEN] {
        sqlx::query(sql)
            .bind(partners)
            .execute(&house.db.pool)
            .await
            .unwrap();
    }
    house.score().await;
    house.db.execute(STANDINGS).await;
    house
}

/// As the hourly computation does.
const REWRITTEN: &str = "UPDATE fleet.partner_capacity SET computed_at = computed_at";

async fn took(house: &House, client: Uuid) -> Duration {
    let begun = Instant::now();
    let outcome = house.assign(client).await;
    assert!(matches!(outcome, Outcome::Assigned { .. }), "{outcome:?}");
    begun.elapsed()
}

#[tokio::test]
async fn one_client_among_ten_thousand_partners_is_assigned_at_once() {
    let house = crowded(10_000).await;
    let clients: Vec<Uuid> = sqlx::query_scalar(NEW)
        .bind(202_i64)
        .bind(TENANT)
        .fetch_all(&house.db.pool)
        .await
        .unwrap();
    let [first, last, rest @ ..] = &clients[..] else {
        unreachable!("there are 202")
    };
    let first = took(&house, *first).await;
    let mut times = Vec::new();
    for client in rest {
        times.push(took(&house, *client).await);
    }
    house.db.execute(REWRITTEN).await;
    let rewritten = took(&house, *last).await;
    times.sort();
    println!(
        "one client, 10,000 partners: p50 {:?}, p95 {:?}, p99 {:?}; the first {first:?}, one after all were rewritten {rewritten:?}",
        times[100], times[190], times[198]
    );
    assert!(times[190] < PATIENCE_FOR_ONE, "{:?}", times[190]);
    house.holds().await;
}

#[tokio::test]
async fn five_hundred_clients_and_two_thousand_partners_are_one_batch() {
    let house = crowded(2_000).await;
    sqlx::query(NEW)
        .bind(500_i64)
        .bind(TENANT)
        .execute(&house.db.pool)
        .await
        .unwrap();
    let batch = Batch {
        queue: Some(Queue::Unassigned),
        ..Batch::default()
    };
    let job = enqueue(&mut *house.db.conn().await, &NewJob::of(&batch))
        .await
        .unwrap()
        .id
        .0;
    house.work().await;
    let (state, told) = house.ended(job).await;
    assert_eq!(
        (state.as_str(), &told["assigned"]),
        ("completed", &serde_json::json!(500)),
        "{told}"
    );
    let sql = "SELECT extract(epoch FROM finished_at - started_at)::float8 FROM fleet.job_history WHERE id = $1";
    let took: f64 = sqlx::query_scalar(sql)
        .bind(job)
        .fetch_one(&house.db.pool)
        .await
        .unwrap();
    println!("500 clients, 2,000 partners: {took:.2} s");
    assert!(took < PATIENCE_FOR_BATCH.as_secs_f64(), "{took}");
    house.holds().await;
}
