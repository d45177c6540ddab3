//! Clients from a stream of CSV or NDJSON, of any size, in memory bounded by one batch. A bad line is named and costs no good one.
//!
//! Each batch commits by itself, with the jobs that find its clients partners. Sending the same again is safe where lines name ids:
//! a client becomes what was sent last, and one that has a partner keeps it.

use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tokio::io::AsyncBufRead;
use uuid::Uuid;

use super::new_client::{Fault, NewClient};
use super::store::{CreateError, put_clients};
use crate::acting::Acting;
use crate::metrics::csv::Splitter;
use crate::metrics::lines::Lines;
use crate::metrics::{Format, Progress};

/// Clients in a transaction.
const BATCH: usize = 500;
/// Refused lines that a report shows.
const EXAMPLES: usize = 20;
/// What parts the entries of a list in a CSV field.
const LIST_SEPARATOR: char = '|';
/// Columns, as a client's fields are called.
const COLUMNS: [&str; 12] = [
    "client_id",
    "name",
    "active_since",
    "status",
    "plan",
    "monthly_budget_micros",
    "industry",
    "channels",
    "languages",
    "region",
    "exclusive",
    "zone",
];

/// What became of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct ClientReport {
    /// Lines read; blank ones and the header do not count.
    pub read: u64,
    /// Clients that came in.
    pub created: u64,
    /// Clients that were there, and are now what was sent.
    pub updated: u64,
    /// Lines refused.
    pub refused: u64,
    /// The first twenty of them.
    pub examples: Vec<RefusedLine>,
}

/// A refused line.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct RefusedLine {
    /// Line of the source, from 1.
    pub line: u64,
    /// Which field.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Why an intake stopped. Batches before it are kept.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The first line does not name the columns.
    #[error("line 1 cannot be the header: {0}")]
    BadHeader(String),
    /// The source broke off.
    #[error("reading stopped after line {line}; send the source again from the start")]
    Read {
        /// The last line that was read.
        line: u64,
        /// What the source said.
        source: std::io::Error,
    },
    /// A batch was not taken.
    #[error(
        "storing clients failed; batches before this one are kept, and sending the source again is safe"
    )]
    Store(#[from] CreateError),
}

/// Reads everything a source has, as clients of one tenant.
pub async fn take_clients<'c, R: AsyncBufRead + Unpin>(
    conn: impl Into<Acting<'c>>,
    input: R,
    format: Format,
    tenant: TenantId,
    mut progress: impl FnMut(Progress),
) -> Result<ClientReport, IntakeError> {
    let mut conn = conn.into();
    let mut intake = Intake::new(format);
    let mut lines = Lines::new(input);
    let mut last = 0;
    loop {
        let next = lines.next().await;
        let next = next.map_err(|source| IntakeError::Read { line: last, source })?;
        let Some(line) = next else { break };
        last = line.number;
        intake.take(line.number, line.bytes)?;
        if intake.batch.len() >= BATCH {
            intake.flush(&mut conn, tenant).await?;
            progress(intake.reached(lines.bytes_read()));
        }
    }
    intake.flush(&mut conn, tenant).await?;
    progress(intake.reached(lines.bytes_read()));
    Ok(intake.report)
}

struct Intake {
    format: Format,
    header: Option<Vec<&'static str>>,
    splitter: Splitter,
    batch: Vec<NewClient>,
    report: ClientReport,
}

impl Intake {
    fn new(format: Format) -> Self {
        Self {
            format,
            header: None,
            splitter: Splitter::default(),
            batch: Vec::with_capacity(BATCH),
            report: ClientReport::default(),
        }
    }

    /// Takes one line; `None` stands for one that was too long to be read.
    fn take(&mut self, line: u64, bytes: Option<&[u8]>) -> Result<(), IntakeError> {
        let text = match bytes.map(std::str::from_utf8) {
            Some(Ok(text)) if text.trim().is_empty() => return Ok(()),
            Some(Ok(text)) => Ok(text),
            Some(Err(_)) => Err(Fault::new("line", "is not UTF-8")),
            None => Err(Fault::new("line", "is over 64 KiB long")),
        };
        if self.format == Format::Csv && self.header.is_none() {
            let text = text.map_err(|fault| IntakeError::BadHeader(fault.problem))?;
            self.header = Some(self.header(text)?);
            return Ok(());
        }
        self.report.read += 1;
        match text.and_then(|text| self.client(text)) {
            Ok(client) => self.admit(line, client),
            Err(fault) => self.refuse(line, fault),
        }
        Ok(())
    }

