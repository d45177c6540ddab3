//! Keys: shown once, stored hashed, closed to who has none, and soon gone when revoked.

use std::time::Duration;

use chrono::TimeDelta;
use fleet_control_api::keys::{self, NewKey};
use fleet_control_api::{ApiSettings, Scope};
use fleet_queue::TenantId;
use fleet_tests::eventually;
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::served::{Served, job};

#[tokio::test]
async fn without_a_good_key_nothing_opens() {
    let api = Served::start().await;
    let get = || api.request(Method::GET, "/v1/jobs");
    let forged = format!("{}0", &api.admin[..api.admin.len() - 1]);
    let changed = if forged == api.admin {
        format!("{}1", &api.admin[..api.admin.len() - 1])
    } else {
        forged
    };
    for request in [
        get(),
        get().header("authorization", api.admin.clone()),
        get().basic_auth("admin", Some(&api.admin)),
        get().bearer_auth(""),
        get().bearer_auth("fleet_00000000_guess"),
        get().bearer_auth(changed),
        get().header(
            "authorization",
            reqwest::header::HeaderValue::from_bytes(b"Bearer \xff").unwrap(),
        ),
    ] {
        let reply = api.send(request).await;
        reply.refused(401, "unauthorized", Some("authorization"));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    }
}

#[tokio::test]
async fn the_first_admins_key_is_made_once_however_many_start() {
    let api = Served::start().await;
    assert_eq!(
        keys::ensure_admin_key(&mut *api.db.conn().await)
            .await
            .unwrap(),
        None
    );
    api.db
        .execute("UPDATE fleet.api_key SET revoked_at = now()")
        .await;
    let starts = (0..8).map(|_| async {
        keys::ensure_admin_key(&mut *api.db.conn().await)
            .await
            .unwrap()
    });
    let made = futures::future::join_all(starts).await;
    assert_eq!(made.iter().flatten().count(), 1);
}

#[tokio::test]
async fn a_key_is_stored_hashed_and_listed_without_its_secret() {
    let api = Served::start().await;
    let secret = api.admin.rsplit('_').next().unwrap();
    let row = api.db.text("SELECT api_key::text FROM fleet.api_key").await;
    assert!(!row.contains(secret));
    api.get("/v1/jobs").await.ok();
    let listed = keys::list(&mut *api.db.conn().await).await.unwrap();
    assert_eq!(
        (
            listed.len(),
            listed[0].name.as_str(),
            listed[0].scopes.as_slice()
        ),
        (1, "first admin", &["admin".to_owned()][..])
    );
    assert!(
        api.admin
            .starts_with(&format!("fleet_{}_", listed[0].prefix))
    );
    assert!(listed[0].last_used_at.is_some());
}

#[tokio::test]
async fn a_revoked_key_soon_opens_nothing_and_an_expired_one_nothing_at_all() {
    let api = Served::start().await;
    let new = |expires_at| NewKey {
        name: "n".into(),
        tenant: None,
        scopes: vec![Scope::JobsRead],
        kinds: None,
        expires_at,
    };
    let created = keys::create(&mut *api.db.conn().await, &new(None))
        .await
        .unwrap();
    api.get_as(&created.key, "/v1/jobs").await.ok();
    assert!(
        keys::revoke(&mut *api.db.conn().await, created.id)
            .await
            .unwrap()
    );
    assert!(
        !keys::revoke(&mut *api.db.conn().await, created.id)
            .await
            .unwrap()
    );
    fleet_tests::wait::within(Duration::from_secs(5), "the key is refused", async || {
        (api.get_as(&created.key, "/v1/jobs").await.status == StatusCode::UNAUTHORIZED)
            .then_some(())
    })
    .await;

    let past = sqlx::query_scalar::<_, chrono::DateTime<chrono::Utc>>("SELECT now()")
        .fetch_one(&api.db.pool)
        .await
        .unwrap()
        - TimeDelta::seconds(1);
    let expired = keys::create(&mut *api.db.conn().await, &new(Some(past)))
        .await
        .unwrap();
    api.get_as(&expired.key, "/v1/jobs")
        .await
        .refused(401, "unauthorized", Some("authorization"));
}

#[tokio::test]
async fn a_key_for_some_kinds_enqueues_only_these() {
    let api = Served::start().await;
    let new = NewKey {
        name: "n".into(),
        tenant: None,
        scopes: vec![Scope::JobsEnqueue],
        kinds: Some(vec!["toys.wind".into()]),
        expires_at: None,
    };
    let created = keys::create(&mut *api.db.conn().await, &new).await.unwrap();
    api.post_as(&created.key, "/v1/jobs", job(json!({})))
        .await
        .refused(403, "kind_not_allowed", Some("kind"));
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused() {
    let api = Served::start().await;
    let sound = NewKey {
        name: "n".into(),
        tenant: Some(TenantId(Uuid::new_v4())),
        scopes: vec![Scope::JobsRead],
        kinds: None,
        expires_at: None,
    };
    for wrong in [
        NewKey {
            name: String::new(),
            ..sound.clone()
        },
        NewKey {
            scopes: Vec::new(),
            ..sound.clone()
        },
        NewKey {
            scopes: vec![Scope::Admin],
            ..sound.clone()
        },
        NewKey {
            kinds: Some(Vec::new()),
            ..sound.clone()
        },
    ] {
        assert!(
            keys::create(&mut *api.db.conn().await, &wrong)
                .await
                .is_err(),
            "{wrong:?}"
        );
    }
}

#[tokio::test]
async fn the_last_use_is_noted_at_most_once_a_minute() {
    let settings = ApiSettings {
        key_cache_ttl: Duration::ZERO,
        ..ApiSettings::default()
    };
    let api = Served::start_with(settings).await;
    let version = "SELECT xmin::text::bigint FROM fleet.api_key";
    api.get("/v1/jobs").await.ok();
    let first = api.db.number(version).await;
    api.get("/v1/jobs").await.ok();
    assert_eq!(api.db.number(version).await, first);
    api.db
        .execute("UPDATE fleet.api_key SET last_used_at = now() - interval '2 minutes'")
        .await;
    api.get("/v1/jobs").await.ok();
    eventually("the use is noted", async || {
        let fresh = api.db.number("SELECT count(*) FROM fleet.api_key WHERE last_used_at > now() - interval '1 minute'").await;
        (fresh == 1).then_some(())
    })
    .await;
}
