//! `fleet triage train`: makes a model here, from a file or from what people said.

use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use clap::Args;
use fleet_jobs::triage::dataset::{self, Labelled, Reviewed};
use fleet_jobs::triage::model::{Example, Trained};
use fleet_jobs::triage::{Training, keep_trained};
use serde_json::json;

use super::{Desk, draw};
use crate::audit;
use crate::database::now;
use crate::input;

#[derive(Args, Debug)]
pub(super) struct Train {
    /// The file
    #[arg(required_unless_present = "reviewed")]
    file: Option<PathBuf>,
    /// From what people said tickets are about, when they approved, corrected or edited one
    #[arg(long, conflicts_with = "file")]
    reviewed: bool,
    /// Only what was said so long ago at most, such as 90d
    #[arg(long, value_name = "AGE", requires = "reviewed", conflicts_with = "file", value_parser = input::duration)]
    since: Option<std::time::Duration>,
    /// And from the tickets that ship with the program
    #[arg(long, requires = "reviewed", conflicts_with = "file")]
    with_shipped: bool,
    /// What the model is called [default: the file's name, or "reviewed"]
    #[arg(long)]
    name: Option<String>,
}

impl Train {
    /// True where the texts are in a file, so that a database without anything in it will do.
    pub(super) fn brings_its_texts(&self) -> bool {
        self.file.is_some()
    }

    pub(super) async fn run(self, desk: &Desk) -> anyhow::Result<()> {
        let name = self.name.clone().unwrap_or_else(|| self.called());
        dataset::check_name(&name)?;
        let labelled = match &self.file {
            Some(file) => desk.read(file).await?,
            None => self.reviewed(desk).await?,
        };
        let trained = watched(desk, labelled.examples.clone()).await?;
        let mut tx = desk.database.begin().await?;
        let by = audit::actor();
        let dataset = dataset::keep(&mut tx, desk.tenant, &name, &by, &labelled).await?;
        let rows = labelled.examples.len();
        let made = keep_trained(&mut tx, desk.tenant, &name, dataset, rows, &trained).await?;
        let version = made.model_version.to_string();
        audit::record(&mut tx, "triage.train", &version, None).await?;
        tx.commit().await?;
        let mut said = serde_json::to_value(&made)?;
        said["dataset_id"] = json!(dataset);
        said["refused"] = json!(labelled.refused);
        said["bad"] = json!(labelled.bad);
        desk.out
            .answer(&said, |page| draw::trained(page, &made, &labelled))?;
        Ok(())
    }

    /// A model is called as its file, unless told otherwise.
    fn called(&self) -> String {
        let stem = self.file.as_deref().map(Path::file_stem);
        match stem {
            Some(Some(stem)) => stem.to_string_lossy().into_owned(),
            Some(None) => "unnamed".to_owned(),
            None => "reviewed".to_owned(),
        }
    }

    async fn reviewed(&self, desk: &Desk) -> anyhow::Result<Labelled> {
        let mut tx = desk.database.begin().await?;
        let now = now(&mut tx).await?;
        let age = self.since.map(TimeDelta::from_std).transpose()?;
        let wanted = Reviewed {
            since: age.and_then(|age| now.checked_sub_signed(age)),
            with_shipped: self.with_shipped,
        };
        Ok(dataset::reviewed(&mut tx, desk.tenant, &wanted).await?)
    }
}

async fn watched(desk: &Desk, examples: Vec<Example>) -> anyhow::Result<Trained> {
    let bar = desk.out.progress().bar("training", 0);
    let mut training = Training::start(examples);
    let trained = loop {
        if let Some(ended) = training.look().await {
            break ended;
        }
        let (done, all) = training.progress();
        bar.set_length(all);
        bar.set_position(done);
    };
    bar.finish_and_clear();
    Ok(trained?)
}
