//! Models and their figures as people read them.

use chrono::{DateTime, Utc};
use fleet_jobs::triage::dataset::Labelled;
use fleet_jobs::triage::model::{Metrics, Prediction};
use fleet_jobs::triage::{Listed, ModelVersion, TrainedModel};

use crate::output::{Cell, Hue, Page, Table, ago, blank_or, bytes, count};

/// Labels that a page names: those that went worst.
const WORST: usize = 8;

pub(super) fn trained(page: &mut Page, made: &TrainedModel, labelled: &Labelled) {
    page.heading(&format!(
        "{}: a model of {} texts",
        made.name,
        count(made.rows as i64)
    ));
    page.field("version", made.model_version);
    page.field("status", made.status);
    match (&made.approval_id, &made.note) {
        (Some(approval), _) => page.field(
            "to use it",
            format_args!("an admin approves {approval}: `fleet approvals approve {approval}`"),
        ),
        (None, Some(note)) => page.field_hued("not proposed", Hue::Yellow, note),
        (None, None) => {}
    }
    page.heading("On texts it had not seen");
    figures(page, &made.holdout);
    refused(page, labelled);
}

pub(super) fn evaluated(page: &mut Page, metrics: &Metrics, version: ModelVersion) {
    page.heading(&format!(
        "model {version} on {} texts, {} in scope",
        count(metrics.rows as i64),
        count(metrics.in_scope as i64)
    ));
    figures(page, metrics);
}

fn figures(page: &mut Page, metrics: &Metrics) {
    page.field("accuracy", percent(metrics.accuracy));
    page.field("macro-F1", percent(metrics.macro_f1));
    page.field("calibration error", percent(metrics.ece));
    if let Some(auroc) = metrics.oos_auroc {
        page.field("out of scope, AUROC", format_args!("{auroc:.3}"));
    }
    if let Some(seen) = metrics.mistakes_to_review {
        page.field("mistakes a person sees", percent(seen));
    }
    let mut table = Table::new(&[">CONFIDENCE", ">COVERAGE", ">ACCURACY"]);
    for (at, found) in &metrics.at {
        table.row([
            at.as_str().into(),
            percent(found.coverage).into(),
            blank_or(found.accuracy.map(percent)).into(),
        ]);
    }
    page.table(&table, "");
    page.heading("The labels that went worst");
    let mut table = Table::new(&["LABEL", ">TEXTS", ">PRECISION", ">RECALL", ">F1"]);
    for label in metrics.labels.iter().take(WORST) {
        table.row([
            label.label.as_str().into(),
            count(label.rows as i64).into(),
            percent(label.precision).into(),
            percent(label.recall).into(),
            percent(label.f1).into(),
        ]);
    }
    page.table(&table, "there are none");
}

pub(super) fn refused(page: &mut Page, labelled: &Labelled) {
    if labelled.refused == 0 {
        return;
    }
    page.heading(&format!(
        "{} rows were refused",
        count(labelled.refused as i64)
    ));
    let mut table = Table::new(&[">LINE", "FIELD", "PROBLEM"]);
    for bad in &labelled.bad {
        table.row([
            bad.line.to_string().into(),
            bad.field.unwrap_or("").into(),
            bad.problem.as_str().into(),
        ]);
    }
    page.table(&table, "");
}

pub(super) fn asked(page: &mut Page, said: &Prediction, why: &[(String, f64)]) {
    let hue = if said.in_scope {
        Hue::Green
    } else {
        Hue::Yellow
    };
    page.field_hued("about", hue, &said.label);
    page.field("confidence", percent(said.confidence));
    if !said.in_scope {
        page.field_hued("scope", Hue::Yellow, "it resembles nothing the model knows");
    }
    for (label, probability) in said.ranked.iter().skip(1) {
        page.field(
            "or else",
            format_args!("{label} ({})", percent(*probability)),
        );
    }
    for (gram, much) in why {
        page.field("because of", format_args!("{gram} ({much:.2})"));
    }
}

pub(super) fn models(page: &mut Page, models: &[Listed], now: DateTime<Utc>) {
    let mut table = Table::new(&[
        "VERSION",
        "NAME",
        "STATUS",
        ">TEXTS",
        ">LABELS",
        ">MACRO-F1",
        ">SIZE",
        "TRAINED",
    ]);
    for model in models {
        let f1 = model
            .holdout
            .get("macro_f1")
            .and_then(serde_json::Value::as_f64);
        let hue = if model.status == "active" {
            Hue::Green
        } else {
            Hue::Plain
        };
        table.row([
            model.model_version.to_string().into(),
            model.name.as_str().into(),
            Cell::new(hue, model.status.clone()),
            count(i64::from(model.rows)).into(),
            model.labels.to_string().into(),
            blank_or(f1.map(percent)).into(),
            bytes(model.bytes.unsigned_abs().into()).into(),
            ago(now, model.trained_at).into(),
        ]);
    }
    page.table(
        &table,
        "there are none; `fleet triage train FILE` makes one",
    );
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
