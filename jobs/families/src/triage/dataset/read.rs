//! Reads labelled texts from CSV with the columns `text` and `label`, in bounded memory. A row that cannot be used is named, and
//! costs no good one.

use std::collections::BTreeSet;
use std::io;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::super::model::{Example, LABELS_MAX, TEXT_MAX};
use super::records::{Record, Records};

/// Most rows of a dataset.
pub const ROWS_MAX: usize = 100_000;
/// Most bytes of all texts of a dataset.
pub const TEXTS_BYTES_MAX: usize = 8 << 20;
/// Longest file, refused rows and all, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Longest label, in characters.
const LABEL_MAX: usize = 100;
/// Refused rows that are named.
const NAMED: usize = 20;
const CHUNK: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file held.
#[derive(Clone, Debug, Default)]
pub struct Labelled {
    /// The good rows.
    pub examples: Vec<Example>,
    /// How many were refused.
    pub refused: u64,
    /// The first of them.
    pub bad: Vec<BadRow>,
}

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "TriageBadRow")]
pub struct BadRow {
    /// The line it begins at, from 1.
    pub line: u64,
    /// The column at fault, where it is one.
    pub field: Option<&'static str>,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The first line does not name the columns.
    #[error("line 1 must name the columns text and label, separated by commas: {0}")]
    Header(String),
    /// There is nothing in it.
    #[error("the file has no row that can be used; {refused} were refused{first}")]
    Empty {
        /// Rows that were.
        refused: u64,
        /// The first of them, if there is one.
        first: String,
    },
    /// There is too much in it.
    #[error(
        "the file has more than {ROWS_MAX} rows, {TEXTS_BYTES_MAX} bytes of text or {LABELS_MAX} labels, or over 64 MiB; give it in parts"
    )]
    TooLarge,
    /// It broke off.
    #[error("reading the file failed")]
    Read(#[source] io::Error),
}

impl Labelled {
    /// How many labels there are, that for texts out of scope among them.
    pub fn labels(&self) -> usize {
        let labels: BTreeSet<&str> = self.examples.iter().map(|it| it.label.as_str()).collect();
        labels.len()
    }

    fn empty(&self) -> FileError {
        let first = self.bad.first().map(|bad| {
            let field = bad.field.map_or(String::new(), |field| format!(" {field}"));
            format!(", the first at line {}:{field} {}", bad.line, bad.problem)
        });
        FileError::Empty {
            refused: self.refused,
            first: first.unwrap_or_default(),
        }
    }
}

/// Reads a file. `progress` is told how many bytes have been read.
pub async fn read(
    mut input: impl AsyncRead + Unpin,
    mut progress: impl FnMut(u64),
) -> Result<Labelled, FileError> {
    let mut records = Records::new();
    let mut rows = Rows::default();
    let mut chunk = vec![0; CHUNK];
    let mut bytes = 0;
    loop {
        let read = input.read(&mut chunk).await.map_err(FileError::Read)?;
        let fresh = &chunk[..read];
        let fresh = match bytes {
            0 => fresh.strip_prefix(BYTE_ORDER_MARK).unwrap_or(fresh),
            _ => fresh,
        };
        bytes += read as u64;
        progress(bytes);
        if bytes > FILE_BYTES_MAX {
            return Err(FileError::TooLarge);
        }
        records.take(fresh, |line, record| rows.take(line, &record));
        if let Some(error) = rows.ended.take() {
            return Err(error);
        }
        if read == 0 {
            return rows.finish();
        }
    }
}

/// Rows as they come.
#[derive(Debug, Default)]
struct Rows {
    columns: Option<Columns>,
    found: Labelled,
    bytes: usize,
    labels: BTreeSet<String>,
    ended: Option<FileError>,
}

/// Where the two columns stand, and how many there are.
#[derive(Clone, Copy, Debug)]
struct Columns {
    text: usize,
    label: usize,
    all: usize,
}

