//! `/metrics` of the real binary.

use fleet_control_api::keys;
use fleet_tests::{database, eventually};

use super::*;

#[tokio::test]
async fn a_scrape_has_the_gauges_of_queues_and_boards() {
    let db = database().await;
    let created = keys::ensure_admin_key(&mut *db.conn().await).await.unwrap();
    let key = created.expect("the first key").key;
    let mut demo = Process::start(
        FLEET,
        &db.url,
        &["demo", "--rows", "3000", "--seed", "7"],
        &[],
    );
    assert!(demo.ended(fleet_tests::wait::DEADLINE).await.success());
    let port = absence::free_port().await;
    let bind = format!("127.0.0.1:{port}");
    let _api = Process::start(FLEET, &db.url, &["api", "--bind", &bind], &[]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let text = eventually("the metrics can be scraped", || async {
        let request = client.get(format!("http://{bind}/metrics"));
        let answer = request.bearer_auth(&key).send().await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    })
    .await;
    for metric in [
        "fleet_queue_depth{queue=",
        "fleet_leaderboard_staleness_seconds{board=",
    ] {
        assert!(text.contains(metric), "{metric} is not in:\n{text}");
    }
}
