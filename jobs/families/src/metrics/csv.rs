//! Metric rows as comma-separated values with a header line.
//!
//! One record is one line: no field of ours holds a line break, so a stray quote spoils its own line and not the rest of the file.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, Reader};

use super::ingest::IngestError;
use super::reason::{Fault, Reason};
use super::row::{FIELDS, Raw, field_index};

/// Columns without which no row can be read; the tenant is one of them unless the source speaks for one.
const REQUIRED: [&str; 9] = [
    "client_id",
    "campaign_id",
    "day",
    "impressions",
    "clicks",
    "conversions",
    "spend_micros",
    "revenue_micros",
    "currency",
];

/// Which column holds which field.
#[derive(Debug)]
pub(crate) struct Header {
    columns: Vec<Option<usize>>,
    /// Columns that mean nothing here.
    pub(crate) ignored: Vec<String>,
}

impl Header {
    /// Reads the first line of a file.
    pub(crate) fn parse(line: &str, tenant_required: bool) -> Result<Self, IngestError> {
        let mut splitter = Splitter::default();
        let names: Vec<String> = splitter
            .split(line)
            .ok_or(IngestError::BadHeader {
                problem: "it has an unclosed quote".to_owned(),
            })?
            .map(|name| name.trim().to_owned())
            .collect();
        let columns: Vec<_> = names.iter().map(|name| field_index(name)).collect();
        let missing: Vec<_> = REQUIRED
            .into_iter()
            .chain(tenant_required.then_some("tenant_id"))
            .filter(|name| !columns.contains(&field_index(name)))
            .collect();
        if !missing.is_empty() {
            let problem = format!("column {} is missing", missing.join(", "));
            return Err(IngestError::BadHeader { problem });
        }
        refuse_repeats(&columns)?;
        let ignored = names
            .into_iter()
            .zip(&columns)
            .filter(|(_, field)| field.is_none());
        Ok(Self {
            ignored: ignored.map(|(name, _)| name).collect(),
            columns,
        })
    }
}

fn refuse_repeats(columns: &[Option<usize>]) -> Result<(), IngestError> {
    for (at, field) in columns.iter().enumerate() {
        if let Some(index) = field
            && columns[..at].contains(field)
        {
            let problem = format!("column {} appears twice", FIELDS[*index]);
            return Err(IngestError::BadHeader { problem });
        }
    }
    Ok(())
}

/// Takes records apart, keeping its buffers from line to line.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    /// One record under the header.
    pub(crate) fn record(&mut self, header: &Header, line: &str) -> Result<Raw<'_>, Fault> {
        let expected = header.columns.len();
        let fields = self.split(line).ok_or(Fault::line(Reason::Malformed))?;
        let mut raw = Raw::default();
        let mut count = 0;
        for (field, column) in fields.zip(
            header
                .columns
                .iter()
                .map(Some)
                .chain(std::iter::repeat(None)),
        ) {
            count += 1;
            if let Some(Some(index)) = column {
                raw.set(*index, Cow::Borrowed(field));
            }
        }
        if count == expected {
            Ok(raw)
        } else {
            Err(Fault::line(Reason::WrongFieldCount))
        }
    }

    /// The fields of a line; `None` where a quote is left open.
    pub(crate) fn split(&mut self, line: &str) -> Option<impl Iterator<Item = &str>> {
        // A parser for each line: what one line leaves behind must not reach the next.
        let mut parser = Reader::new();
        self.text.resize(line.len() + 1, 0);
        self.ends.resize(line.len() + 2, 0);
        let (result, read, written, ended) =
            parser.read_record(line.as_bytes(), &mut self.text, &mut self.ends);
        let (fields, written) = match result {
            ReadRecordResult::InputEmpty if !open_quote(line) => {
                // The line feed that was cut off ends the last field.
                let (_, _, more, last) =
                    parser.read_record(b"\n", &mut self.text[written..], &mut self.ends[ended..]);
                (ended + last, written + more)
            }
            ReadRecordResult::Record if read == line.len() => (ended, written),
            _ => return None,
        };
        let text = std::str::from_utf8(&self.text[..written]).ok()?;
        let starts = std::iter::once(0).chain(self.ends[..fields].iter().copied());
        Some(
            starts
                .zip(&self.ends[..fields])
                .map(move |(start, end)| &text[start..*end]),
        )
    }
}

/// The fields of one line; `None` where a quote is left open.
pub(crate) fn split(line: &str) -> Option<Vec<String>> {
    let mut splitter = Splitter::default();
    let fields = splitter.split(line)?;
    Some(fields.map(str::to_owned).collect())
}

/// True where quotes do not come in pairs, which leaves one open at the end of the line.
fn open_quote(line: &str) -> bool {
    line.bytes().filter(|byte| *byte == b'"').count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "client_id,campaign_id,day,impressions,clicks,conversions,spend_micros,revenue_micros,extra,Currency";

    fn header() -> Header {
        Header::parse(HEADER, false).expect("a good header")
    }

    #[test]
    fn finds_columns_by_name_in_any_order_and_case() {
        let header = header();
        assert_eq!(header.ignored, ["extra"]);
        let mut splitter = Splitter::default();
        let raw = splitter
            .record(&header, r#"c,"a ""b"", c",2026-11-01,5,4,3,2,1,?, USD "#)
            .expect("good");
        assert_eq!(raw.get("campaign_id"), Some(r#"a "b", c"#));
        assert_eq!(raw.get("currency"), Some("USD"));
        assert_eq!(raw.get("partner_id"), None);
    }

    #[test]
    fn an_empty_last_field_is_absent_and_still_counts() {
        let mut splitter = Splitter::default();
        let raw = splitter
            .record(&header(), "c,a,2026-11-01,5,4,3,2,1,,")
            .expect("ten fields");
        assert_eq!(raw.get("currency"), None);
        assert_eq!(raw.get("revenue_micros"), Some("1"));
    }

    #[test]
    fn refuses_a_line_with_too_few_or_too_many_fields_or_an_open_quote() {
        let mut splitter = Splitter::default();
        let mut reason = |line: &str| {
            splitter
                .record(&header(), line)
                .map(|_| ())
                .map_err(|fault| fault.reason)
        };
        assert_eq!(reason("a,b"), Err(Reason::WrongFieldCount));
        assert_eq!(
            reason("1,2,3,4,5,6,7,8,9,10,11"),
            Err(Reason::WrongFieldCount)
        );
        assert_eq!(reason("\"1,2,3,4,5,6,7,8,9,10"), Err(Reason::Malformed));
    }

    #[test]
    fn names_what_a_header_lacks() {
        let problem = |line: &str| match Header::parse(line, true) {
            Err(IngestError::BadHeader { problem }) => problem,
            other => panic!("{other:?}"),
        };
        assert!(problem("client_id,day").contains("campaign_id, impressions"));
        assert!(problem(HEADER).contains("tenant_id"));
        assert!(problem(&format!("{HEADER},tenant_id,day")).contains("day appears twice"));
    }
}