    fn header(&mut self, text: &str) -> Result<Vec<&'static str>, IntakeError> {
        let names = self.splitter.split(text);
        let names =
            names.ok_or_else(|| IntakeError::BadHeader("it has an unclosed quote".to_owned()))?;
        let mut columns = Vec::new();
        for name in names {
            let name = name.trim();
            let known = COLUMNS
                .iter()
                .find(|column| column.eq_ignore_ascii_case(name));
            let known = known.ok_or_else(|| {
                IntakeError::BadHeader(format!(
                    "there is no column \"{name}\"; there are {}",
                    COLUMNS.join(", ")
                ))
            })?;
            if columns.contains(known) {
                return Err(IntakeError::BadHeader(format!(
                    "column {known} appears twice"
                )));
            }
            columns.push(*known);
        }
        if columns.contains(&"name") {
            return Ok(columns);
        }
        Err(IntakeError::BadHeader("column name is missing".to_owned()))
    }

    fn client(&mut self, text: &str) -> Result<NewClient, Fault> {
        let value = match &self.header {
            None => serde_json::from_str(text)
                .map_err(|error| Fault::new("line", format!("is not JSON: {error}")))?,
            Some(header) => {
                let fields = self.splitter.split(text);
                let fields: Vec<&str> = fields
                    .ok_or_else(|| Fault::new("line", "has an unclosed quote"))?
                    .collect();
                if fields.len() != header.len() {
                    let problem =
                        format!("has {} fields, the header {}", fields.len(), header.len());
                    return Err(Fault::new("line", problem));
                }
                object(header, &fields)?
            }
        };
        let client: NewClient =
            serde_json::from_value(value).map_err(|error| Fault::new("line", error.to_string()))?;
        client.check()?;
        Ok(client)
    }

    /// One batch holds a client once: the database would not know which of two to keep.
    fn admit(&mut self, line: u64, mut client: NewClient) {
        let id = *client.client_id.get_or_insert_with(Uuid::now_v7);
        if self.batch.iter().any(|it| it.client_id == Some(id)) {
            self.refuse(
                line,
                Fault::new("client_id", format!("{id} was sent a few lines above")),
            );
        } else {
            self.batch.push(client);
        }
    }

    fn refuse(&mut self, line: u64, fault: Fault) {
        self.report.refused += 1;
        if self.report.examples.len() < EXAMPLES {
            self.report.examples.push(RefusedLine {
                line,
                field: fault.field,
                problem: fault.problem,
            });
        }
    }

    fn reached(&self, bytes: u64) -> Progress {
        Progress {
            bytes,
            rows: self.report.read,
        }
    }

    async fn flush(&mut self, conn: &mut Acting<'_>, tenant: TenantId) -> Result<(), IntakeError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut tx = conn.begin().await.map_err(CreateError::from)?;
        let stored = put_clients(&mut tx, tenant, &self.batch).await?;
        tx.commit().await.map_err(CreateError::from)?;
        self.batch.clear();
        self.report.created += stored.created;
        self.report.updated += stored.updated;
        Ok(())
    }
}

/// A line of CSV as the object it stands for; an empty field is one left out.
fn object(header: &[&'static str], fields: &[&str]) -> Result<Value, Fault> {
    let mut object = Map::new();
    for (&column, field) in header.iter().zip(fields) {
        let field = field.trim();
        if field.is_empty() {
            continue;
        }
        let value = match column {
            "channels" | "languages" => field
                .split(LIST_SEPARATOR)
                .map(|it| Value::from(it.trim()))
                .collect(),
            "monthly_budget_micros" => {
                let micros: i64 = field
                    .parse()
                    .map_err(|_| Fault::new(column, "is no whole number"))?;
                Value::from(micros)
            }
            "exclusive" => {
                let word = field.to_ascii_lowercase();
                Value::from(
                    word.parse::<bool>()
                        .map_err(|_| Fault::new(column, "is neither true nor false"))?,
                )
            }
            _ => Value::from(field),
        };
        object.insert(column.to_owned(), value);
    }
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: Format, text: &str) -> Intake {
        let mut intake = Intake::new(format);
        for (line, number) in text.lines().zip(1..) {
            intake
                .take(number, Some(line.as_bytes()))
                .expect("a good header");
        }
        intake
    }

    #[test]
    fn csv_and_ndjson_say_the_same() {
        let csv = read(
            Format::Csv,
            "Name,channels,exclusive,monthly_budget_micros,plan,client_id\nAcme,search|social,TRUE,12,enterprise,00000000-0000-0000-0000-00000000000a\n",
        );
        let json = r#"{"name":"Acme","channels":["search","social"],"exclusive":true,"monthly_budget_micros":12,"plan":"enterprise","client_id":"00000000-0000-0000-0000-00000000000a"}"#;
        let ndjson = read(Format::Ndjson, json);
        assert_eq!(csv.batch.len(), 1, "{:?}", csv.report);
        assert_eq!(csv.batch, ndjson.batch);
    }

    #[test]
    fn a_bad_line_is_named_and_costs_no_other() {
        let it = read(
            Format::Csv,
            "name,plan,zone,monthly_budget_micros\nA,,,\nB,gold,,\nC,,Nowhere,\nD,,,x\nE\n\n\"F,,,\nG,starter,Asia/Tokyo,5\n",
        );
        assert_eq!(
            (it.batch.len(), it.report.read, it.report.refused),
            (2, 7, 5)
        );
        let named: Vec<_> = it
            .report
            .examples
            .iter()
            .map(|it| (it.line, it.field.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                (3, "line"),
                (4, "zone"),
                (5, "monthly_budget_micros"),
                (6, "line"),
                (8, "line")
            ]
        );
    }

    #[test]
    fn a_header_must_name_what_there_is_once() {
        for (header, problem) in [
            ("plan", "column name is missing"),
            ("name,wallet", "no column \"wallet\""),
            ("name,plan,plan", "column plan appears twice"),
            ("\"name", "unclosed quote"),
        ] {
            let error = Intake::new(Format::Csv).take(1, Some(header.as_bytes()));
            let error = error.expect_err(header).to_string();
            assert!(error.contains(problem), "{header}: {error}");
        }
    }

    #[test]
    fn the_same_client_twice_in_a_batch_is_refused() {
        let id = "00000000-0000-0000-0000-00000000000a";
        let it = read(Format::Csv, &format!("name,client_id\nA,{id}\nB,{id}\n"));
        assert_eq!((it.batch.len(), it.report.examples[0].line), (1, 3));
    }
}
