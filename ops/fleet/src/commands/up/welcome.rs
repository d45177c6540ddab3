//! What `fleet up` says once it is ready: where everything is, and what to try.

use std::io;
use std::path::PathBuf;

use serde::Serialize;

use super::again;
use crate::output::{Hue, Out, Page};

/// All there is to say.
#[derive(Clone, Debug)]
pub(super) struct Welcome {
    pub(super) api: String,
    pub(super) admin_key: String,
    pub(super) database_url: String,
    pub(super) data: PathBuf,
    pub(super) workers: u32,
    pub(super) concurrency: u32,
}

#[derive(Serialize)]
struct Line<'a> {
    api: &'a str,
    admin_key: &'a str,
    database_url: &'a str,
    pid: u32,
}

impl Welcome {
    /// For a program one line; others parse it, so its names stay.
    pub(super) fn say(&self, out: Out) -> io::Result<()> {
        let line = Line {
            api: &self.api,
            admin_key: &self.admin_key,
            database_url: &self.database_url,
            pid: std::process::id(),
        };
        out.answer(&line, |page| self.draw(page))
    }

    fn draw(&self, page: &mut Page) {
        page.heading("The fleet is up.");
        page.field("API", format_args!("{}  (its pages: {0}/docs)", self.api));
        page.field_hued("admin key", Hue::Green, &self.admin_key);
        page.field("workers", self.workers());
        page.field("database", &self.database_url);
        page.field("data", self.data.display());
        page.heading("Try");
        for line in self.suggestions() {
            page.line(format_args!("  {line}"));
        }
        page.line("");
        page.hued(Hue::Dim, "Ctrl-C stops all of it; the data stays.");
    }

    fn workers(&self) -> String {
        match self.workers {
            0 => format!(
                "none; `{}` starts one",
                again(&self.data, "worker --diagnostics")
            ),
            n => format!("{n}, each with up to {} jobs at a time", self.concurrency),
        }
    }

    fn suggestions(&self) -> Vec<String> {
        let body = r#"{"kind": "diagnostics.sleep", "payload": {"ms": 3000}}"#;
        let (api, key) = (&self.api, &self.admin_key);
        let request = format!(
            "curl -s {api}/v1/jobs -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'"
        );
        let commands = [
            "leaderboard",
            "partners",
            "assignments",
            "tickets",
            "enqueue diagnostics.sleep '{\"ms\": 3000}' --wait",
            "jobs ls",
            "doctor",
        ];
        commands
            .iter()
            .map(|what| again(&self.data, what))
            .chain([request])
            .collect()
    }
}
