//! Settings: where each value comes from, and what is refused.

use std::time::Duration;

use super::*;

fn load(variables: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let variables = variables
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()));
    Settings::load(Sources::default().variables(variables))
}

fn refused(variables: &[(&str, &str)]) -> String {
    load(variables).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_complete_and_in_themselves_consistent() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.worker.concurrency, 16);
    assert_eq!(settings.worker.lease_ttl, Duration::from_secs(8));
    assert_eq!(settings.log.format, LogFormat::Pretty);
    assert!(settings.database.url.is_none() && !settings.diagnostics);
}

#[test]
fn the_effective_settings_are_printed_in_a_form_that_can_be_read_again() {
    let settings = load(&[("FLEET_WORKER__QUEUES__MAIL", "4")]).unwrap();
    for settings in [settings, load(&[]).unwrap()] {
        let printed = Figment::from(Toml::string(&settings.effective()));
        assert_eq!(printed.extract::<Settings>().unwrap(), settings);
    }
}

#[test]
fn every_key_of_the_default_file_is_explained() {
    for paragraph in DEFAULTS.split("\n\n") {
        let is_key = |line: &&str| line.contains('=') && !line.starts_with('#');
        if let Some(key) = paragraph.lines().find(is_key) {
            assert!(paragraph.contains("# "), "no word about {key}");
        }
    }
}

#[test]
fn a_file_wins_over_the_defaults_a_variable_over_the_file_a_value_over_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.toml");
    std::fs::write(
        &path,
        "[worker]\nconcurrency = 3\npoll_every = \"2s\"\nqueues = { mail = 2 }\n",
    )
    .unwrap();
    let sources = Sources::default().file(Some(path)).variables(
        [
            ("FLEET_WORKER__CONCURRENCY", "5"),
            ("FLEET_WORKER__QUEUES__SLOW", "1"),
        ]
        .into_iter()
        .map(|(name, value)| (name.into(), value.into())),
    );
    let settings = Settings::load(sources.clone().set("worker.concurrency", 7)).unwrap();
    assert_eq!(settings.worker.concurrency, 7);
    assert_eq!(Settings::load(sources).unwrap().worker.concurrency, 5);
    assert_eq!(settings.worker.poll_every, Duration::from_secs(2));
    assert_eq!(
        settings.worker.queues,
        [("mail".into(), 2), ("slow".into(), 1)].into()
    );
}

#[test]
fn an_unknown_key_is_named_with_its_source() {
    let said = refused(&[("FLEET_WORKER__CONCURENCY", "5")]);
    assert!(said.contains("worker.concurency"), "{said}");
    assert!(
        said.contains("concurrency"),
        "the known keys help to see the slip: {said}"
    );
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_source() {
    let said = refused(&[("FLEET_WORKER__LEASE_TTL", "8 parsecs")]);
    assert!(
        said.contains("worker.lease_ttl (from FLEET_WORKER__LEASE_TTL)"),
        "{said}"
    );
    assert!(said.contains("parsecs"), "{said}");
}

#[test]
fn a_named_file_must_exist() {
    let sources = Sources::default().file(Some("no/such.toml".into()));
    let said = Settings::load(sources).unwrap_err().to_string();
    assert_eq!(said, "could not read the settings in no/such.toml");
}

#[test]
fn variables_that_are_no_settings_are_left_alone() {
    load(&[
        ("FLEET_SERVICE_HOST", "10.0.0.1"),
        ("FLEET_PGBIN", "/opt/pg"),
        ("HOME", "/"),
    ])
    .unwrap();
    assert!(load(&[("FLEET_DIAGNOSTICS", "true")]).unwrap().diagnostics);
}

#[test]
fn each_contradiction_is_refused_with_key_value_and_expectation() {
    let cases = [
        (
            "DATABASE__URL",
            "mysql://x",
            "database.url is mysql://x, but must be an address that",
        ),
        (
            "DATABASE__POOL_MAX",
            "1",
            "database.pool_max is 1, but must be at least 2",
        ),
        (
            "DATABASE__STATEMENT_TIMEOUT",
            "1ms",
            "must be from 100ms to 1h",
        ),
        (
            "WORKER__CONCURRENCY",
            "0",
            "worker.concurrency is 0, but must be from 1 to 10000",
        ),
        (
            "WORKER__LEASE_RENEW_EVERY",
            "3s",
            "is 3s, but must be at most a third of worker.lease_ttl, 2s",
        ),
        (
            "WORKER__SHUTDOWN_GRACE",
            "2h",
            "worker.shutdown_grace is 2h, but must be from 0s to 1h",
        ),
        (
            "WORKER__POLL_EVERY",
            "5m",
            "worker.poll_every is 5m, but must be from 10ms to 1m",
        ),
        (
            "WORKER__QUEUES__MAIL",
            "17",
            "worker.queues.mail is 17, but must be from 1 to worker.conc",
        ),
        (
            "SCHEDULER__TICK_MAX",
            "2m",
            "scheduler.tick_max is 2m, but must be from 100ms to 10s",
        ),
        (
            "SCHEDULER__HISTORY_RETENTION_DAYS",
            "0",
            "must be from 1 to 3650",
        ),
        (
            "API__BODY_LIMIT_BYTES",
            "1000",
            "api.body_limit_bytes is 1000, but must be at least",
        ),
        (
            "API__REQUEST_TIMEOUT",
            "1ms",
            "api.request_timeout is 1ms, but must be from 1s to 1h",
        ),
        (
            "API__RATE_BURST",
            "10",
            "is 10, but must be at least api.rate_per_second, 1000",
        ),
        (
            "LOG__FILTER",
            "a=b=c",
            "log.filter is \"a=b=c\", but must be a level",
        ),
    ];
    for (variable, value, expected) in cases {
        let said = refused(&[(&format!("FLEET_{variable}"), value)]);
        assert!(said.contains(expected), "{variable}={value}: {said}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let said = refused(&[
        ("FLEET_DATABASE__POOL_MAX", "0"),
        ("FLEET_WORKER__CONCURRENCY", "0"),
    ]);
    assert!(
        said.contains("database.pool_max") && said.contains("worker.concurrency"),
        "{said}"
    );
}

#[test]
fn no_way_of_printing_settings_shows_the_password() {
    let url = "postgres://fleet:s3cret@db.example/fleet";
    let settings = load(&[("FLEET_DATABASE__URL", url)]).unwrap();
    for text in [
        settings.effective(),
        format!("{settings}"),
        format!("{settings:?}"),
    ] {
        assert!(
            !text.contains("s3cret") && text.contains("db.example"),
            "{text}"
        );
    }
    assert_eq!(settings.database.url.unwrap().expose(), url);
}
