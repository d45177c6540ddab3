//! Tickets from files and streams of any size: CSV under a header line, or one JSON object a line, in memory bounded by one batch.
//!
//! Each batch commits by itself; a source that breaks off has delivered what came before, and sending it again is safe where its
//! tickets have external ids. A bad row is named and costs no good one. A line break within a CSV field is written `\n`.

use std::collections::BTreeMap;

use fleet_queue::TenantId;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::io::AsyncBufRead;

use super::error::TicketError;
use super::intake::{NewTicket, create};
use super::rows::{COLUMNS, row};
use crate::acting::Acting;
use crate::metrics::{Format, IngestError, Lines, Progress, split};

/// Tickets in a transaction.
const BATCH: usize = 500;
/// Refused rows that a report names.
const NAMED_MAX: usize = 50;
/// As much of a refused row as a report shows, in characters.
const SHOWN: usize = 120;

/// What became of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImportReport {
    /// Rows read; blank lines and the header do not count.
    pub read: u64,
    /// Tickets that are new.
    pub created: u64,
    /// Tickets that were there.
    pub duplicates: u64,
    /// Rows refused.
    pub refused: u64,
    /// The first of them.
    pub refusals: Vec<Refusal>,
    /// Columns of the header that mean nothing here.
    pub ignored_columns: Vec<String>,
}

/// A refused row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Refusal {
    /// Line of the source, from 1.
    pub line: u64,
    /// The field, where it is one field's fault.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub problem: String,
    /// How the line begins.
    pub text: String,
}

/// A row that can be read.
struct Row {
    line: u64,
    text: String,
    tenant: TenantId,
    ticket: NewTicket,
}

/// Reads everything a source has. `tenant`: whose tickets they are; `None`: each row says.
pub async fn import<'c, R: AsyncBufRead + Unpin>(
    conn: impl Into<Acting<'c>>,
    input: R,
    format: Format,
    tenant: Option<TenantId>,
    mut progress: impl FnMut(Progress),
) -> Result<ImportReport, IngestError> {
    let mut conn = conn.into();
    let mut reader = Reader {
        format,
        tenant,
        header: None,
        report: ImportReport::default(),
    };
    let (mut lines, mut last) = (Lines::new(input), 0);
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let rows = reader.report.read;
        let next = lines.next().await.map_err(|source| IngestError::Read {
            line: last,
            rows,
            source,
        })?;
        let Some(line) = next else { break };
        last = line.number;
        batch.extend(reader.take(line.number, line.bytes)?);
        if batch.len() >= BATCH {
            reader.store(&mut conn, std::mem::take(&mut batch)).await?;
            progress(reader.reached(lines.bytes_read()));
        }
    }
    reader.store(&mut conn, batch).await?;
    progress(reader.reached(lines.bytes_read()));
    Ok(reader.report)
}

/// Reads rows and keeps account of them.
struct Reader {
    format: Format,
    tenant: Option<TenantId>,
    /// Which column holds which of [`COLUMNS`].
    header: Option<Vec<Option<usize>>>,
    report: ImportReport,
}

impl Reader {
    fn reached(&self, bytes: u64) -> Progress {
        Progress {
            bytes,
            rows: self.report.read,
        }
    }

    fn take(&mut self, line: u64, bytes: Option<&[u8]>) -> Result<Option<Row>, IngestError> {
        let text = bytes.map(|bytes| String::from_utf8_lossy(bytes));
        if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        if self.format == Format::Csv && self.header.is_none() {
            let text = text.ok_or_else(|| bad_header("it is too long"))?;
            self.read_header(&text)?;
            return Ok(None);
        }
        self.report.read += 1;
        let read = match (&text, bytes.map(std::str::from_utf8)) {
            (None, _) => Err(TicketError::refused("line", "is too long to be read")),
            (_, Some(Err(_))) => Err(TicketError::refused("line", "is not UTF-8")),
            (Some(text), _) => row(self.header.as_deref(), self.tenant, text),
        };
        let text: String = text.unwrap_or_default().chars().take(SHOWN).collect();
        Ok(match read {
            Ok((tenant, ticket)) => Some(Row {
                line,
                text,
                tenant,
                ticket,
            }),
            Err(error) => {
                self.refuse(line, text, &error);
                None
            }
        })
    }

    fn read_header(&mut self, text: &str) -> Result<(), IngestError> {
        let names = split(text).ok_or_else(|| bad_header("it has an unclosed quote"))?;
        let place = |name: &String| {
            COLUMNS
                .iter()
                .position(|column| name.trim().eq_ignore_ascii_case(column))
        };
        let header: Vec<Option<usize>> = names.iter().map(place).collect();
        let needed = ["client_id", "body"]
            .into_iter()
            .chain(self.tenant.is_none().then_some("tenant_id"));
        for column in needed {
            if !header.contains(&COLUMNS.iter().position(|it| *it == column)) {
                return Err(bad_header(&format!("column {column} is missing")));
            }
        }
        if let Some(twice) = (0..COLUMNS.len())
            .find(|column| header.iter().filter(|it| **it == Some(*column)).count() > 1)
        {
            return Err(bad_header(&format!(
                "column {} appears twice",
                COLUMNS[twice]
            )));
        }
        let ignored = names
            .into_iter()
            .zip(&header)
            .filter(|(_, column)| column.is_none());
        self.report.ignored_columns = ignored.map(|(name, _)| name).collect();
        self.header = Some(header);
        Ok(())
    }