type Fault = (Option<&'static str>, String);

impl Rows {
    fn take(&mut self, line: u64, record: &Record<'_>) {
        if self.ended.is_some() {
            return;
        }
        let Some(columns) = self.columns else {
            match columns(record) {
                Ok(columns) => self.columns = Some(columns),
                Err(problem) => self.ended = Some(FileError::Header(problem)),
            }
            return;
        };
        match example(record, columns) {
            Ok(example) => self.keep(example),
            Err((field, problem)) => self.refuse(BadRow {
                line,
                field,
                problem,
            }),
        }
    }

    fn keep(&mut self, example: Example) {
        self.bytes += example.text.len();
        if !self.labels.contains(&example.label) {
            self.labels.insert(example.label.clone());
        }
        self.found.examples.push(example);
        if self.found.examples.len() > ROWS_MAX
            || self.bytes > TEXTS_BYTES_MAX
            // One more for the label of what is out of scope.
            || self.labels.len() > LABELS_MAX + 1
        {
            self.ended = Some(FileError::TooLarge);
        }
    }

    fn refuse(&mut self, bad: BadRow) {
        self.found.refused += 1;
        if self.found.bad.len() < NAMED {
            self.found.bad.push(bad);
        }
    }

    fn finish(self) -> Result<Labelled, FileError> {
        match self.columns {
            None => Err(FileError::Header("the file is empty".to_owned())),
            Some(_) if self.found.examples.is_empty() => Err(self.found.empty()),
            Some(_) => Ok(self.found),
        }
    }
}

fn columns(record: &Record<'_>) -> Result<Columns, String> {
    let Record::Fields(fields) = record else {
        return Err("it is too long".to_owned());
    };
    let name = |field: &&[u8]| String::from_utf8_lossy(field).trim().to_ascii_lowercase();
    let names: Vec<String> = fields.iter().map(name).collect();
    let place = |column: &str| {
        let mut found = names.iter().enumerate().filter(|(_, name)| *name == column);
        match (found.next(), found.next()) {
            (None, _) => Err(format!("{column} is missing")),
            (Some(_), Some(_)) => Err(format!("{column} appears twice")),
            (Some((place, _)), None) => Ok(place),
        }
    };
    Ok(Columns {
        text: place("text")?,
        label: place("label")?,
        all: names.len(),
    })
}

fn example(record: &Record<'_>, columns: Columns) -> Result<Example, Fault> {
    let Record::Fields(fields) = record else {
        return Err((
            None,
            "the row is over 64 KiB or has over 256 fields".to_owned(),
        ));
    };
    if fields.len() != columns.all {
        let (found, wanted) = (fields.len(), columns.all);
        let problem = format!("the row has {found} fields, line 1 has {wanted}; quote commas");
        return Err((None, problem));
    }
    let text = value(fields[columns.text], "text")?;
    let label = value(fields[columns.label], "label")?;
    if text.len() > TEXT_MAX {
        let problem = format!("is {} bytes long, at most {TEXT_MAX} are kept", text.len());
        return Err((Some("text"), problem));
    }
    if label.chars().count() > LABEL_MAX {
        let problem = format!("is over {LABEL_MAX} characters long");
        return Err((Some("label"), problem));
    }
    Ok(Example {
        text: text.to_owned(),
        label: label.to_owned(),
    })
}

fn value<'a>(field: &'a [u8], name: &'static str) -> Result<&'a str, Fault> {
    let fault = |problem: &str| (Some(name), problem.to_owned());
    let text = std::str::from_utf8(field).map_err(|_| fault("is not UTF-8"))?;
    if text.contains('\0') {
        return Err(fault("holds a NUL character, which cannot be stored"));
    }
    match text.trim() {
        "" => Err(fault("is empty")),
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(file: &[u8]) -> Result<Labelled, FileError> {
        read(file, |_| {}).await
    }

    fn example(text: &str, label: &str) -> Example {
        Example {
            text: text.to_owned(),
            label: label.to_owned(),
        }
    }

    #[tokio::test]
    async fn keeps_the_good_rows_and_names_the_bad_ones() {
        let file = b"\xef\xbb\xbfid,Label,TEXT\n1,refund, give it back \n2,,no label\n3,bug,\"two\nlines\"\n4,bug\n5,bug,\xff\n6,bug,a\0b\n7,__oos__,hello\n";
        let labelled = read_all(file).await.expect("it has good rows");
        let expected = [
            example("give it back", "refund"),
            example("two\nlines", "bug"),
            example("hello", "__oos__"),
        ];
        assert_eq!(labelled.examples, expected);
        assert_eq!(labelled.labels(), 3);
        assert_eq!(labelled.refused, 4);
        let named: Vec<_> = labelled
            .bad
            .iter()
            .map(|bad| (bad.line, bad.field))
            .collect();
        let expected = [
            (3, Some("label")),
            (6, None),
            (7, Some("text")),
            (8, Some("text")),
        ];
        assert_eq!(named, expected);
    }

    #[tokio::test]
    async fn refuses_a_file_without_its_columns_or_without_rows() {
        let said = async |file: &[u8]| read_all(file).await.expect_err("no such file").to_string();
        assert!(said(b"").await.contains("the file is empty"));
        assert!(said(b"text;label\na;b\n").await.contains("text is missing"));
        assert!(
            said(b"text,label,text\n")
                .await
                .contains("text appears twice")
        );
        assert!(
            said(b"text,label\n,\n")
                .await
                .ends_with("1 were refused, the first at line 2: text is empty")
        );
        assert!(said(b"text,label\n").await.ends_with("0 were refused"));
    }

    #[tokio::test]
    async fn a_text_too_long_is_one_bad_row_and_too_many_rows_are_a_refusal() {
        let file = format!("text,label\n{},a\nshort,b\n", "x".repeat(TEXT_MAX + 1));
        let labelled = read_all(file.as_bytes()).await.expect("one good row");
        assert_eq!((labelled.examples.len(), labelled.refused), (1, 1));
        let many = "text,label\n".to_owned() + &"t,l\n".repeat(ROWS_MAX + 1);
        let error = read_all(many.as_bytes()).await.expect_err("too many");
        assert!(matches!(error, FileError::TooLarge));
    }

    #[tokio::test]
    async fn what_breaks_off_is_an_error_with_its_cause() {
        let broken = broken_source();
        let error = read(broken, |_| {}).await.expect_err("it breaks off");
        assert!(matches!(error, FileError::Read(_)));
    }

    /// A source that fails at once.
    fn broken_source() -> impl AsyncRead + Unpin {
        struct Broken;
        impl AsyncRead for Broken {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
                _: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<io::Result<()>> {
                std::task::Poll::Ready(Err(io::Error::other("the cable was cut")))
            }
        }
        Broken
    }
}
