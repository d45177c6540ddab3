//! Records of a CSV file, as bytes come in. A record may go over several lines; one that is too long costs no memory.

use csv_core::{ReadRecordResult, Reader};

/// Longest record, in bytes.
const RECORD_MAX: usize = 64 * 1024;
/// Most fields of a record.
const FIELDS_MAX: usize = 256;

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// Its fields.
    Fields(Vec<&'a [u8]>),
    /// It has more bytes or fields than are read.
    TooLong,
}

/// Cuts bytes into records.
#[derive(Debug)]
pub(super) struct Records {
    reader: Reader,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    written: usize,
    ended: usize,
    too_long: bool,
    /// Whether nothing of the next record was seen yet.
    fresh: bool,
    /// The line that the record at hand begins at.
    line: u64,
    /// Line feeds that were read over.
    feeds: u64,
}

impl Records {
    pub(super) fn new() -> Self {
        Self {
            reader: Reader::new(),
            bytes: vec![0; RECORD_MAX],
            ends: vec![0; FIELDS_MAX],
            written: 0,
            ended: 0,
            too_long: false,
            fresh: true,
            line: 1,
            feeds: 0,
        }
    }

    /// Takes the next bytes, none at the end of the file, and shows each record that they end with the line it begins at.
    pub(super) fn take(&mut self, mut input: &[u8], mut seen: impl FnMut(u64, Record<'_>)) {
        let last = input.is_empty();
        loop {
            if self.fresh {
                input = self.begin(input);
            }
            // The reader takes no bytes for the end of the file.
            if input.is_empty() && !last {
                return;
            }
            let (result, read, written, ended) = self.reader.read_record(
                input,
                &mut self.bytes[self.written..],
                &mut self.ends[self.ended..],
            );
            self.feeds += feeds(&input[..read]);
            input = &input[read..];
            self.written += written;
            self.ended += ended;
            match result {
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => self.drop_rest(),
                ReadRecordResult::Record => {
                    seen(self.line, self.record());
                    (self.written, self.ended) = (0, 0);
                    (self.too_long, self.fresh) = (false, true);
                }
                ReadRecordResult::InputEmpty if last => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return,
            }
        }
    }

    /// What comes until the record's end is read over.
    fn drop_rest(&mut self) {
        self.too_long = true;
        (self.written, self.ended) = (0, 0);
    }

    /// Reads over line ends up to the next record, and notes where it begins.
    fn begin<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let blank = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let skip = input.iter().take_while(|byte| blank(byte)).count();
        let (skipped, rest) = input.split_at(skip);
        self.feeds += feeds(skipped);
        self.fresh = rest.is_empty();
        self.line = 1 + self.feeds;
        rest
    }

    fn record(&self) -> Record<'_> {
        if self.too_long {
            return Record::TooLong;
        }
        let ends = &self.ends[..self.ended];
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let fields = starts
            .zip(ends)
            .map(|(start, end)| &self.bytes[start..*end]);
        Record::Fields(fields.collect())
    }
}

fn feeds(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All records, as text.
    fn cut(chunks: &[&[u8]]) -> Vec<(u64, Option<Vec<String>>)> {
        let mut records = Records::new();
        let mut cut = Vec::new();
        for chunk in chunks.iter().chain(&[&b""[..]]) {
            records.take(chunk, |line, record| {
                let fields = match record {
                    Record::Fields(fields) => Some(
                        fields
                            .iter()
                            .map(|field| String::from_utf8_lossy(field).into_owned())
                            .collect(),
                    ),
                    Record::TooLong => None,
                };
                cut.push((line, fields));
            });
        }
        cut
    }

    #[test]
    fn a_field_in_quotes_may_hold_commas_quotes_and_line_ends() {
        let cut = cut(&[b"text,label\r\n\"a, \"\"b\"\"\nc\",x\nd,y"]);
        let expected = [
            (1, vec!["text", "label"]),
            (2, vec!["a, \"b\"\nc", "x"]),
            (4, vec!["d", "y"]),
        ];
        let expected = expected
            .map(|(line, fields)| (line, Some(fields.into_iter().map(str::to_owned).collect())));
        assert_eq!(cut, expected);
    }

    #[test]
    fn a_record_too_long_is_passed_over_and_the_next_is_read() {
        let mut long = vec![b'x'; RECORD_MAX * 3];
        long.extend(b",y\na,b\n");
        let cut_long = cut(&[&long]);
        assert_eq!(cut_long[0].1, None);
        assert_eq!(cut_long[1].1, Some(vec!["a".to_owned(), "b".to_owned()]));
        let many = ",".repeat(FIELDS_MAX * 2) + "\na,b\n";
        assert_eq!(cut(&[many.as_bytes()])[0].1, None);
    }

    proptest! {
        /// Where the bytes are cut on their way does not matter.
        #[test]
        fn chunks_make_no_difference(text in "[a\",\n\r]{0,60}", at in 0_usize..60) {
            let bytes = text.as_bytes();
            let at = at.min(bytes.len());
            let (one, two) = bytes.split_at(at);
            let parts: Vec<&[u8]> = [one, two].into_iter().filter(|it| !it.is_empty()).collect();
            prop_assert_eq!(cut(&parts), cut(&[bytes].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>()));
        }
    }
}