    /// Stores a batch, tenant by tenant, in one transaction.
    async fn store(&mut self, conn: &mut Acting<'_>, batch: Vec<Row>) -> Result<(), IngestError> {
        let mut by_tenant: BTreeMap<TenantId, Vec<Row>> = BTreeMap::new();
        for row in batch {
            by_tenant.entry(row.tenant).or_default().push(row);
        }
        let mut tx = conn.begin().await?;
        for (tenant, rows) in by_tenant {
            let tickets: Vec<NewTicket> = rows.iter().map(|row| row.ticket.clone()).collect();
            let outcomes = create(&mut tx, tenant, &tickets).await.map_err(stopped)?;
            for (row, outcome) in rows.into_iter().zip(outcomes) {
                match outcome {
                    Ok(created) if created.duplicate => self.report.duplicates += 1,
                    Ok(_) => self.report.created += 1,
                    Err(error) => self.refuse(row.line, row.text, &error),
                }
            }
        }
        tx.commit().await?;
        Ok(())
    }

    fn refuse(&mut self, line: u64, text: String, error: &TicketError) {
        self.report.refused += 1;
        if self.report.refusals.len() < NAMED_MAX {
            let field = match error {
                TicketError::Refused { field, .. } => Some(*field),
                _ => None,
            };
            self.report.refusals.push(Refusal {
                line,
                field,
                problem: error.to_string(),
                text,
            });
        }
    }
}

/// What stops a source as a whole.
fn stopped(error: TicketError) -> IngestError {
    match error {
        TicketError::QueueFull(queue) => IngestError::QueueFull { queue },
        TicketError::Queue(source) => source.into(),
        TicketError::Database(source) => source.into(),
        TicketError::Refused { .. } | TicketError::Changed { .. } => {
            unreachable!("a batch is small enough, and edits nothing")
        }
    }
}

fn bad_header(problem: &str) -> IngestError {
    IngestError::BadHeader {
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(format: Format) -> Reader {
        Reader {
            format,
            tenant: None,
            header: None,
            report: ImportReport::default(),
        }
    }

    const TENANT: &str = "00000000-0000-0000-0000-000000000001";

    #[test]
    fn rows_are_read_in_both_ways_of_writing() {
        let mut csv = reader(Format::Csv);
        let header = "Client_ID,body,tenant_id,who,external_id";
        assert!(
            csv.take(1, Some(header.as_bytes()))
                .expect("a header")
                .is_none()
        );
        let line = format!("{TENANT},\"It fails,\\nreally\",{TENANT},me,");
        let row = csv
            .take(2, Some(line.as_bytes()))
            .expect("read")
            .expect("good");
        assert_eq!(
            (row.ticket.body.as_str(), row.ticket.external_id),
            ("It fails,\nreally", None)
        );
        assert_eq!(csv.report.ignored_columns, ["who"]);
        let mut json = reader(Format::Ndjson);
        let line = format!(
            r#"{{"tenant_id": "{TENANT}", "client_id": "{TENANT}", "body": "x", "opened_at": "2026-11-21T10:00:00Z"}}"#
        );
        let row = json
            .take(1, Some(line.as_bytes()))
            .expect("read")
            .expect("good");
        assert!(row.ticket.opened_at.is_some());
    }

    #[test]
    fn bad_rows_are_named_by_their_field() {
        let mut json = reader(Format::Ndjson);
        for line in [
            "[]".to_owned(),
            r#"{"client_id": "x"}"#.to_owned(),
            format!(r#"{{"tenant_id": "{TENANT}"}}"#),
            format!(r#"{{"tenant_id": "{TENANT}", "client_id": "{TENANT}", "opened_at": "soon"}}"#),
            r#"{"body": 5}"#.to_owned(),
            r#"{"bodi": "x"}"#.to_owned(),
        ] {
            assert!(
                json.take(1, Some(line.as_bytes()))
                    .expect("goes on")
                    .is_none(),
                "{line}"
            );
        }
        assert!(json.take(7, Some(b"\xff")).expect("goes on").is_none());
        assert!(json.take(8, None).expect("goes on").is_none());
        let fields: Vec<_> = json
            .report
            .refusals
            .iter()
            .filter_map(|it| it.field)
            .collect();
        assert_eq!(
            fields,
            [
                "line",
                "client_id",
                "client_id",
                "opened_at",
                "body",
                "line",
                "line",
                "line"
            ]
        );
        assert_eq!((json.report.read, json.report.refused), (8, 8));
    }

    #[test]
    fn a_header_must_name_what_is_needed_once() {
        for header in [
            "body",
            "client_id,body",
            "client_id,body,tenant_id,body",
            "\"client_id",
        ] {
            assert!(
                reader(Format::Csv)
                    .take(1, Some(header.as_bytes()))
                    .is_err(),
                "{header}"
            );
        }
    }
}
