//! The batch that an ingest is gathering, and its account of the batches before.

use std::collections::HashSet;

use uuid::Uuid;

use crate::acting::Acting;

use super::csv::{Header, Splitter};
use super::identity::Known;
use super::ingest::{Example, Format, IngestError, IngestReport, Options};
use super::quarantine::{Refused, fingerprint};
use super::reason::{Fault, Reason};
use super::row::{MetricRow, Raw, Scope};
use super::validate::Rules;
use super::{ndjson, store};

/// Rows in a transaction.
const BATCH: usize = 5_000;
/// Refused rows that one ingest keeps; the rest are only counted, so that a wholly wrong file cannot fill the quarantine.
const MOST_KEPT: u64 = 10_000;
/// Refused rows that a report shows.
const MOST_EXAMPLES: usize = 20;
/// As much of a refused line as a report shows, in characters.
const LONGEST_EXAMPLE: usize = 120;

/// A good row, with the line it came from in case its partner turns out to be unknown.
struct Judged {
    row: MetricRow,
    line: u64,
    text: String,
}

/// Takes lines, judges them, and writes them out when told to.
pub(super) struct Intake<'o> {
    options: &'o Options,
    rules: Rules,
    header: Option<Header>,
    splitter: Splitter,
    known: Known,
    judged: Vec<Judged>,
    refused: Vec<Refused>,
    report: IngestReport,
}

impl<'o> Intake<'o> {
    pub(super) fn new(options: &'o Options, rules: Rules) -> Self {
        Self {
            options,
            rules,
            header: None,
            splitter: Splitter::default(),
            known: Known::default(),
            judged: Vec::with_capacity(BATCH),
            refused: Vec::new(),
            report: IngestReport::default(),
        }
    }

    pub(super) fn rows_read(&self) -> u64 {
        self.report.read
    }

    pub(super) fn is_full(&self) -> bool {
        self.judged.len() + self.refused.len() >= BATCH
    }

    pub(super) fn finish(self) -> IngestReport {
        self.report
    }

    /// Takes one line; `None` stands for one that was too long to be read.
    pub(super) fn take(&mut self, number: u64, bytes: Option<&[u8]>) -> Result<(), IngestError> {
        let text = match bytes.map(std::str::from_utf8) {
            Some(Ok(text)) if text.trim().is_empty() => return Ok(()),
            Some(Ok(text)) => Ok(text),
            Some(Err(_)) => Err(Reason::InvalidUtf8),
            None => Err(Reason::LineTooLong),
        };
        if self.options.format == Format::Csv && self.header.is_none() {
            return self.take_header(text);
        }
        self.report.read += 1;
        match text {
            Ok(text) => self.judge(number, text),
            Err(reason) => {
                let raw = Raw::default();
                self.refuse(number, bytes.unwrap_or_default(), Fault::line(reason), &raw);
            }
        }
        Ok(())
    }

    fn take_header(&mut self, text: Result<&str, Reason>) -> Result<(), IngestError> {
        let unreadable = |reason: Reason| IngestError::BadHeader {
            problem: format!("it is {}", reason.name()),
        };
        let tenant_required = self.options.scope == Scope::Platform;
        let mut header = Header::parse(text.map_err(unreadable)?, tenant_required)?;
        self.report.ignored_columns = std::mem::take(&mut header.ignored);
        self.header = Some(header);
        Ok(())
    }

    fn judge(&mut self, line: u64, text: &str) {
        // Taken out for the time of the call, because the fields borrow from it.
        let mut splitter = std::mem::take(&mut self.splitter);
        let raw = match &self.header {
            Some(header) => splitter.record(header, text),
            None => ndjson::record(text),
        };
        match raw {
            Ok(raw) => match self.rules.check(&raw) {
                Ok(row) => self.judged.push(Judged {
                    row,
                    line,
                    text: text.to_owned(),
                }),
                Err(fault) => self.refuse(line, text.as_bytes(), fault, &raw),
            },
            Err(fault) => self.refuse(line, text.as_bytes(), fault, &Raw::default()),
        }
        self.splitter = splitter;
    }

    fn refuse(&mut self, line: u64, text: &[u8], fault: Fault, raw: &Raw<'_>) {
        let refused = refusal(&self.rules, &self.options.source, line, text, fault, raw);
        self.record(refused);
    }

    /// Counts a refused row, and keeps it unless there are too many.
    fn record(&mut self, refused: Refused) {
        let Fault { field, reason } = refused.fault;
        *self.report.by_reason.entry(reason).or_default() += 1;
        self.report.quarantined += 1;
        if self.report.examples.len() < MOST_EXAMPLES {
            let text = refused.raw.chars().take(LONGEST_EXAMPLE).collect();
            self.report.examples.push(Example {
                line: refused.line,
                field,
                reason,
                text,
            });
        }
        if self.report.quarantined <= MOST_KEPT {
            self.refused.push(refused);
        }
    }

    /// Writes what has been gathered, in one transaction with what it registers.
    pub(super) async fn flush(&mut self, conn: &mut Acting<'_>) -> Result<(), IngestError> {
        let judged = std::mem::take(&mut self.judged);
        let rows: Vec<MetricRow> = judged.iter().map(|judged| judged.row.clone()).collect();
        let mut tx = conn.begin().await?;
        store::lock(&mut tx).await?;
        let unknown = self.known.admit(&mut tx, self.options.scope, &rows).await?;
        let rows = self.without_unknown_partners(judged, &unknown);
        let refused = std::mem::take(&mut self.refused);
        let written = store::write_locked(&mut tx, &rows, &refused).await?;
        tx.commit().await?;
        self.report.accepted += written.accepted;
        self.report.replaced += written.replaced;
        Ok(())
    }

    fn without_unknown_partners(
        &mut self,
        judged: Vec<Judged>,
        unknown: &HashSet<Uuid>,
    ) -> Vec<MetricRow> {
        let (welcome, strangers): (Vec<_>, Vec<_>) = judged.into_iter().partition(|judged| {
            judged
                .row
                .partner
                .is_none_or(|partner| !unknown.contains(&partner))
        });
        for Judged { row, line, text } in strangers {
            let (digest, raw) = fingerprint(text.as_bytes());
            self.record(Refused {
                tenant: row.tenant,
                source: self.options.source.clone(),
                line,
                fault: Fault::at("partner_id", Reason::UnknownPartner),
                digest,
                raw,
                campaign: Some(row.campaign),
                day: Some(row.day),
            });
        }
        welcome.into_iter().map(|judged| judged.row).collect()
    }
}

/// A refused line as the quarantine keeps it.
pub(crate) fn refusal(
    rules: &Rules,
    source: &str,
    line: u64,
    text: &[u8],
    fault: Fault,
    raw: &Raw<'_>,
) -> Refused {
    let (digest, kept) = fingerprint(text);
    let (tenant, campaign, day) = rules.place(raw);
    Refused {
        tenant,
        source: source.to_owned(),
        line,
        fault,
        digest,
        raw: kept,
        campaign,
        day,
    }
}
