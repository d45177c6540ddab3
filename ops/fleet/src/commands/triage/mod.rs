//! `fleet triage`: make a ticket classifier from labelled texts, measure one, ask one about a text.
//!
//! The work is done here and not by a worker, so that all it needs is a database, and [`place`] finds one. What is made is a candidate, as by the job
//! `triage.train`: an admin approves it before any ticket is triaged by it.

mod draw;
mod models;
mod place;
mod train;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};
use fleet_jobs::triage::dataset::{self, Labelled};
use fleet_jobs::triage::model::{Example, Judged, Metrics, Model};
use fleet_jobs::triage::{CSV_HEADER, ModelVersion, csv_line, judge};
use fleet_queue::TenantId;
use serde_json::{Value, json};
use tokio::fs::File;

use crate::database::{Database, Target};
use crate::output::Out;

/// Ticket triage: make a classifier, measure it, ask it
#[derive(Args, Debug)]
pub(crate) struct Triage {
    #[command(flatten)]
    target: Target,
    /// Whose datasets and models [default: the platform's, which every tenant without its own uses]
    #[arg(long, global = true, value_name = "ID")]
    tenant: Option<TenantId>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a classifier from a CSV file with the columns text and label (__oos__: out of scope), or from what people said of tickets
    Train(train::Train),
    /// Measure a classifier on a CSV file with the columns text and label
    Evaluate {
        /// The file
        file: PathBuf,
        /// The model: its version or its name [default: the one in use]
        #[arg(long, value_name = "VERSION")]
        model: Option<String>,
        /// Write text, label, predicted and confidence of each row here
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
    },
    /// Say what a text is about, and which words say so
    Ask {
        /// The text
        text: String,
        /// The model: its version or its name [default: the one in use]
        #[arg(long, value_name = "VERSION")]
        model: Option<String>,
    },
    /// List the models there are
    Models {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: i64,
    },
}

impl Triage {
    pub(crate) async fn run(self, out: Out) -> anyhow::Result<ExitCode> {
        let Self {
            target,
            tenant,
            action,
        } = self;
        let makes = matches!(&action, Action::Train(train) if train.brings_its_texts());
        let work = async |database| {
            let desk = Desk {
                database,
                tenant: tenant.unwrap_or(TenantId::PLATFORM),
                out,
            };
            match action {
                Action::Train(train) => train.run(&desk).await,
                Action::Evaluate { file, model, csv } => {
                    desk.evaluate(&file, model.as_deref(), csv.as_deref()).await
                }
                Action::Ask { text, model } => desk.ask(&text, model.as_deref()).await,
                Action::Models { limit } => {
                    models::ls(&desk.database, tenant, limit.max(1), out).await
                }
            }
        };
        place::work(&target, makes, out, work).await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Where a command works, and for whom.
struct Desk {
    database: Database,
    tenant: TenantId,
    out: Out,
}

impl Desk {
    async fn read(&self, file: &Path) -> anyhow::Result<Labelled> {
        let opened = File::open(file).await;
        let opened = opened.with_context(|| format!("could not open {}", file.display()))?;
        let length = opened.metadata().await.map_or(0, |metadata| metadata.len());
        let bar = self.out.progress().bytes("reading", length);
        let labelled = dataset::read(opened, |bytes| bar.set_position(bytes)).await;
        bar.finish_and_clear();
        labelled.with_context(|| format!("{} cannot be used", file.display()))
    }

    async fn evaluate(
        &self,
        file: &Path,
        model: Option<&str>,
        csv: Option<&Path>,
    ) -> anyhow::Result<()> {
        let (version, model) = self.model(model).await?;
        let labelled = self.read(file).await?;
        let examples = labelled.examples.clone();
        let judged = tokio::task::spawn_blocking(move || judge(&model, examples)).await?;
        let metrics = Metrics::of(&judged);
        if let Some(csv) = csv {
            write_csv(csv, &labelled.examples, &judged)
                .with_context(|| format!("could not write {}", csv.display()))?;
        }
        let mut said = serde_json::to_value(&metrics)?;
        said["model_version"] = json!(version);
        said["refused"] = json!(labelled.refused);
        said["bad"] = json!(labelled.bad);
        self.out.answer(&said, |page| {
            draw::evaluated(page, &metrics, version);
            draw::refused(page, &labelled);
        })?;
        Ok(())
    }

    async fn ask(&self, text: &str, model: Option<&str>) -> anyhow::Result<()> {
        let (version, model) = self.model(model).await?;
        let said = model.predict(text);
        let why = model.explain(text, &said.label);
        let ranked: Vec<Value> = said
            .ranked
            .iter()
            .map(|(label, p)| json!({ "label": label, "probability": p }))
            .collect();
        let because: Vec<Value> = why
            .iter()
            .map(|(gram, much)| json!({ "gram": gram, "weight": much }))
            .collect();
        let answer = json!({
            "model_version": version, "label": said.label, "confidence": said.confidence, "in_scope": said.in_scope,
            "scope_score": said.scope_score, "margin": said.margin, "ranked": ranked, "because": because,
        });
        self.out
            .answer(&answer, |page| draw::asked(page, &said, &why))?;
        Ok(())
    }

    /// The model that is meant.
    async fn model(&self, called: Option<&str>) -> anyhow::Result<(ModelVersion, Arc<Model>)> {
        let mut tx = self.database.begin().await?;
        models::choose(&mut tx, self.tenant, called).await
    }
}

fn write_csv(path: &Path, examples: &[Example], judged: &[Judged]) -> anyhow::Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    file.write_all(CSV_HEADER.as_bytes())?;
    for (example, judged) in examples.iter().zip(judged) {
        let said = &judged.said;
        let line = csv_line(&example.text, &example.label, &said.label, said.confidence);
        file.write_all(line.as_bytes())?;
    }
    file.flush().map_err(|error| anyhow!(error))
}
