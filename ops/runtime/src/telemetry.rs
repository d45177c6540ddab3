//! Logs and metrics of the process, and how errors and addresses are written.
//!
//! Installed once, by the binary. Logs go to stderr, so that stdout stays for results. Metrics are
//! kept in memory and rendered for whoever asks; this module opens no port.

use std::error::Error;
use std::io::IsTerminal;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use reqwest::Url;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat};

/// Upper bounds for everything measured in seconds: from a claim (sub-millisecond) to a long job.
const SECONDS: [f64; 16] = [
    0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0,
    3600.0,
];
/// What stands in place of a secret.
const MASK: &str = "***";

/// Why logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("log.filter {filter:?} is no filter")]
    Filter {
        filter: String,
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("logs are set up already")]
    LogsTwice(#[source] Box<dyn Error + Send + Sync>),
    #[error("metrics could not be set up")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Sends the process's logs to stderr.
pub fn install_logs(settings: &Log) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|source| TelemetryError::Filter {
        filter: settings.filter.clone(),
        source,
    })?;
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed = match settings.format {
        LogFormat::Pretty => logs.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    installed.map_err(TelemetryError::LogsTwice)
}

/// The process's metrics, in a form that others can fetch.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Makes this the recorder behind the `metrics` macros of the whole process.
    pub fn install() -> Result<Self, TelemetryError> {
        Ok(Self {
            handle: builder()?.install_recorder()?,
        })
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        // Observations pile up until drained; one who asks regularly keeps the pile small.
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// Drains observations now and then, for a process that nobody asks.
    pub async fn keep_small(self) {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            self.handle.run_upkeep();
        }
    }
}

fn builder() -> Result<PrometheusBuilder, TelemetryError> {
    let seconds = Matcher::Suffix("_seconds".into());
    Ok(PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS)?)
}

/// An error with all its causes, on one line: "could not do a: because of b: because of c".
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Some libraries print their source in their own text as well.
        if !text.ends_with(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// A database's address without its password; nothing at all of what can't be read as an address.
pub fn mask_url(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else {
        return MASK.to_owned();
    };
    if url.password().is_some() && url.set_password(Some(MASK)).is_err() {
        return MASK.to_owned();
    }
    if url.query().is_some() {
        let pairs: Vec<_> = url.query_pairs().into_owned().map(mask_pair).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.to_string()
}

/// libpq takes `?password=` as well.
fn mask_pair((key, value): (String, String)) -> (String, String) {
    let value = if key.contains("password") {
        MASK.to_owned()
    } else {
        value
    };
    (key, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, shown) in [
            ("postgres://u:secret@h:5432/d", "postgres://u:***@h:5432/d"),
            (
                "postgres://u:p%40ss@h/d?sslmode=disable",
                "postgres://u:***@h/d?sslmode=disable",
            ),
            (
                "postgres://h/d?user=u&password=secret",
                "postgres://h/d?user=u&password=***",
            ),
            ("postgres://h/d", "postgres://h/d"),
            ("host=h password=secret", "***"),
        ] {
            assert_eq!(mask_url(url), shown);
        }
    }

    #[test]
    fn durations_are_histograms_with_bounds_and_are_rendered() {
        let recorder = builder().unwrap().build_recorder();
        let metrics = Metrics {
            handle: recorder.handle(),
        };
        metrics::with_local_recorder(&recorder, || {
            metrics::counter!("fleet_test_total").increment(2);
            metrics::histogram!("fleet_test_wait_seconds").record(0.002);
        });
        let text = metrics.render();
        assert!(text.contains("fleet_test_total 2"), "{text}");
        assert!(
            text.contains("fleet_test_wait_seconds_bucket{le=\"0.0025\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("fleet_test_wait_seconds_bucket{le=\"0.001\"} 0"),
            "{text}"
        );
    }

    #[test]
    fn a_chain_tells_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);

        let error = Outer(std::io::Error::other("disk full"));
        assert_eq!(chain(&error), "outer: disk full");
    }
}
